//! The Auth API: tokens for applications, their end, and the keys that prove them.

mod client;
mod error;
mod params;
mod revoke;
mod scope;
mod token;

use crate::App;
use crate::http::{Answer, Asked};
use error::OAuthError;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW,
    CACHE_CONTROL,
};
use params::Params;
use std::sync::Arc;

/// The media type of its answers.
const MEDIA_TYPE: &str = "application/json";

/// Answers a request for the auth host.
pub async fn answer(app: &Arc<App>, asked: &Asked) -> Answer {
    let path = asked.uri.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let method = match path {
        "/oauth/token" | "/oauth/revoke" => "POST",
        "/.well-known/jwks.json" => "GET",
        _ => return open(OAuthError::not_found().answer()),
    };
    open(match (path, asked.method.as_str()) {
        (_, "OPTIONS") => Answer::empty(204)
            .header(ACCESS_CONTROL_ALLOW_METHODS, method)
            .header(ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, accept"),
        ("/oauth/token", "POST") => grant(app, asked).await.unwrap_or_else(|error| error.answer()),
        ("/oauth/revoke", "POST") => revoke(app, asked).await.unwrap_or_else(|error| error.answer()),
        ("/.well-known/jwks.json", "GET" | "HEAD") => {
            Answer::new(200, MEDIA_TYPE, app.keys.jwks().to_string())
        }
        _ => OAuthError::method_not_allowed().answer().header(ALLOW, method),
    })
}

/// The answer to somebody who asks too often.
pub fn too_many() -> Answer {
    open(OAuthError::too_many().answer())
}

/// The answer to a request that did not arrive whole.
pub fn unreadable(status: u16, detail: &str) -> Answer {
    open(OAuthError::did_not_arrive(status, detail).answer())
}

/// Anybody's page may read it, since no cookie means anything here, and nobody may keep it.
fn open(answer: Answer) -> Answer {
    answer.header(ACCESS_CONTROL_ALLOW_ORIGIN, "*").header(CACHE_CONTROL, "no-store")
}

async fn grant(app: &Arc<App>, asked: &Asked) -> Result<Answer, OAuthError> {
    let params = Params::read(asked)?;
    let granted = token::grant(app, params).await?;
    let body = serde_json::to_string(&granted).map_err(|error| OAuthError::broken(&error))?;
    Ok(Answer::new(200, MEDIA_TYPE, body))
}

async fn revoke(app: &Arc<App>, asked: &Asked) -> Result<Answer, OAuthError> {
    revoke::revoke(app, Params::read(asked)?).await?;
    Ok(Answer::new(200, MEDIA_TYPE, "{}"))
}
