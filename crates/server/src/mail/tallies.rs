//! How much of something there was within a stretch of time: counted in the transaction that does it, so
//! that what is undone was not counted, on whichever node.

use crate::config::Switch;
use crate::work::Work;
use guildhall_jsonapi::Result;
use guildhall_store::Sql;

/// One of the tallies is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Which of those that were asked for.
    pub index: usize,
    /// After how many seconds it starts anew.
    pub seconds: u64,
}

/// Counts one more under each name and answers the first that has more than its limit now.
pub fn count(work: &mut Work<'_, '_>, names: &[(String, i64)], window: i64) -> Result<Option<Full>> {
    if work.app.config.rate_limits == Switch::Off {
        return Ok(None);
    }
    let began = work.now - work.now.rem_euclid(window);
    let mut sql = Sql::text("insert into tallies (name, began_at, tally) values ");
    for (index, (name, _)) in names.iter().enumerate() {
        sql.push(if index == 0 { "(" } else { ", (" }).bind(name).push(", ").bind(began).push(", 1)");
    }
    sql.push(" on conflict (name, began_at) do update set tally = tallies.tally + 1");
    work.tx.execute(&sql)?;
    let mut sql = Sql::text("select name, tally from tallies where began_at = ");
    sql.bind(began).push(" and name in (").bind_list(names.iter().map(|(name, _)| name.clone())).push(")");
    let rows = work.tx.rows(&sql)?;
    let tally = |name: &str| rows.iter().find(|row| row.text(0) == name).map_or(0, |row| row.int(1));
    let full = names.iter().position(|(name, limit)| tally(name) > *limit);
    let seconds = u64::try_from((began + window - work.now) / 1000).unwrap_or(0) + 1;
    Ok(full.map(|index| Full { index, seconds }))
}
