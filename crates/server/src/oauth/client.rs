//! Who asks for a token: an application that shows who it is, as it is able to.

use super::error::OAuthError;
use super::params::Params;
use crate::App;
use crate::authorizations::applications::{self, Application, Method};
use crate::authorizations::assertion;
use crate::crypto::{equal, hash};
use guildhall_store::{Error, Result, Tx};
use std::sync::Arc;

/// The client id of who asks, as they say: nothing is checked yet.
pub(super) fn said(params: &Params) -> Option<String> {
    let beside = params.get("client_id").map(str::to_owned);
    beside.or_else(|| assertion::subject(params.get("client_assertion")?))
}

/// The application that asks, and whether it has shown who it is. A public one may come without a secret,
/// but not with a wrong one.
pub(super) async fn find(app: &Arc<App>, params: &Params) -> Result<Application, OAuthError> {
    let asking = Asking::of(app);
    match asking.known(app, params) {
        Some(application) => Ok(application),
        None => look_up(app, params, asking, |_, _| Ok(())).await.map(|(application, ())| application),
    }
}

/// The same, with a look at something else, in the same unit unless the application is known.
pub(super) async fn find_and<T: Send + 'static>(
    app: &Arc<App>,
    params: &Params,
    look: impl FnOnce(&mut Tx<'_>, &Application) -> Result<T> + Send + 'static,
) -> Result<(Application, T), OAuthError> {
    let asking = Asking::of(app);
    let Some(application) = asking.known(app, params) else {
        return look_up(app, params, asking, look).await;
    };
    let found = app.db.read(move |tx| look(tx, &application).map(|looked| (application, looked)));
    Ok(found.await?)
}

/// When somebody asks, and what the database was at then: read before anything is looked up, since what is kept under it may
/// only be newer.
#[derive(Clone, Copy)]
struct Asking {
    now: i64,
    version: Option<i64>,
}

impl Asking {
    fn of(app: &App) -> Self {
        // In this order: who is known is so at this moment and later.
        let now = app.clock.now();
        Self { now, version: app.db.data_version() }
    }

    /// The application that asks, if it is known, as if it was looked up now.
    fn known(self, app: &App, params: &Params) -> Option<Application> {
        let known = app.known.get(app, params, self.version, self.now)?;
        let mut application = Application::clone(&known);
        application.seen_at = self.now / 1000;
        Some(application)
    }
}

async fn look_up<T: Send + 'static>(
    app: &Arc<App>,
    params: &Params,
    Asking { now, version }: Asking,
    look: impl FnOnce(&mut Tx<'_>, &Application) -> Result<T> + Send + 'static,
) -> Result<(Application, T), OAuthError> {
    let secret = params.get("client_secret");
    if params.has_two_methods() || (secret.is_some() && params.get("client_assertion").is_some()) {
        return Err(OAuthError::unreadable("Use one way of client authentication, not several."));
    }
    if let Some(assertion) = params.get("client_assertion") {
        let application = by_assertion(app, params, assertion).await?;
        let found = app.db.read(move |tx| look(tx, &application).map(|looked| (application, looked)));
        return Ok(found.await?);
    }
    let client_id = params.get("client_id").ok_or_else(OAuthError::invalid_client)?.to_owned();
    let (secret, unit_app) = (secret.map(str::to_owned), app.clone());
    let found = app.db.read(move |tx| -> Result<_, Error> {
        let Some(application) = by_secret(&unit_app, tx, &client_id, secret.as_deref(), now)? else {
            return Ok(None);
        };
        let looked = look(tx, &application)?;
        Ok(Some((application, looked)))
    });
    let (application, looked) = found.await?.ok_or_else(OAuthError::invalid_client)?;
    app.known.keep(app, params, version, &application);
    Ok((application, looked))
}

/// An application by its secret, if it has one. An unknown one costs what a known one does.
fn by_secret(
    app: &App,
    tx: &mut Tx<'_>,
    client_id: &str,
    secret: Option<&str>,
    now: i64,
) -> Result<Option<Application>> {
    let Some(mut application) = applications::by_client_id(tx, client_id, now)? else {
        equal(&hash(secret.unwrap_or_default()), &hash(client_id));
        return Ok(None);
    };
    let shown = secret.and_then(|secret| application.secret(secret, &app.vault));
    let may = match application.method {
        Method::Secret => shown.is_some(),
        Method::OptionalSecret => shown.is_some() || secret.is_none(),
        Method::None => secret.is_none(),
        Method::PrivateKey => false,
    };
    if let Some((secret, last_used_at)) = shown.filter(|(secret, _)| may && !secret.is_empty()) {
        app.uses.note(secret, last_used_at, now);
    }
    application.claim.confidential = shown.is_some();
    if !may && application.credential().is_some() {
        // What was looked for in two places for an unknown one is looked for in both here.
        applications::look_for_personal(tx, client_id)?;
    }
    Ok(may.then_some(application))
}

/// Our names: the issuer, and every place that asks clients who they are (RFC 9126, 2).
fn audiences(issuer: &str) -> Vec<String> {
    let places = ["token", "par", "introspect", "revoke", "device_authorization"];
    let names = places.iter().map(|place| format!("{issuer}/oauth/{place}"));
    std::iter::once(issuer.to_owned()).chain(names).collect()
}

/// An application by an assertion that it signed, which is used up.
async fn by_assertion(app: &Arc<App>, params: &Params, shown: &str) -> Result<Application, OAuthError> {
    let refused = OAuthError::invalid_client;
    let subject = assertion::subject(shown).ok_or_else(refused)?;
    let is_whose = params.get("client_id").is_none_or(|client_id| client_id == subject);
    if params.get("client_assertion_type") != Some(assertion::TYPE) || !is_whose {
        return Err(refused());
    }
    let (client_id, now) = (subject.clone(), app.clock.now());
    let found = app.db.read(move |tx| -> Result<_> {
        let found = applications::by_client_id(tx, &client_id, now)?;
        if found.as_ref().is_some_and(|application| application.credential().is_some()) {
            applications::look_for_personal(tx, &client_id)?;
        }
        Ok(found)
    });
    let found = found.await?.filter(|application| application.method == Method::PrivateKey);
    let mut application = found.ok_or_else(refused)?;
    let audiences = audiences(&app.issuer);
    let jwks = application.jwks.clone().unwrap_or_default();
    let checked = assertion::check(shown, &jwks, &subject, &audiences, now).ok_or_else(refused)?;
    if !app.db.write(move |tx| assertion::spend(tx, &checked)).await? {
        return Err(refused());
    }
    application.claim.confidential = true;
    Ok(application)
}
