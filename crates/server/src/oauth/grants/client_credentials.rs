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
    /// What the database was at when it was seen that the token says what one given then would say, and that nobody has
    /// revoked it; 0 if it was not.
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
    let known = app.known.get(app, params, version, now);
    if let (Some(application), Some(kept)) = (&known, &kept)
        && version == Some(kept.seen.load(Ordering::Relaxed))
        && lasts(app, application, kept, now / 1000)
    {
        return Ok(again(application, kept, now / 1000));
    }
    let (application, seen_at, revoked) = match known.filter(|_| kept.is_none()) {
        Some(application) => (application, now / 1000, false),
        None => look_up(app, params, kept.as_ref()).await?,
    };
    let scope = scope(&application, params.get("scope"))?;
    let claims = issue::claims(app, &application, scope, seen_at);
    if let Some(kept) = kept
        .filter(|kept| !revoked && says_the_same(kept, &claims) && lasts(app, &application, kept, seen_at))
    {
        if let Some(version) = version {
            kept.seen.store(version, Ordering::Relaxed);
        }
        return Ok(again(&application, &kept, seen_at));
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
) -> Result<(Arc<Application>, i64, bool), OAuthError> {
    let given = kept.map(|kept| hash(&kept.granted.access_token));
    let found = client::find_and(app, params, move |tx, _| {
        let Some(given) = given else { return Ok(false) };
        let sql = "select 1 from revoked_tokens where token_hash = ?";
        Ok(!tx.rows(&Sql::new(sql, [given.into()]))?.is_empty())
    });
    let (application, revoked) = found.await?;
    let seen_at = application.seen_at;
    Ok((Arc::new(application), seen_at, revoked))
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

/// Whether a token that was given says what one given now would say, but for its dates.
fn says_the_same(kept: &Kept, now: &Claims) -> bool {
    let Claims { exp, rand, iat, .. } = kept.claims;
    Claims { exp, rand, iat, ..now.clone() } == kept.claims
}

/// Whether a token that was given still counts in this second, and for long enough.
fn lasts(app: &App, application: &Application, kept: &Kept, second: i64) -> bool {
    let (date, end) = issue::dates(application, second);
    kept.claims.iat >= application.valid_from
        && kept.claims.iat <= date + SKEW
        && kept.claims.exp - (end - application.seconds) > FRESH
        && kept.granted.expires_in == application.seconds
        && app.keys.accepts(&kept.granted.access_token, app.clock.now())
}

/// The answer that was given before, with what is left of its life in this second.
fn again(application: &Application, kept: &Kept, second: i64) -> Granted {
    let (_, end) = issue::dates(application, second);
    Granted { expires_in: kept.claims.exp - (end - application.seconds), ..kept.granted.clone() }
}
