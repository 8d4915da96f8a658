//! What is fuzzed: the places where texts of strangers are taken apart, and what must hold of each.

use crate::authorizations::{assertion, redirects, scope};
use crate::bearer::Claims;
use crate::http::Asked;
use crate::keys::{Keyring, Use};
use crate::oauth;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use serde_json::{Value as Json, json};
use std::sync::LazyLock;

/// A keyring, and the payload of a token that it has signed.
static SIGNED: LazyLock<(Keyring, String)> = LazyLock::new(|| {
    let keyring = Keyring::in_memory().expect("a key is made");
    let token = keyring.sign(Use::Access, &json!({}), 0).expect("it signs");
    (keyring, token)
});

/// The public key of an example in RFC 7517.
static JWKS: LazyLock<Json> = LazyLock::new(|| {
    json!({ "keys": [{
        "kty": "EC", "crv": "P-256", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM", "kid": "1",
    }] })
});

/// Nothing that we did not sign is one of our tokens.
pub fn jwt(token: &str) {
    let (keyring, signed) = &*SIGNED;
    let (header, rest) = signed.split_once('.').expect("a token has parts");
    let signature = rest.split_once('.').expect("a token has parts").1;
    let payload = URL_SAFE_NO_PAD.encode(token);
    let mut all = vec![token.to_owned(), format!("{header}.{token}")];
    // Checking a whole signature takes as long as everything else a hundred times.
    if token.len() % 64 == 0 {
        all.push(format!("{header}.{payload}.{signature}"));
    }
    for shown in all {
        for of in Use::ALL {
            assert!(keyring.verify::<Claims>(of, &shown, 0).is_none());
        }
    }
    let audiences = ["https://auth.example.com".to_owned()];
    assert!(assertion::check(token, &JWKS, "client", &audiences, 0).is_none());
    drop(assertion::subject(token));
}

/// What is taken for an assertion says something, and fits into a token.
pub fn assertion(payload: &[u8]) {
    let whole = format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(payload));
    for shown in [whole.as_str(), &String::from_utf8_lossy(payload)] {
        if let Some((user, custom_claim)) = oauth::read_assertion(shown, 0) {
            assert!(user.is_some() || custom_claim.is_some());
            assert!(custom_claim.is_none_or(|claim| serde_json::from_str::<Json>(&claim).is_ok()));
        }
    }
}

/// A place is the one that was registered, or differs in the port of one's own machine.
pub fn redirect(registered: &str, asked: &str) {
    if redirects::matches(registered, asked, false) {
        assert_eq!(registered, asked);
    }
    if redirects::matches(registered, asked, true) && registered != asked {
        assert!(asked.starts_with("http://127.0.0.1") || asked.starts_with("http://[::1]"));
    }
    if redirects::is_safe(asked) {
        let sent = redirects::with(asked, &[("state", registered)]);
        assert!(sent.starts_with(asked) && redirects::origin(&sent) == redirects::origin(asked));
        assert!(http::HeaderValue::from_str(&sent).is_ok() || http::HeaderValue::from_str(asked).is_err());
    }
}

/// A scope is known or it is not, and what covers it has all of it.
pub fn scope(granted: &str, asked: &str) {
    assert_eq!(scope::same(granted, asked), scope::same(asked, granted));
    if scope::is_commerce(asked) {
        assert!(scope::opens_commerce(asked) && scope::is_for_webapps(asked));
        assert!(asked.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '));
    }
    if scope::is_for_dashboard(asked) {
        assert!(!scope::opens_commerce(asked));
    }
    let both = scope::union(granted, asked);
    assert!(scope::covers(&both, granted) && scope::covers(&both, asked));
    drop(scope::market(asked));
}

/// A body and a header are read or refused.
pub fn form(kind: u8, authorization: &str, body: &[u8]) {
    let kinds =
        ["application/json", "application/x-www-form-urlencoded", "application/vnd.api+json", "text/plain"];
    let mut headers = HeaderMap::new();
    if let Ok(value) = kinds[usize::from(kind % 4)].parse() {
        headers.insert("content-type", value);
    }
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(authorization));
    if let Ok(value) = if kind < 128 { authorization.parse() } else { basic.parse() } {
        headers.insert("authorization", value);
    }
    let asked = Asked {
        id: String::new(),
        method: Method::POST,
        uri: Uri::from_static("/oauth/token"),
        headers,
        body: Bytes::copy_from_slice(body),
    };
    oauth::read_parameters(&asked);
}
