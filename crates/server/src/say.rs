//! What people read, in their language. A language is one file: `locales/<tag>/guildhall.ftl`.

use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader as _, static_loader};
use std::borrow::Cow;
use std::collections::HashMap;

static_loader! {
    static LOCALES = {
        locales: "./locales",
        fallback_language: "en",
        // Isolation marks would show in letters and in attributes.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// The language everything exists in.
const FALLBACK: &str = "en";

/// One language, to say things in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say(LanguageIdentifier);

impl Say {
    /// The language with this tag, or English.
    pub fn in_language(tag: &str) -> Self {
        Self(known(tag).or_else(|| known(FALLBACK)).unwrap_or_default())
    }

    /// The language somebody chose, or else the first one their browser asks for that there is.
    pub fn choose(chosen: Option<&str>, accept: Option<&str>) -> Self {
        let asked = accept.map(accept_language::parse).unwrap_or_default();
        let found = chosen.and_then(known).or_else(|| asked.iter().find_map(|tag| known(tag)));
        found.map_or_else(|| Self::in_language(FALLBACK), Self)
    }

    /// Its tag.
    pub fn tag(&self) -> String {
        self.0.to_string()
    }

    /// A message.
    pub fn of(&self, name: &str) -> String {
        LOCALES.try_lookup(&self.0, name).unwrap_or_else(|| name.to_owned())
    }

    /// A message with its arguments.
    pub fn with(&self, name: &str, args: &[(&'static str, &str)]) -> String {
        let args =
            args.iter().map(|(name, value)| (Cow::Borrowed(*name), FluentValue::from(value.to_string())));
        self.complete(name, &args.collect())
    }

    /// A message about a number of things.
    pub fn count(&self, name: &str, number: i64) -> String {
        self.complete(name, &HashMap::from([(Cow::Borrowed("count"), FluentValue::from(number))]))
    }

    fn complete(&self, name: &str, args: &HashMap<Cow<'static, str>, FluentValue<'_>>) -> String {
        LOCALES.try_lookup_with_args(&self.0, name, args).unwrap_or_else(|| name.to_owned())
    }
}

/// The tags of all languages, in alphabetical order.
pub fn languages() -> Vec<String> {
    let mut tags: Vec<String> = LOCALES.locales().map(ToString::to_string).collect();
    tags.sort();
    tags
}

/// Whether there is a language with this tag.
pub fn is_known(tag: &str) -> bool {
    known(tag).is_some()
}

fn known(tag: &str) -> Option<LanguageIdentifier> {
    let tag: LanguageIdentifier = tag.parse().ok()?;
    LOCALES
        .locales()
        .find(|known| **known == tag || known.language == tag.language && known.region.is_none())
        .cloned()
}
