//! A secret of a credential. There can be several at once, so that one can be replaced while it is in use.

use super::{Resource, Versions};
use crate::access::Caller;
use crate::clock::MINUTE;
use crate::crypto::hash;
use crate::work::Work;
use guildhall_jsonapi::spec::{PLAIN, flag, one, secret, text, time};
use guildhall_jsonapi::{Input, Problem, Record, Result, Scope, Spec};
use guildhall_store::{Sql, Tx};
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How many secrets a credential may have at once.
const MOST: usize = 5;

static SPEC: Spec = Spec {
    kind: "client_secrets",
    singular: "clientSecret",
    about: "A secret of an API credential; several may work at once, so that one is replaced without a pause.",
    sized_by: Some("organization_id"),
    attributes: &[
        secret("secret").derived().doc("The secret itself.").example("\"xYZk-client-secret\""),
        time("expires_at")
            .nullable()
            .filter()
            .sort()
            .doc("From when on it is refused; never when it is null.")
            .example("\"2026-06-01T12:00:00.000Z\""),
        time("last_used_at")
            .derived()
            .nullable()
            .filter()
            .sort()
            .doc("When it was used last, to the minute; null when it never was.")
            .example("\"2026-05-01T12:00:00.000Z\""),
        flag("safe_to_remove")
            .derived()
            .from(SAFE_TO_REMOVE)
            .doc("Whether another secret was used a week, and as long as its tokens live, after this one.")
            .example("false"),
    ],
    relationships: &[
        one("organization", "organizations", "organization_id").to_few(),
        one("api_credential", "api_credentials", "api_credential_id").required(),
    ],
    inner: &[text("hash")],
    ..PLAIN
};

/// Whether a secret can go: another one was used a week and a whole token's life after it, and for a webapp the life of
/// a refresh token. Whoever still used it would have come back by then for a new token, even if that is once a night.
pub const SAFE_TO_REMOVE: &str = "exists (
    select 1 from client_secrets o join api_credentials c on c.id = o.api_credential_id
    where o.api_credential_id = {t}.api_credential_id and o.id <> {t}.id and o.expires_at is null
    and o.last_used_at > coalesce({t}.last_used_at, {t}.created_at) + 604800000
    and o.last_used_at > coalesce({t}.last_used_at, {t}.created_at) + coalesce(c.expires_in, 7200) * 1000
    and (c.kind <> 'webapp' or o.last_used_at > coalesce({t}.last_used_at, {t}.created_at) + 1209600000)
)";

/// The secret that a credential shows: the oldest that is not about to end, or else the one that lives longest.
/// What shows otherwise who it is has one as well, for the day it does not; nobody is to try it before.
pub const SHOWN: &str =
    "case when coalesce({t}.token_endpoint_auth_method, '') not in ('none', 'private_key_jwt') then (
    select s.secret from client_secrets s where s.api_credential_id = {t}.id
    order by coalesce(s.expires_at, 9000000000000000) desc, s.created_at, s.id limit 1
) end";

/// See the file.
pub static CLIENT_SECRETS: Resource = Resource {
    spec: &SPEC,
    versions: Versions::None,
    sees,
    create: Some(create),
    update: Some(update),
    delete: Some(delete),
    actions: &[],
};

fn sees(caller: &Caller) -> Scope {
    Scope { secrets: caller.secrets(), ..Scope::within("organization_id", caller.organizations()) }
}

fn create(work: &mut Work<'_, '_>, input: &mut Input) -> Result<String> {
    let credential = input.one("api_credential").unwrap_or_default().to_owned();
    let organization = work.text("api_credentials", &credential, "organization_id")?;
    if let Some(organization) = &organization {
        work.must_administer(organization)?;
    }
    let checked = check_end(work, input);
    input.collect(checked)?;
    input.finish()?;
    add(work, &credential, &organization.unwrap_or_default(), input.columns()).map(|(id, _)| id)
}

fn update(work: &mut Work<'_, '_>, record: &Record, input: &mut Input) -> Result<()> {
    work.must_administer(record.text("organization_id"))?;
    let checked = check_end(work, input);
    input.collect(checked)?;
    input.finish()?;
    work.update(record, input.columns())
}

fn delete(work: &mut Work<'_, '_>, record: &Record) -> Result<()> {
    work.must_administer(record.text("organization_id"))?;
    retire(work, record)
}

/// What has ended already would never have begun.
fn check_end(work: &Work<'_, '_>, input: &Input) -> Result<()> {
    match input.columns().get("expires_at").and_then(Json::as_i64) {
        Some(end) if end <= work.now => {
            Err(Problem::attribute("expires_at", "future", "must be in the future").into())
        }
        _ => Ok(()),
    }
}

