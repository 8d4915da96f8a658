//! Authorization code: what somebody said yes to at the page, brought here by the application.

use crate::App;
use crate::authorizations::chains::{self, Began, Chain};
use crate::authorizations::codes::{self, Code};
use crate::authorizations::scope;
use crate::oauth::client;
use crate::oauth::error::OAuthError;
use crate::oauth::issue::{self, Granted};
use crate::oauth::params::Params;
use guildhall_store::{Error, Result as Stored};
use std::sync::Arc;

pub(super) async fn grant(app: &Arc<App>, params: &Params) -> Result<Granted, OAuthError> {
    let code = params.get("code").unwrap_or_default().to_owned();
    let shown = code.clone();
    let (application, found) = client::find_and(app, params, move |tx, _| codes::find(tx, &shown)).await?;
    if !matches!(application.claim.kind.as_str(), "webapp" | "dashboard") {
        return Err(OAuthError::unauthorized_client());
    }
    if code.is_empty() {
        return Err(OAuthError::missing("code"));
    }
    let is_whose = |code: &Code| code.credential.as_deref() == application.credential();
    let found = found.filter(is_whose).ok_or_else(OAuthError::invalid_grant)?;
    // Whoever shows that they are the application has shown a code that was used, whatever else is wrong with it. A
    // public one shows nothing but the verifier.
    let proved = found.is_proved_by(params.get("code_verifier"));
    if let Some(chain) = found.chain.clone().filter(|_| proved || !application.is_public()) {
        return Err(replayed(app, chain).await?);
    }
    // It must be said where the code came to, unless there is but one place it can have come to.
    let here = params.get("redirect_uri").or(application.redirect_uri.as_deref());
    if here != Some(found.redirect_uri.as_str()) || !proved || found.expires_at <= app.clock.now() {
        return Err(OAuthError::invalid_grant());
    }
    if params.get("scope").is_some_and(|asked| !scope::same(&scope::known(asked), &found.scope)) {
        return Err(OAuthError::invalid_scope());
    }
    let chain = Chain {
        id: app.chance.id(app.clock.now()),
        credential: found.credential,
        organization: application.organization.as_ref().map(|organization| organization.id.clone()),
        user: Some(found.user),
        scope: found.scope,
        custom_claim: None,
        began_by: Began::Code,
        auth_time: Some(found.auth_time),
        nonce: found.nonce,
    };
    let (link, granted) = issue::link(app, &application, &chain).await?;
    let now = app.clock.now();
    let redeemed = app
        .db
        .write(move |tx| -> Stored<_, Error> {
            if !codes::redeem(tx, &code, &chain.id)? {
                // Somebody was faster by a moment: nobody knows who of the two it should have been.
                return Ok(Err(codes::find(tx, &code)?.and_then(|code| code.chain)));
            }
            let lives = chains::begin(tx, &chain, &link, now)?;
            Ok(if lives { Ok(()) } else { Err(None) })
        })
        .await?;
    match redeemed {
        Ok(()) => Ok(granted),
        Err(Some(chain)) => Err(replayed(app, chain).await?),
        Err(None) => Err(OAuthError::invalid_grant()),
    }
}

/// A code that comes twice was read by somebody else: what it gave ends.
async fn replayed(app: &App, chain: String) -> Result<OAuthError, OAuthError> {
    tracing::warn!(chain, "an authorization code came twice: what it gave has ended");
    let now = app.clock.now();
    app.db.write(move |tx| chains::end(tx, &chain, now)).await?;
    Ok(OAuthError::invalid_grant())
}
