//! Secrets at rest: sealed when they must be read again, hashed when they must only be recognized.

use crate::chance::Chance;
use anyhow::{Context, Result, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_jsonapi::Secrets;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// The keys that seal what the database must not tell: the first one seals, all of them open.
///
/// The file has a key of 32 bytes a line, as base64url. A line `next:<key>` is the key that seals after the next
/// rotation: until then it only opens, so that it can be everywhere before it is used. A line `mac:<key>` keeps what signs when the keys are
/// replaced: what people hold in their browsers and authenticators must go on to be recognized.
#[derive(Debug)]
pub struct Vault {
    file: Option<PathBuf>,
    keys: RwLock<Arc<Keys>>,
}

#[derive(Debug)]
struct Keys {
    /// What they were read from.
    lines: Lines,
    /// Those that open; the first one seals.
    all: Vec<Key>,
    mac: hmac::Key,
    mac_bytes: Vec<u8>,
}

/// What the file says, with each key as it is written there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lines {
    keys: Vec<String>,
    next: Option<String>,
    mac: Option<String>,
}

#[derive(Debug)]
struct Key {
    /// By what sealed text names it: the beginning of its hash.
    id: String,
    aead: RandomizedNonceKey,
}

impl Vault {
    /// The vault whose keys are in this file; the file is made, readable by its owner only, if there is none.
    pub fn open(file: &Path, chance: &Chance) -> Result<Self> {
        if !file.exists() {
            make_private(file, new_key(chance).as_bytes(), chance)?;
        }
        let mode = fs::metadata(file)?.permissions().mode();
        ensure!(mode & 0o077 == 0, "{} can be read by others: run chmod 600 on it", file.display());
        Ok(Self { file: Some(file.to_owned()), keys: RwLock::new(Arc::new(Keys::read(file)?)) })
    }

    /// A vault with this key of 32 bytes.
    pub fn new(key: &[u8]) -> Result<Self> {
        Ok(Self { file: None, keys: RwLock::new(Arc::new(Keys::parse(&URL_SAFE_NO_PAD.encode(key))?)) })
    }

    fn keys(&self) -> Arc<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file again, if it has changed.
    pub fn refresh(&self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let read = Keys::read(file)?;
        if read.lines != self.keys().lines {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        }
        Ok(())
    }

    /// How many keys seal or have sealed: more than one while they are being replaced.
    pub fn size(&self) -> usize {
        self.keys().lines.keys.len()
    }

    /// Whether the key of the next rotation is there already.
    pub fn is_prepared(&self) -> bool {
        self.keys().lines.next.is_some()
    }

    /// Makes the key of the next rotation, unless it is there; until then it only opens.
    pub fn prepare_key(&self, chance: &Chance) -> Result<()> {
        self.change(|lines| {
            lines.next.get_or_insert_with(|| new_key(chance));
        })
    }

    /// Puts a key before the first one, which stays to open; older ones are forgotten. It is the one that was prepared,
    /// or a new one.
    pub fn add_key(&self, chance: &Chance) -> Result<()> {
        self.change(|lines| {
            lines.keys.truncate(1);
            lines.keys.insert(0, lines.next.take().unwrap_or_else(|| new_key(chance)));
        })
    }

    /// Forgets all keys but the first one, and the one that was prepared.
    pub fn drop_old_keys(&self) -> Result<()> {
        self.change(|lines| lines.keys.truncate(1))
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) -> Result<()> {
        let file = self.file.as_ref().context("the keys are in no file")?;
        let keys = self.keys();
        let mut lines = keys.lines.clone();
        lines.mac = Some(URL_SAFE_NO_PAD.encode(&keys.mac_bytes));
        change(&mut lines);
        write_private(file, lines.to_string().as_bytes())?;
        self.refresh()
    }

    /// What sealed text begins with that the first key has sealed.
    pub fn seal_prefix(&self) -> String {
        self.keys().all.first().map(Key::prefix).unwrap_or_default()
    }

    /// Encrypts a text.
    pub fn seal(&self, text: &str) -> Result<String> {
        let keys = self.keys();
        let key = keys.all.first().context("there is no key")?;
        let mut sealed = text.as_bytes().to_vec();
        let nonce = key
            .aead
            .seal_in_place_append_tag(Aad::empty(), &mut sealed)
            .ok()
            .context("a secret could not be sealed")?;
        let mut whole = nonce.as_ref().to_vec();
        whole.append(&mut sealed);
        Ok(format!("{}{}", key.prefix(), URL_SAFE_NO_PAD.encode(whole)))
    }

