//! How letters leave: by SMTP, or as files in a folder.

use super::outbox::Fate;
use crate::config::{Config, MailTo};
use anyhow::{Context, Result};
use lettre::address::Envelope;
use lettre::message::Message;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use url::Url;

/// How long a mail server may take for one letter. A server that has everything and is slow to say so must
/// not get it again meanwhile.
pub const SLOWEST: Duration = Duration::from_mins(10);
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(30);

/// How long a connection is believed to be there still.
const IDLE: Duration = Duration::from_secs(2);

/// Where letters go, of which each lane opens one.
#[derive(Clone)]
pub enum Way {
    /// By SMTP.
    Smtp(Box<Server>),
    /// As files in a folder.
    Folder(PathBuf),
}

/// A mail server and what it wants to know.
#[derive(Clone)]
pub struct Server {
    host: String,
    port: u16,
    hello: ClientId,
    parameters: TlsParameters,
    tls: Tls,
    credentials: Option<Credentials>,
}

/// When a conversation turns private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// From its first byte on.
    Always,
    /// By STARTTLS, or there is no conversation.
    Required,
    /// By STARTTLS, where the server knows it.
    Offered,
}

/// How one attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The letter has had its fate.
    Letter(Fate),
    /// There is no talking to the mail server; the letter has nothing to do with it.
    Server(String),
}

impl Way {
    /// That of the settings; `None` when they name none.
    pub fn of(config: &Config) -> Result<Option<Self>> {
        Ok(match config.mail_to() {
            None => None,
            Some(MailTo::Folder(folder)) => Some(Self::Folder(folder)),
            Some(MailTo::Smtp(url)) => Some(Self::Smtp(Box::new(Server::of(config, &url)?))),
        })
    }
}

