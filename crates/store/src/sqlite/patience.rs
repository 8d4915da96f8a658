//! Ends what reads for too long: a question that no index answers must not hold up everybody else.

use super::words::words;
use crate::Result;
use crate::slow::{LONG, Slow};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a unit may read.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a running statement looks at the clock, in steps of its program: a few times a millisecond.
const STEPS: i32 = 50_000;

/// What a connection that only reads is beside itself.
pub(super) struct Reader {
    pub(super) number: usize,
    pub(super) patience: Patience,
}

/// When the unit that runs on a connection has read for long enough: in milliseconds since the connection was opened.
pub(super) struct Patience {
    opened: Instant,
    began: Arc<AtomicU64>,
    end: Arc<AtomicU64>,
    slow: Arc<Slow>,
    is_slow: Arc<AtomicBool>,
}

impl Patience {
    pub(super) fn of(connection: &mut Connection, slow: Arc<Slow>) -> Result<Self> {
        let patience = Self {
            opened: Instant::now(),
            began: Arc::default(),
            end: Arc::default(),
            slow: slow.clone(),
            is_slow: Arc::default(),
        };
        let (opened, began, end) = (patience.opened, patience.began.clone(), patience.end.clone());
        let is_slow = patience.is_slow.clone();
        let over = move || {
            let (now, end) = (millis(opened.elapsed()), end.load(Ordering::Relaxed));
            let takes_long = end != u64::MAX && now > began.load(Ordering::Relaxed) + millis(LONG);
            if takes_long && !is_slow.load(Ordering::Relaxed) {
                if !slow.enter() {
                    return true;
                }
                is_slow.store(true, Ordering::Relaxed);
            }
            now > end
        };
        connection.progress_handler(STEPS, Some(over)).map_err(words)?;
        Ok(patience)
    }

    pub(super) fn begin(&self) {
        let now = self.opened.elapsed();
        self.began.store(millis(now), Ordering::Relaxed);
        self.end.store(millis(now + PATIENCE), Ordering::Relaxed);
    }

    /// The unit that runs takes the time it needs.
    pub(super) fn wait(&self) {
        self.end.store(u64::MAX, Ordering::Relaxed);
    }

    pub(super) fn done(&self) {
        if self.is_slow.swap(false, Ordering::Relaxed) {
            self.slow.leave();
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
