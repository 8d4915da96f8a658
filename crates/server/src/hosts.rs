//! Which host a request is for, and who sent it: from the connection, or from a proxy that is trusted.

use crate::config::Config;
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
        if !config.trusted_proxies.contains(&peer) {
            return Self { address: peer, host: host(&config.domain, own) };
        }
        let chain: Vec<(Option<IpAddr>, Option<&str>)> = match text("forwarded") {
            Some(forwarded) => forwarded.split(',').map(element).collect(),
            None => {
                let host =
                    text("x-forwarded-host").and_then(|hosts| hosts.split(',').next_back()).map(str::trim);
                let addresses = text("x-forwarded-for").unwrap_or_default();
                addresses.split(',').map(|hop| (address(hop.trim()), host)).collect()
            }
        };
        // From the right: what a trusted proxy adds is true, what came before it may be anybody's invention.
        let mut sender = peer;
        for (hop, _) in chain.iter().rev() {
            let Some(hop) = hop else { break };
            sender = *hop;
            if !config.trusted_proxies.contains(hop) {
                break;
            }
        }
        let named = chain.last().and_then(|(_, host)| *host).unwrap_or(own);
        Self { address: sender, host: host(&config.domain, named) }
    }
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
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap())
        });
        Origin::read(&config(trusted), "10.0.0.9".parse().unwrap(), None, &headers.collect())
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
    fn a_trusted_proxy_is_believed_for_what_it_added() {
        let forwarded =
            [("x-forwarded-for", "203.0.113.7, 192.0.2.1"), ("x-forwarded-host", "auth.example.test")];
        let origin = read(&["10.0.0.9"], &forwarded);
        assert_eq!((origin.address.to_string(), origin.host), ("192.0.2.1".to_owned(), Host::Auth));
        let origin =
            read(&["10.0.0.9"], &[("forwarded", "for=\"[2001:db8::1]:4711\";host=auth.example.test")]);
        assert_eq!((origin.address.to_string(), origin.host), ("2001:db8::1".to_owned(), Host::Auth));
        let chain = [("x-forwarded-for", "203.0.113.7, 192.0.2.1, 10.0.0.8")];
        assert_eq!(read(&["10.0.0.9", "10.0.0.8"], &chain).address.to_string(), "192.0.2.1");
    }
}
