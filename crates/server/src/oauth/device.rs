//! Beginning the device flow: a code for the device, and one for the person (RFC 8628, 3.1).

use super::client;
use super::error::OAuthError;
use super::params::Params;
use crate::App;
use crate::authorizations::devices::{self, LIFE, PAUSE};
use crate::authorizations::scope;
use guildhall_store::{Error, Result as Stored};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// How often another code is tried when somebody has it.
const TRIES: usize = 5;

/// Answers both codes and where the person types theirs.
pub(super) async fn begin(app: &Arc<App>, params: &Params) -> Result<Json, OAuthError> {
    let application = client::find(app, params).await?;
    let asked = params.get("scope").map(scope::known);
    let scope = match (application.claim.kind.as_str(), asked.as_deref()) {
        ("webapp", None) => scope::EVERYTHING,
        ("dashboard", None) => scope::DASHBOARD,
        ("webapp", Some(asked)) if scope::is_for_webapps(asked) => asked,
        ("dashboard", Some(asked)) if scope::is_for_dashboard(asked) => asked,
        ("webapp" | "dashboard", _) => return Err(OAuthError::invalid_scope()),
        _ => return Err(OAuthError::unauthorized_client()),
    }
    .to_owned();
    let (now, device_code) = (app.clock.now(), app.chance.secret());
    for _ in 0..TRIES {
        let user_code = devices::user_code(&app.chance);
        let (code, people, scope) = (device_code.clone(), user_code.clone(), scope.clone());
        let credential = application.credential().map(str::to_owned);
        let kept = app.db.write(move |tx| -> Stored<_, Error> {
            devices::keep(tx, &code, &people, credential.as_deref(), &scope, now)
        });
        match kept.await {
            Ok(()) => {
                let (page, shown) =
                    (format!("{}/device", app.config.dashboard()), devices::shown(&user_code));
                return Ok(json!({
                    "device_code": device_code,
                    "user_code": shown,
                    "verification_uri": page,
                    "verification_uri_complete": format!("{page}?code={shown}"),
                    "expires_in": LIFE / 1000,
                    "interval": PAUSE,
                }));
            }
            Err(Error::Unique { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(OAuthError::broken(&"no free code for a device was found"))
}
