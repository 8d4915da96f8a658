//! Where a browser is sent back to: exactly where the application said, and nowhere that others listen.

use url::{Host, Url};

/// Whether an application that registered one place may ask for another. They are the same, letter by letter;
/// only an application on somebody's own machine may say another port each time (RFC 8252, 7.3).
pub fn matches(registered: &str, asked: &str, is_public: bool) -> bool {
    if registered == asked {
        return true;
    }
    let (Some((before, after)), Some((asked_before, asked_after))) =
        (around_port(registered), around_port(asked))
    else {
        return false;
    };
    is_public && before == asked_before && after == asked_after
}

/// What is before and after the port of an address of one's own machine.
fn around_port(uri: &str) -> Option<(&str, &str)> {
    let hosts = ["http://127.0.0.1", "http://[::1]"];
    let before = hosts.into_iter().find(|host| uri.starts_with(host))?;
    let rest = &uri[before.len()..];
    let after = match rest.strip_prefix(':') {
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            // A port is a number, and nothing that leads elsewhere follows it.
            rest[..digits].parse::<u16>().ok()?;
            &rest[digits..]
        }
        None => rest,
    };
    (after.is_empty() || after.starts_with(['/', '?'])).then_some((before, after))
}

/// Whether a place is fit to receive a code: over TLS or on one's own machine, without a fragment or a user.
pub fn is_safe(uri: &str) -> bool {
    // A parser forgives blanks, control characters and backslashes; browsers do not all do so alike.
    if !uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return false;
    }
    let Ok(url) = Url::parse(uri) else { return false };
    let is_plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    // The host is named in a content security policy, where other letters have a meaning of their own.
    let has_plain_name = url.host_str().is_some_and(|host| {
        host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
    });
    is_plain
        && has_plain_name
        && (url.scheme() == "https" && url.has_host() || url.scheme() == "http" && is_loopback(&url))
}

/// What we add to a place: one that has any of these of its own could say what we did not.
const OURS: [&str; 7] = ["code", "state", "iss", "error", "error_description", "error_uri", "scope"];

/// Whether an application may register a place: a safe one, in whose query nothing looks like our answer.
pub fn is_fit(uri: &str) -> bool {
    let is_ours = |name: &str| OURS.contains(&name);
    is_safe(uri) && Url::parse(uri).is_ok_and(|url| !url.query_pairs().any(|(name, _)| is_ours(&name)))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The place with parameters added to its query.
pub fn with(uri: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        query.append_pair(name, value);
    }
    let separator = match uri.find('?') {
        None => "?",
        Some(_) if uri.ends_with(['?', '&']) => "",
        Some(_) => "&",
    };
    format!("{uri}{separator}{}", query.finish())
}

/// The origin of a place, as a content security policy names it.
pub fn origin(uri: &str) -> Option<String> {
    Url::parse(uri).ok().map(|url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_same_place_will_do() {
        let registered = "https://app.example.com/callback?tenant=1";
        assert!(matches(registered, registered, false));
        for other in [
            "https://app.example.com/callback",
            "https://app.example.com/callback?tenant=1&x=2",
            "https://app.example.com/callback/?tenant=1",
            "https://app.example.com/callback/../evil?tenant=1",
            "https://app.example.com:443/callback?tenant=1",
            "https://APP.example.com/callback?tenant=1",
            "http://app.example.com/callback?tenant=1",
            "https://app.example.com.evil.example/callback?tenant=1",
            "https://app.example.com@evil.example/callback?tenant=1",
            "https://evil.example/?https://app.example.com/callback?tenant=1",
            "https://app.example.com/callback?tenant=1#x",
            "https://app.example.com/callback?tenant=1\n",
            "",
        ] {
            assert!(!matches(registered, other, false) && !matches(registered, other, true), "{other:?}");
        }
    }

    #[test]
    fn a_port_is_free_on_the_own_machine_of_a_public_application() {
        let registered = "http://127.0.0.1/callback";
        for good in ["http://127.0.0.1:8123/callback", "http://127.0.0.1/callback"] {
            assert!(matches(registered, good, true), "{good}");
        }
        assert!(!matches(registered, "http://127.0.0.1:8123/callback", false));
        assert!(matches("http://[::1]:1/x?y", "http://[::1]:65535/x?y", true));
        for bad in [
            "http://127.0.0.1:8123/other",
            "http://127.0.0.1:99999/callback",
            "http://127.0.0.1:/callback",
            "http://127.0.0.1:80@evil.example/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://127.0.0.1:1.evil.example/callback",
            "http://localhost:8123/callback",
            "https://127.0.0.1:8123/callback",
        ] {
            assert!(!matches(registered, bad, true), "{bad}");
        }
    }

    #[test]
    fn codes_travel_over_tls_or_stay_on_the_machine() {
        for good in [
            "https://app.example.com/cb?x=1",
            "http://localhost:3000/cb",
            "http://127.0.0.1/",
            "http://[::1]:9/",
        ] {
            assert!(is_safe(good), "{good}");
        }
        for bad in [
            "http://app.example.com/cb",
            "javascript:alert(1)",
            "https://a@app.example.com/",
            "https://app.example.com/#x",
            "data:text/html,x",
            "//app.example.com",
            "",
            "\0http://localhost",
            " https://app.example.com/",
            "https:\\\\app.example.com",
            "https://app.example.com/\n",
            "https://äpp.example.com/",
            "https://x;sandbox/cb",
            "https://x'none'/cb",
            "https://a,b.example.com/cb",
        ] {
            assert!(!is_safe(bad), "{bad}");
        }
        assert!(is_fit("https://app.example.com/cb?tenant=1&mode=code"));
        for bad in
            ["https://app.example.com/cb?code=1", "https://a.test/?x&iss=y", "https://a.test/?%63ode=1"]
        {
            assert!(is_safe(bad) && !is_fit(bad), "{bad}");
        }
    }

    #[test]
    fn parameters_are_added_to_what_is_there() {
        assert_eq!(
            with("https://a.test/cb", &[("code", "x"), ("state", "a b&c")]),
            "https://a.test/cb?code=x&state=a+b%26c"
        );
        assert_eq!(with("https://a.test/cb?t=1", &[("code", "x")]), "https://a.test/cb?t=1&code=x");
        assert_eq!(with("https://a.test/cb?", &[("code", "x")]), "https://a.test/cb?code=x");
        assert_eq!(origin("https://a.test:8443/cb?t=1").as_deref(), Some("https://a.test:8443"));
    }
}
