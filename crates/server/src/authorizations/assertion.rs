//! How an application shows who it is without a secret: by an assertion that it signs with a key of its own
//! (RFC 7523, `private_key_jwt`).

use super::hash_of;
use crate::clock::{HOUR, MINUTE};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_store::{Result, Sql, Tx};
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
    exp: Seconds,
    jti: String,
    #[serde(default)]
    nbf: Option<Seconds>,
    #[serde(default)]
    iat: Option<Seconds>,
}

/// A moment in seconds, which may have a fraction (RFC 7519, 2).
#[derive(Clone, Copy, Deserialize)]
struct Seconds(f64);

impl Seconds {
    /// The same in milliseconds, if any clock can show it.
    fn millis(self) -> Option<i64> {
        let millis = self.0 * 1000.0;
        #[expect(clippy::cast_possible_truncation, reason = "a number below 2^53 fits")]
        (millis.abs() < 9e15).then_some(millis as i64)
    }
}

/// An assertion that is true.
#[derive(Clone, Debug)]
pub struct Assertion {
    id: String,
    client_id: String,
    expires_at: i64,
}

/// What only a private or a shared key has (RFC 7518, 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Whether assertions can be checked with a key, and it tells nobody how to sign them.
pub fn is_usable(key: &Json) -> bool {
    PRIVATE.iter().all(|part| key.get(part).is_none())
        && serde_json::from_value::<Jwk>(key.clone())
            .is_ok_and(|key| !algorithms(&key).is_empty() && is_sound(&key.algorithm))
}

/// Whether it is a key at all, and one that is long enough: what is wrong with it is found when it is registered,
/// not when its application stands outside.
fn is_sound(key: &AlgorithmParameters) -> bool {
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let is_point = |bytes: Vec<u8>, algorithm| ParsedPublicKey::new(algorithm, bytes).is_ok();
    match key {
        AlgorithmParameters::RSA(key) => {
            let (Some(modulus), Some(exponent)) = (bytes(&key.n), bytes(&key.e)) else { return false };
            let first = modulus.iter().position(|byte| *byte != 0).unwrap_or(modulus.len());
            let bits = (modulus.len() - first) * 8
                - modulus.get(first).map_or(0, |byte| byte.leading_zeros() as usize);
            let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
            (2048..=8192).contains(&bits) && is_odd(&modulus) && is_odd(&exponent) && exponent != [1]
        }
        AlgorithmParameters::EllipticCurve(key) => {
            let (algorithm, length): (&'static dyn VerificationAlgorithm, _) = match key.curve {
                EllipticCurve::P256 => (&ECDSA_P256_SHA256_FIXED, 32),
                EllipticCurve::P384 => (&ECDSA_P384_SHA384_FIXED, 48),
                _ => return false,
            };
            let (Some(x), Some(y)) = (bytes(&key.x), bytes(&key.y)) else { return false };
            x.len() == length && y.len() == length && is_point([vec![4], x, y].concat(), algorithm)
        }
        AlgorithmParameters::OctetKeyPair(key) => {
            bytes(&key.x).is_some_and(|x| x.len() == 32 && is_point(x, &ED25519))
        }
        _ => false,
    }
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
    let expires_at = claims.exp.millis()?;
    let begun = |at: Option<Seconds>| at.is_none_or(|at| at.millis().is_some_and(|at| at <= now + SKEW));
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
    Ok(tx.execute(&Sql::new(sql, [hash.into(), (assertion.expires_at + SKEW).into()]))? > 0)
}
