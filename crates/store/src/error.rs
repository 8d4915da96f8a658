//! What a database can refuse, in the few kinds a caller can act on.

/// The result of a statement or of a whole unit of work.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the database refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A unique constraint said no. By house rule the last column of such a constraint names the
    /// attribute, so `unique (organization_id, user_email_key)` is about `user_email`.
    #[error("{table}.{attribute} is taken")]
    Unique {
        /// The table whose constraint refused.
        table: String,
        /// The attribute the constraint is about.
        attribute: String,
    },
    /// A row points at something that is not there, or something still points at a row.
    #[error("a foreign key refused")]
    ForeignKey,
    /// The database could not be had in time; the same unit may pass when tried again.
    #[error("the database is busy")]
    Busy,
    /// The database cannot be reached, or the connection to it broke.
    #[error("the database cannot be reached")]
    Down,
    /// A read took longer than anybody should wait.
    #[error("a query took too long")]
    TooSlow,
    /// The disk takes nothing more, or is broken. What was acknowledged is there.
    #[error("the disk of the database is full or broken, make room: {0}")]
    Disk(String),
    /// The database was written by a newer program.
    #[error(
        "the database is at version {found}, newer than this program, which knows {known}: start the newer program"
    )]
    Newer {
        /// The version the database is at.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// Anything else: a broken disk, a statement that does not compile, a bug.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// What a unique constraint says whose last column is this one. An id is made up by whoever inserts, so that one that is
    /// taken is nobody's mistake: another one will do.
    pub(crate) fn unique(table: &str, column: &str) -> Self {
        match column.strip_suffix("_key").unwrap_or(column) {
            "id" => Self::Busy,
            attribute => Self::Unique { table: table.to_owned(), attribute: attribute.to_owned() },
        }
    }
}