    /// The same in a unit of work.
    pub fn seal_row(&self, text: &str) -> guildhall_store::Result<String> {
        self.seal(text).map_err(|error| guildhall_store::Error::Other(error.to_string()))
    }

    /// A text that only this vault can make from `parts`.
    pub fn sign(&self, parts: &[&str]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.keys().mac);
        for part in parts {
            context.update(part.as_bytes());
            context.update(&[0]);
        }
        context.sign().as_ref().to_vec()
    }
}

impl Secrets for Vault {
    fn open(&self, sealed: &str) -> Option<String> {
        if let Some(text) = self.keys().open(sealed) {
            return Some(text);
        }
        // Somebody may have put a new key into the file a moment ago.
        self.refresh().ok()?;
        self.keys().open(sealed)
    }
}

/// What the line with the key that signs begins with.
const MAC: &str = "mac:";
/// What the line with the key of the next rotation begins with.
const NEXT: &str = "next:";

fn new_key(chance: &Chance) -> String {
    URL_SAFE_NO_PAD.encode(chance.bytes::<32>())
}

impl Lines {
    fn parse(text: &str) -> Self {
        let mut lines = Self { keys: Vec::new(), next: None, mac: None };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(mac) = line.strip_prefix(MAC) {
                lines.mac = Some(mac.to_owned());
            } else if let Some(next) = line.strip_prefix(NEXT) {
                lines.next = Some(next.to_owned());
            } else {
                lines.keys.push(line.to_owned());
            }
        }
        lines
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let marked = [(NEXT, &self.next), (MAC, &self.mac)];
        let marked = marked.iter().filter_map(|(mark, key)| Some((*mark, (*key).as_ref()?)));
        for (mark, key) in self.keys.iter().map(|key| ("", key)).chain(marked) {
            writeln!(out, "{mark}{key}")?;
        }
        Ok(())
    }
}

impl Keys {
    fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        Self::parse(&text)
            .with_context(|| format!("{} does not hold a key: restore it from a backup", file.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let lines = Lines::parse(text);
        let bytes = |line: &str| URL_SAFE_NO_PAD.decode(line).unwrap_or_default();
        let all = lines.keys.iter().chain(&lines.next).map(|line| Key::new(&bytes(line)));
        let all = all.collect::<Result<Vec<_>>>()?;
        let oldest = lines.keys.last().context("there is no key")?;
        let mac_bytes = match &lines.mac {
            Some(mac) => bytes(mac),
            None => {
                let root = hmac::Key::new(hmac::HMAC_SHA256, &bytes(oldest));
                hmac::sign(&root, b"guildhall mac").as_ref().to_vec()
            }
        };
        ensure!(mac_bytes.len() == 32, "a key has 32 bytes");
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &mac_bytes);
        Ok(Self { lines, all, mac, mac_bytes })
    }

    fn open(&self, sealed: &str) -> Option<String> {
        // What was sealed before there could be several keys does not name one.
        let named = |key: &&Key| sealed.starts_with("v1.") || sealed.starts_with(&key.prefix());
        let whole = URL_SAFE_NO_PAD.decode(sealed.rsplit_once('.')?.1).ok()?;
        self.all.iter().filter(named).find_map(|key| key.open(&whole))
    }
}

impl Key {
    fn new(bytes: &[u8]) -> Result<Self> {
        let aead = RandomizedNonceKey::new(&AES_256_GCM, bytes).ok().context("a key has 32 bytes")?;
        let mut id = hex(&sha256(bytes));
        id.truncate(8);
        Ok(Self { id, aead })
    }

    fn prefix(&self) -> String {
        format!("v2.{}.", self.id)
    }

