//! Where ids and secrets come from: the system's randomness, or a test that counts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The letters of an id, as the wire contract has them.
const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How many letters an id has: about 57 bits.
const ID_LENGTH: usize = 10;

/// A source of ids and secrets.
#[derive(Clone, Debug)]
pub struct Chance(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Counting(Arc<AtomicU64>),
}

impl Chance {
    /// The system's randomness.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// Ids and secrets that count up from one, so that tests can compare whole answers.
    pub fn counting() -> Self {
        Self(Source::Counting(Arc::default()))
    }

    /// A new id: ten letters.
    pub fn id(&self) -> String {
        if let Source::Counting(count) = &self.0 {
            return spell(count.fetch_add(1, Ordering::Relaxed) + 1);
        }
        let mut id = String::with_capacity(ID_LENGTH);
        while id.len() < ID_LENGTH {
            // Six bits make a letter or are thrown away, so that every letter is as likely as any other.
            let letters =
                self.bytes::<16>().into_iter().filter_map(|byte| LETTERS.get(usize::from(byte & 63)));
            id.extend(letters.take(ID_LENGTH - id.len()).map(|letter| char::from(*letter)));
        }
        id
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
            Source::System => {
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
    use std::collections::HashSet;

    #[test]
    fn ids_are_ten_letters_and_differ() {
        let chance = Chance::system();
        let ids: HashSet<String> = (0..10_000).map(|_| chance.id()).collect();
        assert_eq!(ids.len(), 10_000);
        assert!(ids.iter().all(|id| id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_alphabetic())));
    }

    #[test]
    fn secrets_have_43_characters() {
        assert_eq!(Chance::system().secret().len(), 43);
        assert!((0.0..1.0).contains(&Chance::system().fraction()));
    }

    #[test]
    fn a_test_can_count() {
        let chance = Chance::counting();
        assert_eq!([chance.id(), chance.id()], ["AAAAAAAAAB", "AAAAAAAAAC"]);
    }
}
