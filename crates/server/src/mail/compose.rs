//! The form of a letter: headers, text and HTML.

use super::letter::{Letter, Words};
use super::outbox::Due;
use super::{Brand, clean};
use crate::config::{Config, MailTo};
use crate::say::Say;
use anyhow::{Context, Result};
use askama::Template;
use lettre::message::header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[derive(Template)]
#[template(path = "letters/letter.txt", escape = "none")]
struct Text<'a> {
    words: &'a Words,
    footer: &'a str,
}

#[derive(Template)]
#[template(path = "letters/letter.html")]
struct Html<'a> {
    words: &'a Words,
    brand: &'a Brand,
    name: &'a str,
    language: &'a str,
    ground: &'a str,
    ink: &'a str,
    footer: &'a str,
}

/// Who a letter is from, when it was queued, and which one it is: the same at every attempt.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// Its id.
    pub id: &'a str,
    /// When it was queued.
    pub created_at: i64,
}

impl<'a> From<&'a Due> for Envelope<'a> {
    fn from(due: &'a Due) -> Self {
        Self { id: &due.id, created_at: due.created_at }
    }
}

/// How many bytes a line of a letter may have (RFC 5322, 2.1.1).
const LONGEST_LINE: usize = 998;

/// A letter as it is sent.
pub fn compose(config: &Config, envelope: &Envelope<'_>, letter: &Letter) -> Result<Message> {
    let words = letter.words();
    let say = Say::in_language(&letter.language);
    let sender = sender(config, &letter.brand)?;
    let name = match clean(&letter.brand.name) {
        nothing if nothing.is_empty() => "Guildhall".to_owned(),
        name => name,
    };
    let footer = say.with("letter-footer", &[("address", &letter.to)]);
    let (ground, ink) = letter.brand.colors();
    let text = Text { words: &words, footer: &footer }.render()?;
    let html = Html {
        words: &words,
        brand: &letter.brand,
        name: &name,
        language: &say.tag(),
        ground: &ground,
        ink: &ink,
        footer: &footer,
    }
    .render()?;
    let written = UNIX_EPOCH + Duration::from_millis(u64::try_from(envelope.created_at).unwrap_or(0));
    let host = sender.email.domain().to_owned();
    Ok(Message::builder()
        .from(sender)
        .to(Mailbox::new(None, letter.to.parse().context("the address cannot be written to")?))
        .subject(&words.subject)
        .date(written as SystemTime)
        // The same at every attempt, so that a repeated letter is seen to be the same one.
        .message_id(Some(format!("<{}@{host}>", envelope.id)))
        // Nobody is to answer that they are on holiday.
        .header(AutoSubmitted)
        .multipart(
            MultiPart::alternative()
                .singlepart(part(config, ContentType::TEXT_PLAIN, text))
                .singlepart(part(config, ContentType::TEXT_HTML, html)),
        )?)
}

/// A part of a letter. Where people open letters as the files they are, a link in it is not cut by an encoding that mail
/// servers of any age can take.
fn part(config: &Config, kind: ContentType, text: String) -> SinglePart {
    let is_file = matches!(config.mail_to(), Some(MailTo::Folder(_)));
    let encoded = if is_file && text.lines().all(|line| line.len() < LONGEST_LINE) {
        let lines = text.replace("\r\n", "\n").replace('\n', "\r\n");
        Body::dangerous_pre_encoded(lines.into_bytes(), ContentTransferEncoding::EightBit)
    } else {
        Body::new(text)
    };
    SinglePart::builder().header(kind).body(encoded)
}

/// The installation's address; in an organization's letters with the organization's name.
fn sender(config: &Config, brand: &Brand) -> Result<Mailbox> {
    let own = match &config.mail_from {
        Some(said) => said.parse().with_context(|| format!("--mail-from is no address: {said}"))?,
        None => {
            let host = config.domain.split(':').next().unwrap_or(&config.domain);
            Mailbox::new(Some("Guildhall".to_owned()), Address::new("no-reply", host)?)
        }
    };
    let name = Some(clean(&brand.name)).filter(|name| !name.is_empty()).or(own.name);
    Ok(Mailbox::new(name, own.email))
}

/// `Auto-Submitted: auto-generated` (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> std::result::Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
