//! The statements of one transaction.

use super::Count;
use super::patience::Reader;
use super::words::words;
use crate::{Error, Result, Rows, Snapshot, Sql, Value};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, StatementStatus, ToSql};
use std::sync::atomic::Ordering;

/// Statements of one transaction.
pub(crate) struct Statements<'a> {
    pub(super) connection: &'a Connection,
    pub(super) count: &'a Count,
    /// None for units that write.
    pub(super) reader: Option<&'a Reader>,
}

impl Statements<'_> {
    pub(crate) fn rows(&mut self, sql: &Sql) -> Result<Rows> {
        let mut statement = self.prepare(sql)?;
        let width = statement.column_count();
        let mut rows = Rows::new(width);
        let mut found = statement.raw_query();
        while let Some(row) = found.next().map_err(words)? {
            for column in 0..width {
                match row.get_ref(column).map_err(words)? {
                    ValueRef::Integer(number) => rows.push_int(number),
                    ValueRef::Text(text) => {
                        rows.push_text(
                            std::str::from_utf8(text).map_err(|error| Error::Other(error.to_string()))?,
                        );
                    }
                    ValueRef::Null => rows.push_null(),
                    other => return Err(Error::Other(format!("a {} in the database", other.data_type()))),
                }
            }
        }
        drop(found);
        self.note(&statement);
        Ok(rows)
    }

    pub(crate) fn execute(&mut self, sql: &Sql) -> Result<usize> {
        let mut statement = self.prepare(sql)?;
        let touched = statement.raw_execute().map_err(words)?;
        self.note(&statement);
        Ok(touched)
    }

    /// Counts the rows that were read because no index led to those that were wanted, and the steps it took: for tests.
    fn note(&self, statement: &CachedStatement<'_>) {
        if cfg!(debug_assertions) {
            let all = [
                (StatementStatus::FullscanStep, &self.count.scanned),
                (StatementStatus::VmStep, &self.count.steps),
            ];
            for (status, count) in all {
                let more = statement.reset_status(status);
                count.fetch_add(u64::try_from(more).unwrap_or(0), Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn take_time(&mut self) {
        if let Some(Reader { patience, .. }) = self.reader {
            patience.wait();
        }
    }

    /// A connection's number for this tells only of what others have committed: those that read commit nothing.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        let reader = self.reader?.number;
        Some(Snapshot { reader, version: data_version(self.connection)? })
    }

    pub(crate) fn check(&mut self) -> Result<()> {
        self.take_time();
        let found = self.rows(&Sql::text("pragma integrity_check"))?;
        match found.first().map(|row| row.text(0)) {
            Some("ok") => Ok(()),
            other => Err(Error::Other(format!("the database is damaged: {}", other.unwrap_or("no answer")))),
        }
    }

    fn prepare(&self, sql: &Sql) -> Result<CachedStatement<'_>> {
        self.count.statements.fetch_add(1, Ordering::Relaxed);
        let mut statement = self.connection.prepare_cached(sql.as_str()).map_err(words)?;
        for (index, value) in sql.args().iter().enumerate() {
            statement.raw_bind_parameter(index + 1, value).map_err(words)?;
        }
        Ok(statement)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Int(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Self::Flag(flag) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*flag))),
        })
    }
}

/// A number that is another one once any other connection has committed.
pub(super) fn data_version(connection: &Connection) -> Option<i64> {
    let mut statement = connection.prepare_cached("pragma data_version").ok()?;
    statement.query_row([], |row| row.get(0)).ok()
}

pub(super) fn control(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.raw_execute()).map(drop).map_err(words)
}
