//! Device code: an application without a browser asks whether somebody has said yes elsewhere (RFC 8628).

use crate::App;
use crate::authorizations::chains::{self, Began, Chain};
use crate::authorizations::devices::{self, PAUSE, State};
use crate::oauth::client;
use crate::oauth::error::OAuthError;
use crate::oauth::issue::{self, Granted};
use crate::oauth::params::Params;
use guildhall_store::{Error, Result as Stored};
use std::sync::Arc;

pub(super) async fn grant(app: &Arc<App>, params: &Params) -> Result<Granted, OAuthError> {
    let code = params.get("device_code").unwrap_or_default().to_owned();
    let shown = code.clone();
    let (application, device) =
        client::find_and(app, params, move |tx, _| devices::by_device_code(tx, &shown)).await?;
    if !matches!(application.claim.kind.as_str(), "webapp" | "dashboard") {
        return Err(OAuthError::unauthorized_client());
    }
    if code.is_empty() {
        return Err(OAuthError::missing("device_code"));
    }
    let whose = device.filter(|device| device.credential.as_deref() == application.credential());
    let device = whose.ok_or_else(OAuthError::invalid_grant)?;
    let now = app.clock.now();
    if device.expires_at <= now {
        return Err(OAuthError::expired_token());
    }
    match (device.state, device.user) {
        (State::Denied, _) => return Err(OAuthError::access_denied()),
        (State::Redeemed, _) => return Err(OAuthError::invalid_grant()),
        (State::Approved, Some(user)) => {
            let chain = Chain {
                id: app.chance.id(now),
                credential: device.credential,
                organization: application.organization.as_ref().map(|organization| organization.id.clone()),
                user: Some(user),
                scope: device.scope,
                custom_claim: None,
                began_by: Began::Device,
                auth_time: device.auth_time,
                nonce: None,
            };
            let (link, granted) = issue::link(app, &application, &chain).await?;
            let redeemed = app.db.write(move |tx| -> Stored<_, Error> {
                Ok(devices::redeem(tx, &device.hash)? && chains::begin(tx, &chain, &link, now)?)
            });
            return if redeemed.await? { Ok(granted) } else { Err(OAuthError::invalid_grant()) };
        }
        _ => {}
    }
    let too_soon = device.polled_at.is_some_and(|polled_at| now - polled_at < device.pause * 1000);
    let pause = if too_soon { device.pause + PAUSE } else { device.pause };
    app.db.write(move |tx| devices::note_poll(tx, &device.hash, pause, now)).await?;
    Err(if too_soon { OAuthError::slow_down() } else { OAuthError::authorization_pending() })
}
