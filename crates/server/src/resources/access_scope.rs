//! `access_scope` and `test_enabled`: two attributes that say one thing (contract 7.4.4).

use guildhall_jsonapi::{Input, Problem, Result};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

/// The environments a member may open.
pub(super) const SCOPES: &[&str] = &["live_access", "test_access", "all_access"];
/// `test_enabled` as SQL.
pub(super) const TEST_ENABLED: &str = "coalesce({t}.access_scope in ('test_access', 'all_access'), false)";

#[derive(Deserialize)]
struct Sent {
    #[serde(default, deserialize_with = "present")]
    access_scope: Option<Option<String>>,
    test_enabled: Option<bool>,
}

fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Deserialize::deserialize(value).map(Some)
}

/// The column as whichever of the two was sent has it; nothing when `access_scope` speaks for itself. `stored` is
/// what the record has, if there is one. A contradiction is told with everything else.
pub(super) fn settle(input: &mut Input, stored: Option<&str>) -> Result<Map<String, Json>> {
    let sent: Sent = input.parse()?;
    let Some(enabled) = sent.test_enabled else {
        return Ok(Map::new());
    };
    let opens_test = |scope: Option<&str>| matches!(scope, Some("test_access" | "all_access"));
    if let Some(scope) = &sent.access_scope {
        if opens_test(scope.as_deref()) != enabled {
            input.collect(Err(Problem::invalid("test_enabled", enabled).into()))?;
        }
        return Ok(Map::new());
    }
    let scope = match (enabled, stored) {
        (true, Some(scope)) if opens_test(Some(scope)) => scope,
        (true, _) => "all_access",
        (false, _) => "live_access",
    };
    Ok(Map::from_iter([("access_scope".to_owned(), json!(scope))]))
}
