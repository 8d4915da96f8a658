//! SQLite's refusals in the words of this crate.

use crate::Error;
use rusqlite::ErrorCode;

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(super) fn words(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, message) = &error else {
        return Error::Other(error.to_string());
    };
    match (code.code, code.extended_code) {
        (_, rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
            unique(message.as_deref().unwrap_or_default())
        }
        (_, rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Error::ForeignKey,
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Error::Busy,
        (ErrorCode::OperationInterrupted, _) => Error::TooSlow,
        (ErrorCode::DiskFull | ErrorCode::SystemIoFailure, _) => Error::Disk(error.to_string()),
        _ => Error::Other(error.to_string()),
    }
}

/// `UNIQUE constraint failed: t.a, t.b_key` is about attribute `b` of `t`.
fn unique(message: &str) -> Error {
    let last = message.rsplit([' ', ',']).next().unwrap_or_default();
    let (table, column) = last.split_once('.').unwrap_or((last, ""));
    Error::unique(table, column)
}
