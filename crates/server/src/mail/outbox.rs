//! The outbox: rows that a worker leases, one lane at a time, until each is sent or refused.

use super::Letter;
use crate::clock::{DAY, HOUR, MINUTE};
use crate::work::Work;
use guildhall_jsonapi::Result;
use guildhall_store::{Error, Row, Sql, Tx};

/// How long a lease lasts, which is longer than any conversation with a mail server.
pub const LEASE: i64 = 30 * MINUTE;
/// How long it is tried to send a letter.
const PATIENCE: i64 = 3 * DAY;
/// The longest pause between two tries.
const LONGEST_PAUSE: i64 = 4 * HOUR;

/// Queues a letter: it leaves if and only if the transaction is committed.
pub fn queue(work: &mut Work<'_, '_>, letter: &Letter) -> Result<()> {
    let broken = |error: String| Error::Other(error);
    let text = serde_json::to_string(letter).map_err(|error| broken(error.to_string()))?;
    let sealed = work.app.vault.seal_row(&text)?;
    work.later(Sql::new(
        "insert into letters (id, recipient, sealed, created_at, due_at, membership_id) values (?, ?, ?, ?, ?, ?)",
        [
            work.new_id().into(),
            letter.to.as_str().into(),
            sealed.into(),
            work.now.into(),
            work.now.into(),
            letter.membership.as_deref().into(),
        ],
    ));
    Ok(())
}

/// A letter that is to be sent.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its id, which its Message-ID is made of.
    pub id: String,
    /// What it says, sealed.
    pub sealed: String,
    /// When it was queued.
    pub created_at: i64,
    /// How often it was tried.
    pub attempts: i64,
}

/// How a letter fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The mail server has taken it.
    Sent,
    /// It is to be tried again.
    Later(String),
    /// It is not to be tried again.
    Refused(String),
    /// It was never meant to leave.
    Dropped,
}

/// What a lane is called among those of all nodes.
pub fn lane(node: &str, name: &str) -> String {
    format!("{node}/{name}")
}

/// Takes some letters that are due, for a lane that has nothing on its way. What it leased before and was not told
/// of, because the answer was lost, is its own still.
pub fn lease(tx: &mut Tx<'_>, lane: &str, now: i64, most: i64) -> Result<Vec<Due>, Error> {
    let rows = tx.rows(&Sql::new(
        "select id, sealed, created_at, attempts from letters where due_at <= ?
         and (leased_until is null or leased_until < ? or leased_by = ?) order by due_at, id limit ?",
        [now.into(), now.into(), lane.into(), most.into()],
    ))?;
    let due: Vec<Due> = rows
        .iter()
        .map(|row| Due {
            id: row.text(0).to_owned(),
            sealed: row.text(1).to_owned(),
            created_at: row.int(2),
            attempts: row.int(3),
        })
        .collect();
    if due.is_empty() {
        return Ok(due);
    }
    let mut sql = Sql::text("update letters set leased_until = ");
    sql.bind(now + LEASE)
        .push(", leased_by = ")
        .bind(lane)
        .push(" where id in (")
        .bind_list(due.iter().map(|due| due.id.clone()))
        .push(")");
    tx.execute(&sql)?;
    Ok(due)
}

/// Gives back letters that were leased and not tried, noting why. Those that have waited for too long because
/// of that trouble are given up.
pub fn put_off(
    tx: &mut Tx<'_>,
    lane: &str,
    ids: &[String],
    trouble: Option<&str>,
    now: i64,
) -> Result<(), Error> {
    // Another lane may have leased them since.
    let are_ours = |sql: &mut Sql| {
        sql.push(" where id in (").bind_list(ids.to_vec()).push(") and leased_by = ").bind(lane);
    };
    let mut sql = Sql::text("update letters set leased_until = null, failure = coalesce(");
    sql.bind(trouble).push(", failure)");
    are_ours(&mut sql);
    tx.execute(&sql)?;
    if trouble.is_none() {
        return Ok(());
    }
    let mut sql = Sql::text("update letters set due_at = null, sealed = '', refused_at = ");
    sql.bind(now);
    are_ours(&mut sql);
    sql.push(" and created_at <= ").bind(now - PATIENCE);
    tx.execute(&sql).map(drop)
}

