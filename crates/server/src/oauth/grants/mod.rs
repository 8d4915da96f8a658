//! The grants, a file each: for whom a token is and what for. How tokens are made is the same for all.

mod authorization_code;
mod client_credentials;
mod device_code;
mod jwt_bearer;
mod refresh_token;

pub(crate) use client_credentials::Given;
#[cfg(fuzzing)]
pub(super) use jwt_bearer::read as read_assertion;

use super::error::OAuthError;
use super::issue::Granted;
use super::params::Params;
use crate::App;
use std::sync::Arc;

/// A grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    ClientCredentials,
    AuthorizationCode,
    RefreshToken,
    JwtBearer,
    DeviceCode,
}

impl Grant {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Self::ClientCredentials,
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::JwtBearer,
        Self::DeviceCode,
    ];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }
}

/// Answers a request for a token. `password` is none of the grants until there are customers (contract C-45).
pub(super) async fn grant(app: &Arc<App>, params: &Params) -> Result<Granted, OAuthError> {
    let name = params.get("grant_type").ok_or_else(|| OAuthError::missing("grant_type"))?;
    let grant = Grant::ALL.into_iter().find(|grant| grant.name() == name);
    match grant.ok_or_else(OAuthError::unsupported_grant_type)? {
        Grant::ClientCredentials => client_credentials::grant(app, params).await,
        Grant::AuthorizationCode => authorization_code::grant(app, params).await,
        Grant::RefreshToken => refresh_token::grant(app, params).await,
        Grant::JwtBearer => jwt_bearer::grant(app, params).await,
        Grant::DeviceCode => device_code::grant(app, params).await,
    }
}
