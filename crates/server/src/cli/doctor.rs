//! `guildhall doctor`.

use super::{nothing_in, print};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, DATABASE, without_password};
use crate::mail::outbox;
use crate::mail::transport::Way;
use crate::{App, app};
use anyhow::{Result, ensure};
use guildhall_store::{Sql, Tx};
use serde_json::{Value as Json, json};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

/// The first moment a sound clock can show: 2026-01-01.
const EARLIEST: i64 = 1_767_225_600_000;

/// Prints the settings in force, then what was checked, a line each; fails when a check does.
pub(super) async fn doctor(config: Config, json: bool) -> Result<()> {
    let mut settings = serde_json::to_value(&config)?;
    let database =
        config.database.clone().unwrap_or_else(|| format!("sqlite:{}", config.data.join(DATABASE).display()));
    settings["database"] = without_password(&database).into();
    settings["database_replica"] = config.database_replica.as_deref().map(without_password).into();
    settings["traces"] = config.traces.as_deref().map(without_password).into();
    settings["mail"] = config.mail.as_deref().map(without_password).into();
    let mut checks = vec![clock(), domain(&config)];
    match app::is_new(&config) {
        Ok(true) => checks.push(("data folder", Err(nothing_in(&config)))),
        Err(error) => checks.push(("data folder", Err(format!("{error:#}")))),
        Ok(false) => match App::open(config, Clock::system(), Chance::system()).await {
            Ok(app) => checks.extend(check(&app).await),
            Err(error) => {
                let name = if error.is::<guildhall_store::Error>() { "database" } else { "data folder" };
                checks.push((name, Err(format!("{error:#}"))));
            }
        },
    }
    if json {
        let shown: Vec<Json> = checks
            .iter()
            .map(|(name, result)| match result {
                Ok(found) => json!({ "check": name, "ok": true, "found": found }),
                Err(found) => json!({ "check": name, "ok": false, "found": found }),
            })
            .collect();
        print(&json!({ "settings": settings, "checks": shown }).to_string())?;
    } else {
        for (name, value) in settings.as_object().into_iter().flatten() {
            print(&format!("{:<18}  {value}", name.replace('_', "-")))?;
        }
        print("")?;
        for (name, result) in &checks {
            let (mark, found) = match result {
                Ok(found) => ("ok  ", found),
                Err(found) => ("FAIL", found),
            };
            print(&format!("{mark}  {name}: {found}"))?;
        }
    }
    let failed = checks.iter().filter(|(_, result)| result.is_err()).count();
    ensure!(failed == 0, "{failed} of {} checks failed", checks.len());
    Ok(())
}

