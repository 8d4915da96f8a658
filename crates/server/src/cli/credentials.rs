//! `guildhall credentials`.

use super::{print, work};
use crate::App;
use crate::clock::HOUR;
use crate::resources::{api_credentials, client_secrets, organizations};
use crate::work::Work;
use anyhow::Result;
use clap::Subcommand;
use guildhall_jsonapi::{Error, Problem, Record, timestamp};
use guildhall_store::Sql;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the API credentials of an organization
    List {
        /// Its slug
        #[arg(long)]
        slug: String,
    },
    /// List the secrets of a credential: when each was used, when it ends, whether it can go
    Secrets {
        /// Its client id
        #[arg(long, allow_hyphen_values = true)]
        client_id: String,
    },
    /// Give a credential a new secret; the others go on working for a while
    Rotate {
        /// Its client id
        #[arg(long, allow_hyphen_values = true)]
        client_id: String,
        /// How many hours the others go on working
        #[arg(long, default_value_t = 24)]
        overlap: u16,
    },
    /// Remove a secret of a credential now
    Retire {
        /// The client id of the credential
        #[arg(long, allow_hyphen_values = true)]
        client_id: String,
        /// The id of the secret
        #[arg(long, allow_hyphen_values = true)]
        secret: String,
    },
    /// End the tokens of a credential and refuse it new ones
    Disable {
        /// Its client id
        #[arg(long, allow_hyphen_values = true)]
        client_id: String,
    },
    /// Let a disabled credential in again
    Enable {
        /// Its client id
        #[arg(long, allow_hyphen_values = true)]
        client_id: String,
    },
}

pub(super) async fn run(app: &Arc<App>, command: Command, json: bool) -> Result<()> {
    match command {
        Command::List { slug } => list(app, slug, json).await,
        Command::Secrets { client_id } => secrets(app, client_id, json).await,
        Command::Rotate { client_id, overlap } => rotate(app, client_id, overlap, json).await,
        Command::Retire { client_id, secret } => {
            let (wanted, of) = (secret.clone(), client_id.clone());
            work(app, move |work| {
                let credential = find(work, &of)?;
                let mut all = client_secrets::of(work, &credential.id)?;
                let index = all.iter().position(|one| one.id == wanted);
                let missing = || {
                    detail(format!(
                        "{of} has no secret {wanted}: see guildhall credentials secrets --client-id {of}"
                    ))
                };
                client_secrets::retire(work, &all.remove(index.ok_or_else(missing)?))
            })
            .await?;
            told(json, &client_id, "state", "without that secret")
        }
        Command::Disable { client_id } => switch(app, client_id, true, json).await,
        Command::Enable { client_id } => switch(app, client_id, false, json).await,
    }
}

async fn switch(app: &Arc<App>, client_id: String, disabled: bool, json: bool) -> Result<()> {
    let wanted = client_id.clone();
    work(app, move |work| {
        let credential = find(work, &wanted)?;
        api_credentials::set_disabled(work, &credential, disabled)
    })
    .await?;
    told(json, &client_id, "state", if disabled { "disabled" } else { "enabled" })
}

fn told(json: bool, client_id: &str, name: &str, state: &str) -> Result<()> {
    print(&if json {
        json!({ "client_id": client_id, name: state }).to_string()
    } else {
        format!("{client_id} is {state} now")
    })
}

