//! The one thread that writes: it runs the units that wait and shares a flush among them.

use super::Count;
use super::statements::{Statements, control};
use crate::db::{self, Job};
use crate::{Error, Result, Tx};
use crossbeam_channel::Receiver;
use rusqlite::Connection;

/// How many waiting units share one flush at most: enough to hide the flush, few enough that none waits long.
const UNITS_A_COMMIT: usize = 64;

/// Runs the units that wait and commits them together; nobody is answered before the flush.
pub(super) fn write_all(connection: &Connection, count: &Count, jobs: &Receiver<Job>, last: &[&str]) {
    for first in jobs {
        let mut units = vec![first];
        units.extend(jobs.try_iter().take(UNITS_A_COMMIT - 1));
        let mut result = commit(connection, count, &mut units, Savepoints::None, last);
        if result.as_ref().is_ok_and(|outcome| *outcome == Outcome::Spoiled) {
            result = commit(connection, count, &mut units, Savepoints::Each, last);
        }
        if !connection.is_autocommit() {
            drop(control(connection, "rollback"));
        }
        let result = result.map(drop);
        for unit in units {
            unit.answer(result.clone());
        }
    }
}

/// Whether each unit gets a savepoint of its own. That costs a copy of every page it touches, and is needed
/// only when a unit refuses after it has written.
#[derive(Clone, Copy, PartialEq)]
enum Savepoints {
    None,
    Each,
}

#[derive(PartialEq)]
enum Outcome {
    Committed,
    /// A refused unit had written: nothing was committed, all of them must run again.
    Spoiled,
}

fn commit(
    connection: &Connection,
    count: &Count,
    units: &mut [Job],
    savepoints: Savepoints,
    last: &[&str],
) -> Result<Outcome> {
    control(connection, "begin immediate")?;
    let begun = connection.total_changes();
    for unit in units {
        if savepoints == Savepoints::Each {
            control(connection, "savepoint unit")?;
        }
        let before = connection.total_changes();
        let keep =
            unit.run(&mut Tx::new(db::Statements::Sqlite(Statements { connection, count, reader: None })));
        // A full disk or a broken one makes SQLite roll back the whole transaction by itself.
        if connection.is_autocommit() {
            return Err(Error::Disk("the transaction was taken back".to_owned()));
        }
        let spoiled = !keep && connection.total_changes() != before;
        match savepoints {
            Savepoints::None if spoiled => {
                control(connection, "rollback")?;
                return Ok(Outcome::Spoiled);
            }
            Savepoints::None => {}
            Savepoints::Each => {
                if spoiled {
                    control(connection, "rollback to unit")?;
                }
                control(connection, "release unit")?;
            }
        }
    }
    if connection.total_changes() != begun {
        last.iter().try_for_each(|sql| control(connection, sql))?;
    }
    control(connection, "commit")?;
    Ok(Outcome::Committed)
}
