//! A replica: it answers units that only read, if it has got as far as the primary was when they were asked for.

use super::connection::{Connection, Mode, wait};
use super::target::{Target, answered};
use super::{Waiting, run_once};
use crate::db::Job;
use crate::slow::Slow;
use crate::{Error, Result};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How far the primary is, and in which history: everything that was acknowledged is before that. Null at a server that is
/// none.
pub(crate) const POSITION: &str = "select case when pg_is_in_recovery() then null else
    case when current_setting('synchronous_commit') = 'off' then pg_current_wal_insert_lsn()
    else pg_current_wal_flush_lsn() end || ' ' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) end";

/// How long a replica may take to get there; the primary has answered long since.
const LAG: Duration = Duration::from_millis(15);
/// How long a replica may take to say how far it is.
const PATIENCE: Duration = Duration::from_millis(150);
/// How long it is left alone after it said nothing: until then nobody waits for it.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is asked whether it has.
const STEP: Duration = Duration::from_millis(2);

/// A unit for a replica that has got to a position of the primary.
struct Asked {
    job: Job,
    position: String,
}

/// What became of units that might have been answered by a replica.
#[derive(Default)]
struct Count {
    answered: AtomicU64,
    passed_on: AtomicU64,
    /// When it could not be reached last, or said nothing.
    silent: Mutex<Option<Instant>>,
}

impl Count {
    fn is_silent(&self) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.is_some_and(|since| since.elapsed() < PAUSE)
    }

    fn note_silence(&self) {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// The way to the threads of a replica.
#[derive(Clone)]
pub(crate) struct Replica {
    send: Sender<Asked>,
    primary: Sender<Waiting>,
    count: Arc<Count>,
}

impl Replica {
    /// Starts the threads. What the replica cannot answer goes to the primary.
    pub(super) fn start(
        target: &Arc<Target>,
        readers: usize,
        statements: &Arc<AtomicU64>,
        primary: &Sender<Waiting>,
    ) -> Result<Self> {
        // Handed over from hand to hand: nobody waits for one that is slow or hangs while the primary could answer.
        let (send, jobs) = bounded(0);
        let count = Arc::<Count>::default();
        for _ in 0..readers {
            let slow = Arc::new(Slow::of(1));
            let connection = Connection::new(Mode::Replica, target.clone(), slow, statements.clone())?;
            let (jobs, primary, count) = (jobs.clone(), primary.clone(), count.clone());
            std::thread::Builder::new()
                .name("replica".to_owned())
                .spawn(move || answer_all(connection, &jobs, &primary, &count))
                .map_err(|error| Error::Other(format!("no thread for the replica: {error}")))?;
        }
        Ok(Self { send, primary: primary.clone(), count })
    }

    /// Asks it, or the primary if it is silent or all of its connections are in use. The unit may be run again.
    pub(crate) fn read(&self, job: Job, position: String) {
        if self.count.is_silent() {
            pass_on(job, &self.primary, &self.count);
        } else if let Err(TrySendError::Full(asked) | TrySendError::Disconnected(asked)) =
            self.send.try_send(Asked { job, position })
        {
            pass_on(asked.job, &self.primary, &self.count);
        }
    }

    /// How many units it has answered, and how many the primary has instead.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.count.answered.load(Ordering::Relaxed), self.count.passed_on.load(Ordering::Relaxed))
    }
}

fn answer_all(mut connection: Connection, jobs: &Receiver<Asked>, primary: &Sender<Waiting>, count: &Count) {
    for Asked { mut job, position } in jobs {
        let may = has_got_to(&mut connection, &position, count);
        let tried = may.then(|| run_once(&mut connection, &mut job));
        // A refusal of the unit's own is an answer as well.
        if matches!(tried, Some(Some((false, _)))) {
            count.answered.fetch_add(1, Ordering::Relaxed);
            job.answer(Ok(()));
        } else {
            pass_on(job, primary, count);
        }
    }
}

fn pass_on(job: Job, primary: &Sender<Waiting>, count: &Count) {
    count.passed_on.fetch_add(1, Ordering::Relaxed);
    drop(primary.send(Waiting { job, since: Instant::now() }));
}

/// Whether it is there, and as far as that. It is asked before the transaction begins: a snapshot that is older than
/// the answer would not have everything.
fn has_got_to(connection: &mut Connection, position: &str, count: &Count) -> bool {
    let began = Instant::now();
    loop {
        if connection.reach().is_err() {
            count.note_silence();
            return false;
        }
        let (runtime, Some(open)) = connection.parts() else { return false };
        // The position is the primary's own word. One that follows a primary of before may be further, in a history that is no
        // longer true.
        let (position, timeline) = position.split_once(' ').unwrap_or((position, "0"));
        let question = format!(
            "select pg_last_wal_replay_lsn() >= '{position}' and lpad(upper(to_hex(
             (select min_recovery_end_timeline from pg_control_recovery()))), 8, '0') = '{timeline}'"
        );
        let asked = wait(runtime, PATIENCE, open.client.simple_query(&question));
        let Ok(answer) = asked else {
            connection.rest();
            count.note_silence();
            return false;
        };
        let is_there = answered(&answer) == Some("t");
        if is_there || began.elapsed() > LAG {
            return is_there;
        }
        std::thread::sleep(STEP);
    }
}
