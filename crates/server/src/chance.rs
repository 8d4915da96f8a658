//! Where ids and secrets come from: the system's randomness, or a test that counts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The letters of an id, as the wire contract has them.
const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How many letters an id has: about 57 bits.
const ID_LENGTH: usize = 10;
/// How many of those bits are random. The others say when it was made, so that what is made one after the other is near
/// each other in every index.
const RANDOM_BITS: u32 = 23;
/// The bits of the moment: they begin anew every 35 years.
const MOMENT_BITS: u32 = 34;
/// The units in which it is told, in milliseconds.
const UNIT: i64 = 64;
/// How many are made at a moment at most, so that there is room for other programs; then it is the next one.
const MOST_AT_ONCE: usize = 1 << 14;

/// A source of ids and secrets.
#[derive(Clone, Debug)]
pub struct Chance(Source);

#[derive(Clone, Debug)]
enum Source {
    System(Arc<Mutex<Made>>),
    Counting(Arc<AtomicU64>),
}

/// What was made at the latest moment: none of it is made again, nor is anything made at a moment before it.
#[derive(Debug, Default)]
struct Made {
    moment: i64,
    random: HashSet<u32>,
}

impl Chance {
    /// The system's randomness.
    pub fn system() -> Self {
        Self(Source::System(Arc::default()))
    }

    /// Ids and secrets that count up from one, so that tests can compare whole answers.
    pub fn counting() -> Self {
        Self(Source::Counting(Arc::default()))
    }

    /// A new id, made at a moment in milliseconds: ten letters. None is made twice here, whatever the clock says, and two that
    /// different programs make within 64 ms are the same by a chance of one in eight million.
    pub fn id(&self, now: i64) -> String {
        let made = match &self.0 {
            Source::System(made) => made,
            Source::Counting(count) => return spell(count.fetch_add(1, Ordering::Relaxed) + 1),
        };
        let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = made.random.len() >= MOST_AT_ONCE;
        let moment = (now / UNIT).max(made.moment.saturating_add(i64::from(is_full)));
        if made.moment != moment {
            *made = Made { moment, random: HashSet::new() };
        }
        loop {
            let random = u32::from_le_bytes(self.bytes()) >> (u32::BITS - RANDOM_BITS);
            if made.random.insert(random) {
                let moment = u64::try_from(moment).unwrap_or(0) % (1 << MOMENT_BITS);
                return spell(moment << RANDOM_BITS | u64::from(random));
            }
        }
    }

    /// A new secret: 256 bits as 43 characters that fit into a URL.
    pub fn secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }

    /// A number of at least zero and below one.
    pub fn fraction(&self) -> f64 {
        let bits = u32::from_le_bytes(self.bytes::<4>());
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }

    /// Random bytes.
    ///
    /// # Panics
    /// When the system has no randomness, without which nothing here is safe.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System(_) => {
                #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
                aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
            }
            Source::Counting(count) => {
                let number = (count.fetch_add(1, Ordering::Relaxed) + 1).to_be_bytes();
                let from = number.len().saturating_sub(N);
                bytes[N.saturating_sub(number.len())..].copy_from_slice(&number[from..]);
            }
        }
        bytes
    }
}

/// A number in letters, ten of them.
pub(crate) fn spell(mut number: u64) -> String {
    let mut letters = [b'A'; ID_LENGTH];
    for letter in letters.iter_mut().rev() {
        *letter = LETTERS[usize::try_from(number % 52).unwrap_or(0)];
        number /= 52;
    }
    letters.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01 12:00.
    const NOON: i64 = 1_767_268_800_000;

    #[test]
    fn ids_are_ten_letters_and_differ() {
        let chance = Chance::system();
        let ids: HashSet<String> = (0..10_000).map(|_| chance.id(NOON)).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_alphabetic())));
        // Those of another program are others.
        let theirs = (0..100).map(|_| Chance::system().id(NOON));
        assert!(theirs.filter(|id| ids.contains(id)).count() < 10);
    }

    #[test]
    fn ids_are_in_the_order_in_which_they_were_made() {
        let chance = Chance::system();
        let ids: Vec<String> = (0..1000).map(|number| chance.id(NOON + number * UNIT)).collect();
        assert!(ids.is_sorted());
        // In 2039 they begin anew, and are ten letters all the same.
        let last = i64::try_from((2_u64 << MOMENT_BITS) - 1).unwrap() * UNIT;
        for now in [0, last, last + UNIT, i64::MAX, -1] {
            assert_eq!(Chance::system().id(now).len(), ID_LENGTH, "{now}");
        }
        assert!(chance.id(last) > chance.id(last + UNIT));
    }

    #[test]
    fn no_id_is_made_twice_by_those_who_say_another_time_each() {
        let chance = Chance::system();
        let times = [NOON, NOON + 10 * UNIT, NOON - 86_400_000, NOON + 3 * UNIT];
        let ids: HashSet<String> =
            (0..100_000).map(|number| chance.id(times[number % times.len()])).collect();
        assert_eq!(ids.len(), 100_000);
    }

    #[test]
    fn secrets_have_43_characters() {
        assert_eq!(Chance::system().secret().len(), 43);
        assert!((0.0..1.0).contains(&Chance::system().fraction()));
    }

    #[test]
    fn a_test_can_count() {
        let chance = Chance::counting();
        assert_eq!([chance.id(NOON), chance.id(0)], ["AAAAAAAAAB", "AAAAAAAAAC"]);
    }
}
