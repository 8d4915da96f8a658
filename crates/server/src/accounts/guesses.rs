//! How often one may guess: so slowly that guessing is hopeless, counted such that outsiders cannot lock
//! anybody out.
//!
//! Every try takes from a bucket; one that was right gives back. An address on the network has a small
//! bucket that fills slowly. An account has a large one that no single address can empty.

use crate::limits::network;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// How many buckets are kept before full ones are forgotten.
const MOST_BUCKETS: usize = 100_000;

/// How large a bucket is and how fast it fills again.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// How many tries at once.
    burst: i64,
    /// After how many milliseconds there is one more.
    every: i64,
}

/// What is tried.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Try {
    /// A password, a code or a passkey, from an address.
    From(IpAddr),
    /// The password of the account with this address, in lower case.
    Password(String),
    /// A second factor of a user.
    SecondFactor(String),
    /// The code of a sign-up with this address, in lower case.
    SignUpCode(String),
    /// Once more who they are, of a user who is signed in.
    Again(String),
    /// A request that sends a letter, from an address.
    Letter(IpAddr),
}

impl Try {
    fn pace(&self) -> Pace {
        match self {
            Self::From(_) => Pace { burst: 10, every: 20_000 },
            Self::Password(_) => Pace { burst: 1800, every: 2000 },
            Self::SignUpCode(_) => Pace { burst: 300, every: 120_000 },
            Self::SecondFactor(_) | Self::Again(_) => Pace { burst: 10, every: 60_000 },
            Self::Letter(_) => Pace { burst: 20, every: 30_000 },
        }
    }

    /// Whoever has an IPv6 network has all its addresses.
    fn key(&self) -> Self {
        match self {
            Self::From(address) => Self::From(network(*address)),
            Self::Letter(address) => Self::Letter(network(*address)),
            other => other.clone(),
        }
    }
}

/// The buckets, each as the moment at which it is full again.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<HashMap<Try, i64>>);

impl Guesses {
    /// Takes one from every bucket; when one of them is empty, from none, and answers after how many
    /// seconds to come back.
    pub fn take(&self, tries: &[Try], now: i64) -> Result<(), u64> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_BUCKETS {
            buckets.retain(|_, full| *full > now);
            if buckets.len() >= MOST_BUCKETS {
                // Those that are full again soonest are missed least.
                let mut ends: Vec<i64> = buckets.values().copied().collect();
                let (_, middle, _) = ends.select_nth_unstable(MOST_BUCKETS / 2);
                let middle = *middle;
                buckets.retain(|_, full| *full > middle);
            }
        }
        let mut wait = 0;
        for one in tries {
            let Pace { burst, every } = one.pace();
            let full = buckets.get(&one.key()).copied().unwrap_or(now).max(now);
            wait = wait.max(full + every - burst * every - now);
        }
        if wait > 0 {
            return Err(u64::try_from(wait).unwrap_or(0).div_ceil(1000));
        }
        for one in tries {
            let full = buckets.entry(one.key()).or_insert(now);
            *full = (*full).max(now) + one.pace().every;
        }
        Ok(())
    }

    /// Gives back what was taken for a try that was right.
    pub fn give_back(&self, tries: &[Try]) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for one in tries {
            if let Some(full) = buckets.get_mut(&one.key()) {
                *full -= one.pace().every;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(last: u8) -> Try {
        Try::From(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn an_address_gets_ten_tries_and_then_one_in_twenty_seconds() {
        let guesses = Guesses::default();
        for _ in 0..10 {
            assert_eq!(guesses.take(&[here(1)], 0), Ok(()));
        }
        assert_eq!(guesses.take(&[here(1)], 0), Err(20));
        assert_eq!(guesses.take(&[here(2)], 0), Ok(()));
        assert_eq!(guesses.take(&[here(1)], 20_000), Ok(()));
        assert_eq!(guesses.take(&[here(1)], 20_000), Err(20));
    }

    #[test]
    fn one_address_cannot_empty_the_bucket_of_an_account() {
        let guesses = Guesses::default();
        let victim = Try::Password("ada@example.com".to_owned());
        let tried = (0..100_000).filter(|_| guesses.take(&[here(1), victim.clone()], 0).is_ok()).count();
        assert_eq!(tried, 10);
        assert_eq!(guesses.take(&[here(2), victim], 0), Ok(()));
    }

    #[test]
    fn right_tries_cost_nothing() {
        let guesses = Guesses::default();
        for _ in 0..100 {
            assert_eq!(guesses.take(&[here(1)], 0), Ok(()));
            guesses.give_back(&[here(1)]);
        }
    }
}