impl Server {
    /// `smtps://` is TLS from the first byte; `smtp://` turns to it with STARTTLS, which only a server on this
    /// machine may lack.
    fn of(config: &Config, url: &Url) -> Result<Self> {
        let host = url.host_str().context("--mail names no host")?.trim_matches(['[', ']']).to_owned();
        let mut parameters = TlsParameters::builder(host.clone());
        if let Some(file) = &config.mail_ca {
            let pem = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
            let certificate = Certificate::from_pem(&pem)
                .with_context(|| format!("{} holds no certificate", file.display()))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        let (tls, port) = match url.scheme() {
            "smtps" => (Tls::Always, 465),
            _ if matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1") => (Tls::Offered, 25),
            _ => (Tls::Required, 587),
        };
        let decoded =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let password = decoded(url.password().unwrap_or_default());
        let credentials =
            (!url.username().is_empty()).then(|| Credentials::new(decoded(url.username()), password));
        let hello = ClientId::Domain(config.domain.split(':').next().unwrap_or(&config.domain).to_owned());
        let (parameters, port) = (parameters.build_rustls()?, url.port().unwrap_or(port));
        Ok(Self { host, port, hello, parameters, tls, credentials })
    }

    /// Its host and port.
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection> {
        let wrapped = (self.tls == Tls::Always).then(|| self.parameters.clone());
        let address = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT), &self.hello, wrapped, None).await?;
        if self.tls != Tls::Always && connection.can_starttls() {
            connection.starttls(self.parameters.clone(), &self.hello).await?;
        } else {
            anyhow::ensure!(self.tls != Tls::Required, "the mail server does not offer STARTTLS");
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

/// One way out, with the connection it has open.
pub struct Lane {
    /// What it is called among the lanes of a node, in no other process.
    pub name: String,
    way: Way,
    open: Option<(AsyncSmtpConnection, Instant)>,
}

impl Lane {
    /// One that goes this way.
    pub fn new(name: &str, way: Way) -> Self {
        Self { name: name.to_owned(), way, open: None }
    }

    /// Tries to send a letter. `file` is what it is called in a folder.
    pub async fn send(&mut self, file: &str, message: &Message) -> Attempt {
        let server = match &self.way {
            Way::Smtp(server) => server.clone(),
            Way::Folder(folder) => {
                return match write(folder, file, &message.formatted()) {
                    Ok(()) => Attempt::Letter(Fate::Sent),
                    Err(error) => Attempt::Server(format!("{error:#}")),
                };
            }
        };
        let letter = message.formatted();
        let conversation = self.converse(&server, message.envelope(), &letter);
        let attempt = tokio::time::timeout(SLOWEST, conversation)
            .await
            .unwrap_or_else(|_| Attempt::Letter(Fate::Later("the mail server took too long".to_owned())));
        if attempt != Attempt::Letter(Fate::Sent) {
            // What state it is in nobody knows.
            self.close().await;
        }
        attempt
    }

    /// Says goodbye.
    pub async fn close(&mut self) {
        if let Some((mut open, _)) = self.open.take() {
            let goodbye = tokio::time::timeout(Duration::from_secs(2), open.quit()).await;
            tracing::debug!(polite = goodbye.is_ok_and(|said| said.is_ok()), "left the mail server");
        }
    }

    async fn converse(&mut self, server: &Server, envelope: &Envelope, letter: &[u8]) -> Attempt {
        let kept = match self.open.take() {
            // One that was idle may have been hung up on.
            Some((mut open, used)) => {
                let alive = used.elapsed() < IDLE || open.test_connected().await;
                alive.then_some(open)
            }
            None => None,
        };
        let connection = match kept {
            Some(open) => open,
            None => match server.connect().await {
                Ok(open) => open,
                Err(error) => return Attempt::Server(format!("{error:#}")),
            },
        };
        let (connection, _) = self.open.insert((connection, Instant::now()));
        let mut parameters = Vec::new();
        if connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if connection.server_info().supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        // Who we are and who it is from says nothing of the letter: whatever is wrong with that, it waits.
        if let Err(error) = connection.command(Mail::new(envelope.from().cloned(), parameters)).await {
            return Attempt::Server(told(&error));
        }
        for recipient in envelope.to() {
            if let Err(error) = connection.command(Rcpt::new(recipient.clone(), Vec::new())).await {
                return Attempt::Letter(fate(&error));
            }
        }
        if let Err(error) = connection.command(Data).await {
            return Attempt::Letter(fate(&error));
        }
        let sent = match std::str::from_utf8(letter) {
            Ok(letter) => connection.command(Whole(letter)).await,
            Err(_) => connection.message(letter).await,
        };
        match sent {
            Ok(_) => Attempt::Letter(Fate::Sent),
            Err(error) => Attempt::Letter(fate(&error)),
        }
    }
}

/// A letter with its end, in one piece: in two, the second would wait for the first to be acknowledged, which
/// takes a server 40 ms that has nothing to answer yet.
struct Whole<'a>(&'a str);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A line that begins with a dot gets another one (RFC 5321, 4.5.2).
        let first = if self.0.starts_with('.') { "." } else { "" };
        let end = if self.0.ends_with("\r\n") { ".\r\n" } else { "\r\n.\r\n" };
        write!(out, "{first}{}{end}", self.0.replace("\r\n.", "\r\n.."))
    }
}

/// A letter is refused for good only where the server says so.
fn fate(error: &SmtpError) -> Fate {
    if error.is_permanent() { Fate::Refused(told(error)) } else { Fate::Later(told(error)) }
}

/// An error with what it says of its cause.
fn told(error: &SmtpError) -> String {
    let mut told = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_told = cause.to_string();
        if !told.contains(&cause_told) {
            told = format!("{told}: {cause_told}");
        }
        source = cause.source();
    }
    told
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_dot_does_not_end_a_letter() {
        for (letter, sent) in [
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".a\r\n.\r\n..b\r\n", "..a\r\n..\r\n...b\r\n.\r\n"),
        ] {
            assert_eq!(Whole(letter).to_string(), sent);
        }
    }
}
