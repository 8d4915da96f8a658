//! The worker that empties the outbox: one letter at a time in each lane, noted before the next one leaves,
//! so that a crash repeats at most the one whose fate nobody noted.

use super::outbox::{self, Due, Fate, LEASE};
use super::transport::{Attempt, Lane, SLOWEST, Way};
use super::{Letter, compose};
use crate::{App, traces};
use anyhow::{Context, Result};
use guildhall_jsonapi::Secrets as _;
use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::Instrument as _;

/// How many letters a lane takes at once.
const BATCH: i64 = 50;
/// How often the outbox is looked at when nobody says that there is something in it.
const LOOK: Duration = Duration::from_secs(5);
/// The longest pause while there is no talking to the mail server.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Sends letters until `stop` says so, and then ends once none is on its way. On one data folder one worker
/// works; another one waits.
pub async fn work(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let way = match Way::of(&app.config) {
        Ok(Some(way)) => way,
        Ok(None) => {
            tracing::warn!("letters stay in the outbox: say with --mail how they leave");
            return;
        }
        Err(error) => {
            tracing::error!("letters stay in the outbox: {error:#}");
            return;
        }
    };
    let lock = tokio::select! {
        lock = claim(&app) => lock,
        _ = stop.wait_for(|stopped| *stopped) => return,
    };
    let node = app.node.clone();
    if let Err(error) = app.db.write(move |tx| outbox::free(tx, &node)).await {
        tracing::warn!("leases could not be freed: {error}");
    }
    let mut lanes = JoinSet::new();
    for number in 0..app.config.mail_lanes.max(1) {
        // A node that comes back after it was gone for long is not taken for what it was.
        let name = format!("{}/{number}", app.chance.id(app.clock.now()));
        lanes.spawn(drive(app.clone(), Lane::new(&name, way.clone()), stop.clone()));
    }
    while lanes.join_next().await.is_some() {}
    drop(lock);
}

/// Waits until no other process works on this outbox.
async fn claim(app: &App) -> File {
    loop {
        let file = File::create(app.config.data.join("work.lock"));
        match file.map(|file| (file.try_lock(), file)) {
            Ok((Ok(()), file)) => return file,
            Ok((Err(TryLockError::WouldBlock), _)) => {}
            Ok((Err(TryLockError::Error(error)), _)) | Err(error) => {
                tracing::warn!("work.lock cannot be taken: {error}");
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn drive(app: Arc<App>, mut lane: Lane, mut stop: watch::Receiver<bool>) {
    let mut pause = Duration::from_secs(1);
    while !*stop.borrow() {
        let wait = match send_some(&app, &mut lane, &stop).await {
            // Woken by a write, or looking by itself for what a command queued.
            Ok(Done { settled: 0, trouble: None }) => {
                tokio::select! {
                    () = app.letters.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                    _ = stop.wait_for(|stopped| *stopped) => {}
                }
                continue;
            }
            Ok(Done { trouble: None, .. }) => {
                pause = Duration::from_secs(1);
                continue;
            }
            Ok(Done { trouble: Some(trouble), .. }) => {
                tracing::warn!("letters wait: {trouble}");
                let wait = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                wait
            }
            Err(error) => {
                tracing::warn!("letters wait: {error:#}");
                LOOK
            }
        };
        drop(tokio::time::timeout(wait, stop.wait_for(|stopped| *stopped)).await);
    }
    lane.close().await;
}

/// What came of one look into the outbox.
#[derive(Debug)]
pub struct Done {
    /// How many letters had their fate.
    pub settled: usize,
    /// Why the others wait.
    pub trouble: Option<String>,
}

/// Sends what is due, up to a batch, or until it is told to stop.
pub async fn send_some(app: &Arc<App>, lane: &mut Lane, stop: &watch::Receiver<bool>) -> Result<Done> {
    let leased = app.clock.now();
    let name = outbox::lane(&app.node, &lane.name);
    let leaser = name.clone();
    let due = app.db.write(move |tx| outbox::lease(tx, &leaser, leased, BATCH)).await?;
    let mut done = Done { settled: 0, trouble: None };
    let mut waiting = due.into_iter();
    // A letter is begun only if the lease lasts for as long as it may take.
    let long = LEASE - i64::try_from(SLOWEST.as_millis()).unwrap_or(LEASE);
    while let Some(letter) = waiting.next() {
        let attempt = if *stop.borrow() || app.clock.now() - leased > long {
            None
        } else {
            Some(attempt(app, lane, &letter).instrument(traces::letter(&letter.id)).await)
        };
        let fate = match attempt {
            Some(Attempt::Letter(fate)) => fate,
            other => {
                let ids: Vec<String> = std::iter::once(letter.id).chain(waiting.map(|due| due.id)).collect();
                done.trouble = match other {
                    Some(Attempt::Server(trouble)) => Some(trouble),
                    _ => None,
                };
                let (trouble, now) = (done.trouble.clone(), app.clock.now());
                app.db.write(move |tx| outbox::put_off(tx, &name, &ids, trouble.as_deref(), now)).await?;
                break;
            }
        };
        match &fate {
            Fate::Dropped => {}
            Fate::Sent => tracing::debug!(letter = letter.id, "sent"),
            Fate::Later(failure) => tracing::warn!(letter = letter.id, "to be tried again: {failure}"),
            Fate::Refused(failure) => tracing::warn!(letter = letter.id, "refused: {failure}"),
        }
        note(app, letter, fate).await;
        done.settled += 1;
    }
    Ok(done)
}

/// Notes the fate of a letter, however long that takes: one that was sent and not noted would be sent again.
async fn note(app: &App, letter: Due, fate: Fate) {
    loop {
        let (letter, fate, now) = (letter.clone(), fate.clone(), app.clock.now());
        match app.db.write(move |tx| outbox::settle(tx, &letter, &fate, now)).await {
            Ok(()) => return,
            Err(error) => tracing::warn!("the fate of a letter could not be noted: {error}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn attempt(app: &App, lane: &mut Lane, due: &Due) -> Attempt {
    let composed = || -> Result<_> {
        let text = app.vault.open(&due.sealed).context("it was sealed with another key")?;
        let letter: Letter = serde_json::from_str(&text)?;
        Ok(if letter.meant { Some(compose(&app.config, &due.into(), &letter)?) } else { None })
    };
    match composed() {
        Ok(None) => Attempt::Letter(Fate::Dropped),
        Ok(Some(message)) => lane.send(&format!("{}-{}.eml", due.created_at, due.id), &message).await,
        Err(error) => Attempt::Letter(Fate::Refused(format!("{error:#}"))),
    }
}
