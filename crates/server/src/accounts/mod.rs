//! People and their ways in: sign-up, passwords, second factors, passkeys, sessions, and what is proved by mail.
//!
//! Pages ask for these; nothing here knows what a page looks like.

pub mod addresses;
pub mod ceremonies;
pub mod guesses;
pub mod passkeys;
pub mod passwords;
pub mod proofs;
pub mod resets;
pub mod second_factor;
pub mod sessions;
pub mod sign_in;
pub mod sign_ups;
