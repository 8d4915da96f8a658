//! How much of something there was within a stretch of time: counted in the transaction that does it, so
//! that what is undone was not counted, on whichever node.

use crate::clock::HOUR;
use crate::config::Switch;
use crate::limits::network;
use crate::work::Work;
use guildhall_jsonapi::Result;
use guildhall_store::Sql;
use std::net::IpAddr;

/// One of the tallies is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Which of those that were asked for.
    pub index: usize,
    /// After how many seconds it starts anew.
    pub seconds: u64,
}

/// How many letters of a kind one address gets an hour, from one source and from all of them: somebody
/// who asks for them on behalf of another must not use them up.
const AN_HOUR_FROM_ONE: i64 = 3;
/// From then on everybody gets one, so that strangers who have used them up do not keep the reader from theirs.
const AN_HOUR_FROM_ALL: i64 = 15;
const AN_HOUR_AT_MOST: i64 = 60;

/// Counts a letter that somebody at an address on the network wants sent; answers whether it may leave.
pub fn count_letter(work: &mut Work<'_, '_>, kind: &str, email_key: &str, source: IpAddr) -> Result<bool> {
    let names = [
        (format!("{kind} {email_key} {}", network(source)), AN_HOUR_FROM_ONE),
        (format!("{kind} {email_key}"), AN_HOUR_FROM_ALL),
    ];
    let Some(full) = count(work, &names, HOUR)? else { return Ok(true) };
    if full.index == 0 {
        return Ok(false);
    }
    Ok(tally(work, &names[0].0, HOUR)? == 1 && tally(work, &names[1].0, HOUR)? <= AN_HOUR_AT_MOST)
}

/// How much there was under a name in the stretch at hand.
fn tally(work: &mut Work<'_, '_>, name: &str, window: i64) -> Result<i64> {
    let began = work.now - work.now.rem_euclid(window);
    let sql = "select tally from tallies where name = ? and began_at = ?";
    Ok(work.tx.rows(&Sql::new(sql, [name.into(), began.into()]))?.first().map_or(0, |row| row.int(0)))
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
