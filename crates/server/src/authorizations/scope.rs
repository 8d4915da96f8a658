//! What a token is for: the scopes of contract 4.4, checked for their form (C-46), and those of `OpenID` Connect.

use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// What a token of the commerce API is for when nobody says.
pub const EVERYTHING: &str = "market:all";
/// What a token of the dashboard's own application is for.
pub const DASHBOARD: &str = "provisioning-api metrics-api";
/// What an application may learn of the person who lets it act.
const PERSONAL: [&str; 3] = ["openid", "profile", "email"];

/// What clients of `OpenID` Connect ask for as well, and nobody has here: it is left out.
const UNKNOWN: [&str; 3] = ["offline_access", "address", "phone"];

/// The longest scope, in bytes: it becomes part of every token.
const LONGEST: usize = 1000;

/// The scopes in a text, separated by blanks or commas.
pub fn parts(scope: &str) -> impl Iterator<Item = &str> {
    scope.split([' ', ',']).filter(|scope| !scope.is_empty())
}

/// What is left of a scope that asks who somebody is, without what the standard lets clients ask for and is not
/// known here.
pub fn known(asked: &str) -> String {
    if !has(asked, "openid") || !UNKNOWN.iter().any(|unknown| has(asked, unknown)) {
        return asked.to_owned();
    }
    parts(asked).filter(|scope| !UNKNOWN.contains(scope)).collect::<Vec<_>>().join(" ")
}

/// Whether a scope is among those of a text.
pub fn has(scope: &str, wanted: &str) -> bool {
    parts(scope).any(|scope| scope == wanted)
}

/// Whether two texts mean the same scopes.
pub fn same(one: &str, other: &str) -> bool {
    parts(one).collect::<BTreeSet<_>>() == parts(other).collect::<BTreeSet<_>>()
}

/// Whether everything in `asked` is in `granted`.
pub fn covers(granted: &str, asked: &str) -> bool {
    let granted: BTreeSet<&str> = parts(granted).collect();
    parts(asked).all(|scope| granted.contains(scope))
}

/// Both scopes together, each part once.
pub fn union(one: &str, other: &str) -> String {
    let all: BTreeSet<&str> = parts(one).chain(parts(other)).collect();
    all.into_iter().collect::<Vec<_>>().join(" ")
}

/// Whether these are scopes of the commerce API.
pub fn is_commerce(scope: &str) -> bool {
    let mut scopes = parts(scope).peekable();
    // A stock location means something only within a market.
    let has_location = parts(scope).any(|scope| scope.starts_with("stock_location:"));
    let has_market = parts(scope).any(|scope| scope.starts_with("market:"));
    scope.len() <= LONGEST && scopes.peek().is_some() && scopes.all(is_known) && (has_market || !has_location)
}

fn is_known(scope: &str) -> bool {
    let mut parts = scope.splitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("market"), Some("all"), None) => true,
        (Some("market" | "store" | "stock_location"), Some("id" | "code"), Some(name)) => is_name(name),
        _ => false,
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Whether a webapp may be given these: scopes of the commerce API, personal ones, or both.
pub fn is_for_webapps(scope: &str) -> bool {
    let commerce: Vec<&str> = parts(scope).filter(|scope| !is_personal(scope)).collect();
    let personal = parts(scope).any(is_personal);
    scope.len() <= LONGEST && (if commerce.is_empty() { personal } else { is_commerce(&commerce.join(" ")) })
}

/// Whether the dashboard's own application may be given these.
pub fn is_for_dashboard(scope: &str) -> bool {
    scope.len() <= LONGEST
        && parts(scope).all(|scope| has(DASHBOARD, scope) || is_personal(scope))
        && parts(scope).next().is_some()
}

fn is_personal(scope: &str) -> bool {
    PERSONAL.contains(&scope)
}

/// Whether a token with these opens the commerce API: one that only says who somebody is does not.
pub fn opens_commerce(scope: &str) -> bool {
    parts(scope).any(is_known)
}

/// The `market` claim: only a market that is named by its id is known here.
pub fn market(scope: &str) -> Option<Json> {
    let ids: Vec<&str> = parts(scope).filter_map(|scope| scope.strip_prefix("market:id:")).collect();
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
            "openid",
            "market:id:<script>",
        ] {
            assert!(!is_commerce(bad), "{bad}");
        }
    }

    #[test]
    fn a_scope_fits_into_a_token() {
        for scope in ["market:id:a ", "openid ", "provisioning-api "] {
            let long = scope.repeat(LONGEST / scope.len() + 1);
            assert!(!is_commerce(&long) && !is_for_webapps(&long) && !is_for_dashboard(&long), "{scope}");
        }
    }

    #[test]
    fn a_webapp_may_learn_who_somebody_is() {
        for good in ["openid", "openid profile email", "market:all openid", "market:id:a"] {
            assert!(is_for_webapps(good), "{good}");
        }
        for bad in ["", "provisioning-api", "openid everything", "openid stock_location:id:a", "address"] {
            assert!(!is_for_webapps(bad), "{bad}");
        }
        assert!(opens_commerce("openid market:all") && !opens_commerce("openid profile email"));
    }

    #[test]
    fn what_the_standard_knows_and_nobody_has_is_left_out() {
        assert_eq!(known("openid offline_access market:all,phone"), "openid market:all");
        for same in ["openid profile", "offline_access", "market:id:a,market:id:b openid"] {
            assert_eq!(known(same), same);
        }
    }

    #[test]
    fn the_order_of_scopes_means_nothing() {
        assert!(same("a b", "b,a") && !same("a", "a b") && same("", " "));
        assert!(covers("a b c", "c a") && !covers("a", "a b") && covers("a", ""));
        assert_eq!(union("b a", "c,a"), "a b c");
    }

    #[test]
    fn a_market_named_by_id_is_a_claim() {
        assert_eq!(market("market:code:europe"), None);
        assert_eq!(market("market:id:abc").unwrap()["id"], json!(["abc"]));
    }
}
