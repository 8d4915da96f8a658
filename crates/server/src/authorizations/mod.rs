//! What applications may do for people: who an application is, what it asks for, what somebody said yes to,
//! and everything that was given because of it.

pub mod applications;
pub mod assertion;
pub mod chains;
pub mod codes;
pub mod consents;
pub mod devices;
pub mod pushed;
pub mod redirects;
pub mod request;
pub mod scope;

use crate::crypto::hash;

/// By what a one-time object is found. Its purpose is part of what is hashed, so that none passes for another.
fn hash_of(purpose: &str, token: &str) -> String {
    hash(&format!("{purpose}:{token}"))
}
