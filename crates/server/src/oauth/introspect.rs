//! What a token is, for an application that was shown one (RFC 7662). It learns of its own tokens and of those
//! of its organization; of any other it learns that it is not active, and no more.

use super::client;
use super::error::OAuthError;
use super::params::Params;
use crate::App;
use crate::authorizations::applications::Application;
use crate::authorizations::chains::{self, Shown};
use crate::bearer::{self, Bearer};
use crate::gate;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Says whether a token is active and what it is for.
pub(super) async fn introspect(app: &Arc<App>, params: &Params) -> Result<Json, OAuthError> {
    let token = params.get("token").unwrap_or_default().to_owned();
    // A token seen before is looked up in the same unit; the signature of any other is work for whoever has
    // shown who they are.
    let mut bearer = bearer::seen(app, &token);
    let (looked_for, seen) = (token.clone(), bearer.clone());
    let (application, (mut standing, refresh)) = client::find_and(app, params, move |tx, _| {
        Ok(match seen {
            Some(bearer) => (gate::standing(tx, &bearer)?, None),
            None if looked_for.is_empty() => (None, None),
            None => (None, chains::of_refresh(tx, &looked_for)?),
        })
    })
    .await?;
    if !application.claim.confidential {
        return Err(OAuthError::invalid_client());
    }
    if token.is_empty() {
        return Err(OAuthError::missing("token"));
    }
    if bearer.is_none() && refresh.is_none() {
        bearer = bearer::check(app, &token).await;
        if let Some(bearer) = bearer.clone() {
            standing = app.db.read(move |tx| gate::standing(tx, &bearer)).await?;
        }
    }
    let inactive = json!({ "active": false });
    if let Some(shown) = refresh {
        return Ok(of_refresh(app, &application, &shown).unwrap_or(inactive));
    }
    let told = bearer.zip(standing).filter(|(bearer, _)| may_know(&application, bearer));
    Ok(told.map_or(inactive, |(bearer, standing)| {
        let claims = &bearer.claims;
        let mut body = json!({
            "active": true,
            "token_type": "Bearer",
            "scope": claims.scope,
            "client_id": claims.application.client_id,
            "exp": claims.exp,
            "iat": claims.iat,
            "iss": claims.iss,
            "test": claims.test,
            "application": claims.application,
        });
        if let Some(user) = standing.user() {
            body["sub"] = json!(user);
        }
        if let Some(organization) = &claims.organization {
            body["organization"] = json!(organization);
        }
        body
    }))
}

fn may_know(application: &Application, bearer: &Bearer) -> bool {
    let theirs = bearer.claims.organization.as_ref().map(|organization| &organization.id);
    let own = application.organization.as_ref().map(|organization| &organization.id);
    application.claim.id == bearer.claims.application.id || (own.is_some() && own == theirs)
}

/// A refresh token is nobody's business but its own application's.
fn of_refresh(app: &App, application: &Application, shown: &Shown) -> Option<Json> {
    let is_own = shown.credential.as_deref() == application.credential() && application.claim.kind != "user";
    let lives = shown.replaced_at.is_none() && shown.expires_at > app.clock.now();
    let chain = shown.chain.as_ref().filter(|_| is_own && lives)?;
    let mut body = json!({
        "active": true,
        "scope": chain.scope,
        "client_id": application.claim.client_id,
        "exp": shown.expires_at / 1000,
        "iss": app.issuer,
    });
    if let Some(user) = &chain.user {
        body["sub"] = json!(user);
    }
    Some(body)
}
