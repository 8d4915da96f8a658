//! The JSON:API grammar: a resource is declared once, and everything that only reads follows from it.
//!
//! Declarations ([`Spec`], collected in a [`Catalog`]) are plain static data. From them come the query
//! language ([`Query`]), the documents ([`Reader`]), the checks on what is sent ([`Input`]) and the
//! OpenAPI description ([`openapi`]). This crate knows no resource, no caller and no HTTP; what a caller
//! may see comes in as a [`Scope`] for each kind, and every read passes through it. It has no hooks.

mod catalog;
mod coerce;
mod condition;
mod count;
mod error;
mod filter;
mod follow;
mod format;
mod include;
mod input;
mod lead;
mod loaded;
pub mod milestones;
pub mod openapi;
mod page;
mod predicate;
mod query;
mod read;
mod record;
mod render;
mod scope;
mod select;
pub mod spec;

pub use catalog::Catalog;
pub use coerce::check_email;
pub use count::size_name;
pub use error::{Error, Problem, Result};
pub use format::timestamp;
pub use input::{Action, Input, Verb};
pub use query::Query;
pub use read::{Listing, Reader, Secrets};
pub use record::Record;
pub use scope::{Arm, Scope, Values};
pub use spec::Spec;
