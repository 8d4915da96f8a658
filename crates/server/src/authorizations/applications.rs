//! An application that asks for tokens: an API credential, somebody's personal one, or the dashboard's own.

use crate::App;
use crate::bearer::{ApplicationClaim, OrganizationClaim};
use crate::crypto::{Vault, equal, hash};
use guildhall_jsonapi::Secrets as _;
use guildhall_store::{Row, Rows, Sql, Tx};
use serde_json::Value as Json;

/// How many seconds the tokens of a personal application and of the dashboard's own live.
const USER_SECONDS: i64 = 7200;
/// The dashboard's own application: command lines sign in with it. It keeps no secret.
pub const DASHBOARD: &str = "dashboard";

/// An application that is in use: neither it nor its organization nor its user is disabled.
#[derive(Clone, Debug)]
pub struct Application {
    /// As tokens name it; `confidential` says whether it has shown a secret.
    pub claim: ApplicationClaim,
    /// What people call it.
    pub name: String,
    /// The user, for a personal application.
    pub user: Option<String>,
    /// The organization, for an API credential.
    pub organization: Option<OrganizationClaim>,
    /// What people call the organization, and its colour.
    pub organization_name: String,
    /// See `organization_name`.
    pub organization_color: Option<String>,
    /// Whether it is for the test environment.
    pub test: bool,
    /// How many seconds its tokens live.
    pub seconds: i64,
    /// From which second on its tokens count.
    pub valid_from: i64,
    /// The second in which it was looked up.
    pub seen_at: i64,
    /// Where the browser goes after an authorization.
    pub redirect_uri: Option<String>,
    /// How it shows who it is.
    pub method: Method,
    /// The keys it signs assertions with.
    pub jwks: Option<Json>,
    /// The moment at which the first of its secrets ends, in milliseconds, if one does.
    pub until: Option<i64>,
    secrets: Vec<Secret>,
}

/// How an application shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By a secret.
    Secret,
    /// By a secret, if it has one at hand: sales channels.
    OptionalSecret,
    /// By an assertion it signs.
    PrivateKey,
    /// Not at all: it is public.
    None,
}

/// A secret that is accepted.
#[derive(Clone, Debug)]
struct Secret {
    id: String,
    hash: Option<String>,
    sealed: String,
    last_used_at: Option<i64>,
}

impl Application {
    /// The id of the API credential, if it is one.
    pub fn credential(&self) -> Option<&str> {
        self.organization.as_ref().map(|_| self.claim.id.as_str())
    }

    /// Whether it is public: it cannot show who it is, so that it must prove that a code is its own.
    pub fn is_public(&self) -> bool {
        self.method == Method::None
    }

    /// Which secret this is: its id and when it was used last, to the minute. What is compared takes the same
    /// time wherever the two differ.
    pub fn secret(&self, shown: &str, vault: &Vault) -> Option<(&str, Option<i64>)> {
        let shown = hash(shown);
        let mut found = None;
        for secret in &self.secrets {
            let is_it = match &secret.hash {
                Some(hash) => equal(&shown, hash),
                None => vault
                    .open(&secret.sealed)
                    .is_some_and(|opened| equal(&shown, &crate::crypto::hash(&opened))),
            };
            if is_it {
                found = Some((secret.id.as_str(), secret.last_used_at));
            }
        }
        found
    }
}

const CREDENTIAL: &str = "
    select c.id, c.client_id, c.kind, c.name, c.mode, c.expires_in, c.valid_from, c.redirect_uri, c.token_endpoint_auth_method,
        c.jwks, c.organization_id, c.slug, c.region, c.organization_name, c.primary_color,
        (select p.enterprise from memberships m join users u on u.id = m.user_id join plans p on p.name = u.plan
         where m.organization_id = c.organization_id and m.owner),
        s.id, s.hash, s.secret, s.last_used_at, s.expires_at
    from enabled_credentials c
    left join client_secrets s on s.api_credential_id = c.id and coalesce(s.expires_at, 9000000000000000) > ?
    where ";

/// From which second on the tokens of an application count, once all that it was given so far are ended: an expression
/// over its row. Tokens carry whole seconds, so what is given from the next one on is new, and dated so; where that
/// was said before, in this very second or by a clock that has been put right since, it is the second after that.
pub fn ended(app: &App, now: i64) -> Sql {
    let next = app.next_date(now);
    Sql::new("case when valid_from < ? then ? else valid_from + 1 end", [next.into(), next.into()])
}

