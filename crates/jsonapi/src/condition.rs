//! Filters as SQL conditions.

use crate::filter::{Field, Filter, Term};
use crate::predicate::{Test, Values};
use crate::spec::{Kind, Relationship};
use crate::{Catalog, Scope, Spec};
use guildhall_store::{Sql, Value};

/// What conditions are written against: the declarations and what the caller may see of each kind.
pub(crate) struct Conditions<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) scope: &'a dyn Fn(&'static Spec) -> Scope,
}

impl Conditions<'_> {
    /// Adds `and` and the filter's condition. One that is not `joined` is looked at by itself, row by row.
    pub(crate) fn filter(&self, sql: &mut Sql, spec: &'static Spec, filter: &Filter, joined: bool) {
        sql.push(if joined { " and (" } else { " and coalesce((" });
        for (index, term) in filter.terms.iter().enumerate() {
            sql.push(match (index, filter.any) {
                (0, _) => "",
                (_, true) => " or ",
                (_, false) => " and ",
            });
            self.term(sql, spec, term, &term.path, "t");
        }
        sql.push(if joined { ")" } else { "), false)" });
    }

    /// Selects the ids of those at the other end of a relationship for which a term holds.
    pub(crate) fn linked(&self, relationship: &Relationship, term: &Term) -> Sql {
        let target = self.catalog.target(relationship.kind);
        let mut sql = Sql::text("select x.id from ");
        sql.push(target.kind).push(" x where ");
        (self.scope)(target).lead(&mut sql, "x");
        sql.push(" and ");
        self.test(&mut sql, term, "x");
        sql
    }

    fn term(
        &self,
        sql: &mut Sql,
        spec: &'static Spec,
        term: &Term,
        path: &[&'static Relationship],
        table: &str,
    ) {
        let Some((relationship, rest)) = path.split_first() else {
            self.test(sql, term, table);
            return;
        };
        // The linked id is in the row itself: no need to look at the other one.
        if !relationship.many && rest.is_empty() && matches!(term.field, Field::Id) {
            let link = format!("{table}.{}", relationship.column);
            compare(sql, &Column::text(link.clone()), term);
            // An id that is not shown must not answer questions either.
            let target = self.catalog.target(relationship.kind);
            sql.push(&format!(
                " and ({link} is null or exists (select 1 from {} x where x.id = {link} and ",
                target.kind
            ));
            (self.scope)(target).condition(sql, "x");
            sql.push("))");
            return;
        }
        let target = self.catalog.target(relationship.kind);
        let inner = format!("{table}{}", path.len());
        if relationship.few {
            // Looked up once, and then by the index of those that link to them.
            let link = relationship.column;
            sql.push(&format!("{table}.{link} in (select {inner}.id from {} {inner} where ", target.kind));
        } else {
            sql.push(&format!("exists (select 1 from {} {inner} where ", target.kind));
            join(sql, spec, relationship, table, &inner);
            sql.push(" and ");
        }
        // What the caller cannot see must not answer questions either.
        let scope = (self.scope)(target);
        if relationship.few {
            scope.lead(sql, &inner);
        } else {
            scope.condition(sql, &inner);
        }
        sql.push(" and ");
        self.term(sql, target, term, rest, &inner);
        sql.push(")");
    }

    fn test(&self, sql: &mut Sql, term: &Term, table: &str) {
        let column = match term.field {
            Field::Id => Column::text(format!("{table}.id")),
            Field::Attribute(attribute) => Column {
                sql: self.catalog.expression(attribute, table),
                kind: attribute.kind,
                folded: attribute.folded.map(|column| format!("{table}.{column}")),
                searched: attribute.searched,
            },
        };
        compare(sql, &column, term);
    }
}

/// Adds the condition that `inner` is at the other end of the relationship from `outer`.
pub(crate) fn join(sql: &mut Sql, spec: &Spec, relationship: &Relationship, outer: &str, inner: &str) {
    if relationship.many {
        sql.push(&format!("{inner}.{} = {outer}.id", relationship.column));
        of_kind(sql, spec, relationship, inner);
    } else {
        sql.push(&format!("{inner}.id = {outer}.{}", relationship.column));
    }
}

/// Adds the other half of a link that holds type and id: that the row `inner` points at this kind.
pub(crate) fn of_kind(sql: &mut Sql, spec: &Spec, relationship: &Relationship, inner: &str) {
    if let Some(column) = relationship.kind_column {
        sql.push(&format!(" and {inner}.{column} = ")).bind(spec.kind);
    }
}

struct Column {
    sql: String,
    kind: Kind,
    folded: Option<String>,
    /// Whether an index of its parts was asked before, if it was worth it: see `lead`.
    searched: bool,
}

impl Column {
    fn text(sql: String) -> Self {
        Self { sql, kind: Kind::Text, folded: None, searched: false }
    }
}

