//! A declaration and a query, as SQL that reads rows.

use crate::condition::Conditions;
use crate::filter::Filter;
use crate::lead::{Lead, hidden};
use crate::milestones::Start;
use crate::query::Sort;
use crate::scope::{Arm, Values};
use crate::spec::{Attribute, Kind, Relationship};
use crate::{Catalog, Query, Result, Scope, Spec, filter};
use guildhall_store::Sql;

/// A collection is read as a merge of this many sorted parts at most; engines limit compound queries.
const MOST_PARTS: usize = 100;
/// How many arguments a merge may have, each part repeating the filters.
const MOST_MERGED_ARGUMENTS: usize = 10_000;
/// How many arguments a query may have; engines limit that too.
const MOST_ARGUMENTS: usize = 30_000;

/// How many filters may be considered together by an engine that looks for the best order of them all: that takes
/// it longer than the query itself when there are many.
const MOST_JOINED: usize = 4;

/// What is read of each row: the id, then the attributes shown, then the links followed.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) spec: &'static Spec,
    pub(crate) attributes: Vec<&'static Attribute>,
    pub(crate) links: Vec<&'static Relationship>,
    sql: Sql,
}

impl Columns {
    pub(crate) fn new(
        catalog: &Catalog,
        query: &Query,
        spec: &'static Spec,
        links: Vec<&'static Relationship>,
        secrets: Option<&Arm>,
    ) -> Self {
        let shown = catalog.shown(spec);
        let limited = query.limits(spec.kind) || secrets.is_some();
        let mut attributes = Vec::with_capacity(shown.attributes.len());
        let mut sql = Sql::text(if limited { "t.id as id" } else { &shown.all });
        for (attribute, expression) in &shown.attributes {
            if limited {
                if !query.shows(spec.kind, attribute.name) {
                    continue;
                }
                sql.push(", ");
                match secrets.filter(|_| attribute.kind == Kind::Secret) {
                    None => sql.push(expression),
                    Some(arm) => {
                        sql.push("case when ");
                        arm.condition(&mut sql, "t");
                        sql.push(" then ").push(expression).push(" end")
                    }
                };
            }
            attributes.push(*attribute);
        }
        for link in &links {
            sql.push(", t.").push(link.column);
        }
        Self { spec, attributes, links, sql }
    }

    /// Where a link's id is in the row.
    pub(crate) fn link(&self, relationship: &Relationship) -> Option<usize> {
        let index = self.links.iter().position(|link| link.name == relationship.name)?;
        Some(1 + self.attributes.len() + index)
    }

    /// How many columns there are; one that a query adds comes after them.
    pub(crate) fn len(&self) -> usize {
        1 + self.attributes.len() + self.links.len()
    }

    /// `select <columns>[, t.<extra>] from <table> t where `
    pub(crate) fn select(&self, extra: Option<&str>) -> Sql {
        let mut sql = Sql::text("select ");
        sql.append(&self.sql);
        if let Some(extra) = extra {
            sql.push(", t.").push(extra);
        }
        sql.push(" from ").push(self.spec.kind).push(" t where ");
        sql
    }
}

/// The rows of a collection: those in the caller's scope that fulfil the conditions.
pub(crate) struct Collection<'a> {
    pub(crate) conditions: Conditions<'a>,
    pub(crate) spec: &'static Spec,
    pub(crate) scope: Scope,
    /// For a related collection: the condition that ties it to its parent.
    pub(crate) within: Option<Sql>,
    /// Where everything is that the filters match, if that was looked up.
    pub(crate) lead: Option<Lead>,
    pub(crate) query: &'a Query,
}

