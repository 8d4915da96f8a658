//! Addresses of one network, or one address: whose word is taken, where nobody knows the address beforehand.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network, as `10.0.0.0/8`, or one address, as `10.0.0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(said: &str) -> Result<Self, Self::Err> {
        let one = said.parse().map(|address: IpAddr| IpNet::from(address.to_canonical()));
        // Whoever asks is known by the plainest form of their address.
        let is_plain = |network: &IpNet| network.addr() == network.addr().to_canonical();
        let network = one.ok().or_else(|| said.parse().ok()).filter(is_plain);
        network.map(Self).ok_or("an address or a network is needed, such as 10.0.0.1 or 10.0.0.0/8")
    }
}

impl TryFrom<String> for Network {
    type Error = &'static str;

    fn try_from(said: String) -> Result<Self, Self::Error> {
        said.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(network) = self;
        if network.prefix_len() == network.max_prefix_len() {
            return network.addr().fmt(f);
        }
        network.fmt(f)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        for (network, address, is_in) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("10.244.0.0/16", "10.244.7.9", true),
            ("10.244.3.1/16", "10.244.7.9", true),
            ("10.244.0.0/16", "10.245.0.1", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "10.0.0.1", false),
            ("0.0.0.0/0", "::1", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.contains(address.parse().unwrap()), is_in, "{network} {address}");
        }
    }

    #[test]
    fn it_is_told_as_it_was_said() {
        for said in ["10.0.0.1", "10.244.0.0/16", "fd00::/8", "::1"] {
            assert_eq!(said.parse::<Network>().map(String::from), Ok(said.to_owned()));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for said in
            ["", "10.0.0", "10.0.0.0/33", "localhost", "10.0.0.0/8/8", "10.0.0.1:80", "::ffff:10.0.0.0/104"]
        {
            assert!(said.parse::<Network>().is_err(), "{said}");
        }
    }
}