/// The application with this client id.
pub fn by_client_id(
    tx: &mut Tx<'_>,
    client_id: &str,
    now: i64,
) -> guildhall_store::Result<Option<Application>> {
    if client_id == DASHBOARD {
        return Ok(seen(Some(dashboard()), now));
    }
    let mut sql = Sql::new(CREDENTIAL, [now.into()]);
    sql.push("c.client_id = ").bind(client_id);
    let found = match credential(&tx.rows(&sql)?) {
        None => personal(tx, client_id)?,
        found => found,
    };
    Ok(seen(found, now))
}

/// The API credential with this id, or the dashboard's own application when there is none.
pub fn by_id(tx: &mut Tx<'_>, id: Option<&str>, now: i64) -> guildhall_store::Result<Option<Application>> {
    let Some(id) = id else { return Ok(seen(Some(dashboard()), now)) };
    let mut sql = Sql::new(CREDENTIAL, [now.into()]);
    sql.push("c.id = ").bind(id);
    Ok(seen(credential(&tx.rows(&sql)?), now))
}

fn seen(found: Option<Application>, now: i64) -> Option<Application> {
    found.map(|application| Application { seen_at: now / 1000, ..application })
}

fn dashboard() -> Application {
    Application {
        claim: claim(DASHBOARD, DASHBOARD, DASHBOARD),
        name: "Guildhall".to_owned(),
        user: None,
        organization: None,
        organization_name: String::new(),
        organization_color: None,
        test: false,
        seconds: USER_SECONDS,
        valid_from: 0,
        seen_at: 0,
        // RFC 8252: a command line listens on the machine it runs on.
        redirect_uri: Some("http://127.0.0.1/callback".to_owned()),
        method: Method::None,
        jwks: None,
        until: None,
        secrets: Vec::new(),
    }
}

fn credential(rows: &Rows) -> Option<Application> {
    let row = rows.first()?;
    let kind = row.text(2);
    let text = |index: usize| row.maybe_text(index).map(str::to_owned);
    let secret = |row: Row<'_>| {
        Some(Secret {
            id: row.maybe_text(16)?.to_owned(),
            hash: row.maybe_text(17).map(str::to_owned),
            sealed: row.text(18).to_owned(),
            last_used_at: row.maybe_int(19),
        })
    };
    let method = match row.maybe_text(8) {
        Some("none") => Method::None,
        Some("private_key_jwt") => Method::PrivateKey,
        _ if kind == "sales_channel" => Method::OptionalSecret,
        _ => Method::Secret,
    };
    Some(Application {
        claim: claim(row.text(0), row.text(1), kind),
        name: row.text(3).to_owned(),
        user: None,
        organization: Some(OrganizationClaim {
            id: row.text(10).to_owned(),
            slug: row.text(11).to_owned(),
            enterprise: row.maybe_int(15) == Some(1),
            region: text(12),
        }),
        organization_name: row.text(13).to_owned(),
        organization_color: text(14),
        test: row.maybe_text(4) != Some("live"),
        seconds: row.maybe_int(5).unwrap_or(USER_SECONDS),
        valid_from: row.int(6),
        seen_at: 0,
        redirect_uri: text(7),
        method,
        jwks: row.maybe_text(9).and_then(|jwks| serde_json::from_str(jwks).ok()),
        until: rows.iter().filter_map(|row| row.maybe_int(20)).min(),
        secrets: rows.iter().filter_map(secret).collect(),
    })
}

/// Looks for a personal application, only to have done so.
pub fn look_for_personal(tx: &mut Tx<'_>, client_id: &str) -> guildhall_store::Result<()> {
    personal(tx, client_id).map(drop)
}

fn personal(tx: &mut Tx<'_>, client_id: &str) -> guildhall_store::Result<Option<Application>> {
    let rows = tx.rows(&Sql::new(
        "select a.id, a.client_id, a.secret_hash, a.valid_from, u.id
         from user_applications a join enabled_users u on u.id = a.user_id where a.client_id = ?",
        [client_id.into()],
    ))?;
    Ok(rows.first().map(|row| {
        let secret = Secret {
            id: String::new(),
            hash: Some(row.text(2).to_owned()),
            sealed: String::new(),
            last_used_at: None,
        };
        Application {
            claim: claim(row.text(0), row.text(1), "user"),
            user: Some(row.text(4).to_owned()),
            valid_from: row.int(3),
            redirect_uri: None,
            method: Method::Secret,
            secrets: vec![secret],
            ..dashboard()
        }
    }))
}

fn claim(id: &str, client_id: &str, kind: &str) -> ApplicationClaim {
    ApplicationClaim {
        id: id.to_owned(),
        client_id: client_id.to_owned(),
        kind: kind.to_owned(),
        public: kind == "sales_channel",
        confidential: false,
    }
}
