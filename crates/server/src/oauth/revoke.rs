//! Ending a token before its time (RFC 7009, with the refusals of contract 4.8).

use super::client;
use super::error::OAuthError;
use super::params::Params;
use crate::App;
use crate::authorizations::applications::Application;
use crate::authorizations::chains;
use crate::bearer;
use crate::gate;
use guildhall_store::{Error, Result as Stored};
use std::sync::Arc;

/// Ends a token of the application that asks. A token that is nobody's is as good as ended. With a refresh token
/// ends everything that came with it; an access token ends alone.
pub(super) async fn revoke(app: &Arc<App>, params: &Params) -> Result<(), OAuthError> {
    let token = params.get("token").unwrap_or_default().to_owned();
    let looked_for = token.clone();
    let (application, refresh) =
        client::find_and(app, params, move |tx, _| chains::of_refresh(tx, &looked_for))
            .await
            .map_err(OAuthError::or_cannot_revoke)?;
    if token.is_empty() {
        return Err(OAuthError::missing("token"));
    }
    let now = app.clock.now();
    if let Some(shown) = refresh {
        let has_person = shown.chain.as_ref().is_none_or(|chain| chain.user.is_some());
        let is_own =
            shown.credential.as_deref() == application.credential() && application.claim.kind != "user";
        check(&application, is_own, has_person)?;
        app.db.write(move |tx| -> Stored<_, Error> { chains::end(tx, &shown.chain_id, now) }).await?;
        return Ok(());
    }
    let Some(bearer) = bearer::check(app, &token).await else { return Ok(()) };
    let has_person = bearer.claims.owner.is_some() || bearer.claims.user.is_some();
    check(&application, bearer.claims.application.id == application.claim.id, has_person)?;
    app.db.write(move |tx| gate::revoke(tx, &bearer)).await?;
    Ok(())
}

/// A public application that shows no secret ends only tokens with a person in them.
fn check(application: &Application, is_own: bool, has_person: bool) -> Result<(), OAuthError> {
    let may = is_own && (application.claim.confidential || has_person);
    if may { Ok(()) } else { Err(OAuthError::cannot_revoke()) }
}
