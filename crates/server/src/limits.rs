//! How often an address may ask: sliding windows, counted in memory (contract 1.4).

use crate::clock::MINUTE;
use crate::config::Limits;
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
    /// A request for a page.
    Page,
    /// A request to an organization's own host with a live token, or with none that is known.
    CoreLive,
    /// A request to an organization's own host with a test token.
    CoreTest,
}

impl Class {
    /// How many a minute over all endpoints.
    fn a_minute(self, limits: &Limits) -> u32 {
        match self {
            Self::Read => limits.reads_a_minute,
            Self::Write => limits.writes_a_minute,
            Self::Token => limits.tokens_a_minute,
            Self::Page => limits.pages_a_minute,
            Self::CoreLive => limits.core_live_a_minute,
            Self::CoreTest => limits.core_test_a_minute,
        }
    }

    /// How many in ten seconds on one endpoint.
    fn burst(self, limits: &Limits) -> Option<u32> {
        match self {
            Self::Read => Some(limits.reads_in_ten_seconds),
            Self::Write => Some(limits.writes_in_ten_seconds),
            Self::CoreLive => Some(limits.core_live_in_ten_seconds),
            Self::CoreTest => Some(limits.core_test_in_ten_seconds),
            Self::Token | Self::Page => None,
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

const TEN_SECONDS: i64 = 10_000;

/// Who asked how often.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    windows: Mutex<HashMap<Asker, Window>>,
}

/// Who asks, for what; without an endpoint it is about all of them.
type Asker = (IpAddr, Class, Option<&'static str>);

/// Requests in the window at hand and in the one before it.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: i64,
    before: u32,
    now: u32,
}

impl Limiter {
    /// Nobody asked yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, windows: Mutex::default() }
    }

    /// Counts a request and says whether it may pass. One that may not is not counted, so that waiting as
    /// told is enough. Requests for what does not exist have no `endpoint` and count on the whole only.
    pub fn ask(&self, address: IpAddr, class: Class, endpoint: Option<&'static str>, now: i64) -> Verdict {
        let address = network(address);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_WINDOWS {
            windows.retain(|_, window| now - window.start < 2 * MINUTE);
            if windows.len() >= MOST_WINDOWS {
                windows.clear();
            }
        }
        let limit = class.a_minute(&self.limits);
        let mut asked = vec![(None, limit, MINUTE)];
        if let (Some(burst), Some(_)) = (class.burst(&self.limits), endpoint) {
            asked.push((endpoint, burst, TEN_SECONDS));
        }
        let mut retry_after = None;
        let mut used = 0;
        for (endpoint, limit, length) in &asked {
            let fresh = Window { start: now, before: 0, now: 0 };
            let window = windows.entry((address, class, *endpoint)).or_insert(fresh);
            let (found, wait) = window.used(now, *length);
            if endpoint.is_none() {
                used = found;
            }
            if found >= *limit {
                retry_after = retry_after.max(Some(u64::try_from(wait).unwrap_or(0).div_ceil(1000).max(1)));
            }
        }
        if retry_after.is_none() {
            used += 1;
            for (endpoint, ..) in asked {
                if let Some(window) = windows.get_mut(&(address, class, endpoint)) {
                    window.now += 1;
                }
            }
        }
        Verdict { limit, remaining: limit.saturating_sub(used), retry_after }
    }
}

impl Window {
    /// How many requests lie within one window's length from now, and how long this window still is.
    fn used(&mut self, now: i64, length: i64) -> (u32, i64) {
        let passed = now - self.start;
        if passed >= 2 * length {
            *self = Self { start: now, before: 0, now: 0 };
        } else if passed >= length {
            *self = Self { start: self.start + length, before: self.now, now: 0 };
        }
        let passed = (now - self.start).max(0);
        let earlier = i64::from(self.before) * (length - passed).max(0) / length;
        (u32::try_from(earlier).unwrap_or(0) + self.now, (length - passed).max(1))
    }
}

/// Whoever has an IPv6 network has all its addresses.
pub(crate) fn network(address: IpAddr) -> IpAddr {
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
        let limiter = Limiter::new(Limits::default());
        let ask = |now| limiter.ask(HERE, Class::Token, None, now);
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
        let limiter = Limiter::new(Limits::default());
        let ask = |endpoint: &'static str| limiter.ask(HERE, Class::Write, Some(endpoint), 0);
        for _ in 0..50 {
            assert_eq!(ask("memberships").retry_after, None);
        }
        assert_eq!(ask("memberships").retry_after, Some(10));
        assert_eq!(ask("roles"), Verdict { limit: 200, remaining: 149, retry_after: None });
    }

    #[test]
    fn what_does_not_exist_counts_on_the_whole() {
        let limiter = Limiter::new(Limits::default());
        let ask = |now| limiter.ask(HERE, Class::Write, None, now).retry_after;
        for _ in 0..200 {
            assert_eq!(ask(0), None);
        }
        assert_eq!(ask(20_500), Some(40));
    }

    #[test]
    fn addresses_do_not_share() {
        let limiter = Limiter::new(Limits::default());
        let ask = |address: &str| limiter.ask(address.parse().unwrap(), Class::Token, None, 0).remaining;
        assert_eq!([ask("192.0.2.1"), ask("192.0.2.2"), ask("::ffff:192.0.2.1")], [29, 29, 28]);
        assert_eq!([ask("2001:db8::1"), ask("2001:db8::2"), ask("2001:db8:1::1")], [29, 28, 29]);
    }
}
