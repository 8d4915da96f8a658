//! By what a filter leads to few rows of many: looked up first, since engines that know no numbers guess wrongly.

use crate::Result;
use crate::count::{owners, size, size_name, sized_tie};
use crate::filter::Filter;
use crate::scope::{Scope, Values};
use crate::select::Collection;
use crate::spec::Relationship;
use guildhall_store::{Sql, Tx};

/// How many values of a link are looked for one by one.
const MOST_LINKS: usize = 50;
/// An index of trigrams knows no shorter text.
const SHORTEST: usize = 3;
/// What a text that long says is told by its beginning; each letter more is work for the index.
const LONGEST: usize = 12;
/// Reading a candidate by the index takes about as long as reading so many rows in their order.
const PRICE: u64 = 16;

/// Where all rows are that a filter matches.
pub(crate) enum Lead {
    /// They have these ids.
    Ids(Vec<String>),
    /// They link to these.
    Links(&'static Relationship, Vec<String>),
    /// This column of theirs has this value.
    Tie(&'static str, String),
}

impl Lead {
    /// Adds the condition that a row is there.
    pub(crate) fn condition(&self, sql: &mut Sql) {
        let (column, values) = match self {
            Self::Ids(ids) => ("id", ids.as_slice()),
            Self::Links(relationship, ids) => (relationship.column, ids.as_slice()),
            Self::Tie(column, id) => (*column, std::slice::from_ref(id)),
        };
        sql.push("t.").push(column).push(" in (").bind_list(values).push(")");
    }

    /// The same as disjoint conditions, each of which an index yields in the default order.
    pub(crate) fn parts(&self, scope: &Scope) -> Vec<Sql> {
        let mut parts = match self {
            Self::Links(relationship, ids) if !ids.is_empty() => ids
                .iter()
                .map(|id| {
                    let mut sql = Sql::text("t.");
                    sql.push(relationship.column).push(" = ").bind(id);
                    sql
                })
                .collect(),
            _ => {
                let mut sql = Sql::default();
                self.condition(&mut sql);
                vec![sql]
            }
        };
        for part in &mut parts {
            part.push(" and ");
            hidden(part, scope);
        }
        parts
    }
}

/// Adds a scope as something that is looked at by itself, row by row: the way to the rows is another one.
pub(crate) fn hidden(sql: &mut Sql, scope: &Scope) {
    sql.push("coalesce((");
    scope.condition(sql, "t");
    sql.push("), false)");
}

/// What leads to the rows of a collection, if a filter of it does.
pub(crate) fn find(
    tx: &mut Tx<'_>,
    collection: &Collection<'_>,
    tie: Option<(&'static str, &str)>,
) -> Result<Option<Lead>> {
    if let Some((relationship, id)) = sized_tie(collection, tie) {
        return Ok(Some(Lead::Links(relationship, vec![id.to_owned()])));
    }
    if let Some((column, id)) = tie.filter(|(column, _)| is_close(collection, column)) {
        return Ok(Some(Lead::Tie(column, id.to_owned())));
    }
    match links(tx, collection, tie)? {
        Some(lead) => Ok(Some(lead)),
        None => search(tx, collection, tie),
    }
}

/// Whether few rows have the same value in a column that ties them to a record: it is a link of theirs, but neither the one
/// that says whose they are, nor one by which the table `sizes` counts them.
fn is_close(collection: &Collection<'_>, column: &str) -> bool {
    let spec = collection.spec;
    let is_link = |one: &Relationship| !one.many && !one.sized && one.column == column;
    spec.sized_by.is_some_and(|by| by != column) && spec.relationships.iter().any(is_link)
}

/// Those that a filter across a relationship is about, where few are. Among several filters it must be worth it: a
/// role that nearly everybody has leads nowhere.
fn links(
    tx: &mut Tx<'_>,
    collection: &Collection<'_>,
    tie: Option<(&'static str, &str)>,
) -> Result<Option<Lead>> {
    let filters = collection.filters();
    let found = filters.iter().find_map(|filter| filter.sized_link());
    let Some((relationship, term)) = found else { return Ok(None) };
    let mut sql = collection.conditions.linked(relationship, term);
    sql.push(" limit ").bind(i64::try_from(MOST_LINKS + 1).unwrap_or(i64::MAX));
    let found = tx.rows(&sql)?;
    let ids: Vec<String> = found.iter().map(|row| row.text(0).to_owned()).collect();
    if ids.len() > MOST_LINKS {
        return Ok(None);
    }
    if filters.len() > 1 {
        let Some(owners) = owners(collection, tie) else { return Ok(None) };
        let kind = collection.spec.kind;
        let names: Vec<String> = ids.iter().map(|id| size_name(kind, relationship.name, id)).collect();
        if size(tx, &names, &owners)? > size(tx, &[kind.to_owned()], &owners)? / PRICE {
            return Ok(None);
        }
    }
    Ok(Some(Lead::Links(relationship, ids)))
}

/// The column that says whose rows they are, whose the caller sees, and how many that is. Where rows belong to nobody each is
/// its own.
fn seen(
    tx: &mut Tx<'_>,
    collection: &Collection<'_>,
    tie: Option<(&'static str, &str)>,
) -> Result<Option<(&'static str, Values, u64)>> {
    let spec = collection.spec;
    if let Some(sized_by) = spec.sized_by {
        let Some(owners) = owners(collection, tie) else { return Ok(None) };
        let seen = size(tx, &[spec.kind.to_owned()], &owners)?;
        return Ok(Some((sized_by, owners, seen)));
    }
    let Some(first) = collection.scope.arms.first().filter(|first| first.column == "id" && tie.is_none())
    else {
        return Ok(None);
    };
    Ok(Some(("id", first.values.clone(), first.values.count(tx)?)))
}

/// The ids of rows with a part of a text, if there is an index for that and asking it costs less than reading the
/// rows: it does not know whose rows it finds.
fn search(
    tx: &mut Tx<'_>,
    collection: &Collection<'_>,
    tie: Option<(&'static str, &str)>,
) -> Result<Option<Lead>> {
    let spec = collection.spec;
    let filters = collection.query.filters.iter().filter_map(Filter::searched);
    let longest = filters.max_by_key(|(_, piece)| piece.chars().count());
    let Some((attribute, piece)) = longest.filter(|(_, piece)| piece.chars().count() >= SHORTEST) else {
        return Ok(None);
    };
    let Some((owner, owners, seen)) = seen(tx, collection, tie)? else { return Ok(None) };
    let most = seen / PRICE;
    if most == 0 {
        return Ok(None);
    }
    let beginning: String = piece.chars().take(LONGEST).collect();
    let index = format!("search_{}", spec.kind);
    let mut sql = Sql::text("select id, ");
    sql.push(owner).push(", ").push(attribute.name).push(" like ").bind(format!("%{piece}%"));
    sql.push(" from ").push(&index).push(" where ");
    tx.may_contain(&mut sql, &index, attribute.name, &beginning);
    sql.push(" limit ").bind(i64::try_from(most + 1).unwrap_or(i64::MAX));
    let found = tx.rows(&sql)?;
    if u64::try_from(found.len()).is_ok_and(|found| found > most) {
        return Ok(None);
    }
    // Rows that are visible for another reason may be anybody's.
    let is_wanted = |owner: &str| match &owners {
        Values::These(owners) if collection.scope.arms.len() == 1 => {
            owners.iter().any(|wanted| wanted == owner)
        }
        Values::These(_) | Values::Selected { .. } => true,
    };
    let wanted = found.iter().filter(|row| is_wanted(row.text(1)) && row.flag(2));
    Ok(Some(Lead::Ids(wanted.map(|row| row.text(0).to_owned()).collect())))
}
