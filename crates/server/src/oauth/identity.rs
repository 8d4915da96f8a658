//! Who somebody is: ID tokens and the userinfo endpoint of `OpenID` Connect.

use super::error::OAuthError;
use super::{MEDIA_TYPE, bearer_error};
use crate::App;
use crate::authorizations::applications::Application;
use crate::authorizations::chains::Chain;
use crate::authorizations::scope;
use crate::bearer;
use crate::gate::{self, Standing};
use crate::http::{Answer, Asked};
use crate::keys::Use;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_store::{Result as Stored, Sql, Tx};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// How many seconds an ID token lives: it tells of a moment and opens nothing.
const SECONDS: i64 = 3600;

/// An ID token.
pub(super) async fn token(
    app: &App,
    application: &Application,
    chain: &Chain,
    access_token: &str,
) -> Result<String, OAuthError> {
    let user = chain.user.clone().unwrap_or_default();
    let asked = chain.scope.clone();
    let mut claims = app.db.read(move |tx| about(tx, &user, &asked)).await?;
    let now = app.clock.now() / 1000;
    let half = digest::digest(&digest::SHA256, access_token.as_bytes());
    for (name, value) in [
        ("iss", json!(app.issuer)),
        ("aud", json!(application.claim.client_id)),
        ("exp", json!(now + SECONDS)),
        ("iat", json!(now)),
        ("auth_time", json!(chain.auth_time)),
        ("nonce", json!(chain.nonce)),
        ("at_hash", json!(URL_SAFE_NO_PAD.encode(&half.as_ref()[..16]))),
    ] {
        if !value.is_null() {
            claims.insert(name.to_owned(), value);
        }
    }
    if let Some(organization) = &application.organization {
        let organization = json!({ "id": organization.id, "slug": organization.slug });
        claims.insert("organization".to_owned(), organization);
    }
    app.keys.sign(Use::Identity, &claims, app.clock.now()).map_err(|error| OAuthError::broken(&error))
}

/// The user that an ID token is about which this application was given, even if it has ended meanwhile.
pub(crate) fn whom(app: &App, token: &str, application: &Application) -> Option<String> {
    let claims: Map<String, Json> = app.keys.verify(Use::Identity, token, app.clock.now())?;
    let says = |name: &str, value: &str| claims.get(name).is_some_and(|claim| claim == value);
    let is_ours = says("iss", &app.issuer) && says("aud", &application.claim.client_id);
    claims.get("sub").filter(|_| is_ours)?.as_str().map(str::to_owned)
}

/// What an application may know of a user.
fn about(tx: &mut Tx<'_>, user: &str, asked: &str) -> Stored<Map<String, Json>> {
    let rows = tx.rows(&Sql::new(
        "select id, proved_email, first_name, last_name, time_zone, language from enabled_users where id = ?",
        [user.into()],
    ))?;
    let mut claims = Map::new();
    let Some(row) = rows.first() else { return Ok(claims) };
    claims.insert("sub".to_owned(), json!(row.text(0)));
    if scope::has(asked, "email") {
        // The one they sign in with: another one may be somebody else's.
        claims.insert("email".to_owned(), json!(row.text(1)));
        claims.insert("email_verified".to_owned(), json!(true));
    }
    if scope::has(asked, "profile") {
        let name = format!("{} {}", row.text(2), row.text(3));
        for (claim, value) in [
            ("name", Some(name.trim())),
            ("given_name", Some(row.text(2))),
            ("family_name", Some(row.text(3))),
            ("zoneinfo", row.maybe_text(4)),
            ("locale", row.maybe_text(5)),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                claims.insert(claim.to_owned(), json!(value));
            }
        }
    }
    Ok(claims)
}

/// Answers who the person behind a token is.
pub(super) async fn userinfo(app: &Arc<App>, asked: &Asked) -> Result<Answer, OAuthError> {
    let in_form = || {
        let is_form = asked
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let mut fields = form_urlencoded::parse(&asked.body).into_owned();
        fields.find(|(name, _)| is_form && name == "access_token").map(|(_, token)| format!("Bearer {token}"))
    };
    let (in_header, in_form) = (asked.authorization().map(str::to_owned), in_form());
    if in_header.is_some() && in_form.is_some() {
        return Ok(bearer_error(
            400,
            Some("invalid_request"),
            "Send the access token in one way, not in two.",
        ));
    }
    let shown = in_header.or(in_form);
    if shown.is_none() {
        return Ok(bearer_error(401, None, "Send an access token."));
    }
    let refused =
        || bearer_error(401, Some("invalid_token"), "The access token is expired, revoked or malformed.");
    let Some(bearer) = bearer::read(app, shown.as_deref()).await else { return Ok(refused()) };
    let found = app
        .db
        .read(move |tx| -> Stored<_> {
            match gate::standing(tx, &bearer)? {
                Some(Standing::Chain(chain)) if scope::has(&chain.scope, "openid") => {
                    about(tx, chain.user.as_deref().unwrap_or_default(), &chain.scope).map(Ok)
                }
                standing => Ok(Err(standing.is_some())),
            }
        })
        .await?;
    Ok(match found {
        Ok(claims) => Answer::new(200, MEDIA_TYPE, Json::Object(claims).to_string()),
        Err(false) => refused(),
        Err(true) => {
            bearer_error(403, Some("insufficient_scope"), "The access token was not given for openid.")
        }
    })
}
