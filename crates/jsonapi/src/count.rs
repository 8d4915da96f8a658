//! How many records a collection has, mostly without counting them.

use crate::Result;
use crate::lead::Lead;
use crate::milestones;
use crate::scope::Values;
use crate::select::Collection;
use crate::spec::Relationship;
use guildhall_store::{Rows, Sql, Tx, Value};

/// The name under which the table `sizes` counts the rows of a kind with one value of an attribute, or one link.
pub fn size_name(kind: &str, member: &str, value: &str) -> String {
    format!("{kind}.{member}.{value}")
}

/// What is to be asked to know how many records a collection has: the sum of the answers, in one row each. The table
/// `sizes` knows most of them; only rows that are visible for another reason than their owner are counted.
pub(crate) enum Count {
    /// Answered without looking at more rows than these are.
    Known(Vec<Sql>),
    /// Every row that is counted is looked at.
    Made(Sql),
}

impl Count {
    pub(crate) fn of(collection: &Collection<'_>, tie: Option<(&'static str, &str)>) -> Self {
        let counted = match sized_tie(collection, tie) {
            Some((relationship, id)) => {
                let name = size_name(collection.spec.kind, relationship.name, id);
                owners(collection, None).map(|owners| sizes(&[name], &owners))
            }
            None => {
                let named = owners(collection, tie).zip(names(collection));
                named.map(|(owners, names)| sizes(&names, &owners))
            }
        };
        let Some(counted) = counted.or_else(|| milestones::count(collection, tie)) else {
            return Self::Made(collection.count(0));
        };
        let others = (collection.scope.arms.len() > 1).then(|| collection.count(1));
        Self::Known(std::iter::once(counted).chain(others).collect())
    }
}

/// The link that ties a collection to one record, if nothing else is asked and the table `sizes` counts it: everybody with
/// one role, say.
pub(crate) fn sized_tie<'a>(
    collection: &Collection<'_>,
    tie: Option<(&'static str, &'a str)>,
) -> Option<(&'static Relationship, &'a str)> {
    let (column, id) = tie.filter(|_| collection.query.filters.is_empty())?;
    let relationship = collection.spec.relationships.iter().find(|one| one.sized && one.column == column)?;
    Some((relationship, id))
}

/// Whose rows a collection has, as far as the table `sizes` counts them.
pub(crate) fn owners(collection: &Collection<'_>, tie: Option<(&'static str, &str)>) -> Option<Values> {
    let sized_by = collection.spec.sized_by?;
    let first = collection.scope.arms.first().filter(|first| first.column == sized_by)?;
    // A collection that is tied to an owner has been narrowed to them.
    tie.is_none_or(|(column, _)| column == sized_by).then(|| first.values.clone())
}

/// Under which names the table `sizes` counts what a collection is filtered by.
fn names(collection: &Collection<'_>) -> Option<Vec<String>> {
    let spec = collection.spec;
    match collection.filters().as_slice() {
        [] => Some(vec![spec.kind.to_owned()]),
        [filter] if filter.sized_link().is_some() => match &collection.lead {
            Some(Lead::Links(relationship, ids)) => {
                Some(ids.iter().map(|id| size_name(spec.kind, relationship.name, id)).collect())
            }
            _ => None,
        },
        [filter] => {
            let (attribute, values) = filter.sized()?;
            let name = |value: &Value| match value {
                Value::Text(text) => Some(size_name(spec.kind, attribute.name, text)),
                _ => None,
            };
            values.iter().map(name).collect()
        }
        _ => None,
    }
}

/// How many rows the table `sizes` counts under these names.
pub(crate) fn size(tx: &mut Tx<'_>, names: &[String], owners: &Values) -> Result<u64> {
    Ok(number(&tx.rows(&sizes(names, owners))?))
}

fn sizes(names: &[String], owners: &Values) -> Sql {
    let mut sql = Sql::text("select cast(coalesce(sum(size), 0) as bigint) from sizes where kind in (");
    sql.bind_list(names).push(") and owner in (");
    owners.list(&mut sql);
    sql.push(")");
    sql
}

/// The number that was found.
pub(crate) fn number(rows: &Rows) -> u64 {
    rows.first().map_or(0, |row| u64::try_from(row.int(0)).unwrap_or(0))
}
