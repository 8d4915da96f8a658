//! Schema changes: only ever added, applied once each, in order, by whoever starts first.

use crate::{Error, Result};
use refinery::Runner;
use refinery::error::Kind;
use std::borrow::Cow;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, from 1, without gaps.
    pub version: u32,
    /// A short title in `snake_case`.
    pub title: &'static str,
    /// Its SQL, for every engine that has none of its own.
    pub sql: &'static str,
    /// Its SQL for PostgreSQL, where it must differ.
    pub postgres: Option<&'static str>,
    /// Statements that SQLite runs at the end of each commit that changes anything, once for all units that share it: for
    /// what is made from other rows and is cheaper made from many at once. They replace those of the steps before.
    pub before_commit: &'static [&'static str],
}

impl Migration {
    /// A step whose SQL is the same on every engine.
    pub const fn new(version: u32, title: &'static str, sql: &'static str) -> Self {
        Self { version, title, sql, postgres: None, before_commit: &[] }
    }
}

/// What tells the version of a schema.
pub(crate) const VERSION: &str = "select cast(max(version) as bigint) from refinery_schema_history";

/// Brings a file to the newest version, all steps or none; refuses one that is newer still, or whose past differs.
pub(crate) fn apply_sqlite(connection: &mut rusqlite::Connection, migrations: &[Migration]) -> Result<()> {
    loop {
        let before = version(connection);
        let runner = runner(migrations, |step| Cow::Borrowed(step.sql))?;
        let Err(error) = runner.run(connection) else { return Ok(()) };
        // Somebody else took the same steps at the same moment, and was faster by that much: go on from where they
        // are.
        if version(connection) == before {
            return Err(words(&error, migrations));
        }
    }
}

/// The version of a file that may have none yet.
fn version(connection: &rusqlite::Connection) -> Option<u32> {
    connection.query_row(VERSION, [], |row| row.get(0)).unwrap_or(None)
}

/// Brings a server's database to the newest version, all steps or none.
pub(crate) async fn apply_postgres(
    client: &mut tokio_postgres::Client,
    migrations: &[Migration],
) -> Result<()> {
    let runner =
        runner(migrations, |step| step.postgres.map_or_else(|| in_byte_order(step.sql), Cow::Borrowed))?;
    runner.run_async(client).await.map(drop).map_err(|error| words(&error, migrations))
}

fn runner(migrations: &[Migration], sql: impl Fn(&Migration) -> Cow<'static, str>) -> Result<Runner> {
    let steps: Vec<refinery::Migration> = migrations
        .iter()
        .map(|step| refinery::Migration::unapplied(&format!("V{}__{}", step.version, step.title), &sql(step)))
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::Other(error.to_string()))?;
    // In one transaction: a step must not be taken without being written down, whatever happens in between.
    Ok(Runner::new(&steps).set_abort_missing(true).set_abort_divergent(true).set_grouped(true))
}

fn words(error: &refinery::Error, migrations: &[Migration]) -> Error {
    let known = migrations.iter().map(|step| step.version).max().unwrap_or(0);
    match error.kind() {
        Kind::MissingVersion(missing) => {
            Error::Newer { found: u32::try_from(missing.version()).unwrap_or(u32::MAX), known }
        }
        Kind::DivergentVersion(ours, _) => Error::Other(format!(
            "schema step {} of the database is not the one this program has: restore a backup or start the program that made it",
            ours.version()
        )),
        Kind::Connection(_, cause) => {
            Error::Other(format!("the schema could not be brought up to date: {error}: {cause}"))
        }
        _ => Error::Other(format!("the schema could not be brought up to date: {error}")),
    }
}

/// The same step for a server whose database may sort texts as some language does: here they are sorted by their
/// bytes, as SQLite sorts them. What comes out is remembered with the step, so this must not change.
fn in_byte_order(sql: &'static str) -> Cow<'static, str> {
    let mut out = String::with_capacity(sql.len() + sql.len() / 8);
    for line in sql.split_inclusive('\n') {
        let mut words = line.split_whitespace();
        let (first, second) = (words.next(), words.next());
        let declares = match (first, second) {
            (Some("alter"), Some("table")) => line.contains(" add column "),
            (Some(name), Some(kind)) => {
                line.starts_with("    ") && is_name(name) && kind.trim_end_matches(',') == "text"
            }
            _ => false,
        };
        // Only the type of the column that the line declares.
        match line.find(" text").filter(|_| declares) {
            Some(at) if ends_word(&line[at + 5..]) => {
                out.push_str(&line[..at + 5]);
                out.push_str(" collate \"C\"");
                out.push_str(&line[at + 5..]);
            }
            _ => out.push_str(line),
        }
    }
    Cow::Owned(out)
}

fn is_name(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
}

fn ends_word(rest: &str) -> bool {
    rest.chars().next().is_none_or(|next| !next.is_alphanumeric() && next != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_sorted_by_their_bytes_and_nothing_else_is_touched() {
        let sql = "create table t (
    id text primary key,
    text_of bigint,
    note text not null default 'a text',
    primary key (id, note)
);
alter table t add column hint text;
alter table t add column texts bigint;
create view v as select cast(null as text) as reference,
    cast(null as text) as other
from t;
";
        let expected = "create table t (
    id text collate \"C\" primary key,
    text_of bigint,
    note text collate \"C\" not null default 'a text',
    primary key (id, note)
);
alter table t add column hint text collate \"C\";
alter table t add column texts bigint;
create view v as select cast(null as text) as reference,
    cast(null as text) as other
from t;
";
        assert_eq!(in_byte_order(sql), expected);
    }
}
