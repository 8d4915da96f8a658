//! What can be taken out of use and back: two triggers that set and clear `disabled_at`.

use guildhall_jsonapi::{Error, Input, Problem, Result};
use serde_json::{Map, Value as Json, json};

/// It cannot go out of use and come back at once.
pub(super) fn check(input: &Input) -> Result<()> {
    if !input.fires("_disable") || !input.fires("_enable") {
        return Ok(());
    }
    let contrary = |name| Problem::attribute(name, "invalid", "is invalid").value(true);
    Err(Error::Refused(vec![contrary("_disable"), contrary("_enable")]))
}

/// Sets or clears `disabled_at` as was sent.
pub(super) fn fire(input: &Input, columns: &mut Map<String, Json>, now: i64) {
    match (input.fires("_disable"), input.fires("_enable")) {
        (true, _) => drop(columns.insert("disabled_at".to_owned(), json!(now))),
        (false, true) => drop(columns.insert("disabled_at".to_owned(), Json::Null)),
        (false, false) => {}
    }
}
