//! Which host a request is for, and who sent it: from the connection, or from a proxy that is trusted.

use crate::config::{Config, ForwardedBy};
use crate::crypto::equal;
use http::HeaderMap;
use std::net::IpAddr;

/// A host of the installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// `auth.<domain>`: tokens.
    Auth,
    /// `provisioning.<domain>`: the API.
    Provisioning,
    /// `dashboard.<domain>`: pages.
    Dashboard,
    /// `<slug>.<domain>`: an organization's own.
    Organization(String),
    /// Any other name, such as an address: everything answers by its path.
    Any,
}

/// Where a request comes from and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Who sent it.
    pub address: IpAddr,
    /// Which host it is for.
    pub host: Host,
}

impl Origin {
    /// Reads the headers of a request that came from `peer`. `authority` is what HTTP/2 has for a host.
    pub fn read(config: &Config, peer: IpAddr, authority: Option<&str>, headers: &HeaderMap) -> Self {
        let peer = peer.to_canonical();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let own = authority.or_else(|| text("host")).unwrap_or_default();
        let vouched = config.backend_auth.as_deref().zip(text("x-backend-auth"));
        if let (Some((secret, shown)), Some(sender)) = (vouched, text("x-true-client-ip").and_then(address))
            && equal(secret, shown)
        {
            return Self { address: sender, host: host(&config.domain, own) };
        }
        let is_trusted = |address| config.trusted_proxies.iter().any(|network| network.contains(address));
        if !is_trusted(peer) {
            return Self { address: peer, host: host(&config.domain, own) };
        }
        let (hops, named) = match config.forwarded_by {
            ForwardedBy::Forwarded => {
                let list = list(headers, "forwarded");
                let elements: Vec<_> = list.split(',').map(element).collect();
                let named = elements.last().and_then(|(_, host)| host.map(str::to_owned));
                (elements.into_iter().map(|(hop, _)| hop).collect::<Vec<_>>(), named)
            }
            ForwardedBy::XForwarded => {
                let hosts = list(headers, "x-forwarded-host");
                let named = hosts.rsplit(',').next().map(str::trim).filter(|host| !host.is_empty());
                let hops = list(headers, "x-forwarded-for");
                (hops.split(',').map(|hop| address(hop.trim())).collect(), named.map(str::to_owned))
            }
        };
        // From the right: what a trusted proxy adds is true, what came before it may be anybody's invention.
        let mut sender = peer;
        for hop in hops.into_iter().rev().map_while(|hop| hop) {
            sender = hop;
            if !is_trusted(hop) {
                break;
            }
        }
        Self { address: sender, host: host(&config.domain, named.as_deref().unwrap_or(own)) }
    }
}

/// A header as one list: a proxy may add to the line it got or write one of its own.
fn list(headers: &HeaderMap, name: &str) -> String {
    let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|line| line.to_str().ok()).collect();
    lines.join(",")
}

/// One element of `Forwarded`: who it is for and which host was asked.
fn element(text: &str) -> (Option<IpAddr>, Option<&str>) {
    let mut found = (None, None);
    for pair in text.split(';') {
        let Some((name, value)) = pair.trim().split_once('=') else { continue };
        let value = value.trim_matches('"');
        match name.to_ascii_lowercase().as_str() {
            "for" => found.0 = address(value),
            "host" => found.1 = Some(value),
            _ => {}
        }
    }
    found
}

/// An address with or without a port, brackets or zone.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inner, _)| inner);
    bare.unwrap_or(text)
        .parse()
        .ok()
        .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

fn host(domain: &str, name: &str) -> Host {
    let (domain, name) = (without_port(domain), without_port(name));
    let prefix = name.len().checked_sub(domain.len()).and_then(|end| {
        let is_below = name.get(end..).is_some_and(|suffix| suffix.eq_ignore_ascii_case(domain));
        name.get(..end).filter(|_| is_below)?.strip_suffix('.')
    });
    let is = |label: &str| prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(label));
    match prefix {
        _ if is("auth") => Host::Auth,
        _ if is("provisioning") => Host::Provisioning,
        _ if is("dashboard") => Host::Dashboard,
        Some(slug) if !slug.is_empty() && !slug.contains('.') => {
            Host::Organization(slug.to_ascii_lowercase())
        }
        _ => Host::Any,
    }
}

