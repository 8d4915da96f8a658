//! Secrets at rest: sealed when they must be read again, hashed when they must only be recognized.

use crate::chance::Chance;
use anyhow::{Context, Result, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_jsonapi::Secrets;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// The key that seals what the database must not tell.
#[derive(Debug)]
pub struct Vault {
    aead: RandomizedNonceKey,
    mac: hmac::Key,
}

impl Vault {
    /// The vault whose key is in this file; the file is made, readable by its owner only, if there is none.
    pub fn open(file: &Path, chance: &Chance) -> Result<Self> {
        if !file.exists() {
            let key = URL_SAFE_NO_PAD.encode(chance.bytes::<32>());
            write_private(file, key.as_bytes())?;
        }
        let mode = fs::metadata(file)?.permissions().mode();
        ensure!(mode & 0o077 == 0, "{} can be read by others: run chmod 600 on it", file.display());
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let key = URL_SAFE_NO_PAD.decode(text.trim()).unwrap_or_default();
        Self::new(&key)
            .with_context(|| format!("{} does not hold a key: restore it from a backup", file.display()))
    }

    /// A vault with this key of 32 bytes.
    pub fn new(key: &[u8]) -> Result<Self> {
        let aead = RandomizedNonceKey::new(&AES_256_GCM, key).ok().context("a key has 32 bytes")?;
        let root = hmac::Key::new(hmac::HMAC_SHA256, key);
        let derived = hmac::sign(&root, b"guildhall mac");
        Ok(Self { aead, mac: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()) })
    }

    /// Encrypts a text.
    pub fn seal(&self, text: &str) -> Result<String> {
        let mut sealed = text.as_bytes().to_vec();
        let nonce = self
            .aead
            .seal_in_place_append_tag(Aad::empty(), &mut sealed)
            .ok()
            .context("a secret could not be sealed")?;
        let mut whole = nonce.as_ref().to_vec();
        whole.append(&mut sealed);
        Ok(format!("v1.{}", URL_SAFE_NO_PAD.encode(whole)))
    }

    /// A text that only this vault can make from `parts`.
    pub fn sign(&self, parts: &[&str]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.mac);
        for part in parts {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        context.sign().as_ref().to_vec()
    }
}

impl Secrets for Vault {
    fn open(&self, sealed: &str) -> Option<String> {
        let mut whole = URL_SAFE_NO_PAD.decode(sealed.strip_prefix("v1.")?).ok()?;
        let mut text = whole.split_off(NONCE_LEN.min(whole.len()));
        let nonce = Nonce::try_assume_unique_for_key(&whole).ok()?;
        let text = self.aead.open_in_place(nonce, Aad::empty(), &mut text).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

/// The SHA-256 of a secret that is random enough to need no salt, as hexadecimal digits.
pub fn hash(secret: &str) -> String {
    hex(&sha256(secret.as_bytes()))
}

/// The SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// Whether two secrets are equal, in a time that does not tell where they differ.
pub fn equal(one: &str, other: &str) -> bool {
    constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private(file: &Path, content: &[u8]) -> Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    let result = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(temporary)?;
        out.write_all(content)?;
        out.sync_all()?;
        fs::rename(temporary, file)
    };
    result().with_context(|| format!("{} cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_key_only() {
        let vault = Vault::new(&[1; 32]).unwrap();
        let sealed = vault.seal("a secret").unwrap();
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, vault.seal("a secret").unwrap());
        assert_eq!(vault.open(&sealed).as_deref(), Some("a secret"));
        assert_eq!(Vault::new(&[2; 32]).unwrap().open(&sealed), None);
        for broken in ["", "v1.", "v1.AAAA", "v1.AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "a secret"] {
            assert_eq!(vault.open(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_key_file_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.key");
        let chance = Chance::system();
        let sealed = Vault::open(&file, &chance).unwrap().seal("x").unwrap();
        assert_eq!(Vault::open(&file, &chance).unwrap().open(&sealed).as_deref(), Some("x"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Vault::open(&file, &chance).unwrap_err().to_string();
        assert!(error.ends_with("run chmod 600 on it"), "{error}");
    }

    #[test]
    fn hashes_are_the_known_ones() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
