//! Client credentials: an application acts for itself, or somebody's personal one for them.
//!
//! Who asks again gets the same token until a quarter of an hour before its end (contract 4.5): a busy
//! application costs no signature, and clients that renew in time never hold one that ends.

use crate::App;
use crate::access::PROVISIONING;
use crate::authorizations::applications::Application;
use crate::authorizations::scope;
use crate::bearer::{Claims, SKEW};
use crate::crypto::hash;
use crate::oauth::client;
use crate::oauth::error::OAuthError;
use crate::oauth::issue::{self, Granted};
use crate::oauth::params::Params;
use guildhall_store::Sql;
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// How many seconds before its end a token is not given again.
const FRESH: i64 = 15 * 60;
/// How many tokens are kept to be given again.
const MOST_KEPT: usize = 5000;

/// Tokens that were given, to be given again.
pub(crate) struct Given(Cache<Asker, Arc<Kept>>);

/// Who asks with or without a secret, for what.
type Asker = (String, bool, String);

struct Kept {
    claims: Claims,
    granted: Granted,
    /// What the database was at when it was seen that nobody has revoked it; 0 if it was not.
    seen: AtomicI64,
}

impl Given {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(Cache::new(MOST_KEPT))
    }
}

pub(super) async fn grant(app: &Arc<App>, params: &Params) -> Result<Granted, OAuthError> {
    let shows = params.get("client_secret").is_some() || params.get("client_assertion").is_some();
    let asker =
        (client::said(params).unwrap_or_default(), shows, params.get("scope").unwrap_or_default().to_owned());
    let kept = app.given.0.get(&asker);
    let now = app.clock.now();
    let version = app.db.data_version();
    let is_seen = |kept: &Arc<Kept>| version == Some(kept.seen.load(Ordering::Relaxed));
    let known = app.known.get(app, params, version, now).filter(|_| kept.as_ref().is_none_or(is_seen));
    let (application, seen_at, revoked) = match known {
        Some(application) => (application, now / 1000, false),
        None => look_up(app, params, kept.as_ref(), version).await?,
    };
    let scope = scope(&application, params.get("scope"))?;
    let claims = issue::claims(app, &application, scope, seen_at);
    if let Some(kept) = kept.filter(|kept| !revoked && is_still_true(app, &application, kept, &claims)) {
        let now = claims.exp - application.seconds;
        return Ok(Granted { expires_in: kept.claims.exp - now, ..kept.granted.clone() });
    }
    let granted = issue::access(app, &claims, application.seconds)?;
    if !asker.0.is_empty() {
        let kept = Kept { claims, granted: granted.clone(), seen: AtomicI64::default() };
        app.given.0.insert(asker, Arc::new(kept));
    }
    Ok(granted)
}

/// Who asks, as the database knows them now, in which second that was, and whether the token that was given before is
/// revoked.
async fn look_up(
    app: &Arc<App>,
    params: &Params,
    kept: Option<&Arc<Kept>>,
    version: Option<i64>,
) -> Result<(Arc<Application>, i64, bool), OAuthError> {
    let given = kept.map(|kept| hash(&kept.granted.access_token));
    let found = client::find_and(app, params, move |tx, _| {
        let Some(given) = given else { return Ok(false) };
        let sql = "select 1 from revoked_tokens where token_hash = ?";
        Ok(!tx.rows(&Sql::new(sql, [given.into()]))?.is_empty())
    });
    let (application, revoked) = found.await?;
    let seen_at = application.seen_at;
    let application = Arc::new(application);
    app.known.keep(app, params, version, &application);
    if let (Some(kept), Some(version), false) = (kept, version, revoked) {
        kept.seen.store(version, Ordering::Relaxed);
    }
    Ok((application, seen_at, revoked))
}

/// What it may be for.
fn scope<'a>(application: &Application, asked: Option<&'a str>) -> Result<&'a str, OAuthError> {
    match application.claim.kind.as_str() {
        "user" if asked.is_none_or(|asked| asked == PROVISIONING) => Ok(PROVISIONING),
        "user" => Err(OAuthError::invalid_scope()),
        "sales_channel" | "integration" => match asked {
            None => Ok(scope::EVERYTHING),
            Some(asked) if scope::is_commerce(asked) => Ok(asked),
            Some(_) => Err(OAuthError::invalid_scope()),
        },
        _ => Err(OAuthError::unauthorized_client()),
    }
}

/// Whether a token that was given says what one given now would say, and for long enough.
fn is_still_true(app: &App, application: &Application, kept: &Kept, now: &Claims) -> bool {
    let of_now = Claims { exp: kept.claims.exp, iat: kept.claims.iat, rand: kept.claims.rand, ..now.clone() };
    of_now == kept.claims
        && kept.claims.iat >= application.valid_from
        && kept.claims.iat <= now.iat + SKEW
        && kept.claims.exp - (now.exp - application.seconds) > FRESH
        && kept.granted.expires_in == application.seconds
        && app.keys.accepts(&kept.granted.access_token, app.clock.now())
}
