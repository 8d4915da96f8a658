//! The commands of an operator. All but `serve` work beside a running server.

mod credentials;
mod doctor;
mod house;
mod keys;
mod mail;
mod memberships;
mod organizations;
mod serve;
mod users;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, Said};
use crate::work::{Author, Work};
use crate::{App, app, openapi};
use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use guildhall_jsonapi::Error;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

/// Organizations, members, roles and API credentials behind one API.
#[derive(Debug, Parser)]
#[command(name = "guildhall", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten, next_help_heading = "Settings")]
    said: Said,
    /// Print JSON for machines
    #[arg(long, global = true, help_heading = "Settings")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests
    Serve,
    /// Make, list and change users
    #[command(subcommand)]
    Users(users::Command),
    /// List and erase organizations
    #[command(subcommand)]
    Organizations(organizations::Command),
    /// List API credentials, replace their secrets, take them out of use
    #[command(subcommand)]
    Credentials(credentials::Command),
    /// List and replace the keys that sign tokens and seal secrets
    #[command(subcommand)]
    Keys(keys::Command),
    /// Show memberships and how the letters about them fared
    #[command(subcommand)]
    Memberships(memberships::Command),
    /// Try out the mail, and look into the outbox
    #[command(subcommand)]
    Mail(mail::Command),
    /// Make one database the same as another one, row for row
    Copy(house::Copy),
    /// Make a backup of the database and its key while servers go on, and check it
    Backup(house::Backup),
    /// Put a backup into the database
    Restore(house::Restore),
    /// Send letters and clear up, beside servers that leave it to this
    Work,
    /// Print the API description
    Openapi,
    /// Print the settings in force and check what the server needs
    Doctor,
}

/// Runs a command; what goes wrong is one line on standard error.
pub fn run(cli: Cli) -> ExitCode {
    // Refused only when it is already there.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(dispatch(cli)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without a standard error there is nobody to tell.
            drop(writeln!(std::io::stderr(), "guildhall: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> Result<()> {
    if matches!(cli.command, Command::Openapi) {
        return print(openapi::text().trim_end());
    }
    if let Command::Copy(words) = cli.command {
        return house::copy(words, cli.json).await;
    }
    let config = cli.said.settle()?;
    if matches!(cli.command, Command::Serve) {
        return serve::serve(config).await;
    }
    if matches!(cli.command, Command::Work) {
        return serve::work(config).await;
    }
    if matches!(cli.command, Command::Doctor) {
        return doctor::doctor(config, cli.json).await;
    }
    let command = match cli.command {
        Command::Backup(words) => return house::backup(config, words, cli.json).await,
        Command::Restore(words) => return house::restore(config, words, cli.json).await,
        Command::Mail(mail::Command::Test { to, language }) => {
            return mail::test(&config, &to, &language, cli.json).await;
        }
        command => command,
    };
    // Whoever looks in the wrong place is told so, rather than shown a new house that is empty.
    if app::is_new(&config)? {
        ensure!(matches!(command, Command::Users(users::Command::Create { .. })), nothing_in(&config));
        writeln!(std::io::stderr(), "a new house is made in {}", config.data.display())?;
    }
    let app = App::open(config, Clock::system(), Chance::system()).await?;
    match command {
        Command::Users(command) => users::run(&app, command, cli.json).await,
        Command::Organizations(command) => organizations::run(&app, command, cli.json).await,
        Command::Credentials(command) => credentials::run(&app, command, cli.json).await,
        Command::Keys(command) => keys::run(&app, command, cli.json).await,
        Command::Memberships(command) => memberships::run(&app, command, cli.json).await,
        Command::Mail(mail::Command::Queue) => mail::queue(&app, cli.json).await,
        // They were carried out before.
        Command::Serve
        | Command::Work
        | Command::Openapi
        | Command::Doctor
        | Command::Mail(mail::Command::Test { .. })
        | Command::Copy(_)
        | Command::Backup(_)
        | Command::Restore(_) => Ok(()),
    }
}

/// What is said of a data folder that is not there.
fn nothing_in(config: &Config) -> String {
    let folder = config.data.display();
    match &config.database {
        Some(database) if !database.starts_with("sqlite:") => format!(
            "{} is not there: copy it from a node on this database, or say with --secret-key where it is",
            config.key_file().display()
        ),
        _ => format!(
            "{folder} holds nothing: say with --data where the data folder is, or start guildhall serve there"
        ),
    }
}

/// Prints a line.
fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// Runs a unit of work for the operator.
async fn work<T: Send + 'static>(
    app: &Arc<App>,
    unit: impl FnMut(&mut Work<'_, '_>) -> Result<T, Error> + Send + 'static,
) -> Result<T> {
    Work::run(app, Author::Operator, None, unit).await.map_err(told)
}

/// Looks at things, however many there are, beside whatever is written at that moment.
async fn look<T: Send + 'static>(
    app: &Arc<App>,
    unit: impl FnOnce(&mut Work<'_, '_>) -> Result<T, Error> + Send + 'static,
) -> Result<T> {
    let unit = |work: &mut Work<'_, '_>| {
        work.tx.take_time()?;
        unit(work)
    };
    Work::look(app, unit).await.map_err(told)
}

/// A refusal as one line.
fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Refused(problems) => {
            let details: Vec<String> = problems.into_iter().map(|problem| problem.detail).collect();
            anyhow::anyhow!("{}", details.join("; "))
        }
        Error::Store(error) => error.into(),
    }
}