    fn open(&self, whole: &[u8]) -> Option<String> {
        let (nonce, text) = whole.split_at_checked(NONCE_LEN)?;
        let mut text = text.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
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

/// Makes a file that only its owner can read, whole; what another program has made meanwhile stays.
fn make_private(file: &Path, content: &[u8], chance: &Chance) -> Result<()> {
    let own = file.with_added_extension(chance.secret());
    write_private(&own, content)?;
    let linked = fs::hard_link(&own, file);
    fs::remove_file(&own)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
    .with_context(|| format!("{} cannot be written", file.display()))
}

/// Writes a file that only its owner can read, whole or not at all. One that is there keeps its owner, so that a command of
/// the administrator's takes no file from the server.
pub fn write_private(file: &Path, content: &[u8]) -> Result<()> {
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    let result = || -> std::io::Result<()> {
        let mut options = fs::OpenOptions::new();
        // Nothing that somebody else has put there is written to, nor where it leads.
        if fs::symlink_metadata(temporary).is_ok() {
            fs::remove_file(temporary)?;
        }
        let mut out = options.write(true).create_new(true).mode(0o600).open(temporary)?;
        out.write_all(content)?;
        if let Ok(before) = fs::metadata(file)
            && (before.uid(), before.gid()) != (out.metadata()?.uid(), out.metadata()?.gid())
        {
            std::os::unix::fs::fchown(&out, Some(before.uid()), Some(before.gid()))?;
        }
        out.sync_all()?;
        fs::rename(temporary, file)?;
        // The name is durable once its folder is.
        fs::File::open(file.parent().unwrap_or(Path::new(".")))?.sync_all()
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
    fn a_file_is_written_where_it_is_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("secret.key"), folder.path().join("other"));
        fs::write(&other, "somebody else's").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join("secret.key.new")).unwrap();
        write_private(&file, b"ours").unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"somebody else's");
        assert_eq!(fs::read(&file).unwrap(), b"ours");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        // Whoever had it has it still.
        if std::os::unix::fs::chown(&file, Some(12345), Some(12345)).is_ok() {
            write_private(&file, b"newer").unwrap();
            assert_eq!(fs::metadata(&file).unwrap().uid(), 12345);
        }
    }

    #[test]
    fn keys_are_replaced_in_the_file_and_what_signs_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.key");
        let chance = Chance::system();
        let (here, there) = (Vault::open(&file, &chance).unwrap(), Vault::open(&file, &chance).unwrap());
        let (old, signed) = (here.seal("x").unwrap(), here.sign(&["a"]));
        here.add_key(&chance).unwrap();
        let new = here.seal("y").unwrap();
        assert!(new.starts_with(&here.seal_prefix()) && !old.starts_with(&here.seal_prefix()));
        // Another process learns of the new key when it meets it.
        assert_eq!((there.size(), there.open(&new).as_deref(), there.size()), (1, Some("y"), 2));
        assert_eq!(there.open(&old).as_deref(), Some("x"));
        here.drop_old_keys().unwrap();
        there.refresh().unwrap();
        let again = Vault::open(&file, &chance).unwrap();
        for vault in [&here, &there, &again] {
            assert_eq!((vault.open(&old), vault.open(&new).as_deref()), (None, Some("y")));
            assert_eq!(vault.sign(&["a"]), signed);
        }
    }

    #[test]
    fn a_key_that_was_prepared_opens_everywhere_before_it_seals_anywhere() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = [one.path().join("secret.key"), two.path().join("secret.key")];
        let copy = || fs::copy(&files[0], &files[1]).unwrap();
        let chance = Chance::system();
        let here = Vault::open(&files[0], &chance).unwrap();
        copy();
        let there = Vault::open(&files[1], &chance).unwrap();
        let sealed = here.seal("before").unwrap();
        here.prepare_key(&chance).unwrap();
        here.prepare_key(&chance).unwrap();
        assert_eq!((here.is_prepared(), here.size(), here.seal_prefix()), (true, 1, there.seal_prefix()));
        copy();
        here.add_key(&chance).unwrap();
        assert_eq!((here.is_prepared(), here.size()), (false, 2));
        // The other one has not got the file of after, and both go on.
        assert_ne!(here.seal_prefix(), there.seal_prefix());
        for (from, to) in [(&here, &there), (&there, &here)] {
            assert_eq!(to.open(&from.seal("between").unwrap()).as_deref(), Some("between"));
            assert_eq!(to.open(&sealed).as_deref(), Some("before"));
            assert_eq!(to.sign(&["a"]), from.sign(&["a"]));
        }
        copy();
        there.refresh().unwrap();
        assert_eq!(here.seal_prefix(), there.seal_prefix());
    }

    #[test]
    fn of_many_who_make_the_file_at_once_all_have_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret.key");
        let open = || Vault::open(&file, &Chance::system()).unwrap().seal_prefix();
        let prefixes: Vec<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(prefixes.iter().all(|prefix| *prefix == prefixes[0]), "{prefixes:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_sealed_before_keys_had_names_still_opens() {
        let vault = Vault::new(&[1; 32]).unwrap();
        let sealed = vault.seal("a secret").unwrap();
        let unnamed = format!("v1.{}", sealed.rsplit_once('.').unwrap().1);
        assert_eq!(vault.open(&unnamed).as_deref(), Some("a secret"));
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
