//! Refresh: one token for another. What was replaced and comes back ends the whole chain, but for a moment in
//! which the answer may have been lost on its way: then it is said once more.

use crate::App;
use crate::authorizations::chains::{self, Began, Chain, GRACE};
use crate::authorizations::scope;
use crate::oauth::client;
use crate::oauth::error::OAuthError;
use crate::oauth::issue::{self, Granted};
use crate::oauth::params::Params;
use guildhall_jsonapi::Secrets as _;
use guildhall_store::{Error, Result as Stored};
use std::sync::Arc;

/// What became of a refresh token.
enum Outcome {
    Replaced,
    /// It was replaced a moment ago: by this answer, sealed.
    Lost(String),
    /// It was replaced before.
    Replayed,
    /// What it was given for has ended.
    Over,
}

pub(super) async fn grant(app: &Arc<App>, params: &Params) -> Result<Granted, OAuthError> {
    let token = params.get("refresh_token").unwrap_or_default().to_owned();
    let looked_for = token.clone();
    let (application, shown) =
        client::find_and(app, params, move |tx, _| chains::of_refresh(tx, &looked_for)).await?;
    if application.claim.kind == "user" {
        return Err(OAuthError::unauthorized_client());
    }
    if token.is_empty() {
        return Err(OAuthError::missing("refresh_token"));
    }
    let now = app.clock.now();
    let whose = shown.filter(|shown| shown.credential.as_deref() == application.credential());
    let shown = whose.ok_or_else(OAuthError::invalid_grant)?;
    let Some(chain) = shown.chain else { return Err(OAuthError::invalid_grant()) };
    if shown.expires_at <= now {
        // One that was replaced is in wrong hands, however old it is.
        let outcome = if shown.replaced_at.is_some() { Outcome::Replayed } else { Outcome::Over };
        return settle(app, &chain.id, outcome).await;
    }
    let repeated = shown.replaced_at.map(|replaced_at| lost_or_replayed(replaced_at, shown.sealed, now));
    if matches!(repeated, Some(Outcome::Replayed)) {
        // Whatever else is wrong with the request.
        return settle(app, &chain.id, Outcome::Replayed).await;
    }
    let is_enterprise = application.organization.as_ref().is_some_and(|organization| organization.enterprise);
    if chain.began_by == Began::Assertion && !is_enterprise {
        return Err(OAuthError::unauthorized_client());
    }
    if params.get("scope").is_some_and(|asked| !scope::same(&scope::known(asked), &chain.scope)) {
        return Err(OAuthError::invalid_scope());
    }
    if let Some(lost) = repeated {
        return settle(app, &chain.id, lost).await;
    }
    // OpenID Connect, 12.2: what was to be seen again was seen.
    let chain = Chain { nonce: None, ..chain };
    let (link, granted) = issue::link(app, &application, &chain).await?;
    let text = serde_json::to_string(&granted).map_err(|error| OAuthError::broken(&error))?;
    let sealed = app.vault.seal_row(&text)?;
    let id = chain.id.clone();
    let outcome = app
        .db
        .write(move |tx| -> Stored<_, Error> {
            if chains::live(tx, &chain.id)?.is_none() {
                return Ok(Outcome::Over);
            }
            if chains::replace(tx, &token, &chain.id, &link, &sealed, now)? {
                return Ok(Outcome::Replaced);
            }
            // Somebody was faster by a moment.
            let shown = chains::of_refresh(tx, &token)?;
            Ok(shown.map_or(Outcome::Over, |shown| {
                lost_or_replayed(shown.replaced_at.unwrap_or(now), shown.sealed, now)
            }))
        })
        .await?;
    if matches!(outcome, Outcome::Replaced) {
        return Ok(granted);
    }
    settle(app, &id, outcome).await
}

fn lost_or_replayed(replaced_at: i64, sealed: Option<String>, now: i64) -> Outcome {
    match sealed {
        Some(sealed) if now - replaced_at <= GRACE => Outcome::Lost(sealed),
        _ => Outcome::Replayed,
    }
}

/// Says the lost answer again, or ends what somebody else has got hold of.
async fn settle(app: &App, chain: &str, outcome: Outcome) -> Result<Granted, OAuthError> {
    match outcome {
        Outcome::Lost(sealed) => {
            let opened = app.vault.open(&sealed).and_then(|text| serde_json::from_str::<Granted>(&text).ok());
            let granted = opened.ok_or_else(OAuthError::invalid_grant)?;
            let gone = app.clock.now() / 1000 - granted.created_at;
            Ok(Granted { expires_in: granted.expires_in - gone.max(0), ..granted })
        }
        Outcome::Replayed => {
            tracing::warn!(chain, "a refresh token came back after it was replaced: its chain has ended");
            let (chain, now) = (chain.to_owned(), app.clock.now());
            app.db.write(move |tx| chains::end(tx, &chain, now)).await?;
            Err(OAuthError::invalid_grant())
        }
        Outcome::Replaced | Outcome::Over => Err(OAuthError::invalid_grant()),
    }
}
