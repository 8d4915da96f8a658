//! The waist between Guildhall and its database: one SQL text, units of work, no table known here.
//!
//! Everything above this crate speaks to a database in five words: a [`Sql`] is text with its
//! arguments, a [`Db`] runs a unit of work in one transaction, a [`Tx`] is that transaction, [`Rows`]
//! are what it read and an [`Error`] is one of the few refusals a caller can act on.

mod db;
mod error;
mod migrate;
mod options;
mod postgres;
mod slow;
mod spans;
mod sql;
mod sqlite;
mod table;
#[cfg(feature = "throw-away")]
pub mod throw_away;
mod value;

pub use db::{Db, Snapshot, Tx};
pub use error::{Error, Result};
pub use migrate::Migration;
pub use options::{Options, Postgres, Sqlite};
pub use spans::SPANS;
pub use sql::Sql;
pub use table::{Column, Table};
pub use value::{Cell, Row, Rows, Value};