impl Collection<'_> {
    /// What is asked beside whose rows are wanted: the scope has been narrowed to those.
    pub(crate) fn filters(&self) -> Vec<&Filter> {
        let is_rest = |filter: &&Filter| self.spec.sized_by.and_then(|by| filter.links(by)).is_none();
        self.query.filters.iter().filter(is_rest).collect()
    }

    /// Adds everything a row must fulfil besides being visible.
    fn narrow(&self, sql: &mut Sql) {
        if let Some(within) = &self.within {
            sql.push(" and ").append(within);
        }
        for (index, filter) in self.query.filters.iter().enumerate() {
            self.conditions.filter(sql, self.spec, filter, index < MOST_JOINED);
        }
    }

    /// Counts the rows that are visible for no reason among the first `known`.
    pub(crate) fn count(&self, known: usize) -> Sql {
        let mut sql = Sql::text("select count(*) from ");
        sql.push(self.spec.kind).push(" t where ");
        let (earlier, later) = self.scope.arms.split_at(known);
        let later = Scope { arms: later.to_vec(), secrets: None };
        match &self.lead {
            Some(lead) if known == 0 => {
                lead.condition(&mut sql);
                sql.push(" and ");
                hidden(&mut sql, &later);
            }
            // What is visible for another reason than its owner is little.
            lead => {
                later.lead(&mut sql, "t");
                if let Some(lead) = lead {
                    sql.push(" and coalesce((");
                    lead.condition(&mut sql);
                    sql.push("), false)");
                }
            }
        }
        for arm in earlier {
            sql.push(" and not coalesce(");
            arm.condition(&mut sql, "t");
            sql.push(", false)");
        }
        self.narrow(&mut sql);
        sql
    }

    /// Refuses conditions that no engine takes: so many of them, for a caller in so many organizations.
    pub(crate) fn check(&self) -> Result<()> {
        // Without filters there is nothing to count: long lists are one argument.
        if self.query.filters.is_empty() || self.count(0).arguments() <= MOST_ARGUMENTS {
            return Ok(());
        }
        Err(filter::syntax(&format!("More than {MOST_ARGUMENTS} values to compare with")).into())
    }

    /// One page of it, in order.
    ///
    /// Each part of the scope has an index that yields its rows in the default order, so that a page
    /// costs the same however many rows there are; the parts are merged. A page far behind may say where it starts.
    pub(crate) fn page(&self, columns: &Columns, start: Option<&Start>) -> Sql {
        let keys = self.keys();
        let (limit, offset) = (self.query.page.size, self.query.page.offset());
        let offset = offset - start.map_or(0, |start| start.skipped);
        let parts = self.parts();
        let mut sql = if let [only] = parts.as_slice() {
            let mut sql = columns.select(None);
            sql.append(only);
            self.narrow(&mut sql);
            if let Some(start) = start {
                sql.push(" and ").append(&start.condition);
            }
            sql
        } else {
            let mut sql = Sql::default();
            for (index, part) in parts.iter().enumerate() {
                sql.push(if index == 0 { "" } else { " union all " });
                sql.push("select * from (");
                sql.append(&self.keyed(columns, &keys));
                sql.append(part);
                self.narrow(&mut sql);
                order(&mut sql, &keys, false);
                sql.push(" limit ").bind(int(limit.saturating_add(offset))).push(") p");
            }
            sql
        };
        order(&mut sql, &keys, parts.len() > 1);
        sql.push(" limit ").bind(int(limit)).push(" offset ").bind(int(offset));
        sql
    }

    /// The columns of a page, followed by the keys it is sorted by.
    fn keyed(&self, columns: &Columns, keys: &[Key]) -> Sql {
        let mut sql = Sql::text("select ");
        sql.append(&columns.sql);
        for (index, key) in keys.iter().enumerate() {
            sql.push(&format!(", {} as k{index}", key.expression));
        }
        sql.push(" from ").push(self.spec.kind).push(" t where ");
        sql
    }

    /// The scope as disjoint conditions, one for each value of the column the table is sized by.
    fn parts(&self) -> Vec<Sql> {
        if let Some(lead) = &self.lead {
            return lead.parts(&self.scope);
        }
        let mut parts = Vec::new();
        for (index, arm) in self.scope.arms.iter().enumerate() {
            let first = parts.len();
            match &arm.values {
                Values::These(values) if Some(arm.column) == self.spec.sized_by => {
                    parts.extend(values.iter().map(|value| {
                        let mut sql = Sql::text("t.");
                        sql.push(arm.column).push(" = ").bind(value);
                        sql
                    }));
                }
                Values::These(_) | Values::Selected { .. } => {
                    let mut sql = Sql::default();
                    arm.lead(&mut sql, "t");
                    parts.push(sql);
                }
            }
            // A row that an earlier arm shows must not come twice.
            for part in &mut parts[first..] {
                for earlier in &self.scope.arms[..index] {
                    part.push(" and not coalesce(");
                    earlier.condition(part, "t");
                    part.push(", false)");
                }
            }
        }
        let mut narrowed = Sql::default();
        self.narrow(&mut narrowed);
        let merged = parts.len() * narrowed.arguments();
        if parts.is_empty() || parts.len() > MOST_PARTS || merged > MOST_MERGED_ARGUMENTS {
            let mut whole = Sql::default();
            self.scope.lead(&mut whole, "t");
            parts = vec![whole];
        }
        parts
    }

    fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> =
            self.query.sort.iter().map(|sort| Key::new(self.conditions.catalog, *sort)).collect();
        if keys.is_empty() {
            keys.push(Key { expression: "t.created_at".to_owned(), nullable: false, descending: false });
        }
        // Equal keys need an order too, or pages would overlap.
        keys.push(Key { expression: "t.id".to_owned(), nullable: false, descending: false });
        keys
    }
}

struct Key {
    expression: String,
    nullable: bool,
    descending: bool,
}

impl Key {
    fn new(catalog: &Catalog, sort: Sort) -> Self {
        Self {
            expression: sort
                .attribute
                .map_or_else(|| "t.id".to_owned(), |attribute| catalog.expression(attribute, "t")),
            nullable: sort.attribute.is_some_and(|attribute| attribute.nullable),
            descending: sort.descending,
        }
    }
}

/// Adds `order by`, on the expressions or, for a merge, on the names they were given.
fn order(sql: &mut Sql, keys: &[Key], named: bool) {
    for (index, key) in keys.iter().enumerate() {
        sql.push(if index == 0 { " order by " } else { ", " });
        if named {
            sql.push(&format!("k{index}"));
        } else {
            sql.push(&key.expression);
        }
        // Engines disagree on where nulls sort; a null counts as less than any value here.
        sql.push(match (key.descending, key.nullable) {
            (false, false) => "",
            (false, true) => " nulls first",
            (true, false) => " desc",
            (true, true) => " desc nulls last",
        });
    }
}

/// Page numbers that no table reaches are all alike.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