/// Frees what a worker of this node has leased that is no more. What another node has leased is free once the lease
/// has ended.
pub fn free(tx: &mut Tx<'_>, node: &str) -> Result<(), Error> {
    let mut sql = Sql::text(
        "update letters set leased_until = null where leased_until is not null and (leased_by is null",
    );
    sql.push(" or substr(leased_by, 1, ").bind(i64::try_from(node.len()).unwrap_or(0) + 1).push(") = ");
    sql.bind(format!("{node}/")).push(" or leased_by = ").bind(node).push(")");
    tx.execute(&sql).map(drop)
}

/// Notes how a letter fared. What is sent or refused keeps nothing of what it said.
pub fn settle(tx: &mut Tx<'_>, due: &Due, fate: &Fate, now: i64) -> Result<(), Error> {
    let id = due.id.as_str();
    let sql = match fate {
        Fate::Sent => Sql::new(
            "update letters set sent_at = ?, due_at = null, leased_until = null, sealed = '', failure = null,
             attempts = attempts + 1 where id = ?",
            [now.into(), id.into()],
        ),
        Fate::Dropped => Sql::new("delete from letters where id = ?", [id.into()]),
        Fate::Later(failure) if now - due.created_at < PATIENCE => Sql::new(
            "update letters set due_at = ?, leased_until = null, failure = ?, attempts = attempts + 1 where id = ?",
            [(now + pause(due.attempts)).into(), failure.as_str().into(), id.into()],
        ),
        Fate::Later(failure) | Fate::Refused(failure) => Sql::new(
            "update letters set refused_at = ?, due_at = null, leased_until = null, sealed = '', failure = ?,
             attempts = attempts + 1 where id = ?",
            [now.into(), failure.as_str().into(), id.into()],
        ),
    };
    tx.execute(&sql).map(drop)
}

/// One minute, two, four, and so on up to four hours.
fn pause(attempts: i64) -> i64 {
    let doubled = u32::try_from(attempts.min(16)).unwrap_or(16);
    (MINUTE << doubled).min(LONGEST_PAUSE)
}

/// A letter as the operator sees it.
#[derive(Clone, Debug)]
pub struct Queued {
    /// Its id.
    pub id: String,
    /// Where it goes.
    pub to: String,
    /// When it was queued.
    pub created_at: i64,
    /// When it is tried next; never again, when it was refused.
    pub due_at: Option<i64>,
    /// How often it was tried.
    pub attempts: i64,
    /// What went wrong last.
    pub failure: Option<String>,
}

/// What waits and what was refused, the oldest first.
pub fn list(tx: &mut Tx<'_>, most: i64) -> Result<Vec<Queued>, Error> {
    let rows = tx.rows(&Sql::new(
        "select id, recipient, created_at, due_at, attempts, failure from letters
         where due_at is not null or refused_at is not null order by created_at, id limit ?",
        [most.into()],
    ))?;
    let queued = |row: Row<'_>| Queued {
        id: row.text(0).to_owned(),
        to: row.text(1).to_owned(),
        created_at: row.int(2),
        due_at: row.maybe_int(3),
        attempts: row.int(4),
        failure: row.maybe_text(5).map(str::to_owned),
    };
    Ok(rows.iter().map(queued).collect())
}

/// How many letters wait, and how many were refused.
pub fn numbers(tx: &mut Tx<'_>) -> Result<(i64, i64), Error> {
    let rows = tx.rows(&Sql::text(
        "select (select count(*) from letters where due_at is not null),
            (select count(*) from letters where refused_at is not null)",
    ))?;
    Ok(rows.first().map_or((0, 0), |row| (row.int(0), row.int(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_four_hours() {
        let pauses: Vec<i64> = (0..10).map(|attempts| pause(attempts) / MINUTE).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]);
        assert_eq!(pause(i64::MAX), LONGEST_PAUSE);
    }
}
