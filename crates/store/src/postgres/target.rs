//! The server that is meant by a URL, and reaching it.

use super::tls::{self, Trust};
use super::words::told;
use crate::{Error, Result};
use futures_util::StreamExt as _;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long one host may take to let us in.
const KNOCK: Duration = Duration::from_secs(3);
/// The same for a server that is not needed.
const SHORT_KNOCK: Duration = Duration::from_millis(250);
/// How soon a server that could not be reached is tried again; whoever asks meanwhile is told at once.
pub(super) const PAUSE: Duration = Duration::from_millis(250);
/// How long data may stay unacknowledged before the connection is taken for dead.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// A server.
pub(super) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    failed: Mutex<Option<Instant>>,
    reached: AtomicU64,
    /// How long one host may take to let us in.
    knock: Duration,
}

/// A connection that was made.
pub(super) struct Reached {
    pub(super) client: Client,
    /// Whether the session at the server is this connection's own. Behind a pooler it may be another one for each
    /// transaction.
    pub(super) is_own: bool,
}

/// How a connection was refused.
enum Refused {
    /// A pooler may not take the settings of a session.
    Settings(String),
    Other(String),
}

impl Target {
    /// The server that a URL names. What is wrong is told without repeating it: it may hold a password.
    pub(super) fn read(url: &str) -> Result<Self> {
        let (url, trust) = Trust::take(url)?;
        let mut config = Config::from_str(&url).map_err(|error| {
            Error::Other(format!("the database's address is not understood: {}", told(&error)))
        })?;
        config.ssl_mode(trust.mode());
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(KNOCK);
        }
        config
            .tcp_user_timeout(UNACKNOWLEDGED)
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3);
        if config.get_application_name().is_none() {
            config.application_name("guildhall");
        }
        let tls = tls::connector(&trust)?;
        Ok(Self { config, tls, failed: Mutex::default(), reached: AtomicU64::new(0), knock: KNOCK })
    }

    /// The same, waited for no longer than somebody waits who can ask elsewhere.
    pub(super) fn impatient(mut self) -> Self {
        self.knock = SHORT_KNOCK;
        self.config.connect_timeout(SHORT_KNOCK);
        self
    }

    /// Opens a connection whose session has these settings, if it is its own. A server that was not there a
    /// moment ago is not asked again so soon.
    pub(super) fn reach(&self, runtime: &Runtime, settings: &[(&'static str, String)]) -> Result<Reached> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_some_and(|at| at.elapsed() < PAUSE) {
            return Err(Error::Down);
        }
        drop(failed);
        let began = Instant::now();
        let reached = runtime.block_on(async {
            match self.connect(settings).await {
                // Cut off while it was let in, perhaps: that says nothing of the next one.
                Err(_) if began.elapsed() < PAUSE => self.connect(settings).await,
                reached => reached,
            }
        });
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = reached.is_err().then(Instant::now);
        drop(failed);
        reached.map_err(|why| {
            tracing::warn!("the database cannot be reached: {why}");
            Error::Down
        })
    }

    /// How long all hosts together may take to let us in.
    fn patience(&self) -> Duration {
        2 * self.knock * u32::try_from(self.config.get_hosts().len()).unwrap_or(1).max(1)
    }

    /// The same, and what stands against it in words.
    pub(super) async fn connect(&self, settings: &[(&'static str, String)]) -> Result<Reached, String> {
        // The driver limits how long it takes to be connected, not how long to be let in.
        let connecting = tokio::time::timeout(self.patience(), self.connect_to(settings)).await;
        connecting.unwrap_or_else(|_| Err("it takes too long to let us in".to_owned()))
    }

    async fn connect_to(&self, settings: &[(&'static str, String)]) -> Result<Reached, String> {
        // A word that only this session knows: whoever asks for it later and gets it is in the same session.
        let number = self.reached.fetch_add(1, Ordering::Relaxed);
        let word = format!("{}x{number}", std::process::id());
        let mut config = self.config.clone();
        let own = [("guildhall.session", word.clone())];
        let options = settings.iter().chain(&own).map(|(name, value)| format!(" -c {name}={value}"));
        let given = self.config.get_options().unwrap_or_default().to_owned();
        config.options(std::iter::once(given).chain(options).collect::<String>());
        let (client, direct) = match self.open(&config).await {
            Ok(client) => (client, true),
            Err(Refused::Settings(_)) => match self.open(&self.config).await {
                Ok(client) => (client, false),
                Err(Refused::Settings(why) | Refused::Other(why)) => return Err(why),
            },
            Err(Refused::Other(why)) => return Err(why),
        };
        let is_own = direct && said(&client).await.map_err(|error| told(&error))? == Some(word);
        Ok(Reached { client, is_own })
    }

    async fn open(&self, config: &Config) -> Result<Client, Refused> {
        let opened = match &self.tls {
            Some(tls) => config.connect(tls.clone()).await.map(|(client, connection)| {
                tokio::spawn(connection);
                client
            }),
            None => config.connect(NoTls).await.map(|(client, connection)| {
                tokio::spawn(connection);
                client
            }),
        };
        opened.map_err(|error| {
            let code = error.code();
            let is_about_settings = code == Some(&SqlState::PROTOCOL_VIOLATION)
                || code == Some(&SqlState::CONNECTION_EXCEPTION)
                || code == Some(&SqlState::FEATURE_NOT_SUPPORTED);
            if is_about_settings { Refused::Settings(told(&error)) } else { Refused::Other(told(&error)) }
        })
    }

    /// Asks the server to end the statement that runs on a connection.
    pub(super) async fn cancel(&self, token: &CancelToken) {
        // Whether it does shows on the connection itself.
        drop(match &self.tls {
            Some(tls) => token.cancel_query(tls.clone()).await,
            None => token.cancel_query(NoTls).await,
        });
    }

    /// Listens until the connection breaks.
    pub(super) async fn listen(&self, heard: impl FnMut(AsyncMessage)) -> Result<(), String> {
        let late = |_| "it takes too long to let us in".to_owned();
        match &self.tls {
            Some(tls) => {
                let opening = tokio::time::timeout(self.patience(), self.config.connect(tls.clone()));
                listened(opening.await.map_err(late)?, heard).await
            }
            None => {
                let opening = tokio::time::timeout(self.patience(), self.config.connect(NoTls));
                listened(opening.await.map_err(late)?, heard).await
            }
        }
        .map_err(|error| told(&error))
    }

    /// Its hosts, as a person knows them.
    pub(super) fn name(&self) -> String {
        // One port is that of all hosts.
        let ports = self.config.get_ports();
        let port = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        let host = |(index, host): (usize, &Host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(index)),
            Host::Unix(path) => path.display().to_string(),
        };
        self.config.get_hosts().iter().enumerate().map(host).collect::<Vec<_>>().join(", ")
    }
}

/// Hands over what is heard on a connection.
async fn listened<S, T>(
    opened: Result<(Client, tokio_postgres::Connection<S, T>), tokio_postgres::Error>,
    mut heard: impl FnMut(AsyncMessage),
) -> Result<(), tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (client, mut connection) = opened?;
    let mut messages = futures_util::stream::poll_fn(|context| connection.poll_message(context));
    let asked = client.batch_execute("listen guildhall");
    let hearing = async {
        while let Some(message) = messages.next().await {
            heard(message?);
        }
        Ok(())
    };
    let (asked, ended) = tokio::join!(asked, hearing);
    asked.and(ended)
}

/// The word that the session at the server knows.
async fn said(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    let rows = client.simple_query("select current_setting('guildhall.session', true)").await?;
    Ok(answered(&rows).map(str::to_owned))
}

/// The one thing that a question without arguments was answered with, unless that is nothing.
pub(super) fn answered(messages: &[SimpleQueryMessage]) -> Option<&str> {
    messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    })
}
