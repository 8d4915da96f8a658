//! What SQL texts call that SQLite does not have, or not as they mean it.

use super::words::words;
use crate::Result;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use serde_json::Value as Json;

/// Adds them to a connection.
pub(super) fn add(connection: &Connection) -> Result<()> {
    // SQLite's own `lower` knows ASCII only.
    connection
        .create_scalar_function(
            "folded",
            1,
            FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8,
            |context| Ok(context.get_raw(0).as_str_or_null()?.map(str::to_lowercase)),
        )
        .map_err(words)?;
    connection
        .create_scalar_function(
            "json_contains",
            2,
            FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8,
            |context| {
                let whole = context.get_raw(0).as_str_or_null()?;
                let part = context.get_raw(1).as_str_or_null()?;
                Ok(whole.zip(part).map(|(whole, part)| contains_text(whole, part)))
            },
        )
        .map_err(words)
}

/// Whether one JSON text contains another, as the other engine's `@>` has it.
fn contains_text(whole: &str, part: &str) -> bool {
    match (serde_json::from_str(whole), serde_json::from_str(part)) {
        (Ok(whole), Ok(part)) => contains(&whole, &part),
        _ => false,
    }
}

fn contains(whole: &Json, part: &Json) -> bool {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part)))
        }
        (Json::Array(whole), Json::Array(part)) => {
            part.iter().all(|part| whole.iter().any(|whole| contains(whole, part)))
        }
        (Json::Number(whole), Json::Number(part)) => whole.as_f64() == part.as_f64(),
        _ => whole == part,
    }
}
