//! PostgreSQL's refusals in the words of this crate.

use super::connection::Mode;
use crate::Error;
use std::error::Error as _;
use tokio_postgres::error::{DbError, SqlState};

/// What went wrong, as far as the transaction goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server could not be reached.
    Unreachable,
    /// The connection broke.
    Lost,
    /// Nothing was answered, for longer than the server itself would have let it take.
    Silent,
    /// The server takes nothing at this moment: it is full, or has become one that only reads.
    Unavailable,
    /// Another transaction was in the way.
    Collided,
    /// An id that was made up is taken.
    Taken,
    /// The schema has changed under what was prepared.
    Outdated,
    /// It took longer than it may.
    TooSlow,
    /// A statement was refused; nothing else is taken after that.
    Refused,
}

/// What went wrong: for the transaction it happened in, and for whoever asked.
pub(super) fn judged(error: &tokio_postgres::Error, mode: Mode) -> (Failure, Error) {
    let other = || (Failure::Refused, Error::Other(told(error)));
    let Some(refused) = error.as_db_error() else {
        // What is no refusal of the server's and no mistake of ours is about the connection.
        let is_mistake = error.to_string().starts_with("error serializing")
            || error.to_string().starts_with("error deserializing");
        return if is_mistake { other() } else { (Failure::Lost, Error::Down) };
    };
    let code = refused.code();
    match (&code.code()[..2], code.code()) {
        _ if *code == SqlState::UNIQUE_VIOLATION => match unique(refused) {
            Error::Busy => (Failure::Taken, Error::Busy),
            taken => (Failure::Refused, taken),
        },
        _ if *code == SqlState::FOREIGN_KEY_VIOLATION => (Failure::Refused, Error::ForeignKey),
        _ if *code == SqlState::QUERY_CANCELED => (Failure::TooSlow, Error::TooSlow),
        _ if *code == SqlState::T_R_SERIALIZATION_FAILURE
            || *code == SqlState::T_R_DEADLOCK_DETECTED
            || *code == SqlState::LOCK_NOT_AVAILABLE =>
        {
            (Failure::Collided, Error::Busy)
        }
        // Said of nothing else that we ask, in a language that may be any: the statement's result has another shape.
        _ if *code == SqlState::FEATURE_NOT_SUPPORTED
            && refused.routine() == Some("RevalidateCachedQuery") =>
        {
            (Failure::Outdated, Error::Busy)
        }
        // A server that only reads is no place for one that writes. One that reads has asked for it.
        _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION && mode == Mode::Write => {
            (Failure::Unavailable, Error::Down)
        }
        // The connection is gone, the server ends, or it has ended the session.
        ("08", _) => (Failure::Lost, Error::Down),
        (_, state) if state.starts_with("57P") || state.starts_with("25P") => (Failure::Lost, Error::Down),
        // The server is full, or in trouble itself.
        ("53" | "57" | "58", _) => (Failure::Unavailable, Error::Down),
        _ => other(),
    }
}

/// The whole chain of causes in one line; the driver's own text says little more than "db error".
pub(super) fn told(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// `Key (a, b_key)=(1, x) already exists.` is about attribute `b`. The words around it may be in any language.
fn unique(refused: &DbError) -> Error {
    let columns = refused.detail().and_then(|detail| {
        let (before, _) = detail.split_once(")=(")?;
        before.split_once('(').map(|(_, columns)| columns)
    });
    let column = columns.and_then(|columns| columns.rsplit([' ', ',']).next()).unwrap_or_default();
    Error::unique(refused.table().unwrap_or_default(), column)
}
