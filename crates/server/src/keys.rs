//! The keys that sign tokens, and signed tokens themselves: JWS compact form, one algorithm a key, nothing else.
//!
//! A key is published a while before it signs and stays as long as any of its tokens may live, so that
//! whoever keeps the published keys for a while never meets one that is unknown.

use crate::clock::{DAY, MINUTE};
use crate::crypto::{Vault, hex, sha256};
use crate::sharing;
use anyhow::{Context, Result};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_jsonapi::Secrets as _;
use guildhall_store::{Db, Error, Sql, Tx};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The longest token that is looked at.
const LONGEST_TOKEN: usize = 8 * 1024;
/// How long before its use a key is published when keys follow each other on their own, in milliseconds.
const NOTICE: i64 = DAY;
/// The same when the operator asks for a new one.
pub const SHORT_NOTICE: i64 = 10 * MINUTE;
/// How long a key that no longer signs is kept: as long as the longest token lives.
const OVERLAP: i64 = 366 * DAY;
/// How soon the database is asked again for a key that nobody here knows, in milliseconds.
const PATIENCE: i64 = 1000;

/// What a key signs. A token of one use can never pass for one of the other: no key serves both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Access tokens: RS512, as the wire contract has it.
    Access,
    /// ID tokens: RS256, which every client of `OpenID` Connect knows.
    Identity,
}

impl Use {
    /// All uses.
    pub const ALL: [Self; 2] = [Self::Access, Self::Identity];

    /// The name of its algorithm.
    pub fn algorithm(self) -> &'static str {
        match self {
            Self::Access => "RS512",
            Self::Identity => "RS256",
        }
    }
}

/// A key with its public half.
struct Pair {
    kid: String,
    of: Use,
    private: RsaKeyPair,
    public: UnparsedPublicKey<Vec<u8>>,
    header: String,
}

/// A key and its life.
#[derive(Clone)]
struct SigningKey {
    pair: Arc<Pair>,
    signs_from: i64,
    retired_at: Option<i64>,
}

/// A key as the operator sees it; moments in milliseconds.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: String,
    /// Since when it is published.
    pub created_at: i64,
    /// From when on it signs.
    pub signs_from: i64,
    /// From when on it is refused, once another one has taken its place.
    pub retired_at: Option<i64>,
}

/// All keys whose tokens may still live, those that sign first.
pub struct Keyring {
    keys: RwLock<Arc<Vec<SigningKey>>>,
    random: SystemRandom,
    read_at: AtomicI64,
    signed: AtomicU64,
    verified: AtomicU64,
}

impl Keyring {
    /// The keys in the database; the first start makes them.
    pub async fn open(db: &Db, vault: &Vault, bits: u32, life: i64, now: i64) -> Result<Self> {
        tend(db, vault, bits, life, now).await?;
        let keyring = Self {
            keys: RwLock::default(),
            random: SystemRandom::new(),
            read_at: AtomicI64::new(now),
            signed: AtomicU64::new(0),
            verified: AtomicU64::new(0),
        };
        keyring.refresh(db, vault).await?;
        Ok(keyring)
    }

    /// A keyring with a new key for access tokens that is nowhere else.
    #[cfg(fuzzing)]
    pub fn in_memory() -> Result<Self> {
        let private =
            RsaKeyPair::generate(KeySize::Rsa2048).ok().context("a signing key could not be made")?;
        let pair = Arc::new(Pair::new(private, Use::Access)?);
        Ok(Self {
            keys: RwLock::new(Arc::new(vec![SigningKey { pair, signs_from: 0, retired_at: None }])),
            random: SystemRandom::new(),
            read_at: AtomicI64::new(0),
            signed: AtomicU64::new(0),
            verified: AtomicU64::new(0),
        })
    }

