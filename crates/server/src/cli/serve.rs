//! `guildhall serve`.

use crate::App;
use crate::app::make_folder;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, LogForm, MailTo};
use crate::server;
use crate::tls::DEV_CA;
use anyhow::Result;
use std::io::{IsTerminal as _, Write as _};
use tracing_subscriber::EnvFilter;

/// Serves until the process is told to stop.
pub(super) async fn serve(mut config: Config) -> Result<()> {
    log_to_stdout(config.log);
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
    server::serve(app, listening, server::stop_signal()).await?;
    drop(lock);
    Ok(())
}

/// Sends letters and clears up until the process is told to stop.
pub(super) async fn work(mut config: Config) -> Result<()> {
    log_to_stdout(config.log);
    config.waits = true;
    let app = App::open(config, Clock::system(), Chance::system()).await?;
    server::work(app, server::stop_signal()).await;
    Ok(())
}

fn log_to_stdout(form: LogForm) {
    let filter = EnvFilter::try_from_env("GUILDHALL_LOG_FILTER")
        .unwrap_or_else(|_| EnvFilter::new("info,refinery_core=warn,rustls=error,tokio_postgres=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stdout().is_terminal());
    match form {
        LogForm::Text => builder.compact().init(),
        LogForm::Json => builder.json().flatten_event(true).init(),
    }
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