/// Adds a secret to a credential; answers its id and the secret.
pub fn add(
    work: &mut Work<'_, '_>,
    credential: &str,
    organization: &str,
    mut columns: Map<String, Json>,
) -> Result<(String, String)> {
    let now = work.now;
    let is_over = |secret: &Record| secret.column("expires_at").as_i64().is_some_and(|end| end <= now);
    let (over, live): (Vec<Record>, Vec<Record>) = of(work, credential)?.into_iter().partition(is_over);
    for secret in over {
        work.delete(&secret)?;
    }
    if live.len() >= MOST {
        let message = format!("has {MOST} secrets already: remove one first");
        return Err(Problem::relationship("api_credential", "limit_reached", &message).into());
    }
    let secret = work.app.chance.secret();
    let sealed = work.app.vault.seal_row(&secret)?;
    columns.insert("secret".to_owned(), json!(sealed));
    columns.insert("hash".to_owned(), json!(hash(&secret)));
    columns.insert("api_credential_id".to_owned(), json!(credential));
    columns.insert("organization_id".to_owned(), json!(organization));
    let id = work.insert(&SPEC, columns)?;
    Ok((id, secret))
}

/// Removes a secret; the only one that is left stays.
pub fn retire(work: &mut Work<'_, '_>, record: &Record) -> Result<()> {
    let works = |other: &Record| {
        other.id != record.id && other.column("expires_at").as_i64().is_none_or(|end| end > work.now)
    };
    let others = Record::find(work.tx, &SPEC, "api_credential_id", record.text("api_credential_id"))?;
    if !others.iter().any(works) {
        let detail = "The only secret of a credential cannot be removed: add another one first.";
        return Err(Problem::locked(detail).into());
    }
    work.delete(record)
}

/// The secrets of a credential, the oldest first.
pub fn of(work: &mut Work<'_, '_>, credential: &str) -> Result<Vec<Record>> {
    Record::find(work.tx, &SPEC, "api_credential_id", credential)
}

/// Lets the secrets of a credential that do not end yet end at a moment.
pub fn end_all(work: &mut Work<'_, '_>, credential: &str, at: i64) -> Result<()> {
    for secret in of(work, credential)? {
        if secret.column("expires_at").as_i64().is_none_or(|end| end > at) {
            work.update(&secret, Map::from_iter([("expires_at".to_owned(), json!(at))]))?;
        }
    }
    Ok(())
}

/// Removes every secret that has ended, but the last one of a credential.
pub fn sweep(tx: &mut Tx<'_>, now: i64) -> guildhall_store::Result<()> {
    let ended = "expires_at <= ? and exists (select 1 from client_secrets o
                 where o.api_credential_id = client_secrets.api_credential_id and o.id <> client_secrets.id
                 and (coalesce(o.expires_at, 9000000000000000) > client_secrets.expires_at
                      or (o.expires_at = client_secrets.expires_at and o.id > client_secrets.id)))";
    tx.execute(&Sql::new(
        &format!(
            "update sizes set size = size - (select count(*) from client_secrets
             where client_secrets.organization_id = sizes.owner and {ended}) where kind = 'client_secrets'
             and owner in (select organization_id from client_secrets where expires_at <= ?)"
        ),
        [now.into(), now.into()],
    ))?;
    tx.execute(&Sql::new(&format!("delete from client_secrets where {ended}"), [now.into()])).map(drop)
}

/// Secrets that were used since it was last written down: one statement for many uses.
#[derive(Debug, Default)]
pub struct Uses(Mutex<HashMap<String, i64>>);

impl Uses {
    /// Notes that a secret is used, unless it is known for this minute.
    pub fn note(&self, secret: &str, last: Option<i64>, now: i64) {
        let minute = now - now.rem_euclid(MINUTE);
        if last.is_none_or(|last| last < minute) {
            let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            uses.insert(secret.to_owned(), minute);
        }
    }

    /// Puts back what could not be written down.
    pub fn put_back(&self, uses: Vec<(String, i64)>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (secret, minute) in uses {
            let known = all.entry(secret).or_insert(minute);
            *known = minute.max(*known);
        }
    }

    /// Takes what is to be written down.
    pub fn take(&self) -> Vec<(String, i64)> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.drain().collect()
    }
}

/// Writes down when secrets were used.
pub fn note_uses(tx: &mut Tx<'_>, uses: &[(String, i64)]) -> guildhall_store::Result<()> {
    for (secret, minute) in uses {
        let sql = "update client_secrets set last_used_at = ? where id = ? and coalesce(last_used_at, 0) < ?";
        tx.execute(&Sql::new(sql, [(*minute).into(), secret.into(), (*minute).into()]))?;
    }
    Ok(())
}
