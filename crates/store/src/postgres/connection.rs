//! One connection: reached when it is needed, and again after it broke.

use super::target::{PAUSE, Reached, Target};
use super::words::judged;
use crate::slow::Slow;
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Statement};

/// How many statements a connection keeps prepared.
const MOST_STATEMENTS: usize = 1000;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Units that read, each on one snapshot.
    Read,
    /// The same at a replica, which is as far as it has to be on this connection alone.
    Replica,
    /// Looks whether units that write would be answered.
    Probe,
    /// Units that write, as if one after the other.
    Write,
}

/// How long a statement that reads may take: a question that no index answers must not hold up everybody else.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a statement that writes may take: longer than it may wait for another unit.
const LONGEST_WRITE: Duration = Duration::from_secs(12);
/// The same of a unit that said it takes its time. Meanwhile nobody else writes what it has written.
pub(super) const LONGEST_WORK: Duration = Duration::from_mins(10);
/// How long a probe may take: whoever asks has not got longer.
const LONGEST_PROBE: Duration = Duration::from_secs(1);
/// How long a unit that writes may wait for another one.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// After how long the server ends a transaction of a node that has stopped in the middle of it.
const ABANDONED: Duration = Duration::from_secs(30);
/// How much longer than the server a node waits for an answer before it takes the connection for dead.
pub(super) const MARGIN: Duration = Duration::from_secs(3);

impl Mode {
    /// The settings of its transactions.
    fn settings(self) -> Vec<(&'static str, String)> {
        let millis = |time: Duration| time.as_millis().to_string();
        let abandoned = ("idle_in_transaction_session_timeout", millis(ABANDONED));
        match self {
            Self::Read | Self::Replica => vec![("statement_timeout", millis(PATIENCE)), abandoned],
            Self::Probe => vec![("statement_timeout", millis(LONGEST_PROBE)), abandoned],
            Self::Write => {
                let longest = ("statement_timeout", millis(LONGEST_WRITE));
                vec![longest, ("lock_timeout", millis(LOCK_PATIENCE)), abandoned]
            }
        }
    }

    /// What begins a transaction. A session that is one's own has the settings already.
    fn begin(self, is_own: bool) -> String {
        let begin = match self {
            Self::Read | Self::Replica => "begin isolation level repeatable read read only",
            // A server that only reads refuses this.
            Self::Probe => "begin read write",
            Self::Write => "begin isolation level serializable",
        };
        let settings = if is_own { Vec::new() } else { self.settings() };
        let settings = settings.into_iter().map(|(name, value)| format!("; set local {name} = {value}"));
        std::iter::once(begin.to_owned()).chain(settings).collect()
    }

    /// How long an answer is waited for.
    pub(super) fn patience(self) -> Duration {
        match self {
            Self::Read | Self::Replica => PATIENCE + MARGIN,
            Self::Probe => LONGEST_PROBE,
            Self::Write => LONGEST_WRITE + MARGIN,
        }
    }
}

/// A connection, open or not.
pub(super) struct Connection {
    pub(super) mode: Mode,
    pub(super) count: Arc<AtomicU64>,
    pub(super) runtime: Runtime,
    target: Arc<Target>,
    pub(super) slow: Arc<Slow>,
    pub(super) open: Option<Open>,
    /// Since when it is left alone, if it is.
    resting: Option<Instant>,
}

/// An open connection.
pub(super) struct Open {
    pub(super) client: Client,
    pub(super) begin: String,
    /// The statements it has prepared. None behind a pooler, where the next transaction may be on another one.
    pub(super) prepared: Option<HashMap<String, Statement>>,
}

impl Connection {
    pub(super) fn new(
        mode: Mode,
        target: Arc<Target>,
        slow: Arc<Slow>,
        count: Arc<AtomicU64>,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Error::Other(format!("no runtime for the database: {error}")))?;
        Ok(Self { mode, count, runtime, target, slow, open: None, resting: None })
    }

    /// The open connection, which is reached if there is none.
    pub(super) fn reach(&mut self) -> Result<&mut Open> {
        if self.open.as_ref().is_some_and(|open| open.client.is_closed()) {
            self.open = None;
        }
        if self.open.is_none() {
            if self.resting.is_some_and(|since| since.elapsed() < PAUSE) {
                return Err(Error::Down);
            }
            let settings = self.mode.settings();
            let Reached { client, is_own } = self.target.reach(&self.runtime, &settings)?;
            let begin = self.mode.begin(is_own);
            self.open = Some(Open { client, begin, prepared: is_own.then(HashMap::new) });
        }
        self.open.as_mut().ok_or(Error::Down)
    }

    /// What asks the server to end the statement that runs on it.
    pub(super) fn ending(&self) -> impl Future<Output = ()> + use<> {
        let (target, token) =
            (self.target.clone(), self.open.as_ref().map(|open| open.client.cancel_token()));
        async move {
            if let Some(token) = token {
                target.cancel(&token).await;
            }
        }
    }

    /// The open connection, if there is one, and what it runs on.
    pub(super) fn parts(&mut self) -> (&Runtime, Option<&mut Open>) {
        (&self.runtime, self.open.as_mut())
    }

    /// Gives it up, and looks for another server no sooner than in a moment.
    pub(super) fn rest(&mut self) {
        self.open = None;
        self.resting = Some(Instant::now());
    }

    /// Forgets what was prepared: the schema has changed under it.
    pub(super) fn forget(&mut self) {
        if let Some(prepared) = self.open.as_mut().and_then(|open| open.prepared.as_mut()) {
            prepared.clear();
        }
    }

    /// Gives it up: the next unit gets a new one.
    pub(super) fn close(&mut self) {
        self.open = None;
    }
}

impl Open {
    /// A statement with `$1`, `$2` … for each `?`, prepared if it can be.
    pub(super) async fn prepare(&mut self, text: &str) -> Result<Option<Statement>, tokio_postgres::Error> {
        let Some(prepared) = &mut self.prepared else { return Ok(None) };
        if let Some(statement) = prepared.get(text) {
            return Ok(Some(statement.clone()));
        }
        if prepared.len() >= MOST_STATEMENTS {
            prepared.clear();
        }
        let statement = self.client.prepare(&numbered(text)).await?;
        prepared.insert(text.to_owned(), statement.clone());
        Ok(Some(statement))
    }
}

/// The text with `$1`, `$2` … for each `?`.
pub(super) fn numbered(text: &str) -> String {
    let mut numbered = String::with_capacity(text.len() + 32);
    for (index, part) in text.split('?').enumerate() {
        if index > 0 {
            numbered.push('$');
            numbered.push_str(&index.to_string());
        }
        numbered.push_str(part);
    }
    numbered
}

/// Runs something with an answer to wait for at most this long; without one the connection is taken for dead.
pub(super) fn wait<T>(
    runtime: &Runtime,
    patience: Duration,
    asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T> {
    runtime.block_on(async {
        match tokio::time::timeout(patience, asked).await {
            Ok(answer) => answer.map_err(|error| judged(&error, Mode::Write).1),
            Err(_) => Err(Error::Down),
        }
    })
}
