//! One file for each path, one test for each rule.

mod api_credentials;
mod application_memberships;
mod documents;
mod health;
mod identity_providers;
mod jwks;
mod membership_profiles;
mod memberships;
mod oauth_revoke;
mod oauth_token;
mod organizations;
mod permissions;
mod queries;
mod rate_limits;
mod roles;
mod user;
mod versions;
