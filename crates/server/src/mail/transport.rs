//! How letters leave: by SMTP, or as files in a folder.

use super::outbox::Fate;
use crate::config::{Config, MailTo};
use anyhow::{Context, Result};
use lettre::message::Message;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error as SmtpError, PoolConfig};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// How long a mail server may take for one letter. A server that has everything and is slow to say so must
/// not get it again meanwhile.
const SLOWEST: Duration = Duration::from_mins(10);
/// How long a connection may take to be made, and how long it is kept when there is nothing to send.
const CONNECT: Duration = Duration::from_secs(30);

/// How letters leave.
pub enum Transport {
    /// By SMTP.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// As files in a folder.
    Folder(PathBuf),
}

/// How one attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The letter has had its fate.
    Letter(Fate),
    /// There is no talking to the mail server; the letter has nothing to do with it.
    Server(String),
}

impl Transport {
    /// That of the settings; `None` when they name none.
    pub fn open(config: &Config) -> Result<Option<Self>> {
        Ok(match config.mail_to() {
            None => None,
            Some(MailTo::Folder(folder)) => Some(Self::Folder(folder)),
            Some(MailTo::Smtp(url)) => Some(Self::Smtp(Box::new(smtp(config, &url)?))),
        })
    }

    /// Tries to send a letter. `file` is what it is called in a folder.
    pub async fn send(&self, file: &str, message: Message) -> Attempt {
        match self {
            Self::Folder(folder) => match write(folder, file, &message.formatted()) {
                Ok(()) => Attempt::Letter(Fate::Sent),
                Err(error) => Attempt::Server(format!("{error:#}")),
            },
            Self::Smtp(smtp) => match tokio::time::timeout(SLOWEST, smtp.send(message)).await {
                Ok(Ok(_)) => Attempt::Letter(Fate::Sent),
                Ok(Err(error)) => failure(&error),
                Err(_) => Attempt::Letter(Fate::Later("the mail server took too long".to_owned())),
            },
        }
    }
}

/// What a failure says: of the letter, when the server has answered about it, else of the server.
fn failure(error: &SmtpError) -> Attempt {
    let mut told = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_told = cause.to_string();
        if !told.contains(&cause_told) {
            told = format!("{told}: {cause_told}");
        }
        source = cause.source();
    }
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    // Who we are is wrong, not what we send.
    let ours = matches!(code.as_str(), "421" | "454" | "530" | "534" | "535" | "538");
    if ours || error.status().is_none() && !error.is_timeout() && !error.is_client() {
        Attempt::Server(told)
    } else if error.is_permanent() || error.is_client() {
        Attempt::Letter(Fate::Refused(told))
    } else {
        Attempt::Letter(Fate::Later(told))
    }
}

/// `smtps://` is TLS from the first byte; `smtp://` turns to it with STARTTLS, which only a server on this
/// machine may lack.
fn smtp(config: &Config, url: &Url) -> Result<AsyncSmtpTransport<Tokio1Executor>> {
    let host = url.host_str().context("--mail names no host")?;
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(file) = &config.mail_ca {
        let pem = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let certificate = Certificate::from_pem(&pem)
            .with_context(|| format!("{} holds no certificate", file.display()))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters = parameters.build_rustls()?;
    let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let (tls, port) = match url.scheme() {
        "smtps" => (Tls::Wrapper(parameters), 465),
        _ if here => (Tls::Opportunistic(parameters), 25),
        _ => (Tls::Required(parameters), 587),
    };
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let hello = config.domain.split(':').next().unwrap_or(&config.domain).to_owned();
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .hello_name(ClientId::Domain(hello))
        .port(url.port().unwrap_or(port))
        .tls(tls)
        .timeout(Some(CONNECT))
        .pool_config(PoolConfig::new().max_size(config.mail_lanes).idle_timeout(CONNECT));
    if !url.username().is_empty() {
        let password = decoded(url.password().unwrap_or_default());
        builder = builder.credentials(Credentials::new(decoded(url.username()), password));
    }
    Ok(builder.build())
}

/// Writes a file whole or not at all; a repeated letter replaces itself.
fn write(folder: &Path, file: &str, content: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let new = folder.join(format!(".{file}.new"));
        std::fs::write(&new, content)?;
        std::fs::rename(new, folder.join(file))
    };
    write().with_context(|| format!("no letter can be written to {}", folder.display()))
}
