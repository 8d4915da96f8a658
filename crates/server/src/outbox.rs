//! Letters: queued in the transaction that causes them, written and sent after it.

use crate::App;
use crate::work::Work;
use anyhow::{Context, Result as AnyResult};
use askama::Template;
use guildhall_jsonapi::{Result, Secrets as _};
use guildhall_store::Sql;
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How many letters are taken at once.
const BATCH: i64 = 50;
/// How long to wait before a letter that could not be written is tried again, in milliseconds.
const PAUSE: i64 = 60_000;

/// A letter, by what it says.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "letter", rename_all = "snake_case")]
pub enum Letter {
    /// To somebody without an account: become a member.
    Invitation {
        /// The organization's name.
        organization: String,
        /// Who invites; empty when the operator does.
        inviter: String,
        /// The link that accepts.
        link: String,
        /// How many days the link lives.
        days: i64,
    },
    /// To somebody with an account: you are a member now.
    Welcome {
        /// The organization's name.
        organization: String,
        /// Who added them; empty when the operator did.
        inviter: String,
        /// Where to sign in.
        link: String,
    },
}

#[derive(Template)]
#[template(path = "letters/letter.txt", escape = "none")]
struct Text<'a> {
    words: &'a Words,
}

#[derive(Template)]
#[template(path = "letters/letter.html")]
struct Html<'a> {
    words: &'a Words,
}

/// What a letter says, before it has a form.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// The subject.
    pub subject: String,
    /// What happened.
    pub lead: String,
    /// What the button says.
    pub action: &'static str,
    /// Where the button leads.
    pub link: String,
    /// What else there is to know.
    pub note: String,
}

impl Letter {
    /// What it says.
    pub fn words(&self) -> Words {
        let by = |inviter: &str| if inviter.is_empty() { String::new() } else { format!(" by {inviter}") };
        match self {
            Self::Invitation { organization, inviter, link, days } => Words {
                subject: format!("Join {organization}"),
                lead: format!("You have been invited{} to become a member of {organization}.", by(inviter)),
                action: "Accept the invitation",
                link: link.clone(),
                note: format!(
                    "The link can be used once, within {days} days. If you did not expect this letter, you can ignore it."
                ),
            },
            Self::Welcome { organization, inviter, link } => Words {
                subject: format!("You are now a member of {organization}"),
                lead: format!(
                    "You have been added{} to {organization}. Sign in as you always do.",
                    by(inviter)
                ),
                action: "Sign in",
                link: link.clone(),
                note: "If you did not expect this letter, you can leave the organization at any time."
                    .to_owned(),
            },
        }
    }
}

/// Queues a letter: it leaves if and only if the transaction is committed.
pub fn queue(work: &mut Work<'_, '_>, recipient: &str, letter: &Letter) -> Result<()> {
    let broken = |error: String| guildhall_store::Error::Other(error);
    let text = serde_json::to_string(letter).map_err(|error| broken(error.to_string()))?;
    let sealed = work.app.vault.seal(&text).map_err(|error| broken(error.to_string()))?;
    work.tx.execute(&Sql::new(
        "insert into letters (id, recipient, sealed, created_at, due_at) values (?, ?, ?, ?, ?)",
        [work.app.chance.id().into(), recipient.into(), sealed.into(), work.now.into(), work.now.into()],
    ))?;
    Ok(())
}

struct Due {
    id: String,
    recipient: String,
    sealed: String,
    created_at: i64,
}

/// Writes the letters that are due into this folder, as files; answers how many there were.
pub async fn deliver(app: &Arc<App>, folder: &Path) -> AnyResult<usize> {
    let now = app.clock.now();
    let due: Vec<Due> = app
        .db
        .read(move |tx| -> Result<_> {
            let rows = tx.rows(&Sql::new(
                "select id, recipient, sealed, created_at from letters where due_at <= ? order by due_at, id limit ?",
                [now.into(), BATCH.into()],
            ))?;
            Ok(rows
                .iter()
                .map(|row| Due {
                    id: row.text(0).to_owned(),
                    recipient: row.text(1).to_owned(),
                    sealed: row.text(2).to_owned(),
                    created_at: row.int(3),
                })
                .collect())
        })
        .await
        .map_err(|error| anyhow::anyhow!("{error:?}"))?;
    for letter in &due {
        let outcome = write(app, folder, letter);
        if let Err(error) = &outcome {
            tracing::warn!(letter = letter.id, "a letter could not be written: {error:#}");
        }
        let id = letter.id.clone();
        let failure = outcome.err().map(|error| format!("{error:#}"));
        app.db.write(move |tx| tx.execute(&mark(&id, now, failure.as_deref()))).await?;
    }
    Ok(due.len())
}

/// What is sent keeps nothing of what it said; what failed is due again.
fn mark(id: &str, now: i64, failure: Option<&str>) -> Sql {
    match failure {
        None => Sql::new(
            "update letters set sent_at = ?, due_at = null, sealed = '', attempts = attempts + 1, failure = null
             where id = ?",
            [now.into(), id.into()],
        ),
        Some(failure) => Sql::new(
            "update letters set due_at = ?, attempts = attempts + 1, failure = ? where id = ?",
            [(now + PAUSE).into(), failure.into(), id.into()],
        ),
    }
}

fn write(app: &App, folder: &Path, due: &Due) -> AnyResult<()> {
    let text = app.vault.open(&due.sealed).context("it was sealed with another key")?;
    let letter: Letter = serde_json::from_str(&text)?;
    let message = compose(&app.config.domain, due, &letter.words())?;
    std::fs::create_dir_all(folder)?;
    let file: PathBuf = folder.join(format!("{}-{}.eml", due.created_at, due.id));
    std::fs::write(&file, message.formatted())
        .with_context(|| format!("{} cannot be written", file.display()))
}

fn compose(domain: &str, due: &Due, words: &Words) -> AnyResult<Message> {
    let host = domain.split(':').next().unwrap_or(domain);
    let sender = Mailbox::new(Some("Guildhall".to_owned()), Address::new("no-reply", host)?);
    let written = UNIX_EPOCH + Duration::from_millis(u64::try_from(due.created_at).unwrap_or(0));
    Ok(Message::builder()
        .from(sender)
        .to(Mailbox::new(None, due.recipient.parse()?))
        .subject(&words.subject)
        .date(written as SystemTime)
        // The same at every attempt, so that a repeated letter is seen to be the same one.
        .message_id(Some(format!("<{}@{host}>", due.id)))
        .multipart(MultiPart::alternative_plain_html(Text { words }.render()?, Html { words }.render()?))?)
}
