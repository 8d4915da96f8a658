//! `guildhall mail`.

use super::print;
use crate::App;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::Config;
use crate::mail::outbox::{self, Fate};
use crate::mail::transport::{Attempt, Lane, Way};
use crate::mail::{Envelope, Letter, Message, compose};
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use guildhall_jsonapi::timestamp;
use serde_json::{Value as Json, json};

/// How many letters are listed.
const MOST: i64 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Send a test letter now, and say how that went
    Test {
        /// Where to
        #[arg(long)]
        to: String,
        /// In which language
        #[arg(long, default_value = "en")]
        language: String,
    },
    /// List the letters that wait, and those that were refused
    Queue,
}

/// Sends a test letter by what is configured: nobody needs to have a house for that yet.
pub(super) async fn test(config: &Config, to: &str, language: &str, json: bool) -> Result<()> {
    let way = Way::of(config)?.context("letters have no way out: say which with --mail")?;
    let mut lane = Lane::new("0", way);
    let letter = Letter::to(to, language, Message::Test { link: config.dashboard() });
    let now = Clock::system().now();
    let id = Chance::system().id(now);
    let message = compose(config, &Envelope { id: &id, created_at: now }, &letter)?;
    let attempt = lane.send(&format!("{now}-{id}.eml"), &message).await;
    lane.close().await;
    match attempt {
        Attempt::Letter(Fate::Sent) if json => print(&json!({ "to": to, "sent": true }).to_string()),
        Attempt::Letter(Fate::Sent) => print(&format!("sent to {to}")),
        Attempt::Letter(Fate::Dropped) => Ok(()),
        Attempt::Letter(Fate::Later(failure) | Fate::Refused(failure)) => {
            bail!("the letter was not taken: {failure}")
        }
        Attempt::Server(trouble) => bail!("the mail server cannot be talked to: {trouble}"),
    }
}

pub(super) async fn queue(app: &App, json: bool) -> Result<()> {
    let (letters, (waiting, refused)) = app
        .db
        .read(|tx| -> std::result::Result<_, guildhall_store::Error> {
            Ok((outbox::list(tx, MOST)?, outbox::numbers(tx)?))
        })
        .await?;
    if json {
        let one = |letter: &outbox::Queued| {
            json!({
                "id": letter.id, "to": letter.to, "created_at": timestamp(letter.created_at),
                "due_at": letter.due_at.map(timestamp), "refused": letter.due_at.is_none(),
                "attempts": letter.attempts, "failure": letter.failure,
            })
        };
        let letters: Vec<Json> = letters.iter().map(one).collect();
        return print(&json!({ "waiting": waiting, "refused": refused, "letters": letters }).to_string());
    }
    for letter in &letters {
        let next =
            letter.due_at.map_or_else(|| "refused".to_owned(), |due| format!("due {}", timestamp(due)));
        let failure = letter.failure.as_ref().map(|failure| format!(": {failure}")).unwrap_or_default();
        print(&format!("{}  {}  {next}, tried {} times{failure}", letter.id, letter.to, letter.attempts))?;
    }
    print(&format!("{waiting} letters wait, {refused} were refused"))
}
