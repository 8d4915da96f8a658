//! Schema changes: only ever added, applied once each, in order, by whoever starts first.

use crate::{Error, Result};
use refinery::Runner;
use refinery::error::Kind;

/// One step of the schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, from 1, without gaps.
    pub version: u32,
    /// A short title in `snake_case`.
    pub title: &'static str,
    /// Its SQL.
    pub sql: &'static str,
}

/// Brings the database to the newest version; refuses one that is newer still, or whose past differs.
pub(crate) fn apply(connection: &mut rusqlite::Connection, migrations: &[Migration]) -> Result<()> {
    let steps: Vec<refinery::Migration> = migrations
        .iter()
        .map(|step| refinery::Migration::unapplied(&format!("V{}__{}", step.version, step.title), step.sql))
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::Other(error.to_string()))?;
    Runner::new(&steps).set_abort_missing(true).set_abort_divergent(true).run(connection).map_err(|error| {
        let known = migrations.iter().map(|step| step.version).max().unwrap_or(0);
        match error.kind() {
            Kind::MissingVersion(missing) => Error::Newer {
                found: u32::try_from(missing.version()).unwrap_or(u32::MAX),
                known,
            },
            Kind::DivergentVersion(ours, _) => Error::Other(format!(
                "schema step {} of the database is not the one this program has: restore a backup or start the program that made it",
                ours.version()
            )),
            _ => Error::Other(format!("the schema could not be brought up to date: {error}")),
        }
    })?;
    Ok(())
}
