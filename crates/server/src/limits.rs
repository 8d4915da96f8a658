//! How often an address may ask: sliding windows, counted in memory (contract 1.4). Where there are several nodes,
//! they tell each other what they have counted; see `sharing`.

use crate::clock::MINUTE;
use crate::config::Limits;
use crate::crypto::hash;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError, RwLock};

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
    used_up: RwLock<UsedUp>,
}

/// Windows that are used up at all nodes together, and at which number of the topic that was so.
#[derive(Debug, Default)]
struct UsedUp {
    number: i64,
    all: HashMap<(String, i64), i64>,
}

/// Who asks, for what; without an endpoint it is about all of them.
type Asker = (IpAddr, Class, Option<&'static str>);

/// Requests in the window at hand and in the one before it.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: i64,
    before: u32,
    now: u32,
    /// How many of those at hand the other nodes have not been told of.
    unshared: u32,
    /// How many of those before.
    unshared_before: u32,
}

/// What was seen in a window since the other nodes were told last.
#[derive(Clone, Debug)]
pub struct Seen {
    asker: Asker,
    /// When the window began.
    pub began_at: i64,
    /// How many requests.
    pub count: u32,
}

impl Seen {
    /// What the window is called among nodes. Whose it is stays here: addresses of people are nothing to keep in one
    /// more place.
    pub fn name(&self) -> String {
        let (address, class, endpoint) = &self.asker;
        hash(&format!("rate {address} {class:?} {}", endpoint.unwrap_or("all")))
    }

    /// How many requests may be in it.
    pub fn limit(&self, limits: &Limits) -> u32 {
        let (_, class, endpoint) = &self.asker;
        let burst = endpoint.and_then(|_| class.burst(limits));
        burst.unwrap_or_else(|| class.a_minute(limits))
    }

    /// When the window before it began.
    pub fn before(&self) -> i64 {
        self.began_at - length(self.asker.2)
    }

    /// From when on nobody asks for it any more.
    pub fn expires_at(&self) -> i64 {
        self.began_at + 2 * length(self.asker.2)
    }
}

/// How long a window is: over all endpoints, or on one.
fn length(endpoint: Option<&str>) -> i64 {
    if endpoint.is_some() { TEN_SECONDS } else { MINUTE }
}

impl Limiter {
    /// Nobody asked yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, windows: Mutex::default(), used_up: RwLock::default() }
    }

    /// At which number of the topic it has learnt what is used up.
    pub fn known(&self) -> i64 {
        self.used_up.read().unwrap_or_else(PoisonError::into_inner).number
    }

    /// Takes over which windows are used up, by name and beginning: also those of whom nobody has heard here.
    pub fn learn_used_up(&self, number: i64, all: HashMap<(String, i64), i64>) {
        *self.used_up.write().unwrap_or_else(PoisonError::into_inner) = UsedUp { number, all };
    }

    /// How many requests other nodes have seen in a window, as far as it is used up.
    fn elsewhere(&self, asker: Asker, start: i64) -> u32 {
        let used_up = self.used_up.read().unwrap_or_else(PoisonError::into_inner);
        if used_up.all.is_empty() {
            return 0;
        }
        let name = Seen { asker, began_at: start, count: 0 }.name();
        used_up.all.get(&(name, start)).map_or(0, |total| u32::try_from(*total).unwrap_or(u32::MAX))
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
        let mut asked = vec![(None, limit)];
        if let (Some(burst), Some(_)) = (class.burst(&self.limits), endpoint) {
            asked.push((endpoint, burst));
        }
        let mut retry_after = None;
        let mut used = 0;
        for (endpoint, limit) in &asked {
            let length = length(*endpoint);
            let fresh = Window {
                start: now - now.rem_euclid(length),
                before: 0,
                now: 0,
                unshared: 0,
                unshared_before: 0,
            };
            let asker = (address, class, *endpoint);
            let window = windows.entry(asker).or_insert(fresh);
            window.used(now, length);
            window.now = window.now.max(self.elsewhere(asker, window.start).saturating_add(window.unshared));
            window.before = window.before.max(self.elsewhere(asker, window.start - length));
            let (found, wait) = window.used(now, length);
            if endpoint.is_none() {
                used = found;
            }
            if found >= *limit {
                retry_after = retry_after.max(Some(u64::try_from(wait).unwrap_or(0).div_ceil(1000).max(1)));
            }
        }
        if retry_after.is_none() {
            used += 1;
            for (endpoint, _) in asked {
                if let Some(window) = windows.get_mut(&(address, class, endpoint)) {
                    window.now += 1;
                    window.unshared += 1;
                }
            }
        }
        Verdict { limit, remaining: limit.saturating_sub(used), retry_after }
    }

    /// What the other nodes have not been told of; from now on it counts as told.
    pub fn take_unshared(&self) -> Vec<Seen> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = windows.iter_mut().flat_map(|(asker, window)| {
            let at_hand = (window.start, std::mem::take(&mut window.unshared));
            let before = (window.start - length(asker.2), std::mem::take(&mut window.unshared_before));
            [before, at_hand].map(|(began_at, count)| Seen { asker: *asker, began_at, count })
        });
        seen.filter(|one| one.count > 0).collect()
    }

    /// Takes back that they were told.
    pub fn put_back(&self, seen: &[Seen]) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        for one in seen {
            let Some(window) = windows.get_mut(&one.asker) else { continue };
            if window.start == one.began_at {
                window.unshared += one.count;
            } else if window.start - length(one.asker.2) == one.began_at {
                window.unshared_before += one.count;
            }
        }
    }

    /// Takes over what all nodes have seen together in the windows of those who asked, by name and beginning.
    pub fn learn(&self, seen: &[Seen], totals: &HashMap<(String, i64), i64>) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        for one in seen {
            let Some(window) = windows.get_mut(&one.asker) else { continue };
            // Only of the windows that were told of: what is told next is in no sum yet.
            for began_at in [one.before(), one.began_at] {
                let Some(total) = totals.get(&(one.name(), began_at)) else { continue };
                let total = u32::try_from(*total).unwrap_or(u32::MAX);
                if began_at == window.start {
                    window.now = total.saturating_add(window.unshared);
                } else if began_at == window.start - length(one.asker.2) {
                    window.before = total.saturating_add(window.unshared_before);
                }
            }
        }
    }
}