fn without_port(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(trusted: &[&str]) -> Config {
        let mut config = Config::try_out(std::path::Path::new("unused")).unwrap();
        config.domain = "example.test:8443".to_owned();
        config.trusted_proxies = trusted.iter().map(|address| address.parse().unwrap()).collect();
        config
    }

    fn read(trusted: &[&str], headers: &[(&'static str, &str)]) -> Origin {
        read_with(&config(trusted), headers)
    }

    fn read_with(config: &Config, headers: &[(&'static str, &str)]) -> Origin {
        let mut sent = HeaderMap::new();
        for (name, value) in headers {
            sent.append(*name, value.parse().unwrap());
        }
        Origin::read(config, "10.0.0.9".parse().unwrap(), None, &sent)
    }

    #[test]
    fn hosts_are_told_apart_by_name() {
        for (name, host) in [
            ("auth.example.test:8443", Host::Auth),
            ("Provisioning.Example.Test", Host::Provisioning),
            ("dashboard.example.test", Host::Dashboard),
            ("the-blue-brand.example.test:8443", Host::Organization("the-blue-brand".to_owned())),
            ("a.b.example.test", Host::Any),
            ("example.test", Host::Any),
            ("127.0.0.1:8080", Host::Any),
            ("auth.example.test.evil.test", Host::Any),
            ("", Host::Any),
        ] {
            assert_eq!(read(&[], &[("host", name)]).host, host, "{name}");
        }
    }

    #[test]
    fn strangers_cannot_forward() {
        let forged = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-host", "auth.example.test")];
        let origin = read(&[], &forged);
        assert_eq!((origin.address.to_string(), origin.host), ("10.0.0.9".to_owned(), Host::Any));
    }

    #[test]
    fn a_proxy_of_a_trusted_network_is_believed_like_one_with_an_address() {
        let forwarded = [("x-forwarded-for", "192.0.2.1, 10.0.0.7")];
        for (trusted, sender) in
            [("10.0.0.0/24", "192.0.2.1"), ("10.0.0.9", "10.0.0.7"), ("10.1.0.0/16", "10.0.0.9")]
        {
            assert_eq!(read(&[trusted], &forwarded).address.to_string(), sender, "{trusted}");
        }
    }

    #[test]
    fn a_trusted_proxy_is_believed_for_what_it_added() {
        let forwarded =
            [("x-forwarded-for", "203.0.113.7, 192.0.2.1"), ("x-forwarded-host", "auth.example.test")];
        let origin = read(&["10.0.0.9"], &forwarded);
        assert_eq!((origin.address.to_string(), origin.host), ("192.0.2.1".to_owned(), Host::Auth));
        let mut standard = config(&["10.0.0.9"]);
        standard.forwarded_by = ForwardedBy::Forwarded;
        let origin =
            read_with(&standard, &[("forwarded", "for=\"[2001:db8::1]:4711\";host=auth.example.test")]);
        assert_eq!((origin.address.to_string(), origin.host), ("2001:db8::1".to_owned(), Host::Auth));
        let chain = [("x-forwarded-for", "203.0.113.7, 192.0.2.1, 10.0.0.8")];
        assert_eq!(read(&["10.0.0.9", "10.0.0.8"], &chain).address.to_string(), "192.0.2.1");
    }

    #[test]
    fn headers_the_proxy_does_not_set_are_the_clients_invention() {
        let both =
            [("forwarded", "for=203.0.113.9;host=auth.example.test"), ("x-forwarded-for", "192.0.2.1")];
        let origin = read(&["10.0.0.9"], &both);
        assert_eq!((origin.address.to_string(), origin.host), ("192.0.2.1".to_owned(), Host::Any));
        let mut standard = config(&["10.0.0.9"]);
        standard.forwarded_by = ForwardedBy::Forwarded;
        assert_eq!(read_with(&standard, &both).address.to_string(), "203.0.113.9");
        let lines = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "192.0.2.1")];
        assert_eq!(read(&["10.0.0.9"], &lines).address.to_string(), "192.0.2.1");
    }

    #[test]
    fn a_backend_vouches_for_its_caller_with_a_secret() {
        let mut config = config(&[]);
        let ask = |config: &Config, secret| {
            let headers = [("x-backend-auth", secret), ("x-true-client-ip", "192.0.2.1")];
            read_with(config, &headers).address.to_string()
        };
        assert_eq!(ask(&config, "secret"), "10.0.0.9");
        config.backend_auth = Some("secret".to_owned());
        assert_eq!([ask(&config, "secret"), ask(&config, "guess")], ["192.0.2.1", "10.0.0.9"]);
    }
}