type Check = (&'static str, Result<String, String>);

fn clock() -> Check {
    let now = Clock::system().now();
    let shown = guildhall_jsonapi::timestamp(now);
    let sound = now >= EARLIEST;
    (
        "clock",
        if sound { Ok(shown) } else { Err(format!("{shown}: tokens would be dated wrongly, set the clock")) },
    )
}

fn domain(config: &Config) -> Check {
    let said = config.dev || config.has_domain;
    let missing = "say with --domain under which to serve, or try it out with --dev";
    ("domain", if said { Ok(config.domain.clone()) } else { Err(missing.to_owned()) })
}

async fn check(app: &Arc<App>) -> Vec<Check> {
    let key = app.keys.current(app.clock.now()).map(|(kid, bits)| format!("{bits} bits, {}", &kid[..16]));
    let users = app.db.read(|tx| number(tx, "select count(*) from users")).await;
    let is_server = app.db.is_server();
    let writes = app.db.write(move |tx| durability(tx, is_server)).await;
    let sound = app.db.check().await;
    let mut checks = vec![
        ("data folder", folder(app)),
        ("signing key", key.ok_or_else(|| "there is none".to_owned())),
        ("database reads", users.map(|users| format!("{users} users")).map_err(|error| error.to_string())),
        ("database is sound", sound.map(|()| "every page".to_owned()).map_err(|error| error.to_string())),
        ("database writes", writes.unwrap_or_else(|error| Err(error.to_string()))),
        ("index of addresses", search(app, "memberships", "user_email_key").await),
        ("index of names", search(app, "organizations", "folded(name)").await),
        ("letters", letters(app).await),
    ];
    checks.extend(replica(app).await.map(|found| ("replica", found)));
    checks
}

/// Whether the replica answers, if there is one.
async fn replica(app: &App) -> Option<Result<String, String>> {
    app.db.replica()?;
    let asked = app.db.read_both(|_| Ok(()), |tx, ()| number(tx, "select count(*) from plans")).await;
    let (answered, _) = app.db.replica()?;
    Some(match asked {
        Ok(_) if answered > 0 => Ok("it has everything and answers lists".to_owned()),
        Ok(_) => Err("it is away or late, so that the primary answers lists: look at its log".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

/// Whether what is written is on disk before it is acknowledged.
fn durability(tx: &mut Tx<'_>, is_server: bool) -> Result<Result<String, String>, guildhall_store::Error> {
    tx.execute(&Sql::text("update plans set enterprise = enterprise"))?;
    if !is_server {
        return Ok(Ok("durable".to_owned()));
    }
    let sql = "select name from pg_settings where name in ('fsync', 'synchronous_commit') and setting = 'off' order by 1";
    let rows = tx.rows(&Sql::text(sql))?;
    let off: Vec<&str> = rows.iter().map(|row| row.text(0)).collect();
    Ok(match off.as_slice() {
        [] => Ok("durable".to_owned()),
        off => Err(format!("a crash loses what was acknowledged: turn on {}", off.join(" and "))),
    })
}

/// Whether parts of a text of some kind are looked up in an index: PostgreSQL needs an extension for that.
async fn search(app: &App, kind: &str, text: &str) -> Result<String, String> {
    let number =
        async |sql: String| app.db.read(move |tx| number(tx, &sql)).await.map_err(|error| error.to_string());
    let there = || "there is one".to_owned();
    if app.db.is_server() {
        let found =
            number(format!("select count(*) from pg_indexes where indexname = '{kind}_search'")).await?;
        return Ok(if found > 0 {
            there()
        } else {
            format!(
                "none, so that whoever looks for a part of one has all {kind} read that they see; to have one: create \
                 extension pg_trgm; create index {kind}_search on {kind} using gin ({text} gin_trgm_ops)"
            )
        });
    }
    let lacks =
        format!("select (select count(*) from {kind}) - (select count(*) from search_{kind}_content)");
    match number(lacks).await? {
        0 => Ok(there()),
        _ => Err(format!(
            "it does not have all {kind}: stop the server; guildhall backup and restore makes it anew"
        )),
    }
}

/// How letters leave, and how many wait to.
async fn letters(app: &App) -> Result<String, String> {
    let (waiting, refused) = app.db.read(outbox::numbers).await.map_err(|error| error.to_string())?;
    let way = match Way::of(&app.config).map_err(|error| format!("{error:#}"))? {
        None => "they stay in the outbox until --mail says how they leave".to_owned(),
        Some(Way::Folder(folder)) => format!("into {}", folder.display()),
        Some(Way::Smtp(server)) => format!("to {}", server.name()),
    };
    Ok(format!("{way}; {waiting} wait, {refused} were refused"))
}

fn folder(app: &App) -> Result<String, String> {
    let folder = app.config.data.display();
    let mode = std::fs::metadata(&app.config.data).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 == 0 {
        Ok(format!("{folder}, for its owner alone"))
    } else {
        Err(format!("{folder} can be entered by others: run chmod 700 on it"))
    }
}

fn number(tx: &mut Tx<'_>, sql: &str) -> Result<i64, guildhall_store::Error> {
    Ok(tx.rows(&Sql::text(sql))?.first().map_or(0, |row| row.int(0)))
}
