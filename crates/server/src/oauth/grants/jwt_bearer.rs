//! JWT bearer: an application says in an assertion for whom it acts, or what its token is to carry.
//!
//! As the wire contract has it (4.3), the assertion's signature is not looked at: the application has shown its
//! secret, and may do no more than its organization's members let it.

use crate::App;
use crate::authorizations::chains::{self, Began, Chain};
use crate::authorizations::{consents, scope};
use crate::oauth::client;
use crate::oauth::error::OAuthError;
use crate::oauth::issue::{self, Granted};
use crate::oauth::params::Params;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_store::{Error, Result as Stored, Sql, Tx};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// The longest assertion, in bytes.
const LONGEST: usize = 4096;
/// How many seconds clocks may be apart.
const SKEW: i64 = 60;

/// What an assertion says.
#[derive(Debug, PartialEq)]
pub(crate) struct Assertion {
    /// The user it is for.
    pub(crate) user: Option<String>,
    /// What the token is to carry, as JSON.
    pub(crate) custom_claim: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "https://commercelayer.io/claims")]
    claims: Claims,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    nbf: Option<f64>,
}

#[derive(Deserialize)]
struct Claims {
    owner: Option<Owner>,
    custom_claim: Option<Map<String, Json>>,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

/// Reads an assertion; `now` is in seconds. `None` when it is malformed, too long, over, or says nothing.
pub(crate) fn read(assertion: &str, now: i64) -> Option<Assertion> {
    if assertion.len() > LONGEST {
        return None;
    }
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { return None };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Json = serde_json::from_slice(&decode(header)?).ok()?;
    decode(signature)?;
    let payload: Payload = serde_json::from_slice(&decode(payload)?).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
    let (earliest, latest) = ((now - SKEW) as f64, (now + SKEW) as f64);
    let in_time = payload.exp.is_none_or(|exp| exp > earliest) && payload.nbf.is_none_or(|nbf| nbf <= latest);
    let user = match payload.claims.owner {
        None => None,
        Some(owner) if owner.kind == "User" => Some(owner.id),
        // There are no customers yet (contract C-45).
        Some(_) => return None,
    };
    let custom_claim = payload.claims.custom_claim.map(|claim| Json::Object(claim).to_string());
    let says = user.is_some() || custom_claim.is_some();
    (header.is_object() && in_time && says).then_some(Assertion { user, custom_claim })
}

pub(super) async fn grant(app: &Arc<App>, params: &Params) -> Result<Granted, OAuthError> {
    let application = client::find(app, params).await?;
    if !application.claim.confidential {
        return Err(OAuthError::invalid_client());
    }
    let is_open = matches!(application.claim.kind.as_str(), "sales_channel" | "integration" | "webapp");
    let Some(organization) = application.organization.clone().filter(|one| is_open && one.enterprise) else {
        return Err(OAuthError::unauthorized_client());
    };
    let assertion = params.get("assertion").ok_or_else(|| OAuthError::missing("assertion"))?;
    let assertion = read(assertion, app.clock.now() / 1000).ok_or_else(OAuthError::invalid_assertion)?;
    let scope = match params.get("scope") {
        None => scope::EVERYTHING,
        Some(asked) if scope::is_commerce(asked) => asked,
        Some(_) => return Err(OAuthError::invalid_scope()),
    };
    let chain = Chain {
        id: app.chance.id(app.clock.now()),
        credential: application.credential().map(str::to_owned),
        organization: Some(organization.id.clone()),
        user: assertion.user,
        scope: scope.to_owned(),
        custom_claim: assertion.custom_claim,
        began_by: Began::Assertion,
        auth_time: None,
        nonce: None,
    };
    let has_their_rights = application.claim.kind == "webapp";
    if chain.user.is_some() {
        let looked_at = chain.clone();
        let may_act = app.db.read(move |tx| -> Stored<_> {
            Ok(is_member(tx, &looked_at)? && (!has_their_rights || is_agreed_to(tx, &looked_at)?))
        });
        if !may_act.await? {
            return Err(OAuthError::invalid_assertion());
        }
    }
    let (link, granted) = issue::link(app, &application, &chain).await?;
    let now = app.clock.now();
    let lives = app.db.write(move |tx| -> Stored<_, Error> {
        // They may have taken their yes back meanwhile.
        Ok((!has_their_rights || is_agreed_to(tx, &chain)?) && chains::begin(tx, &chain, &link, now)?)
    });
    if lives.await? { Ok(granted) } else { Err(OAuthError::invalid_assertion()) }
}

/// Whether whom an assertion names is a member.
fn is_member(tx: &mut Tx<'_>, chain: &Chain) -> Stored<bool> {
    let sql = "select 1 from live_memberships m join enabled_users u on u.id = m.user_id
               where m.organization_id = ? and m.user_id = ?";
    let args = [chain.organization.as_deref().into(), chain.user.as_deref().into()];
    Ok(!tx.rows(&Sql::new(sql, args))?.is_empty())
}

/// Whether whom an assertion names said yes to the application; nobody need.
fn is_agreed_to(tx: &mut Tx<'_>, chain: &Chain) -> Stored<bool> {
    let Some(user) = &chain.user else { return Ok(true) };
    consents::stands(tx, user, chain.credential.as_deref(), &chain.scope)
}