    fn keys(&self) -> Arc<Vec<SigningKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the keys again: another node or a command may have made one.
    ///
    /// Answers whether all of them could be opened: if not, it makes sense to look again.
    pub async fn refresh(&self, db: &Db, vault: &Vault) -> Result<bool> {
        let rows = db
            .read(|tx| {
                let rows = tx.rows(&Sql::text(
                    "select kid, sealed, algorithm, signs_from, retired_at from signing_keys order by signs_from desc, kid",
                ))?;
                let all = rows.iter().map(|row| {
                    let texts = [row.text(0), row.text(1), row.text(2)].map(str::to_owned);
                    (texts, row.int(3), row.maybe_int(4))
                });
                Ok::<_, Error>(all.collect::<Vec<_>>())
            })
            .await?;
        let known = self.keys();
        let (mut keys, mut broken) = (Vec::with_capacity(rows.len()), None);
        for ([kid, sealed, algorithm], signs_from, retired_at) in rows {
            let Some(of) = Use::ALL.into_iter().find(|of| of.algorithm() == algorithm) else { continue };
            let pair = match known.iter().find(|key| key.pair.kid == kid) {
                Some(key) => key.pair.clone(),
                None => match Pair::open(vault, &sealed, of) {
                    Ok(pair) => Arc::new(pair),
                    // What is known of the others counts all the same.
                    Err(error) => {
                        tracing::error!(kid, "a signing key is left out: {error:#}");
                        broken = Some(error);
                        continue;
                    }
                },
            };
            keys.push(SigningKey { pair, signs_from, retired_at });
        }
        let all = broken.is_none();
        if let Some(error) = broken.filter(|_| keys.is_empty()) {
            return Err(error);
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(all)
    }

    /// Reads the keys again if this token was signed by one that is not known here, at most once a second.
    pub async fn meet(&self, token: &str, db: &Db, vault: &Vault, now: i64) {
        let header = token.split('.').next().unwrap_or_default();
        if token.len() > LONGEST_TOKEN || self.keys().iter().any(|key| key.pair.header == header) {
            return;
        }
        let before = self.read_at.load(Ordering::Relaxed);
        let is_first = || {
            let exchanged = self.read_at.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed);
            exchanged.is_ok()
        };
        if (now - before).abs() >= PATIENCE
            && is_first()
            && let Err(error) = self.refresh(db, vault).await
        {
            tracing::warn!("the signing keys could not be read again: {error:#}");
        }
    }

    /// Signs claims with the latest key that signs at this moment; with the first one when the clock shows a moment
    /// before any does.
    pub fn sign(&self, of: Use, claims: &impl Serialize, now: i64) -> Result<String> {
        let keys = self.keys();
        let accepted = || keys.iter().filter(|key| key.pair.of == of && key.is_accepted(now));
        let key = accepted().find(|key| key.signs_from <= now).or_else(|| accepted().next_back());
        let key = key.context("there is no signing key")?;
        self.signed.fetch_add(1, Ordering::Relaxed);
        key.pair.sign(claims, &self.random)
    }

