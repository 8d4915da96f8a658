//! Guildhall: organizations, members, roles and API credentials behind one API.
//!
//! The folders are the architecture: `resources` holds a file for each resource with everything that is
//! true of it, `access` says who a caller is and what they see, `work` is how anything changes, `api`
//! answers JSON:API requests, `oauth` gives tokens, `accounts` are people's ways in, `dashboard` is the
//! pages, `mail` sends letters, `http` is the door. [`App`] ties them together.

pub mod access;
pub mod accounts;
pub mod api;
pub mod app;
pub mod authorizations;
pub mod bearer;
mod callers;
pub mod chance;
pub mod cli;
pub mod clock;
pub mod config;
pub mod core;
pub mod crypto;
pub mod dashboard;
#[cfg(fuzzing)]
pub mod fuzz;
pub mod gate;
pub mod hosts;
pub mod http;
pub mod invitations;
pub mod keys;
pub mod limits;
pub mod mail;
mod metrics;
pub mod moving;
pub mod oauth;
pub mod openapi;
pub mod plans;
pub mod resources;
pub mod say;
pub mod schema;
pub mod sealing;
pub mod server;
pub mod sharing;
pub mod sweep;
pub mod tls;
mod traces;
pub mod work;

pub use app::App;

/// Requests make and drop many small texts on several threads; the system's allocator takes a tenth of their time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
