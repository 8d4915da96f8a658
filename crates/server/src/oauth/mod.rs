//! The Auth API: tokens for applications, their end, and the keys that prove them.

mod client;
mod device;
mod discovery;
mod error;
mod grants;
pub(crate) mod identity;
mod introspect;
mod issue;
mod known;
mod params;
mod pushed;
mod revoke;

pub(crate) use grants::Given;
pub(crate) use known::Known;

use crate::App;
use crate::http::{Answer, Asked, EXPOSED};
use error::OAuthError;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, WWW_AUTHENTICATE,
};
use params::Params;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

/// For whom an assertion is and what it carries, as the fuzzer asks for it.
#[cfg(fuzzing)]
pub fn read_assertion(assertion: &str, now: i64) -> Option<(Option<String>, Option<String>)> {
    grants::read_assertion(assertion, now).map(|read| (read.user, read.custom_claim))
}

/// Reads parameters, as the fuzzer asks for it.
#[cfg(fuzzing)]
pub fn read_parameters(asked: &Asked) {
    drop(Params::read(asked));
}

/// The media type of its answers.
const MEDIA_TYPE: &str = "application/json";

/// Answers a request for the auth host.
pub async fn answer(app: &Arc<App>, asked: &Asked) -> Answer {
    let path = asked.uri.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let Some(methods) = methods(path) else { return open(OAuthError::not_found().answer()) };
    let method = if asked.method == "HEAD" { "GET" } else { asked.method.as_str() };
    if method == "OPTIONS" {
        let answer = Answer::empty(204).header(ACCESS_CONTROL_ALLOW_METHODS, methods);
        let answer = answer.header(ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, accept");
        return open(answer.header(ACCESS_CONTROL_MAX_AGE, "600"));
    }
    if !methods.split(", ").any(|one| one == method) {
        return open(OAuthError::method_not_allowed().answer().header(ALLOW, methods));
    }
    open(respond(app, asked, path).await.unwrap_or_else(|error| {
        let answer = error.answer();
        // RFC 6749, 5.2: whoever tried by the header is told that it works by the header.
        if error.status() == 401 && asked.authorization().is_some() {
            return answer.header(WWW_AUTHENTICATE, "Basic realm=\"guildhall\"");
        }
        answer
    }))
}

/// The methods of a path, if there is such a path.
fn methods(path: &str) -> Option<&'static str> {
    Some(match path {
        "/oauth/token"
        | "/oauth/revoke"
        | "/oauth/introspect"
        | "/oauth/par"
        | "/oauth/device_authorization" => "POST",
        "/oauth/userinfo" => "GET, POST",
        "/.well-known/jwks.json" | discovery::OPENID | discovery::OAUTH => "GET",
        _ => return None,
    })
}

async fn respond(app: &Arc<App>, asked: &Asked, path: &str) -> Result<Answer, OAuthError> {
    match path {
        "/.well-known/jwks.json" => {
            Ok(Answer::new(200, MEDIA_TYPE, app.keys.jwks(app.clock.now()).to_string()))
        }
        discovery::OPENID | discovery::OAUTH => {
            Ok(Answer::new(200, MEDIA_TYPE, discovery::document(&app.config).to_string()))
        }
        "/oauth/userinfo" => identity::userinfo(app, asked).await,
        _ => {
            let params = Params::read(asked)?;
            match path {
                "/oauth/token" => told(200, &grants::grant(app, &params).await?),
                "/oauth/introspect" => told(200, &introspect::introspect(app, &params).await?),
                "/oauth/par" => told(201, &pushed::push(app, &params).await?),
                "/oauth/device_authorization" => told(200, &device::begin(app, &params).await?),
                _ => {
                    revoke::revoke(app, &params).await?;
                    told(200, &json!({}))
                }
            }
        }
    }
}

fn told(status: u16, body: &impl Serialize) -> Result<Answer, OAuthError> {
    let body = serde_json::to_string(body).map_err(|error| OAuthError::broken(&error))?;
    Ok(Answer::new(status, MEDIA_TYPE, body))
}

/// A refusal of an access token (RFC 6750, 3).
fn bearer_error(status: u16, error: Option<&str>, description: &str) -> Answer {
    let challenge = match error {
        None => "Bearer realm=\"guildhall\"".to_owned(),
        Some(error) => {
            format!("Bearer realm=\"guildhall\", error=\"{error}\", error_description=\"{description}\"")
        }
    };
    let body = json!({ "error": error.unwrap_or("invalid_request"), "error_description": description });
    Answer::new(status, MEDIA_TYPE, body.to_string()).header(WWW_AUTHENTICATE, &challenge)
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
    let answer =
        answer.header(ACCESS_CONTROL_ALLOW_ORIGIN, "*").header(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    answer.header(CACHE_CONTROL, "no-store")
}
