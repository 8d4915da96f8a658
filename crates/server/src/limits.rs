//! How often an address may ask: sliding windows, counted in memory (contract 1.4).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// How many windows are kept before old ones are swept out.
const MOST_WINDOWS: usize = 100_000;

/// A kind of request, as far as limits go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A read of the Provisioning API.
    Read,
    /// A write of the Provisioning API.
    Write,
    /// A request for a token.
    Token,
}

impl Class {
    /// How many a minute over all endpoints.
    fn a_minute(self) -> u32 {
        match self {
            Self::Read => 1000,
            Self::Write => 200,
            Self::Token => 30,
        }
    }

    /// How many in ten seconds on one endpoint.
    fn burst(self) -> Option<u32> {
        match self {
            Self::Read => Some(250),
            Self::Write => Some(50),
            Self::Token => None,
        }
    }
}

/// What an answer says about the average limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many a minute are allowed.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// When refused: after how many seconds to try again.
    pub retry_after: Option<u64>,
}

const MINUTE: i64 = 60_000;
const TEN_SECONDS: i64 = 10_000;

/// Who asked how often.
#[derive(Debug, Default)]
pub struct Limiter(Mutex<HashMap<(IpAddr, Class, String), Window>>);

/// Requests in the window at hand and in the one before it.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: i64,
    before: u32,
    now: u32,
}

impl Limiter {
    /// Nobody asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a request and says whether it may pass.
    pub fn ask(&self, address: IpAddr, class: Class, endpoint: &str, now: i64) -> Verdict {
        let address = network(address);
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_WINDOWS {
            windows.retain(|_, window| now - window.start < 2 * MINUTE);
        }
        let mut count = |endpoint: &str, limit: u32, length: i64| {
            let window = windows.entry((address, class, endpoint.to_owned())).or_insert(Window {
                start: now,
                before: 0,
                now: 0,
            });
            window.count(now, limit, length)
        };
        let burst = class.burst().map_or(Ok(0), |limit| count(endpoint, limit, TEN_SECONDS));
        let average = count("", class.a_minute(), MINUTE);
        let limit = class.a_minute();
        let wait = |millis: i64| u64::try_from(millis).unwrap_or(0).div_ceil(1000).max(1);
        match (burst, average) {
            (Ok(_), Ok(used)) => Verdict { limit, remaining: limit - used.min(limit), retry_after: None },
            (Err(millis), Ok(used)) => {
                Verdict { limit, remaining: limit - used.min(limit), retry_after: Some(wait(millis)) }
            }
            (_, Err(millis)) => Verdict { limit, remaining: 0, retry_after: Some(wait(millis)) },
        }
    }
}

impl Window {
    /// Counts one more; answers how many there are, or how long to wait when there are too many. A refused
    /// request is not counted, so that waiting as told is enough.
    fn count(&mut self, now: i64, limit: u32, length: i64) -> Result<u32, i64> {
        let passed = now - self.start;
        if passed >= 2 * length {
            *self = Self { start: now, before: 0, now: 0 };
        } else if passed >= length {
            *self = Self { start: self.start + length, before: self.now, now: 0 };
        }
        let passed = (now - self.start).max(0);
        // The part of the earlier window that still lies within one window's length from now.
        let earlier = i64::from(self.before) * (length - passed).max(0) / length;
        let used = u32::try_from(earlier).unwrap_or(0) + self.now;
        if used >= limit {
            return Err((length - passed).max(1));
        }
        self.now += 1;
        Ok(used + 1)
    }
}

/// Whoever has an IPv6 network has all its addresses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(bits.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn the_window_slides() {
        let limiter = Limiter::new();
        let ask = |now| limiter.ask(HERE, Class::Token, "token", now);
        for used in 1..=30 {
            let verdict = ask(1000);
            assert_eq!(verdict, Verdict { limit: 30, remaining: 30 - used, retry_after: None });
        }
        assert_eq!(ask(1000), Verdict { limit: 30, remaining: 0, retry_after: Some(60) });
        // Half a window later half of the earlier requests still count.
        assert_eq!(ask(1000 + 90_000).remaining, 14);
        assert_eq!(ask(1000 + 300_000).remaining, 29);
    }

    #[test]
    fn one_endpoint_has_a_limit_of_its_own() {
        let limiter = Limiter::new();
        let ask = |endpoint: &str| limiter.ask(HERE, Class::Write, endpoint, 0);
        for _ in 0..50 {
            assert_eq!(ask("memberships").retry_after, None);
        }
        assert_eq!(ask("memberships").retry_after, Some(10));
        assert_eq!(ask("roles").retry_after, None);
    }

    #[test]
    fn addresses_do_not_share() {
        let limiter = Limiter::new();
        let ask = |address: &str| limiter.ask(address.parse().unwrap(), Class::Token, "token", 0).remaining;
        assert_eq!([ask("192.0.2.1"), ask("192.0.2.2"), ask("::ffff:192.0.2.1")], [29, 29, 28]);
        assert_eq!([ask("2001:db8::1"), ask("2001:db8::2"), ask("2001:db8:1::1")], [29, 28, 29]);
    }
}
