//! The worker that empties the outbox: one letter at a time in each lane, noted before the next one leaves,
//! so that a crash repeats at most the one whose fate nobody noted.

use super::outbox::{self, Due, Fate};
use super::transport::{Attempt, Transport};
use super::{Letter, compose};
use crate::App;
use anyhow::{Context, Result};
use guildhall_jsonapi::Secrets as _;
use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How many letters a lane takes at once.
const BATCH: i64 = 50;
/// How often the outbox is looked at when nobody says that there is something in it.
const LOOK: Duration = Duration::from_secs(5);
/// The longest pause while there is no talking to the mail server.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Sends letters for as long as it is polled. On one data folder one worker works; another one waits.
pub async fn work(app: Arc<App>) {
    let transport = match Transport::open(&app.config) {
        Ok(Some(transport)) => Arc::new(transport),
        Ok(None) => {
            tracing::warn!("letters stay in the outbox: say with --mail how they leave");
            return std::future::pending().await;
        }
        Err(error) => {
            tracing::error!("letters stay in the outbox: {error:#}");
            return std::future::pending().await;
        }
    };
    let lock = claim(&app).await;
    if let Err(error) = app.db.write(outbox::free_all).await {
        tracing::warn!("leases could not be freed: {error}");
    }
    let mut lanes = JoinSet::new();
    for _ in 0..app.config.mail_lanes.max(1) {
        lanes.spawn(drive(app.clone(), transport.clone()));
    }
    while lanes.join_next().await.is_some() {}
    drop(lock);
}

/// Waits until no other process works on this outbox.
async fn claim(app: &App) -> Option<File> {
    loop {
        let file = File::create(app.config.data.join("work.lock"));
        match file.map(|file| (file.try_lock(), file)) {
            Ok((Ok(()), file)) => return Some(file),
            Ok((Err(TryLockError::WouldBlock), _)) => {}
            Ok((Err(TryLockError::Error(error)), _)) | Err(error) => {
                tracing::warn!("work.lock cannot be taken: {error}");
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn drive(app: Arc<App>, transport: Arc<Transport>) {
    let mut pause = Duration::from_secs(1);
    loop {
        match send_some(&app, &transport).await {
            Ok(Done { sent: 0, trouble: None }) => {
                // Woken by a write, or looking by itself for what a command queued.
                drop(tokio::time::timeout(LOOK, app.letters.notified()).await);
            }
            Ok(Done { trouble: None, .. }) => pause = Duration::from_secs(1),
            Ok(Done { trouble: Some(trouble), .. }) => {
                tracing::warn!("letters wait: {trouble}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => {
                tracing::warn!("letters wait: {error:#}");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// What came of one look into the outbox.
#[derive(Debug)]
pub struct Done {
    /// How many letters had their fate.
    pub sent: usize,
    /// Why the others wait.
    pub trouble: Option<String>,
}

/// Sends what is due, up to a batch.
pub async fn send_some(app: &Arc<App>, transport: &Transport) -> Result<Done> {
    let now = app.clock.now();
    let due = app.db.write(move |tx| outbox::lease(tx, now, BATCH)).await?;
    let mut done = Done { sent: 0, trouble: None };
    let mut waiting = due.into_iter();
    while let Some(letter) = waiting.next() {
        let fate = match attempt(app, transport, &letter).await {
            Attempt::Letter(fate) => fate,
            Attempt::Server(trouble) => {
                let ids: Vec<String> =
                    std::iter::once(letter.id.clone()).chain(waiting.map(|due| due.id)).collect();
                let kept = trouble.clone();
                app.db.write(move |tx| outbox::put_off(tx, &ids, &kept, now)).await?;
                done.trouble = Some(trouble);
                break;
            }
        };
        match &fate {
            Fate::Dropped => {}
            Fate::Sent => tracing::debug!(letter = letter.id, "sent"),
            Fate::Later(failure) => tracing::warn!(letter = letter.id, "to be tried again: {failure}"),
            Fate::Refused(failure) => tracing::warn!(letter = letter.id, "refused: {failure}"),
        }
        let now = app.clock.now();
        app.db.write(move |tx| outbox::settle(tx, &letter, &fate, now)).await?;
        done.sent += 1;
    }
    Ok(done)
}

async fn attempt(app: &App, transport: &Transport, due: &Due) -> Attempt {
    let composed = || -> Result<_> {
        let text = app.vault.open(&due.sealed).context("it was sealed with another key")?;
        let letter: Letter = serde_json::from_str(&text)?;
        Ok(if letter.meant { Some(compose(&app.config, &due.into(), &letter)?) } else { None })
    };
    match composed() {
        Ok(None) => Attempt::Letter(Fate::Dropped),
        Ok(Some(message)) => transport.send(&format!("{}-{}.eml", due.created_at, due.id), message).await,
        Err(error) => Attempt::Letter(Fate::Refused(format!("{error:#}"))),
    }
}
