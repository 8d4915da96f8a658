//! `guildhall serve`.

use crate::App;
use crate::app::make_folder;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, LogForm, MailTo};
use crate::server;
use crate::tls::DEV_CA;
use crate::traces::Traces;
use anyhow::Result;
use std::io::{IsTerminal as _, Write as _};
use tracing::Subscriber;
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

/// Serves until the process is told to stop.
pub(super) async fn serve(mut config: Config) -> Result<()> {
    let traces = begin_to_tell(&config)?;
    config.waits = true;
    make_folder(&config.data)?;
    let lock = server::claim(&config)?;
    let app = App::open(config, Clock::system(), Chance::system()).await?;
    let config = app.config.clone();
    let listening = move || {
        if config.dev {
            greet(&config);
        }
    };
    let served = server::serve(app, listening, server::stop_signal()).await;
    end(traces).await;
    drop(lock);
    served
}

/// Sends letters and clears up until the process is told to stop.
pub(super) async fn work(mut config: Config) -> Result<()> {
    let traces = begin_to_tell(&config)?;
    config.waits = true;
    let app = App::open(config, Clock::system(), Chance::system()).await?;
    server::work(app, server::stop_signal()).await;
    end(traces).await;
    Ok(())
}

/// From here on the log is on standard output, and traces go where the settings say.
fn begin_to_tell(config: &Config) -> Result<Option<Traces>> {
    let filter = EnvFilter::try_from_env("GUILDHALL_LOG_FILTER")
        .unwrap_or_else(|_| EnvFilter::new("info,refinery_core=warn,rustls=error,tokio_postgres=warn"));
    let traces = config.traces.as_deref().map(Traces::to).transpose()?;
    let registry = tracing_subscriber::registry();
    match &traces {
        // One filter for all is cheaper.
        None => registry.with(filter).with(lines(config.log)).init(),
        Some(traces) => registry.with(lines(config.log).with_filter(filter)).with(traces.layer()).init(),
    }
    Ok(traces)
}

fn lines<S>(form: LogForm) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let lines = fmt::layer().with_target(false).with_ansi(std::io::stdout().is_terminal());
    match form {
        LogForm::Text => lines.compact().boxed(),
        LogForm::Json => lines.json().flatten_event(true).boxed(),
    }
}

/// Lets the last traces arrive.
async fn end(traces: Option<Traces>) {
    let sent = tokio::task::spawn_blocking(move || traces.as_ref().map(Traces::end));
    drop(sent.await);
}

/// What whoever tries it out needs to know.
fn greet(config: &Config) {
    let data = config.data.display();
    let letters = match config.mail_to() {
        Some(MailTo::Folder(folder)) => folder.display().to_string(),
        Some(MailTo::Smtp(url)) => format!("to {}", url.host_str().unwrap_or_default()),
        None => "nowhere: see --mail".to_owned(),
    };
    let text = format!(
        "
  Guildhall is here to be tried out.

  Dashboard       {}   (sign up here)
  API             {}/api   (or http://{}/api)
  Tokens          {}/oauth/token
  Authority       {data}/{DEV_CA}   (for clients to trust)
  Letters         {letters}
",
        config.dashboard(),
        config.url("provisioning"),
        config.listen,
        config.url("auth"),
    );
    // Nobody may be looking.
    drop(writeln!(std::io::stdout(), "{text}"));
}
