//! How many records a collection has, mostly without counting them.

use crate::Result;
use crate::scope::Arm;
use crate::select::Collection;
use guildhall_store::{Sql, Tx};

/// How many records a collection has. The table `sizes` knows most of them; only rows that are visible
/// for another reason than their owner are counted.
pub(crate) fn count(
    tx: &mut Tx<'_>,
    collection: &Collection<'_>,
    tie: Option<(&'static str, &str)>,
) -> Result<u64> {
    let spec = collection.spec;
    let owners = match (collection.scope.arms.first(), spec.sized_by) {
        (Some(Arm::In(column, values)), Some(sized_by)) if *column == sized_by => values,
        _ => return number(tx, &collection.count(0)),
    };
    let owners: Vec<&String> = match tie {
        _ if !collection.query.filters.is_empty() => return number(tx, &collection.count(0)),
        None => owners.iter().collect(),
        Some((column, id)) if Some(column) == spec.sized_by => {
            owners.iter().filter(|owner| *owner == id).collect()
        }
        Some(_) => return number(tx, &collection.count(0)),
    };
    let mut sizes = Sql::new(
        "select coalesce(sum(size), 0) from sizes where kind = ? and owner in (",
        [spec.kind.into()],
    );
    sizes.bind_list(owners).push(")");
    let sized = number(tx, &sizes)?;
    let others = if collection.scope.arms.len() > 1 { number(tx, &collection.count(1))? } else { 0 };
    Ok(sized + others)
}

fn number(tx: &mut Tx<'_>, sql: &Sql) -> Result<u64> {
    let rows = tx.rows(sql)?;
    Ok(rows.first().map_or(0, |row| u64::try_from(row.int(0)).unwrap_or(0)))
}
