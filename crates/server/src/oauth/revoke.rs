//! Ending a token before its time (RFC 7009, with the refusals of contract 4.8).

use super::client;
use super::error::OAuthError;
use super::params::Params;
use crate::App;
use crate::bearer::Claims;
use crate::crypto::hash;
use guildhall_store::Sql;

/// Revokes a token of the client that asks. A token that is nobody's is as good as revoked.
pub(super) async fn revoke(app: &App, params: Params) -> Result<(), OAuthError> {
    let client_id = params.get("client_id").ok_or_else(OAuthError::cannot_revoke)?;
    let secret = params.get("client_secret");
    let client = client::find(app, client_id, secret).await.map_err(OAuthError::or_cannot_revoke)?;
    let token = params.get("token").ok_or_else(|| OAuthError::missing("token"))?;
    let claims: Option<Claims> = app.keys.verify(token);
    // Without its secret a public client ends only tokens that carry a person; these do not exist yet.
    if !client.application.confidential {
        return Err(OAuthError::cannot_revoke());
    }
    let Some(claims) = claims else { return Ok(()) };
    if claims.application.id != client.application.id {
        return Err(OAuthError::cannot_revoke());
    }
    let (hash, end) = (hash(token), claims.exp * 1000);
    app.db
        .write(move |tx| {
            tx.execute(&Sql::new(
                "insert into revoked_tokens (token_hash, expires_at) values (?, ?) on conflict (token_hash) do nothing",
                [(&hash).into(), end.into()],
            ))
        })
        .await?;
    Ok(())
}
