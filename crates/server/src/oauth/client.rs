//! Who asks for a token: a user's personal application, or an API credential.

use super::error::OAuthError;
use crate::App;
use crate::bearer::{ApplicationClaim, OrganizationClaim};
use crate::crypto::{equal, hash};
use guildhall_jsonapi::Secrets as _;
use guildhall_store::{Error, Result, Sql, Tx};

/// A client whose secret, if it showed one, was right.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// As tokens name it.
    pub(super) application: ApplicationClaim,
    /// The user, for a personal application.
    pub(super) user: Option<String>,
    /// The organization, for an API credential.
    pub(super) organization: Option<OrganizationClaim>,
    /// Whether it is for the test environment.
    pub(super) test: bool,
    /// How many seconds its tokens live.
    pub(super) seconds: i64,
    /// From which second on its tokens count.
    pub(super) valid_from: i64,
}

/// How many seconds the tokens of a personal application live.
const USER_SECONDS: i64 = 7200;

/// What the database knows of a client.
struct Found {
    client: Client,
    /// What the shown secret is compared with, and whether that is its hash.
    secret: String,
    hashed: bool,
}

/// Finds the client and checks its secret. An unknown client costs what a known one does.
pub(super) async fn find(app: &App, client_id: &str, secret: Option<&str>) -> Result<Client, OAuthError> {
    let id = client_id.to_owned();
    let found = app
        .db
        .read(move |tx| -> Result<_, Error> { Ok((user_application(tx, &id)?, api_credential(tx, &id)?)) })
        .await?;
    let found = found.0.or(found.1);
    let shown = secret.unwrap_or_default();
    let shown_hash = hash(shown);
    let Some(mut found) = found else {
        equal(&shown_hash, &hash(client_id));
        return Err(OAuthError::invalid_client());
    };
    let right = if found.hashed {
        equal(&shown_hash, &found.secret)
    } else {
        app.vault.open(&found.secret).is_some_and(|secret| equal(&shown_hash, &hash(&secret)))
    };
    // A public client may come without its secret, but not with a wrong one.
    let optional = found.client.application.public && secret.is_none();
    if !right && !optional {
        return Err(OAuthError::invalid_client());
    }
    found.client.application.confidential = right;
    Ok(found.client)
}

fn user_application(tx: &mut Tx<'_>, client_id: &str) -> Result<Option<Found>> {
    let rows = tx.rows(&Sql::new(
        "select a.id, a.client_id, a.secret_hash, a.valid_from, u.id
         from user_applications a join enabled_users u on u.id = a.user_id
         where a.client_id = ?",
        [client_id.into()],
    ))?;
    Ok(rows.first().map(|row| Found {
        client: Client {
            application: application(row.text(0), row.text(1), "user"),
            user: Some(row.text(4).to_owned()),
            organization: None,
            test: false,
            seconds: USER_SECONDS,
            valid_from: row.int(3),
        },
        secret: row.text(2).to_owned(),
        hashed: true,
    }))
}

fn api_credential(tx: &mut Tx<'_>, client_id: &str) -> Result<Option<Found>> {
    let rows = tx.rows(&Sql::new(
        "select c.id, c.client_id, c.client_secret, c.kind, c.mode, c.expires_in, o.id, o.slug, o.region, p.enterprise
         from api_credentials c
         join organizations o on o.id = c.organization_id
         left join memberships m on m.organization_id = o.id and m.owner
         left join users u on u.id = m.user_id
         left join plans p on p.name = u.plan
         where c.client_id = ?",
        [client_id.into()],
    ))?;
    Ok(rows.first().map(|row| Found {
        client: Client {
            application: application(row.text(0), row.text(1), row.text(3)),
            user: None,
            organization: Some(OrganizationClaim {
                id: row.text(6).to_owned(),
                slug: row.text(7).to_owned(),
                enterprise: row.flag(9),
                region: row.maybe_text(8).map(str::to_owned),
            }),
            test: row.text(4) != "live",
            seconds: row.maybe_int(5).unwrap_or(USER_SECONDS),
            valid_from: 0,
        },
        secret: row.text(2).to_owned(),
        hashed: false,
    }))
}

fn application(id: &str, client_id: &str, kind: &str) -> ApplicationClaim {
    ApplicationClaim {
        id: id.to_owned(),
        client_id: client_id.to_owned(),
        kind: kind.to_owned(),
        public: kind == "sales_channel",
        confidential: false,
    }
}
