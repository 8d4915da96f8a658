//! `guildhall keys`.

use super::print;
use crate::App;
use crate::keys::{self, SHORT_NOTICE};
use crate::sealing;
use anyhow::Result;
use clap::Subcommand;
use guildhall_jsonapi::timestamp;
use serde_json::{Value as Json, json};
use std::io::Write as _;
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the keys that sign tokens, and how many keys the secrets are sealed with
    List,
    /// Forget the key of before, which stays after a rotation to open what was sealed with it
    Forget,
    /// Make the key of the next rotation, which only opens until then: for nodes with files of their own, to copy it to
    Prepare,
    /// Replace the key that secrets are sealed with, while servers go on serving
    Rotate {
        /// Make new keys for signing tokens instead; they are published ten minutes before their first use
        #[arg(long)]
        signing: bool,
        /// Use the new signing keys at once and refuse every token of the old ones: for keys that leaked
        #[arg(long, requires = "signing")]
        now: bool,
    },
}

pub(super) async fn run(app: &Arc<App>, command: Command, json: bool) -> Result<()> {
    match command {
        Command::List => list(app, json).await,
        Command::Forget => {
            sealing::forget(app).await?;
            list(app, json).await
        }
        Command::Prepare => {
            sealing::prepare(app)?;
            list(app, json).await
        }
        Command::Rotate { signing: true, now } => {
            let notice = (!now).then_some(SHORT_NOTICE);
            keys::replace(&app.db, &app.vault, app.config.signing_key_bits, notice, app.clock.now()).await?;
            list(app, json).await
        }
        Command::Rotate { signing: false, .. } => {
            // Without a standard error there is nobody to tell.
            let tell =
                |table: &str, rows: usize| drop(writeln!(std::io::stderr(), "{table}: {rows} sealed anew"));
            let rows = sealing::rotate(app, tell).await?;
            print(&if json {
                json!({ "sealed": rows }).to_string()
            } else {
                format!("{rows} secrets are sealed with a new key; keep secret.key with your backups")
            })
        }
    }
}

async fn list(app: &App, json: bool) -> Result<()> {
    let all = app.db.read(keys::list).await?;
    let now = app.clock.now();
    if json {
        let one = |key: &keys::Listed| {
            json!({
                "kid": key.kid, "algorithm": key.algorithm, "created_at": timestamp(key.created_at),
                "signs_from": timestamp(key.signs_from), "retired_at": key.retired_at.map(timestamp),
            })
        };
        let signing: Vec<Json> = all.iter().map(one).collect();
        return print(
            &json!({ "signing": signing, "sealing": app.vault.size(), "prepared": app.vault.is_prepared() })
                .to_string(),
        );
    }
    let mut signs = Vec::new();
    for key in &all {
        let is_newest = key.signs_from <= now && !signs.contains(&key.algorithm);
        let state = match key.retired_at {
            Some(retired) if retired <= now => "is refused".to_owned(),
            _ if key.signs_from > now => format!("signs from {} on", timestamp(key.signs_from)),
            _ if is_newest => "signs".to_owned(),
            Some(retired) => format!("is believed until {}", timestamp(retired)),
            None => "is believed".to_owned(),
        };
        if is_newest {
            signs.push(key.algorithm.clone());
        }
        print(&format!("{}  {}  {state}", &key.kid[..16], key.algorithm))?;
    }
    print(&match app.vault.size() {
        1 => "secrets are sealed with one key".to_owned(),
        _ => "secrets are sealed with one key; another one is kept to open what was sealed before".to_owned(),
    })?;
    if app.vault.is_prepared() {
        print(&format!(
            "the key of the next rotation is in {}: copy the file to every node before that",
            app.config.key_file().display()
        ))?;
    }
    Ok(())
}
