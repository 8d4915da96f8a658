//! What a token is for: the scopes of contract 4.4, checked for their form (C-46).

use serde_json::{Value as Json, json};

/// What a Core token is for when nobody says.
pub(super) const EVERYTHING: &str = "market:all";

/// The longest scope, in bytes: it becomes part of every token.
const LONGEST: usize = 1000;

/// Whether these are scopes of the commerce API, separated by blanks or commas.
pub(super) fn is_commerce(scope: &str) -> bool {
    if scope.len() > LONGEST {
        return false;
    }
    let mut scopes = scope.split([' ', ',']).filter(|scope| !scope.is_empty()).peekable();
    let is_known = |scope: &str| {
        let mut parts = scope.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("market"), Some("all"), None) => true,
            (Some("market" | "store" | "stock_location"), Some("id" | "code"), Some(name)) => is_name(name),
            _ => false,
        }
    };
    // A stock location means something only within a market.
    let has_location = scope.contains("stock_location:");
    let has_market = scope.split([' ', ',']).any(|scope| scope.starts_with("market:"));
    scopes.peek().is_some() && scopes.all(is_known) && (has_market || !has_location)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The `market` claim: only a market that is named by its id is known here.
pub(super) fn market(scope: &str) -> Option<Json> {
    let ids: Vec<&str> =
        scope.split([' ', ',']).filter_map(|scope| scope.strip_prefix("market:id:")).collect();
    let claim =
        json!({ "id": ids, "stock_location_ids": [], "geocoder_id": null, "allows_external_prices": false });
    (!ids.is_empty()).then_some(claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_have_a_form() {
        for good in [
            "market:all",
            "market:id:xYZkjABcde",
            "market:code:europe",
            "store:id:a",
            "store:code:b",
            "market:code:europe stock_location:code:milan",
            "market:id:a,market:id:b",
        ] {
            assert!(is_commerce(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "market",
            "market:1234",
            "market:id:",
            "market:id:a b:c",
            "stock_location:id:a",
            "everything",
            "provisioning-api",
            "market:id:<script>",
        ] {
            assert!(!is_commerce(bad), "{bad}");
        }
    }

    #[test]
    fn a_market_named_by_id_is_a_claim() {
        assert_eq!(market("market:code:europe"), None);
        assert_eq!(market("market:id:abc").unwrap()["id"], json!(["abc"]));
    }
}
