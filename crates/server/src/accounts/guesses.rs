//! How often one may guess: so slowly that guessing is hopeless, counted such that outsiders cannot lock
//! anybody out.
//!
//! Every try takes from a bucket; one that was right gives back. An address on the network has a small
//! bucket that fills slowly. An account has a large one that no single address can empty.

use super::sign_in::Refusal;
use crate::App;
use crate::crypto::hash;
use crate::limits::network;
use guildhall_store::{Error, Rows, Sql, Tx};
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

    /// What the bucket is called. Whose it is stays here: addresses of people are nothing to keep in one more place.
    fn name(&self) -> String {
        hash(&format!("guess {:?}", self.key()))
    }
}

/// The buckets, by the hash of what they are for. They are kept in the database as well: for the other nodes, and
/// for the time after a restart.
#[derive(Debug, Default)]
pub struct Guesses(Mutex<HashMap<String, Bucket>>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The moment at which it is full again.
    full: i64,
    /// How far that moved since the database was told.
    unshared: i64,
}

/// How far a bucket's moment has moved since the database was told: its name, and milliseconds.
pub type Moved = (String, i64);

/// Takes one from every bucket, as all nodes have left it: whoever has guessed at another one is known here as well.
pub async fn take(app: &App, tries: &[Try]) -> Result<(), Refusal> {
    let now = app.clock.now();
    if app.db.is_server() {
        let names: Vec<String> = tries.iter().map(Try::name).collect();
        let told = app.db.read(move |tx| -> Result<_, Error> {
            let mut sql = Sql::text("select name, full_at from guesses where full_at > ");
            let rows = tx.rows(sql.bind(now).push(" and name in (").bind_all(names).push(")"))?;
            Ok(ends(&rows))
        });
        app.guesses.hear(&told.await?);
    }
    app.guesses.take_here(tries, now).map_err(Refusal::Wait)
}

impl Guesses {
    /// The same by what is known here: takes one from every bucket; when one of them is empty, from none, and answers
    /// after how many seconds to come back.
    pub fn take_here(&self, tries: &[Try], now: i64) -> Result<(), u64> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_BUCKETS {
            buckets.retain(|_, bucket| bucket.full > now);
            if buckets.len() >= MOST_BUCKETS {
                // Those that are full again soonest are missed least.
                let mut ends: Vec<i64> = buckets.values().map(|bucket| bucket.full).collect();
                let (_, middle, _) = ends.select_nth_unstable(MOST_BUCKETS / 2);
                let middle = *middle;
                buckets.retain(|_, bucket| bucket.full > middle);
            }
        }
        let mut wait = 0;
        for one in tries {
            let Pace { burst, every } = one.pace();
            let full = buckets.get(&one.name()).map_or(now, |bucket| bucket.full.max(now));
            wait = wait.max(full + every - burst * every - now);
        }
        if wait > 0 {
            return Err(u64::try_from(wait).unwrap_or(0).div_ceil(1000));
        }
        for one in tries {
            let bucket = buckets.entry(one.name()).or_insert(Bucket { full: now, unshared: 0 });
            bucket.full = bucket.full.max(now) + one.pace().every;
            bucket.unshared += one.pace().every;
        }
        Ok(())
    }

    /// Gives back what was taken for a try that was right.
    pub fn give_back(&self, tries: &[Try]) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for one in tries {
            if let Some(bucket) = buckets.get_mut(&one.name()) {
                bucket.full -= one.pace().every;
                bucket.unshared -= one.pace().every;
            }
        }
    }

    /// What the database has not been told; from now on it counts as told.
    pub fn take_unshared(&self) -> Vec<Moved> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = buckets.iter_mut().filter(|(_, bucket)| bucket.unshared != 0);
        moved.map(|(name, bucket)| (name.clone(), std::mem::take(&mut bucket.unshared))).collect()
    }

    /// Takes back that it was told.
    pub fn put_back(&self, moved: &[Moved]) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, by) in moved {
            if let Some(bucket) = buckets.get_mut(name) {
                bucket.unshared += by;
            }
        }
    }

    /// Takes over when buckets are full again, where that is later than it is known here.
    fn hear(&self, all: &[(String, i64)]) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, full) in all {
            let bucket = buckets.entry(name.clone()).or_insert(Bucket { full: 0, unshared: 0 });
            bucket.full = bucket.full.max(full + bucket.unshared);
        }
    }

    /// Takes over when buckets are full again as the database has it.
    pub fn learn(&self, all: &[(String, i64)]) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, full) in all {
            let bucket = buckets.entry(name.clone()).or_insert(Bucket { full: 0, unshared: 0 });
            bucket.full = full + bucket.unshared;
        }
    }
}

/// Adds what was taken here to what was taken everywhere; answers when the buckets are full again.
pub fn tell(tx: &mut Tx<'_>, moved: &[Moved], now: i64) -> guildhall_store::Result<Vec<(String, i64)>> {
    let mut sql = Sql::text("insert into guesses (name, full_at) values ");
    for (index, (name, by)) in moved.iter().enumerate() {
        sql.push(if index == 0 { "(" } else { ", (" }).bind(name).push(", ").bind(now + by).push(")");
    }
    sql.push(" on conflict (name) do update set full_at = excluded.full_at + case when guesses.full_at > ");
    sql.bind(now).push(" then guesses.full_at - ").bind(now).push(" else 0 end returning name, full_at");
    let rows = tx.rows(&sql)?;
    Ok(ends(&rows))
}

/// The buckets that are not full, as the database has them.
pub fn known(tx: &mut Tx<'_>, now: i64) -> guildhall_store::Result<Vec<(String, i64)>> {
    let sql = "select name, full_at from guesses where full_at > ? order by full_at desc limit ?";
    let most = i64::try_from(MOST_BUCKETS / 2).unwrap_or(i64::MAX);
    let rows = tx.rows(&Sql::new(sql, [now.into(), most.into()]))?;
    Ok(ends(&rows))
}

/// Buckets by name, and when each is full again.
fn ends(rows: &Rows) -> Vec<(String, i64)> {
    rows.iter().map(|row| (row.text(0).to_owned(), row.int(1))).collect()
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
            assert_eq!(guesses.take_here(&[here(1)], 0), Ok(()));
        }
        assert_eq!(guesses.take_here(&[here(1)], 0), Err(20));
        assert_eq!(guesses.take_here(&[here(2)], 0), Ok(()));
        assert_eq!(guesses.take_here(&[here(1)], 20_000), Ok(()));
        assert_eq!(guesses.take_here(&[here(1)], 20_000), Err(20));
    }

    #[test]
    fn one_address_cannot_empty_the_bucket_of_an_account() {
        let guesses = Guesses::default();
        let victim = Try::Password("ada@example.com".to_owned());
        let tried = (0..100_000).filter(|_| guesses.take_here(&[here(1), victim.clone()], 0).is_ok()).count();
        assert_eq!(tried, 10);
        assert_eq!(guesses.take_here(&[here(2), victim], 0), Ok(()));
    }

    #[test]
    fn right_tries_cost_nothing() {
        let guesses = Guesses::default();
        for _ in 0..100 {
            assert_eq!(guesses.take_here(&[here(1)], 0), Ok(()));
            guesses.give_back(&[here(1)]);
        }
    }
}
