//! Which database is meant.

pub use crate::postgres::Options as Postgres;
pub use crate::sqlite::Options as Sqlite;
use crate::{Db, Migration, Result};

/// A database that can be opened.
#[derive(Clone, Debug)]
pub enum Options {
    /// A file.
    Sqlite(Sqlite),
    /// A server.
    Postgres(Postgres),
}

impl Options {
    /// Whether it is a server that several programs may use at once.
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The version of its schema, without changing anything; `None` where there is none.
    pub fn version(&self) -> Result<Option<u32>> {
        match self {
            Self::Sqlite(options) => options.version(),
            Self::Postgres(options) => options.version(),
        }
    }

    /// Opens it, brings its schema up to date and starts its threads.
    pub fn open(&self, migrations: &[Migration]) -> Result<Db> {
        match self {
            Self::Sqlite(options) => options.open(migrations),
            Self::Postgres(options) => options.open(migrations),
        }
    }
}
