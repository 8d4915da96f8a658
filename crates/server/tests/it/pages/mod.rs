//! One file for each page, one test for each rule.

mod account;
mod api_access;
mod applications;
mod authorize;
mod device;
mod frame;
mod invitations;
mod organizations;
mod reset;
mod security;
mod sign_in;
mod sign_up;

pub(crate) use sign_in::{sets_up_codes, shown};