    /// The claims of a token that a key of this use signed; `None` for anything else.
    ///
    /// The algorithm is the key's, whatever the token says, and a header that says otherwise is refused.
    pub fn verify<T: DeserializeOwned>(&self, of: Use, token: &str, now: i64) -> Option<T> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let keys = self.keys();
        // Each key writes one header only, so a header is known or it is not ours.
        let key = keys.iter().find(|key| key.pair.header == header && key.pair.of == of)?;
        if !key.is_accepted(now) {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.verified.fetch_add(1, Ordering::Relaxed);
        key.pair.public.verify(signed.as_bytes(), &signature).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// Whether the key that signed a token is still accepted: a token that was checked before may outlive it.
    pub fn accepts(&self, token: &str, now: i64) -> bool {
        let header = token.split('.').next().unwrap_or_default();
        self.keys().iter().any(|key| key.pair.header == header && key.is_accepted(now))
    }

    /// The public halves, as a JWK set.
    pub fn jwks(&self, now: i64) -> Json {
        let keys = self.keys();
        let all: Vec<Json> =
            keys.iter().filter(|key| key.is_accepted(now)).map(|key| key.pair.jwk()).collect();
        json!({ "keys": all })
    }

    /// How often it has signed and verified since it was opened.
    pub fn operations(&self) -> (u64, u64) {
        (self.signed.load(Ordering::Relaxed), self.verified.load(Ordering::Relaxed))
    }

    /// The id and the size in bits of the key that signs access tokens.
    pub fn current(&self, now: i64) -> Option<(String, usize)> {
        let keys = self.keys();
        let mut access = keys.iter().filter(|key| key.pair.of == Use::Access);
        let key = access.find(|key| key.signs_from <= now)?;
        Some((key.pair.kid.clone(), key.pair.private.public_modulus_len() * 8))
    }
}

/// Makes the keys that are due, so that they follow each other every `life` milliseconds, and forgets those
/// whose tokens have all ended.
pub async fn tend(db: &Db, vault: &Vault, bits: u32, life: i64, now: i64) -> Result<()> {
    for of in Use::ALL {
        let newest = db
            .read(move |tx| {
                let sql = "select max(signs_from) from signing_keys where algorithm = ?";
                let rows = tx.rows(&Sql::new(sql, [of.algorithm().into()]))?;
                Ok::<_, Error>(rows.first().and_then(|row| row.maybe_int(0)))
            })
            .await?;
        match newest {
            None => add(db, vault, bits, of, Expected::Newest(None), now, now).await?,
            Some(newest) if now >= newest + life - NOTICE => {
                // A key of a server that was off for long is followed at short notice.
                let signs_from = (newest + life).max(now + SHORT_NOTICE);
                add(db, vault, bits, of, Expected::Newest(Some(newest)), signs_from, now).await?;
            }
            Some(_) => {}
        }
    }
    db.write(move |tx| {
        let gone = tx.execute(&Sql::new("delete from signing_keys where retired_at < ?", [now.into()]))?;
        if gone > 0 { sharing::announce(tx, sharing::SIGNING_KEYS) } else { Ok(()) }
    })
    .await?;
    Ok(())
}

/// Makes new keys although none is due. Without `notice` they sign at once and the old ones are refused: for
/// keys that somebody else has got hold of. Both at once, or neither.
pub async fn replace(db: &Db, vault: &Vault, bits: u32, notice: Option<i64>, now: i64) -> Result<()> {
    let mut made = Vec::new();
    for of in Use::ALL {
        let (kid, sealed) = make(vault, bits, of).await?;
        made.push((of, kid, sealed));
    }
    let signs_from = now + notice.unwrap_or(0);
    db.write(move |tx| {
        if notice.is_none() {
            let sql = "update signing_keys set retired_at = ?";
            tx.execute(&Sql::new(sql, [now.into()]))?;
        }
        for (of, kid, sealed) in &made {
            insert(tx, kid, sealed, *of, &Expected::Any, signs_from, now)?;
        }
        sharing::announce(tx, sharing::SIGNING_KEYS)
    })
    .await?;
    Ok(())
}

/// What must be the newest key for another one to be made: of several nodes, one makes it.
enum Expected {
    Any,
    Newest(Option<i64>),
}

async fn add(
    db: &Db,
    vault: &Vault,
    bits: u32,
    of: Use,
    expected: Expected,
    signs_from: i64,
    now: i64,
) -> Result<()> {
    let (kid, sealed) = make(vault, bits, of).await?;
    db.write(move |tx| {
        insert(tx, &kid, &sealed, of, &expected, signs_from, now)?;
        sharing::announce(tx, sharing::SIGNING_KEYS)
    })
    .await?;
    Ok(())
}

/// A new key: its id, and the key itself, sealed.
async fn make(vault: &Vault, bits: u32, of: Use) -> Result<(String, String)> {
    let size = match bits {
        4096 => KeySize::Rsa4096,
        3072 => KeySize::Rsa3072,
        _ => KeySize::Rsa2048,
    };
    // It takes a while, and is no work for a thread that answers requests.
    let pair = tokio::task::spawn_blocking(move || RsaKeyPair::generate(size)).await?;
    let pair = pair.ok().context("a signing key could not be made")?;
    let der: Pkcs8V1Der<'_> = pair.as_der().ok().context("a signing key could not be written")?;
    // Meanwhile there may be a new key to seal with.
    vault.refresh()?;
    let sealed = vault.seal(&URL_SAFE_NO_PAD.encode(der.as_ref()))?;
    Ok((Pair::new(pair, of)?.kid, sealed))
}

fn insert(
    tx: &mut Tx<'_>,
    kid: &str,
    sealed: &str,
    of: Use,
    expected: &Expected,
    signs_from: i64,
    now: i64,
) -> Result<(), Error> {
    let algorithm = of.algorithm();
    let sql = "select max(signs_from) from signing_keys where algorithm = ?";
    let newest = tx.rows(&Sql::new(sql, [algorithm.into()]))?.first().and_then(|row| row.maybe_int(0));
    if let Expected::Newest(expected) = expected
        && *expected != newest
    {
        return Ok(());
    }
    // One that was to follow and has never signed is not needed any more.
    let sql = "delete from signing_keys where algorithm = ? and signs_from > ?";
    tx.execute(&Sql::new(sql, [algorithm.into(), now.into()]))?;
    // The one that signs until then may have had its end from the one that is not needed any more.
    let sql = "select max(signs_from) from signing_keys where algorithm = ? and coalesce(retired_at, ?) > ?";
    let latest = tx.rows(&Sql::new(sql, [algorithm.into(), i64::MAX.into(), now.into()]))?;
    let latest = latest.first().and_then(|row| row.maybe_int(0));
    let sql = "update signing_keys set retired_at = ? where algorithm = ? and (retired_at is null or
               (signs_from = ? and retired_at > ?))";
    let ends = signs_from + OVERLAP;
    tx.execute(&Sql::new(sql, [ends.into(), algorithm.into(), latest.into(), now.into()]))?;
    tx.execute(&Sql::new(
        "insert into signing_keys (kid, sealed, algorithm, created_at, signs_from) values (?, ?, ?, ?, ?)",
        [kid.into(), sealed.into(), algorithm.into(), now.into(), signs_from.into()],
    ))?;
    Ok(())
}

