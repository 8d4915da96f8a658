//! How an application shows who it is without a secret: by an assertion that it signs with a key of its own
//! (RFC 7523, `private_key_jwt`).

use super::hash_of;
use crate::clock::{HOUR, MINUTE};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_store::{Error, Result, Sql, Tx};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::Value as Json;

/// What the type of an assertion is called.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest assertion, in bytes.
const LONGEST: usize = 4096;
/// How far clocks may be apart, in milliseconds.
const SKEW: i64 = MINUTE;
/// How long an assertion may live, in milliseconds.
const LONGEST_LIFE: i64 = HOUR;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Json,
    exp: i64,
    jti: String,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    iat: Option<i64>,
}

/// An assertion that is true.
#[derive(Clone, Debug)]
pub struct Assertion {
    id: String,
    client_id: String,
    expires_at: i64,
}

/// Whether assertions can be checked with a key.
pub fn is_usable(key: &Json) -> bool {
    serde_json::from_value::<Jwk>(key.clone())
        .is_ok_and(|key| !algorithms(&key).is_empty() && DecodingKey::from_jwk(&key).is_ok())
}

/// The algorithms of a key: never what an assertion says it is.
fn algorithms(key: &Jwk) -> Vec<Algorithm> {
    let is_for_signing = key.common.public_key_use.as_ref().is_none_or(|one| *one == PublicKeyUse::Signature)
        && key.common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    if !is_for_signing {
        return Vec::new();
    }
    let fitting = match &key.algorithm {
        AlgorithmParameters::RSA(_) => vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            vec![Algorithm::ES256]
        }
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P384 => {
            vec![Algorithm::ES384]
        }
        AlgorithmParameters::OctetKeyPair(_) => vec![Algorithm::EdDSA],
        _ => Vec::new(),
    };
    match key.common.key_algorithm {
        None => fitting,
        Some(only) => fitting.into_iter().filter(|one| format!("{one:?}") == format!("{only:?}")).collect(),
    }
}

/// Whom an assertion speaks of, unchecked.
pub fn subject(assertion: &str) -> Option<String> {
    if assertion.len() > LONGEST {
        return None;
    }
    jsonwebtoken::dangerous::insecure_decode::<Claims>(assertion).ok().map(|data| data.claims.sub)
}

/// Checks an assertion with the keys of its application; `audiences` are our names.
pub fn check(
    assertion: &str,
    jwks: &Json,
    client_id: &str,
    audiences: &[String],
    now: i64,
) -> Option<Assertion> {
    if assertion.len() > LONGEST {
        return None;
    }
    let header = decode_header(assertion).ok()?;
    // What an assertion calls critical is nothing that is understood here (RFC 7515, 4.1.11).
    let raw = URL_SAFE_NO_PAD.decode(assertion.split('.').next()?).ok()?;
    if serde_json::from_slice::<Json>(&raw).ok()?.get("crit").is_some() {
        return None;
    }
    let keys =
        jwks["keys"].as_array()?.iter().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
    let named =
        |key: &Jwk| header.kid.is_none() || key.common.key_id.is_none() || key.common.key_id == header.kid;
    let claims = keys.filter(named).find_map(|key| {
        let algorithms = algorithms(&key);
        if !algorithms.contains(&header.alg) {
            return None;
        }
        let mut validation = Validation::new(header.alg);
        // Time and audience are checked below: by our own clock, and more strictly.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        decode::<Claims>(assertion, &DecodingKey::from_jwk(&key).ok()?, &validation).ok()
    })?;
    let claims = claims.claims;
    let ours = |name: &str| audiences.iter().any(|audience| audience == name);
    let for_us = match &claims.aud {
        Json::String(name) => ours(name),
        // One that somebody else may use as well is not for us.
        Json::Array(names) => !names.is_empty() && names.iter().all(|name| name.as_str().is_some_and(ours)),
        _ => false,
    };
    let millis = |seconds: i64| seconds.checked_mul(1000);
    let expires_at = millis(claims.exp)?;
    let begun = |at: Option<i64>| at.is_none_or(|at| millis(at).is_some_and(|at| at <= now + SKEW));
    let fits = claims.iss == client_id
        && claims.sub == client_id
        && for_us
        && !claims.jti.is_empty()
        && expires_at > now - SKEW
        && expires_at <= now + LONGEST_LIFE + SKEW
        && begun(claims.nbf)
        && begun(claims.iat);
    fits.then(|| Assertion { id: claims.jti, client_id: client_id.to_owned(), expires_at })
}

/// Uses an assertion up; `false` when it was used before.
pub fn spend(tx: &mut Tx<'_>, assertion: &Assertion) -> Result<bool> {
    let hash = hash_of("assertion", &format!("{}:{}", assertion.client_id, assertion.id));
    let sql = "insert into spent_assertions (assertion_hash, expires_at) values (?, ?) on conflict (assertion_hash) do nothing";
    let spent = tx.execute(&Sql::new(sql, [hash.into(), (assertion.expires_at + SKEW).into()]));
    match spent {
        Ok(rows) => Ok(rows > 0),
        Err(Error::Unique { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
