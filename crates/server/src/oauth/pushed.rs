//! Taking an authorization request from the application itself, before the browser comes (RFC 9126).

use super::client;
use super::error::OAuthError;
use super::params::Params;
use crate::App;
use crate::authorizations::pushed::{self, LIFE, PREFIX};
use crate::authorizations::request::{self, Wrong};
use guildhall_store::{Error, Result as Stored};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Keeps the request and answers by which reference the browser is to be sent.
pub(super) async fn push(app: &Arc<App>, params: &Params) -> Result<Json, OAuthError> {
    let application = client::find(app, params).await?;
    if params.get("request_uri").is_some() {
        return Err(OAuthError::of_request("invalid_request", "request_uri cannot be pushed."));
    }
    let mut parameters = request::known(params.all().clone());
    parameters.insert("client_id".to_owned(), application.claim.client_id.clone());
    let reference = format!("{PREFIX}{}", app.chance.secret());
    let (kept, now) = (reference.clone(), app.clock.now());
    let wrong = app
        .db
        .write(move |tx| -> Stored<_, Error> {
            let read = request::read(tx, parameters.clone(), now)?;
            if read.is_ok() {
                pushed::keep(tx, &kept, application.credential(), &parameters, now)?;
            }
            Ok(read.err())
        })
        .await?;
    match wrong {
        None => Ok(json!({ "request_uri": reference, "expires_in": LIFE / 1000 })),
        Some(Wrong::Back(back)) => Err(OAuthError::of_request(back.error, back.description)),
        Some(Wrong::Here("request-client")) => Err(OAuthError::unauthorized_client()),
        Some(Wrong::Here("request-unsafe")) => {
            let detail = "redirect_uri must use https, or be on the machine of whoever is asked.";
            Err(OAuthError::of_request("invalid_request", detail))
        }
        Some(Wrong::Here(_)) => {
            Err(OAuthError::of_request("invalid_request", "redirect_uri is not the one that was registered."))
        }
    }
}
