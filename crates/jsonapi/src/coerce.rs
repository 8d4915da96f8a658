//! Values as they are sent, checked against a declaration and turned into what it says they are.

use crate::Problem;
use crate::format::parse_timestamp;
use crate::spec::{Attribute, Format, Kind};
use email_address::{EmailAddress, Options};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

/// The longest text, in characters; databases and indexes stay predictable below it.
const LONGEST_TEXT: usize = 255;
/// The longest URL, in characters.
const LONGEST_URL: usize = 2048;
/// The largest object, in bytes of its JSON.
const LARGEST_OBJECT: usize = 64 * 1024;

/// The value in the attribute's own type, or what is wrong with it. Null is judged by the caller.
pub(crate) fn coerce(attribute: &Attribute, value: &Json) -> Result<Json, Problem> {
    let invalid = || Problem::invalid(attribute.name, value.clone());
    match attribute.kind {
        Kind::Flag => match value {
            Json::Bool(flag) => Ok(json!(flag)),
            Json::String(text) => parse_flag(text).map(Json::Bool).ok_or_else(invalid),
            _ => Err(invalid()),
        },
        Kind::Integer(least, most) => integer(attribute.name, value, least, most),
        Kind::Text | Kind::Secret => text(attribute, value),
        Kind::OneOf(words) => match value {
            Json::String(word) if words.contains(&word.as_str()) => Ok(value.clone()),
            _ => Err(Problem::inclusion(attribute.name, value.clone())),
        },
        Kind::Object => object(attribute.name, value),
        Kind::Time => {
            value.as_str().and_then(parse_timestamp).map(|millis| json!(millis)).ok_or_else(invalid)
        }
        // Nobody can send these; a declaration that says otherwise gets a refusal instead of a guess.
        Kind::Number => Err(invalid()),
    }
}

/// What the strings of command lines mean as a flag.
pub(crate) fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

fn integer(name: &str, value: &Json, least: i64, most: i64) -> Result<Json, Problem> {
    let problem = |rule, message: &str| Problem::attribute(name, rule, message).value(value.clone());
    let text = match value {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        _ => String::new(),
    };
    // Whole numbers beyond 64 bits are as far out of bounds as a number can be.
    let number = match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(number), _) => number,
        (_, Ok(number)) if number.is_finite() && number.fract() == 0.0 => {
            if number < 0.0 {
                i64::MIN
            } else {
                i64::MAX
            }
        }
        (_, Ok(number)) if number.is_finite() => return Err(problem("not_an_integer", "must be an integer")),
        _ => return Err(problem("not_a_number", "is not a number")),
    };
    if number < least {
        let message = format!("must be greater than or equal to {least}");
        return Err(problem("greater_than_or_equal_to", &message).count(least));
    }
    if number > most {
        let message = format!("must be less than or equal to {most}");
        return Err(problem("less_than_or_equal_to", &message).count(most));
    }
    Ok(json!(number))
}

fn object(name: &str, value: &Json) -> Result<Json, Problem> {
    let invalid = || Problem::invalid(name, value.clone());
    let object = match value {
        Json::Object(_) => value.clone(),
        Json::String(text) => serde_json::from_str(text).map_err(|_| invalid())?,
        _ => return Err(invalid()),
    };
    if !object.is_object() {
        return Err(invalid());
    }
    if object.to_string().len() > LARGEST_OBJECT {
        return Err(Problem::attribute(name, "invalid", "is invalid").count(LARGEST_OBJECT));
    }
    Ok(object)
}

fn text(attribute: &Attribute, value: &Json) -> Result<Json, Problem> {
    let invalid = || Problem::invalid(attribute.name, value.clone());
    let text = match value {
        Json::String(text) => text.clone(),
        _ => return Err(invalid()),
    };
    if let Some(words) = attribute.within {
        return if words.contains(&text.as_str()) {
            Ok(json!(text))
        } else {
            Err(Problem::inclusion(attribute.name, value.clone()))
        };
    }
    if is_well_formed(attribute.format, &text) { Ok(json!(text)) } else { Err(invalid()) }
}

fn is_well_formed(format: Format, text: &str) -> bool {
    let longest = if format == Format::Url { LONGEST_URL } else { LONGEST_TEXT };
    if text.chars().count() > longest || text.chars().any(char::is_control) {
        return false;
    }
    match format {
        Format::Plain => true,
        Format::Email => check_email(text),
        Format::Url => {
            url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        }
        Format::Color => {
            text.len() == 7
                && text.starts_with('#')
                && text[1..].bytes().all(|digit| digit.is_ascii_hexdigit())
        }
        Format::TimeZone => TimeZone::get(text).is_ok(),
        Format::Domains => text.split(',').all(is_domain),
    }
}

fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(is_label)
}

/// Whether a letter can be sent to this address: a name, an `@` and a domain with a dot, nothing around them.
pub fn check_email(text: &str) -> bool {
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    text.len() <= LONGEST_TEXT
        && !text.contains(['"', ' ', '\\'])
        && EmailAddress::parse_with_options(text, options).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_a_letter_reaches() {
        for good in
            ["ada@example.com", "a+b@x.co", "o'hara@example.org", "zoë@exämple.de", "a@b-c.example.com"]
        {
            assert!(check_email(good), "{good}");
        }
        for bad in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "ada@@example.com",
            "ada@example..com",
            "Ada <ada@example.com>",
            "ada@[127.0.0.1]",
            "\"a b\"@example.com",
            "ada @example.com",
            "ada@example.com,bob@example.com",
            "ada@example.com\n",
            ".ada@example.com",
            "ada@-example.com",
        ] {
            assert!(!check_email(bad), "{bad}");
        }
        assert!(!check_email(&format!("{}@example.com", "a".repeat(300))));
    }

    #[test]
    fn domains_are_lists_of_names() {
        for good in ["example.com", "example.com,a.example.com"] {
            assert!(is_well_formed(Format::Domains, good), "{good}");
        }
        for bad in ["example", "example.com, a.example.com", "http://example.com", "-a.com", ",", "a..b"] {
            assert!(!is_well_formed(Format::Domains, bad), "{bad}");
        }
    }

    #[test]
    fn strings_of_command_lines_become_what_they_mean() {
        let flag = crate::spec::flag("flag");
        assert_eq!(coerce(&flag, &json!("TRUE")).unwrap(), json!(true));
        assert_eq!(coerce(&flag, &json!("f")).unwrap(), json!(false));
        assert!(coerce(&flag, &json!("yes")).is_err());
        let number = crate::spec::integer_between("number", 7200, 31_536_000);
        assert_eq!(coerce(&number, &json!("7200")).unwrap(), json!(7200));
        assert_eq!(coerce(&number, &json!("7200.5")).unwrap_err().title, "must be an integer");
        assert_eq!(coerce(&number, &json!("many")).unwrap_err().title, "is not a number");
        assert_eq!(coerce(&number, &json!(1)).unwrap_err().title, "must be greater than or equal to 7200");
        let object = crate::spec::object("object");
        assert_eq!(coerce(&object, &json!("{\"a\":1}")).unwrap(), json!({"a": 1}));
        assert!(coerce(&object, &json!("[1]")).is_err());
    }
}