/// Whether a vault opens every key of a database.
pub async fn check(db: &Db, vault: &Vault) -> Result<()> {
    let sealed = db.read(|tx| {
        let rows = tx.rows(&Sql::text("select sealed, algorithm from signing_keys"))?;
        let key = |row: guildhall_store::Row<'_>| (row.text(0).to_owned(), row.text(1).to_owned());
        Ok::<_, Error>(rows.iter().map(key).collect::<Vec<_>>())
    });
    for (sealed, algorithm) in sealed.await? {
        if let Some(of) = Use::ALL.into_iter().find(|of| of.algorithm() == algorithm) {
            Pair::open(vault, &sealed, of)?;
        }
    }
    Ok(())
}

/// Every key, the latest first.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Listed>, Error> {
    let rows = tx.rows(&Sql::text(
        "select kid, algorithm, created_at, signs_from, retired_at from signing_keys order by algorithm desc, signs_from desc",
    ))?;
    let listed = rows.iter().map(|row| Listed {
        kid: row.text(0).to_owned(),
        algorithm: row.text(1).to_owned(),
        created_at: row.int(2),
        signs_from: row.int(3),
        retired_at: row.maybe_int(4),
    });
    Ok(listed.collect())
}

impl SigningKey {
    fn is_accepted(&self, now: i64) -> bool {
        self.retired_at.is_none_or(|retired| now < retired)
    }
}

impl Pair {
    fn new(pair: RsaKeyPair, of: Use) -> Result<Self> {
        let public: PublicKeyX509Der<'_> =
            pair.public_key().as_der().ok().context("a key has a public half")?;
        let kid = hex(&sha256(public.as_ref()));
        let header = json!({ "alg": of.algorithm(), "typ": "JWT", "kid": kid }).to_string();
        let algorithm = match of {
            Use::Access => &RSA_PKCS1_2048_8192_SHA512,
            Use::Identity => &RSA_PKCS1_2048_8192_SHA256,
        };
        let public = UnparsedPublicKey::new(algorithm, public.as_ref().to_vec());
        Ok(Self { kid, of, header: URL_SAFE_NO_PAD.encode(header), public, private: pair })
    }

    fn open(vault: &Vault, sealed: &str, of: Use) -> Result<Self> {
        let opened = vault.open(sealed).context(
            "the signing key cannot be opened with secret.key: the two files of a backup belong together",
        )?;
        let der = URL_SAFE_NO_PAD.decode(opened)?;
        let pair = RsaKeyPair::from_pkcs8(&der).ok().context("the signing key in the database is broken")?;
        Self::new(pair, of)
    }

    fn sign(&self, claims: &impl Serialize, random: &SystemRandom) -> Result<String> {
        let mut token = String::with_capacity(1024);
        token.push_str(&self.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims)?, &mut token);
        let mut signature = vec![0; self.private.public_modulus_len()];
        let padding = match self.of {
            Use::Access => &RSA_PKCS1_SHA512,
            Use::Identity => &RSA_PKCS1_SHA256,
        };
        self.private
            .sign(padding, random, token.as_bytes(), &mut signature)
            .ok()
            .context("a token could not be signed")?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn jwk(&self) -> Json {
        let public = self.private.public_key();
        json!({
            "kty": "RSA",
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
            "kid": self.kid,
            "alg": self.of.algorithm(),
            "use": "sig",
        })
    }
}
