//! `guildhall doctor`.

use super::print;
use crate::App;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::Config;
use crate::mail::outbox;
use crate::mail::transport::Way;
use anyhow::{Result, ensure};
use guildhall_store::{Sql, Tx};
use serde_json::{Value as Json, json};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

/// The first moment a sound clock can show: 2026-01-01.
const EARLIEST: i64 = 1_767_225_600_000;

/// Prints the settings in force, then what was checked, a line each; fails when a check does.
pub(super) async fn doctor(config: Config, json: bool) -> Result<()> {
    let settings = serde_json::to_value(&config)?;
    let mut checks = vec![clock()];
    match App::open(config, Clock::system(), Chance::system()).await {
        Ok(app) => checks.extend(check(&app).await),
        Err(error) => checks.push(("data folder", Err(format!("{error:#}")))),
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

async fn check(app: &Arc<App>) -> Vec<Check> {
    let key = app.keys.current(app.clock.now()).map(|(kid, bits)| format!("{bits} bits, {}", &kid[..16]));
    let users = app.db.read(|tx| number(tx, "select count(*) from users")).await;
    let writes = app.db.write(|tx| tx.execute(&Sql::text("update plans set enterprise = enterprise"))).await;
    let sound = app.db.check().await;
    vec![
        ("data folder", folder(app)),
        ("signing key", key.ok_or_else(|| "there is none".to_owned())),
        ("database reads", users.map(|users| format!("{users} users")).map_err(|error| error.to_string())),
        ("database is sound", sound.map(|()| "every page".to_owned()).map_err(|error| error.to_string())),
        ("database writes", writes.map(|_| "durable".to_owned()).map_err(|error| error.to_string())),
        ("letters", letters(app).await),
    ]
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
