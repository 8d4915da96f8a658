//! Serving: the listeners, the letters, the housekeeping, and a quiet end.

use crate::config::{Config, Switch};
use crate::mail::worker;
use crate::resources::client_secrets;
use crate::{App, http, keys, metrics, plans, sharing, sweep, tls};
use anyhow::{Context, Result, ensure};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// How long requests that were accepted may take to end once the server is told to stop.
const GRACE: Duration = Duration::from_secs(20);
/// How long the head of a request may take to arrive, and how long an idle connection is kept.
const SLOWEST_HEAD: Duration = Duration::from_mins(1);
/// How often it is looked whether another process has made keys, or used any up.
const KEYS_LOOK: Duration = Duration::from_secs(1);
/// How many looks there are between two cares for the signing keys.
const KEYS_TEND: u32 = 600;

/// Takes the data folder for this process: two servers on one folder would share their limits and letters.
pub fn claim(config: &Config) -> Result<File> {
    let file = config.data.join("serve.lock");
    let lock = File::create(&file).with_context(|| format!("{} cannot be written", file.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            anyhow::bail!(
                "another server already uses {}: stop it or name another folder with --data",
                config.data.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{} cannot be locked", file.display()))
        }
    }
}

/// Serves until `stop` ends; answers what was accepted by then. `listening` is called once it listens.
pub async fn serve(app: Arc<App>, listening: impl FnOnce(), stop: impl Future<Output = ()>) -> Result<()> {
    ensure!(
        app.config.dev || app.config.has_domain,
        "say under which domain to serve, with --domain, or try it out with --dev"
    );
    let plans = app.config.plans.clone();
    app.db.write(move |tx| plans::store(tx, &plans)).await?;
    let handle = Handle::new();
    let service = http::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let mut servers = JoinSet::new();
    let plain = listen(app.config.listen, "--listen")?;
    let mut plain = axum_server::from_tcp(plain)?.handle(handle.clone());
    limit_heads(plain.http_builder());
    servers.spawn(plain.serve(service.clone()));
    if let Some(address) = app.config.tls_listen {
        let rustls = RustlsConfig::from_config(tls::server_config(&app.config)?);
        let secure = listen(address, "--tls-listen")?;
        let mut secure = axum_server::from_tcp_rustls(secure, rustls)?.handle(handle.clone());
        limit_heads(secure.http_builder());
        servers.spawn(secure.serve(service));
    }
    if let Some(address) = app.config.metrics_listen {
        let metrics_app = metrics::router(app.clone(), metrics::begin()?);
        let listener = listen(address, "--metrics-listen")?;
        let told = axum_server::from_tcp(listener)?.handle(handle.clone());
        servers.spawn(told.serve(metrics_app.into_make_service()));
    }
    listening();
    let keys = tokio::spawn(keep_keys(app.clone()));
    let vault = tokio::spawn(keep_vault(app.clone()));
    let telling = tokio::spawn(sharing::keep_telling(app.clone()));
    let noting = tokio::spawn(keep_noting(app.clone()));
    let chores = (app.config.worker == Switch::On).then(|| Chores::begin(app.clone()));
    tracing::info!(listen = %app.config.listen, tls_listen = ?app.config.tls_listen, domain = app.config.domain, "serving");
    tokio::select! {
        () = stop => {}
        ended = servers.join_next() => ended.context("nothing listens")???,
    }
    if app.config.stop_delay > 0 {
        app.stopping.store(true, Ordering::Relaxed);
        tracing::info!(
            seconds = app.config.stop_delay,
            "stopping: not ready any more, and answering for a while"
        );
        // Whoever tells it once more is in a hurry.
        drop(tokio::time::timeout(Duration::from_secs(app.config.stop_delay.into()), stop_signal()).await);
    }
    tracing::info!("stopping: answering what was accepted");
    handle.graceful_shutdown(Some(GRACE));
    while let Some(ended) = servers.join_next().await {
        ended??;
    }
    keys.abort();
    vault.abort();
    telling.abort();
    noting.abort();
    if let Err(error) = sharing::tell(&app).await {
        tracing::warn!("what was asked and guessed here could not be told: {error}");
    }
    note_uses(&app).await;
    if let Some(chores) = chores {
        chores.end().await;
    }
    Ok(())
}

/// Follows the key that secrets are sealed with, whatever else takes long: see `sealing`.
async fn keep_vault(app: Arc<App>) {
    loop {
        if let Err(error) = app.vault.refresh() {
            tracing::warn!("the keys of secrets could not be read again: {error:#}");
        }
        tokio::time::sleep(KEYS_LOOK).await;
    }
}

/// Writes down which secrets were used, once a second.
async fn keep_noting(app: Arc<App>) {
    loop {
        tokio::time::sleep(KEYS_LOOK).await;
        note_uses(&app).await;
    }
}

/// Follows the signing keys that other processes make, and makes those that are due.
///
/// That there are other keys is heard at once where it can be heard, and seen by a number once a second everywhere.
async fn keep_keys(app: Arc<App>) {
    let (mut look, mut known): (u32, i64) = (0, -1);
    let mut notices = app.db.notices();
    loop {
        look = look.wrapping_add(1);
        let kept = async {
            if look.is_multiple_of(KEYS_TEND) {
                let config = &app.config;
                let (bits, life) = (config.signing_key_bits, config.signing_key_life());
                keys::tend(&app.db, &app.vault, bits, life, app.clock.now()).await?;
            }
            let number = app.db.read(|tx| sharing::number(tx, sharing::SIGNING_KEYS)).await?;
            if number != known && app.keys.refresh(&app.db, &app.vault).await? {
                known = number;
            }
            Ok::<_, anyhow::Error>(())
        };
        if let Err(error) = kept.await {
            tracing::warn!("the keys could not be looked after: {error:#}");
        }
        if let Ok(Err(_)) = tokio::time::timeout(KEYS_LOOK, notices.changed()).await {
            tokio::time::sleep(KEYS_LOOK).await;
        }
    }
}

/// Writes down which secrets were used since it was done last.
pub async fn note_uses(app: &App) {
    let uses = app.uses.take();
    if uses.is_empty() {
        return;
    }
    let again = uses.clone();
    if let Err(error) = app.db.write(move |tx| client_secrets::note_uses(tx, &uses)).await {
        app.uses.put_back(again);
        tracing::warn!("it could not be written down which secrets were used: {error}");
    }
}

/// Hangs up on whoever takes forever to say what they want.
fn limit_heads(builder: &mut Builder<TokioExecutor>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(SLOWEST_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(SLOWEST_HEAD)
        .keep_alive_timeout(SLOWEST_HEAD);
}

fn listen(address: SocketAddr, flag: &str) -> Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)
        .with_context(|| format!("{address} cannot be listened on: name another address with {flag}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Ends on the signals that ask a process to stop.
pub async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Sends letters and clears up until `stop` ends.
pub async fn work(app: Arc<App>, stop: impl Future<Output = ()>) {
    let chores = Chores::begin(app);
    tracing::info!("working");
    stop.await;
    chores.end().await;
}

/// What is done beside answering.
struct Chores {
    stop: watch::Sender<bool>,
    letters: JoinHandle<()>,
    sweeping: JoinHandle<()>,
}

impl Chores {
    fn begin(app: Arc<App>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let letters = tokio::spawn(worker::work(app.clone(), stopped));
        Self { stop, letters, sweeping: tokio::spawn(sweep::keep_sweeping(app)) }
    }

    /// Lets the letter that is on its way arrive, or it would be sent again.
    async fn end(self) {
        self.stop.send_replace(true);
        self.sweeping.abort();
        if tokio::time::timeout(GRACE, self.letters).await.is_err() {
            tracing::warn!("a letter was on its way; it may be sent again");
        }
    }
}
