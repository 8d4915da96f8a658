//! Giving tokens.

use super::client::{self, Client};
use super::error::OAuthError;
use super::params::Params;
use super::scope;
use crate::App;
use crate::access::PROVISIONING;
use crate::bearer::{Claims, UserClaim};
use serde::Serialize;

/// The answer to a client that gets a token: these members and no others (contract 4.3).
#[derive(Debug, Serialize)]
pub(super) struct Granted {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    scope: String,
    created_at: i64,
}

/// Answers a request for a token.
pub(super) async fn grant(app: &App, params: Params) -> Result<Granted, OAuthError> {
    match params.get("grant_type").ok_or_else(|| OAuthError::missing("grant_type"))? {
        "client_credentials" => client_credentials(app, &params).await,
        _ => Err(OAuthError::unsupported_grant_type()),
    }
}

async fn client_credentials(app: &App, params: &Params) -> Result<Granted, OAuthError> {
    let client_id = params.get("client_id").ok_or_else(OAuthError::invalid_client)?;
    let client = client::find(app, client_id, params.get("client_secret")).await?;
    let asked = params.get("scope");
    let scope = match client.application.kind.as_str() {
        "user" if asked.is_none_or(|asked| asked == PROVISIONING) => PROVISIONING,
        "sales_channel" | "integration" => match asked {
            None => scope::EVERYTHING,
            Some(asked) if scope::is_commerce(asked) => asked,
            Some(_) => return Err(OAuthError::invalid_scope()),
        },
        "user" => return Err(OAuthError::invalid_scope()),
        _ => return Err(OAuthError::unauthorized_client()),
    };
    mint(app, client, scope)
}

fn mint(app: &App, client: Client, scope: &str) -> Result<Granted, OAuthError> {
    // A token made in the second in which its secret was replaced is dated to the next one: see the
    // rotation of a user's secret.
    let now = (app.clock.now() / 1000).max(client.valid_from);
    let claims = Claims {
        user: client.user.map(|id| UserClaim { id }),
        organization: client.organization,
        application: client.application,
        market: scope::market(scope),
        scope: scope.to_owned(),
        exp: now + client.seconds,
        test: client.test,
        rand: app.chance.fraction(),
        iat: now,
        iss: app.issuer.clone(),
    };
    let access_token = app.keys.sign(&claims).map_err(|error| OAuthError::broken(&error))?;
    Ok(Granted {
        access_token,
        token_type: "bearer",
        expires_in: client.seconds,
        scope: scope.to_owned(),
        created_at: now,
    })
}
