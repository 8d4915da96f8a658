//! How many units that read may take long at the same time: never all that could run, so that those that are quick find a
//! way beside them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// From when on a unit takes long.
pub(crate) const LONG: Duration = Duration::from_millis(500);

/// Those that take long at the moment.
#[derive(Debug)]
pub(crate) struct Slow {
    now: AtomicUsize,
    most: usize,
}

impl Slow {
    /// For so many that can run at once: one stays free, where there are several.
    pub(crate) fn of(readers: usize) -> Self {
        Self { now: AtomicUsize::new(0), most: readers.saturating_sub(1).max(1) }
    }

    /// One more takes long; `false` when it has to end.
    pub(crate) fn enter(&self) -> bool {
        let entered = self
            .now
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < self.most).then_some(now + 1));
        entered.is_ok()
    }

    /// One that took long is done.
    pub(crate) fn leave(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}
