//! People and their ways in: sign-up, passwords, second factors, passkeys, sessions, and what is proved by mail.
//!
//! Pages ask for these; nothing here knows what a page looks like.

pub mod addresses;
pub mod guesses;
pub mod owed_codes;
pub mod passkeys;
pub mod passwords;
pub mod proofs;
pub mod resets;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
pub mod sign_ups;

use crate::resources::users;
use crate::work::Work;
use guildhall_jsonapi::{Problem, Record, Result};

/// Removes what a user lost: one-time codes and passkeys. Every session ends.
pub fn reset_second_factor(work: &mut Work<'_, '_>, user: &Record) -> Result<()> {
    second_factor::remove(work, &user.id)?;
    passkeys::remove_all(work, &user.id)?;
    sessions::end_others(work, &user.id, None)?;
    note(work, &user.id, "reset_second_factor", "second-factor-reset")
}

/// Notes a change of the ways in in the history, and tells its user by mail.
pub fn note(work: &mut Work<'_, '_>, user: &str, deed: &str, what: &str) -> Result<()> {
    let record = users::by_id(work, user)?.ok_or_else(Problem::not_found)?;
    work.record_deed(&record, deed)?;
    resets::tell(work, user, what)
}
