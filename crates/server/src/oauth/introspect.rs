//! What a token is, for an application that was shown one (RFC 7662). It learns of its own tokens and of those
//! of its organization; of any other it learns that it is not active, and no more.

use super::client;
use super::error::OAuthError;
use super::params::Params;
use crate::App;
use crate::authorizations::applications::Application;
use crate::authorizations::chains::{self, Shown};
use crate::bearer::{self, ApplicationClaim, Bearer, OrganizationClaim};
use crate::gate;
use serde::Serialize;
use std::sync::Arc;

/// The answer (RFC 7662, 2.2): the members of the standard, and what our tokens say besides. One that is not active
/// has no other.
#[derive(Default, Serialize)]
pub(super) struct Introspection {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<ApplicationClaim>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<OrganizationClaim>,
}

/// Says whether a token is active and what it is for.
pub(super) async fn introspect(app: &Arc<App>, params: &Params) -> Result<Introspection, OAuthError> {
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
    if let Some(shown) = refresh {
        return Ok(of_refresh(app, &application, &shown).unwrap_or_default());
    }
    let told = bearer.zip(standing).filter(|(bearer, _)| may_know(&application, bearer));
    Ok(told.map_or_else(Introspection::default, |(bearer, standing)| {
        let claims = &bearer.claims;
        Introspection {
            active: true,
            token_type: Some("Bearer"),
            scope: Some(claims.scope.clone()),
            client_id: Some(claims.application.client_id.clone()),
            exp: Some(claims.exp),
            iat: Some(claims.iat),
            iss: Some(claims.iss.clone()),
            test: Some(claims.test),
            application: Some(claims.application.clone()),
            sub: standing.user().map(str::to_owned),
            organization: claims.organization.clone(),
        }
    }))
}

fn may_know(application: &Application, bearer: &Bearer) -> bool {
    let theirs = bearer.claims.organization.as_ref().map(|organization| &organization.id);
    let own = application.organization.as_ref().map(|organization| &organization.id);
    application.claim.id == bearer.claims.application.id || (own.is_some() && own == theirs)
}

/// A refresh token is nobody's business but its own application's.
fn of_refresh(app: &App, application: &Application, shown: &Shown) -> Option<Introspection> {
    let is_own = shown.credential.as_deref() == application.credential() && application.claim.kind != "user";
    let lives = shown.replaced_at.is_none() && shown.expires_at > app.clock.now();
    let chain = shown.chain.as_ref().filter(|_| is_own && lives)?;
    Some(Introspection {
        active: true,
        scope: Some(chain.scope.clone()),
        client_id: Some(application.claim.client_id.clone()),
        exp: Some(shown.expires_at / 1000),
        iss: Some(app.issuer.clone()),
        sub: chain.user.clone(),
        ..Introspection::default()
    })
}