impl Window {
    /// How many requests lie within one window's length from now, and how long this window still is.
    fn used(&mut self, now: i64, length: i64) -> (u32, i64) {
        let passed = now - self.start;
        if passed >= length {
            // All nodes count in the same windows.
            let (before, unshared_before) =
                if passed < 2 * length { (self.now, self.unshared) } else { (0, 0) };
            *self =
                Self { start: now - now.rem_euclid(length), before, now: 0, unshared: 0, unshared_before };
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
        assert_eq!(ask(1000), Verdict { limit: 30, remaining: 0, retry_after: Some(59) });
        // In the middle of the next window half of the earlier requests still count.
        assert_eq!(ask(90_000).remaining, 14);
        assert_eq!(ask(300_000).remaining, 29);
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

    /// What `sharing` does, with a map for the database.
    fn tell(limiter: &Limiter, all: &mut HashMap<(String, i64), i64>) {
        let seen = limiter.take_unshared();
        for one in &seen {
            *all.entry((one.name(), one.began_at)).or_default() += i64::from(one.count);
        }
        limiter.learn(&seen, all);
    }

    #[test]
    fn nodes_that_tell_each_other_share() {
        let (here, there) = (Limiter::new(Limits::default()), Limiter::new(Limits::default()));
        let mut all = HashMap::new();
        let mut tell = |limiter: &Limiter| tell(limiter, &mut all);
        for limiter in [&here, &there] {
            for _ in 0..10 {
                limiter.ask(HERE, Class::Token, None, 0);
            }
            tell(limiter);
        }
        assert_eq!(there.ask(HERE, Class::Token, None, 0).remaining, 9);
        // Who has told knows what was there by then.
        assert_eq!(here.ask(HERE, Class::Token, None, 0).remaining, 19);
        tell(&here);
        assert_eq!(here.ask(HERE, Class::Token, None, 0).remaining, 8);
        // What could not be told is told later, and counts meanwhile.
        let seen = here.take_unshared();
        here.put_back(&seen);
        assert_eq!(here.take_unshared().iter().map(|one| one.count).sum::<u32>(), 1);
        assert_eq!(here.ask(HERE, Class::Token, None, 0).remaining, 7);
    }

    #[test]
    fn nodes_share_the_window_before_to_its_end() {
        let (here, there) = (Limiter::new(Limits::default()), Limiter::new(Limits::default()));
        let mut all = HashMap::new();
        let mut tell = |limiter: &Limiter| tell(limiter, &mut all);
        // At the end of a window, and not told before the next one.
        for _ in 0..20 {
            here.ask(HERE, Class::Token, None, MINUTE - 1);
        }
        here.ask(HERE, Class::Token, None, MINUTE);
        tell(&here);
        // Another node hears of it with what it tells itself.
        assert_eq!(there.ask(HERE, Class::Token, None, MINUTE).remaining, 29);
        tell(&there);
        assert_eq!(there.ask(HERE, Class::Token, None, MINUTE).remaining, 7);
        assert_eq!(here.ask(HERE, Class::Token, None, MINUTE).remaining, 8);
        // In the middle of the window half of it still counts, after another one nothing.
        assert_eq!(there.ask(HERE, Class::Token, None, MINUTE + MINUTE / 2).remaining, 16);
        assert_eq!(there.ask(HERE, Class::Token, None, 3 * MINUTE).remaining, 29);
    }

    #[test]
    fn addresses_do_not_share() {
        let limiter = Limiter::new(Limits::default());
        let ask = |address: &str| limiter.ask(address.parse().unwrap(), Class::Token, None, 0).remaining;
        assert_eq!([ask("192.0.2.1"), ask("192.0.2.2"), ask("::ffff:192.0.2.1")], [29, 29, 28]);
        assert_eq!([ask("2001:db8::1"), ask("2001:db8::2"), ask("2001:db8:1::1")], [29, 28, 29]);
    }
}