fn compare(sql: &mut Sql, column: &Column, term: &Term) {
    let matcher = term.matcher;
    sql.push("(");
    match matcher.values {
        Values::Whether => {
            let wanted = term.values.first() == Some(&Value::Flag(true));
            whether(sql, column, matcher.test, wanted != matcher.negated);
        }
        Values::Any if matcher.test == Test::Equal && !matcher.negated => {
            equal_to_one(sql, column, &term.values);
        }
        Values::One | Values::Any | Values::All => {
            let joint = if matcher.values == Values::All { " and " } else { " or " };
            for (index, value) in term.values.iter().enumerate() {
                sql.push(if index == 0 { "" } else { joint });
                one(sql, column, matcher.test, matcher.negated, value);
            }
        }
    }
    if matcher.or_null {
        sql.push(&format!(" or {} is null", column.sql));
    }
    sql.push(")");
}

fn equal_to_one(sql: &mut Sql, column: &Column, values: &[Value]) {
    sql.push(column.folded.as_ref().unwrap_or(&column.sql)).push(" in (");
    sql.bind_list(values.iter().map(|value| folded(column, value))).push(")");
}

fn folded(column: &Column, value: &Value) -> Value {
    match value {
        Value::Text(text) if column.folded.is_some() => Value::Text(text.to_lowercase()),
        other => other.clone(),
    }
}

/// One comparison. A null is neither true nor false, so neither a test nor its contrary matches it.
fn one(sql: &mut Sql, column: &Column, test: Test, negated: bool, value: &Value) {
    let text = match value {
        Value::Text(text) => text.as_str(),
        _ => "",
    };
    let mut compare = |operator: &str, value: Value| {
        let plain = if test == Test::Equal { column.folded.as_ref() } else { None };
        sql.push(plain.unwrap_or(&column.sql)).push(operator).bind(value);
    };
    match test {
        Test::Equal => compare(if negated { " <> " } else { " = " }, folded(column, value)),
        Test::Less => compare(" < ", value.clone()),
        Test::LessOrEq => compare(" <= ", value.clone()),
        Test::Greater => compare(" > ", value.clone()),
        Test::GreaterOrEq => compare(" >= ", value.clone()),
        Test::Like => like(sql, column, negated, text.to_lowercase()),
        Test::Start => {
            let prefix = text.to_lowercase();
            if let (Some(folded), false) = (column.folded.as_ref().filter(|_| !negated), prefix.is_empty()) {
                // The same as the pattern, as an index has it: texts are sorted by their bytes.
                let end = format!("{prefix}{}", char::MAX);
                sql.push(folded)
                    .push(" >= ")
                    .bind(prefix)
                    .push(" and ")
                    .push(folded)
                    .push(" < ")
                    .bind(end)
                    .push(" and ");
            }
            like(sql, column, negated, format!("{}%", escape(text)));
        }
        Test::End => like(sql, column, negated, format!("%{}", escape(text))),
        Test::Contains => like(sql, column, negated, format!("%{}%", escape(text))),
        Test::ContainsJson => {
            sql.push("json_contains(").push(&column.sql).push(", ").bind(text).push(")");
        }
        Test::Present | Test::NotNull | Test::True => unreachable!("these take a flag, never a value"),
    }
}

/// LIKE that ignores case; a backslash in the pattern makes the next character literal.
fn like(sql: &mut Sql, column: &Column, negated: bool, pattern: String) {
    match &column.folded {
        // An engine that guesses would ask that index once more, or although it is not worth it.
        Some(folded) if column.searched => sql.push("(").push(folded).push(" || '')"),
        Some(folded) => sql.push(folded),
        None if column.searched => sql.push("(folded(").push(&column.sql).push(") || '')"),
        None => sql.push("folded(").push(&column.sql).push(")"),
    };
    sql.push(if negated { " not like " } else { " like " });
    sql.bind(close(pattern)).push(" escape '\\'");
}

/// A pattern that ends in a lone backslash is an error to some engines: take it literally.
fn close(mut pattern: String) -> String {
    let backslashes = pattern.chars().rev().take_while(|character| *character == '\\').count();
    if backslashes % 2 == 1 {
        pattern.push('\\');
    }
    pattern
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.to_lowercase().chars() {
        if matches!(character, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn whether(sql: &mut Sql, column: &Column, test: Test, holds: bool) {
    let name = &column.sql;
    let empty = match column.kind {
        Kind::Object => Some("'{}'"),
        Kind::Text | Kind::OneOf(_) | Kind::Secret => Some("''"),
        _ => None,
    };
    let condition = match (test, empty, holds) {
        // As an index of the rows for which it holds has it.
        (Test::True, _, true) => format!("({name})"),
        (Test::True, _, false) => format!("not ({name})"),
        (Test::Present, Some(empty), true) => format!("({name} is not null and {name} <> {empty})"),
        (Test::Present, Some(empty), false) => format!("({name} is null or {name} = {empty})"),
        (_, _, true) => format!("{name} is not null"),
        (_, _, false) => format!("{name} is null"),
    };
    sql.push(&condition);
}