async fn list(app: &Arc<App>, slug: String, json: bool) -> Result<()> {
    let all = work(app, move |work| {
        if organizations::by_slug(work, &slug)?.is_none() {
            return Err(detail(format!("there is no organization {slug}: see guildhall organizations list")));
        }
        let rows = work.tx.rows(&Sql::new(
            "select c.client_id, c.kind, c.mode, c.name, c.disabled_at is null from api_credentials c
             join organizations o on o.id = c.organization_id where o.slug = ? order by c.created_at, c.id",
            [(&slug).into()],
        ))?;
        let one = |row: guildhall_store::Row<'_>| {
            json!({
                "client_id": row.text(0), "kind": row.text(1), "mode": row.maybe_text(2), "name": row.text(3),
                "enabled": row.flag(4),
            })
        };
        Ok(rows.iter().map(one).collect::<Vec<Json>>())
    })
    .await?;
    if json {
        return print(&Json::Array(all).to_string());
    }
    for one in &all {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let state = if one["enabled"] == json!(true) { "" } else { "  (disabled)" };
        print(&format!(
            "{}  {:<13}  {}  {}{state}",
            text("client_id"),
            text("kind"),
            text("mode"),
            text("name")
        ))?;
    }
    if all.is_empty() { print("There are none.") } else { Ok(()) }
}

async fn secrets(app: &Arc<App>, client_id: String, json: bool) -> Result<()> {
    let all = work(app, move |work| {
        let credential = find(work, &client_id)?;
        let mut sql = Sql::text("select t.id, t.created_at, t.last_used_at, t.expires_at, ");
        sql.push(&client_secrets::SAFE_TO_REMOVE.replace("{t}", "t"));
        sql.push(" from client_secrets t where t.api_credential_id = ").bind(&credential.id);
        let rows = work.tx.rows(sql.push(" order by t.created_at, t.id"))?;
        let one = |row: guildhall_store::Row<'_>| {
            json!({
                "id": row.text(0), "created_at": timestamp(row.int(1)), "last_used_at": row.maybe_int(2).map(timestamp),
                "expires_at": row.maybe_int(3).map(timestamp), "safe_to_remove": row.flag(4),
            })
        };
        Ok(rows.iter().map(one).collect::<Vec<Json>>())
    })
    .await?;
    if json {
        return print(&Json::Array(all).to_string());
    }
    let now = timestamp(app.clock.now());
    for one in &all {
        let text = |name: &str, otherwise: &str| one[name].as_str().unwrap_or(otherwise).to_owned();
        // Uses are known to the minute, so nothing is told more exactly than that.
        let minute = |name: &str| one[name].as_str().map_or("never", |time| &time[..16]).to_owned();
        let safe = match (text("expires_at", "9") <= now, one["safe_to_remove"] == json!(true)) {
            (true, _) => "ended",
            (false, true) => "safe to remove",
            (false, false) if one["last_used_at"].is_null() => "never used",
            (false, false) => "in use",
        };
        print(&format!(
            "{}  made {}  used {}  ends {}  {safe}",
            text("id", ""),
            minute("created_at"),
            minute("last_used_at"),
            minute("expires_at"),
        ))?;
    }
    Ok(())
}

async fn rotate(app: &Arc<App>, client_id: String, overlap: u16, json: bool) -> Result<()> {
    let wanted = client_id.clone();
    let (id, secret, end) = work(app, move |work| {
        let credential = find(work, &wanted)?;
        let end = work.now + i64::from(overlap) * HOUR;
        client_secrets::end_all(work, &credential.id, end)?;
        let organization = credential.text("organization_id").to_owned();
        let (id, secret) = client_secrets::add(work, &credential.id, &organization, Map::new())?;
        Ok((id, secret, end))
    })
    .await?;
    let end = timestamp(end);
    print(&if json {
        json!({ "client_id": client_id, "secret_id": id, "client_secret": secret, "others_end": end })
            .to_string()
    } else {
        format!("client id      {client_id}\nclient secret  {secret}\nthe others end {end}")
    })
}

fn find(work: &mut Work<'_, '_>, client_id: &str) -> Result<Record, Error> {
    let missing =
        || detail(format!("there is no credential {client_id}: see guildhall credentials list --slug SLUG"));
    api_credentials::by_client_id(work, client_id)?.ok_or_else(missing)
}

fn detail(detail: String) -> Error {
    Problem { detail, ..Problem::not_found() }.into()
}
