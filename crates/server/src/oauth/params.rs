//! The parameters of a request: JSON or a form, with the client in the body or in a Basic header.

use super::error::OAuthError;
use crate::authorizations::request::{self, Parameters};
use crate::http::Asked;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;
use url::form_urlencoded;

/// Parameters by name. What nobody asks for is ignored, as clients send all sorts of things along.
#[derive(Debug, Default)]
pub(super) struct Params {
    all: Parameters,
    /// Whether the client is named in the header and its secret in the body, too.
    two_methods: bool,
}

impl Params {
    /// Reads them.
    pub(super) fn read(asked: &Asked) -> Result<Self, OAuthError> {
        let content_type = asked.header("content-type").unwrap_or("application/json");
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut params = match essence.as_str() {
            "application/x-www-form-urlencoded" => Self::form(&asked.body)?,
            "application/json" | "application/vnd.api+json" => Self::json(&asked.body)?,
            _ => {
                return Err(OAuthError::unreadable("Send the parameters in the body, as JSON or as a form."));
            }
        };
        let is_basic =
            |header: &&str| header.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic "));
        if let Some(header) = asked.authorization().filter(is_basic) {
            let (id, secret) = basic(header).ok_or_else(OAuthError::invalid_client)?;
            let other = |name: &str, value: &str| params.get(name).is_some_and(|sent| sent != value);
            params.two_methods = other("client_id", &id)
                || ["client_secret", "client_assertion"].iter().any(|name| params.get(name).is_some());
            params.all.insert("client_id".to_owned(), id);
            params.all.insert("client_secret".to_owned(), secret);
        }
        Ok(params)
    }

    fn form(body: &[u8]) -> Result<Self, OAuthError> {
        let twice = || {
            OAuthError::unreadable("A parameter was given more than once, or holds a character that is none.")
        };
        let text = std::str::from_utf8(body).map_err(|_| OAuthError::unreadable("The form is not UTF-8."))?;
        Ok(Self { all: request::parameters(text).ok_or_else(twice)?, two_methods: false })
    }

    fn json(body: &[u8]) -> Result<Self, OAuthError> {
        let Members(all) = serde_json::from_slice(body)
            .map_err(|_| OAuthError::unreadable("The body is not a JSON object, or has a member twice."))?;
        Ok(Self { all, two_methods: false })
    }

    /// A parameter, unless it is missing or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Whether a client showed in two ways who it is, which is one too many (RFC 6749, 2.3).
    pub(super) fn has_two_methods(&self) -> bool {
        self.two_methods
    }

    /// All of them.
    pub(super) fn all(&self) -> &Parameters {
        &self.all
    }
}

/// The members of a JSON object that are texts or numbers, each of them once.
struct Members(Parameters);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = access.next_entry::<String, Json>()? {
                    let text = match value {
                        Json::String(text) if text.contains('\0') => None,
                        Json::String(text) => Some(text),
                        Json::Number(number) => Some(number.to_string()),
                        _ => None,
                    };
                    if members.insert(name, text).is_some() {
                        return Err(A::Error::custom("a member is there twice"));
                    }
                }
                let texts = members.into_iter().filter_map(|(name, text)| Some((name, text?)));
                Ok(Members(texts.collect()))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

/// `Basic <base64 of id:secret>`, both form-encoded (RFC 6749, 2.3.1).
fn basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let plain = |text: &str| {
        let encoded = format!("_={text}");
        let value = form_urlencoded::parse(encoded.as_bytes()).next().map(|(_, value)| value.into_owned());
        value.filter(|value| !value.contains('\0'))
    };
    Some((plain(id)?, plain(secret)?))
}
