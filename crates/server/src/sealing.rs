//! Sealing everything anew with the first key of the vault, while servers go on serving.

use crate::App;
use crate::crypto::Vault;
use anyhow::{Context, Result, bail, ensure};
use guildhall_jsonapi::Secrets as _;
use guildhall_store::{Db, Error, Sql};
use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::time::Duration;

/// Every column with sealed text, with the key of its table.
pub const SEALED: [(&str, &str, &str); 7] = [
    ("client_secrets", "id", "secret"),
    ("identity_providers", "id", "client_secret"),
    ("letters", "id", "sealed"),
    ("otp_seeds", "user_id", "sealed"),
    ("owed_codes", "visitor_hash", "sealed"),
    ("refresh_tokens", "token_hash", "sealed"),
    ("signing_keys", "kid", "sealed"),
];
/// How many rows are sealed anew in one transaction.
const AT_ONCE: i64 = 500;
/// How long every server takes at most to learn of a new key: they look once a second.
const SETTLE: Duration = Duration::from_secs(3);

/// Puts a new key into the file and seals everything with it; answers how many rows that were. One that was
/// broken off is gone on with. `tell` hears how far it is.
///
/// The key of before stays in the file, only to open: what a server that was slow to look has sealed with it is not
/// lost, and backups of before open as well. The next rotation forgets it, and so does `forget`.
pub async fn rotate(app: &Arc<App>, tell: impl Fn(&str, usize)) -> Result<usize> {
    let _alone = alone(app)?;
    let mut total = if app.vault.size() == 1 { 0 } else { seal_all(app, &tell).await? };
    if total == 0 {
        let was_prepared = app.vault.is_prepared();
        app.vault.add_key(&app.chance)?;
        if was_prepared {
            // Others seal with the key of before until they are given this file: there is no end to wait for.
            return seal_all(app, &tell).await;
        }
    }
    loop {
        let found = seal_all(app, &tell).await?;
        total += found;
        if found == 0 {
            return Ok(total);
        }
        // A server that has not looked yet may still use the key of before.
        tokio::time::sleep(SETTLE).await;
    }
}

/// Whether a vault opens what every key has sealed in a database: one text of each key in each column.
pub async fn check(db: &Db, vault: &Vault) -> Result<()> {
    for (table, _, column) in SEALED {
        // Those of before there could be several keys name none.
        let sql = format!(
            "select min({column}) from {table} where {column} <> ''
             group by case when substr({column}, 1, 3) = 'v2.' then substr({column}, 1, 12) else '' end"
        );
        let sealed = db.read(move |tx| {
            tx.take_time()?;
            let rows = tx.rows(&Sql::text(&sql))?;
            Ok::<_, Error>(rows.iter().map(|row| row.text(0).to_owned()).collect::<Vec<_>>())
        });
        for text in sealed.await? {
            ensure!(vault.open(&text).is_some(), "there is no key for some of {table}.{column}");
        }
    }
    Ok(())
}

/// Puts the key of the next rotation into the file, which may then be copied to nodes that have files of their own.
pub fn prepare(app: &Arc<App>) -> Result<()> {
    let _alone = alone(app)?;
    app.vault.prepare_key(&app.chance)
}

/// Forgets every key but the one that seals; seals anew what needs another one.
pub async fn forget(app: &Arc<App>) -> Result<()> {
    let _alone = alone(app)?;
    while seal_all(app, &|_, _| {}).await? > 0 {
        tokio::time::sleep(SETTLE).await;
    }
    app.vault.drop_old_keys()
}

/// Lets one command at a time change the keys, and begin with what is in the file now. The lock ends with the file.
fn alone(app: &App) -> Result<File> {
    let file = app.config.key_file().with_file_name("keys.lock");
    let lock = File::create(&file).with_context(|| format!("{} cannot be written", file.display()))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            bail!("another command is replacing the keys: wait until it is done")
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("{} cannot be locked", file.display()));
        }
    }
    app.vault.refresh()?;
    Ok(lock)
}

async fn seal_all(app: &Arc<App>, tell: &impl Fn(&str, usize)) -> Result<usize> {
    let mut total = 0;
    for (table, key, column) in SEALED {
        let sealed = seal_anew(app, table, key, column).await?;
        total += sealed;
        if sealed > 0 {
            tell(table, sealed);
        }
    }
    Ok(total)
}

async fn seal_anew(
    app: &Arc<App>,
    table: &'static str,
    key: &'static str,
    column: &'static str,
) -> Result<usize> {
    let prefix = app.vault.seal_prefix();
    let (mut last, mut count) = (String::new(), 0);
    loop {
        let (after, prefix) = (last.clone(), prefix.clone());
        let rows = app
            .db
            .read(move |tx| -> Result<_, Error> {
                // There are many letters, and few of them are still sealed.
                tx.take_time()?;
                let sql = format!(
                    "select {key}, {column} from {table} where {key} > ? and {column} <> ''
                     and {column} not like ? || '%' order by {key} limit ?"
                );
                let rows = tx.rows(&Sql::new(&sql, [after.into(), prefix.into(), AT_ONCE.into()]))?;
                Ok(rows
                    .iter()
                    .map(|row| (row.text(0).to_owned(), row.text(1).to_owned()))
                    .collect::<Vec<_>>())
            })
            .await?;
        let Some((end, _)) = rows.last() else { return Ok(count) };
        last.clone_from(end);
        count += rows.len();
        let mut changes = Vec::with_capacity(rows.len());
        for (id, sealed) in rows {
            let opened = app.vault.open(&sealed);
            let text =
                opened.with_context(|| format!("{table} {id} cannot be opened with any key of the file"))?;
            changes.push((id, sealed, app.vault.seal(&text)?));
        }
        app.db
            .write(move |tx| -> Result<(), Error> {
                for (id, old, new) in &changes {
                    // Unless somebody has changed it meanwhile.
                    let sql = format!("update {table} set {column} = ? where {key} = ? and {column} = ?");
                    tx.execute(&Sql::new(&sql, [new.into(), id.into(), old.into()]))?;
                }
                Ok(())
            })
            .await?;
    }
}
