//! Making tokens, and the answer that carries them.

use super::error::OAuthError;
use super::identity;
use crate::App;
use crate::authorizations::applications::Application;
use crate::authorizations::chains::{Chain, Link, REFRESH_LIFE};
use crate::authorizations::scope;
use crate::bearer::{Claims, OwnerClaim, UserClaim};
use crate::keys::Use;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The answer to an application that gets a token: these members and no others (contract 4.3).
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Granted {
    pub(super) access_token: String,
    pub(super) token_type: String,
    pub(super) expires_in: i64,
    pub(super) scope: String,
    pub(super) created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owner_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) owner_type: Option<String>,
    /// Only when `openid` is in scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id_token: Option<String>,
}

/// What a token of an application for itself says, that was looked up in the second `seen_at`.
///
/// The token is dated to that, so that what ends all of before ends those as well whose application showed itself
/// before and which are signed after.
pub(super) fn claims(app: &App, application: &Application, scope: &str, seen_at: i64) -> Claims {
    let (date, end) = dates(application, seen_at);
    app.note_date(date);
    Claims {
        user: application.user.clone().map(|id| UserClaim { id }),
        organization: application.organization.clone(),
        application: application.claim.clone(),
        owner: None,
        market: scope::market(scope),
        custom_claim: None,
        scope: scope.to_owned(),
        exp: end,
        test: application.test,
        rand: app.chance.fraction(),
        iat: date,
        iss: app.issuer.clone(),
    }
}

/// To which second a token of an application that was looked up in the second `seen_at` is dated, and in which it ends.
pub(super) fn dates(application: &Application, seen_at: i64) -> (i64, i64) {
    // A token made in the second in which all of before were ended is dated to the next one: see the
    // rotation of a user's secret.
    let date = seen_at.max(application.valid_from);
    // A date that is further ahead, since a clock was put back, makes it live no longer.
    (date, date.min(seen_at + 1) + application.seconds)
}

/// An access token that lives for so many seconds.
pub(super) fn access(app: &App, claims: &Claims, seconds: i64) -> Result<Granted, OAuthError> {
    let access_token =
        app.keys.sign(Use::Access, claims, app.clock.now()).map_err(|error| OAuthError::broken(&error))?;
    Ok(Granted {
        access_token,
        token_type: "bearer".to_owned(),
        expires_in: seconds,
        scope: claims.scope.clone(),
        created_at: claims.iat,
        refresh_token: None,
        owner_id: None,
        owner_type: None,
        id_token: None,
    })
}

/// A link of a chain, with the answer that carries it.
pub(super) async fn link(
    app: &App,
    application: &Application,
    chain: &Chain,
) -> Result<(Link, Granted), OAuthError> {
    let mut claims = claims(app, application, &chain.scope, application.seen_at);
    match (&chain.user, application.credential()) {
        (Some(user), Some(_)) => {
            claims.owner = Some(OwnerClaim { id: user.clone(), kind: "User".to_owned() });
        }
        (Some(user), None) => claims.user = Some(UserClaim { id: user.clone() }),
        (None, _) => {}
    }
    claims.custom_claim = chain.custom_claim.as_deref().and_then(|claim| serde_json::from_str(claim).ok());
    let mut granted = access(app, &claims, application.seconds)?;
    let refresh_token = refresh_token(app, claims.iat);
    if scope::has(&chain.scope, "openid") && chain.user.is_some() {
        granted.id_token = Some(identity::token(app, application, chain, &granted.access_token).await?);
    }
    granted.refresh_token = Some(refresh_token.clone());
    granted.owner_id.clone_from(&chain.user);
    granted.owner_type = chain.user.as_ref().map(|_| "user".to_owned());
    let link =
        Link { access_token: granted.access_token.clone(), expires_at: claims.exp * 1000, refresh_token };
    Ok((link, granted))
}

/// A refresh token has the form of a JWT, since clients that end one look for its issuer (contract C-58). What
/// it is good for, only the database knows.
fn refresh_token(app: &App, now: i64) -> String {
    let header = json!({ "alg": "HS256", "typ": "refresh+jwt" }).to_string();
    let payload = json!({
        "iss": app.issuer, "iat": now, "exp": now + REFRESH_LIFE / 1000, "jti": app.chance.secret(),
    });
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload.to_string()));
    let signature = app.vault.sign(&["refresh token", &signed]);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
