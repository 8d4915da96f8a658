//! The token of a request: signed by us, not expired, of the kind that opens the door at hand.

use crate::App;
use crate::crypto::{hex, sha256};
use crate::keys::Use;
use guildhall_store::Sql;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::sync::Arc;

/// How many checked tokens are remembered.
const MOST_REMEMBERED: usize = 20_000;

/// What an access token says. The members, their names and their order are the wire contract's (4.6).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Claims {
    /// The user of a personal application or of the dashboard's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserClaim>,
    /// The organization of an API credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationClaim>,
    /// The application the token was given to.
    pub application: ApplicationClaim,
    /// On whose behalf the application acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<OwnerClaim>,
    /// The market in scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub market: Option<Json>,
    /// What the assertion said that it was given for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_claim: Option<Json>,
    /// What it was given for.
    pub scope: String,
    /// When it ends, in seconds.
    pub exp: i64,
    /// Whether it is for the test environment.
    pub test: bool,
    /// A random number, so that no two tokens are alike.
    pub rand: f64,
    /// When it was given, in seconds.
    pub iat: i64,
    /// Who gave it.
    pub iss: String,
}

/// The user of a token.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct UserClaim {
    /// The user's id.
    pub id: String,
}

/// On whose behalf an application acts.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct OwnerClaim {
    /// Their id.
    pub id: String,
    /// What they are: `User`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The organization of a token.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct OrganizationClaim {
    /// Its id.
    pub id: String,
    /// Its slug.
    pub slug: String,
    /// Whether its plan is Enterprise.
    pub enterprise: bool,
    /// Where it is.
    pub region: Option<String>,
}

/// The application of a token.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ApplicationClaim {
    /// Its id.
    pub id: String,
    /// Its public name.
    pub client_id: String,
    /// What it is: `user`, or the kind of an API credential.
    pub kind: String,
    /// Whether its kind keeps no secret.
    pub public: bool,
    /// Whether a secret was shown when the token was given.
    pub confidential: bool,
}

impl Claims {
    /// Whether it is one of a chain: given because of somebody's yes or of an assertion, and stored.
    pub fn is_of_chain(&self) -> bool {
        match self.application.kind.as_str() {
            "user" => false,
            "webapp" | "dashboard" => true,
            _ => self.owner.is_some() || self.custom_claim.is_some(),
        }
    }
}

/// How far the clocks of nodes may be apart, in seconds.
pub const SKEW: i64 = 60;

/// A token that was checked.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// What it says.
    pub claims: Claims,
    /// By what it is found among those that are remembered: the SHA-256 of its text.
    pub key: [u8; 32],
    /// By what it is found among the revoked ones: the same in hexadecimal digits.
    pub hash: String,
    /// Whether it is dated later than any clock can show: from before a clock was put right, or from when those of
    /// before were ended in that very second.
    pub is_ahead: bool,
}

impl Bearer {
    /// Adds the condition that tokens of its date count for the application `a`. What ends all of before is dated as
    /// well, so of those that are ahead only the first that were given since do.
    pub fn counts(&self, sql: &mut Sql) {
        sql.push(if self.is_ahead { " and a.valid_from = " } else { " and a.valid_from <= " });
        sql.bind(self.claims.iat);
    }

    /// The same, as it is at a moment.
    fn at(self: Arc<Self>, now: i64) -> Arc<Self> {
        let is_ahead = self.claims.iat > now + SKEW;
        if is_ahead == self.is_ahead {
            return self;
        }
        Arc::new(Self { is_ahead, ..(*self).clone() })
    }
}

/// The tokens whose signature was checked before, by the SHA-256 of their text.
pub struct Verified(Cache<[u8; 32], Arc<Bearer>>);

impl Verified {
    /// None yet.
    pub fn new() -> Self {
        Self(Cache::new(MOST_REMEMBERED))
    }
}

impl Default for Verified {
    fn default() -> Self {
        Self::new()
    }
}

/// The token behind an `Authorization` header: signed by us and not expired. Whether it was revoked, only
/// the database knows.
pub async fn read(app: &App, authorization: Option<&str>) -> Option<Arc<Bearer>> {
    let (scheme, token) = authorization?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { check(app, token.trim()).await } else { None }
}

/// A token that was checked before, without checking any: for what comes before it is known who asks.
pub fn seen(app: &App, token: &str) -> Option<Arc<Bearer>> {
    let known = app.verified.0.get(&sha256(token.as_bytes()))?;
    current(app, token, known, app.clock.now())
}

/// What was checked before, if it counts at a moment, in milliseconds: it may have ended since, or its key.
fn current(app: &App, token: &str, known: Arc<Bearer>, now: i64) -> Option<Arc<Bearer>> {
    let counts = known.claims.exp > now / 1000 && app.keys.accepts(token, now);
    counts.then(|| known.at(now / 1000))
}

/// The same for an `Authorization` header.
pub fn seen_in(app: &App, authorization: Option<&str>) -> Option<Arc<Bearer>> {
    seen(app, authorization?.split_once(' ')?.1.trim())
}

/// Checks a token by itself.
pub async fn check(app: &App, token: &str) -> Option<Arc<Bearer>> {
    app.keys.meet(token, &app.db, &app.vault, app.clock.now()).await;
    let key = sha256(token.as_bytes());
    let now = app.clock.now();
    let bearer = if let Some(bearer) = app.verified.0.get(&key) {
        bearer
    } else {
        let claims: Claims = app.keys.verify(Use::Access, token, now)?;
        if claims.iss != app.issuer {
            return None;
        }
        let bearer = Arc::new(Bearer { claims, key, hash: hex(&key), is_ahead: false });
        app.verified.0.insert(key, bearer.clone());
        bearer
    };
    current(app, token, bearer, now)
}
