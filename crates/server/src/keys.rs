//! The keys that sign access tokens, and the tokens themselves: JWS compact form, RS512, nothing else.

use crate::crypto::{Vault, hex, sha256};
use anyhow::{Context, Result};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA512, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_jsonapi::Secrets as _;
use guildhall_store::{Db, Error, Sql};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

/// The longest token that is looked at.
const LONGEST_TOKEN: usize = 8 * 1024;

/// A key with its public half.
pub struct SigningKey {
    kid: String,
    pair: RsaKeyPair,
    public: UnparsedPublicKey<Vec<u8>>,
    header: String,
}

/// All keys whose tokens may still live; the first one signs.
pub struct Keyring {
    keys: Vec<SigningKey>,
    random: SystemRandom,
}

impl Keyring {
    /// The keys in the database; the first start makes one of `bits` bits.
    pub async fn open(db: &Db, vault: &Vault, bits: u32, now: i64) -> Result<Self> {
        let mut sealed = stored(db).await?;
        if sealed.is_empty() {
            let size = match bits {
                4096 => KeySize::Rsa4096,
                3072 => KeySize::Rsa3072,
                _ => KeySize::Rsa2048,
            };
            let pair = RsaKeyPair::generate(size).ok().context("a signing key could not be made")?;
            let der: Pkcs8V1Der<'_> = pair.as_der().ok().context("a signing key could not be written")?;
            let key = vault.seal(&URL_SAFE_NO_PAD.encode(der.as_ref()))?;
            let kid = SigningKey::new(pair)?.kid;
            db.write(move |tx| {
                let sql = "insert into signing_keys (kid, sealed, created_at) values (?, ?, ?)";
                tx.execute(&Sql::new(sql, [kid.clone().into(), key.clone().into(), now.into()]))
            })
            .await?;
            sealed = stored(db).await?;
        }
        let keys = sealed.iter().map(|sealed| SigningKey::open(vault, sealed)).collect::<Result<_>>()?;
        Ok(Self { keys, random: SystemRandom::new() })
    }

    /// Signs claims.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String> {
        let key = self.keys.first().context("there is no signing key")?;
        let mut token = String::with_capacity(1024);
        token.push_str(&key.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(claims)?, &mut token);
        let mut signature = vec![0; key.pair.public_modulus_len()];
        key.pair
            .sign(&RSA_PKCS1_SHA512, &self.random, token.as_bytes(), &mut signature)
            .ok()
            .context("a token could not be signed")?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The claims of a token that one of these keys signed; `None` for anything else.
    ///
    /// The algorithm is the key's, whatever the token says, and a header that says otherwise is refused.
    pub fn verify<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        // Each key writes one header only, so a header is known or it is not ours.
        let key = self.keys.iter().find(|key| key.header == header)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        key.public.verify(signed.as_bytes(), &signature).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
    }

    /// The public halves, as a JWK set.
    pub fn jwks(&self) -> Json {
        json!({ "keys": self.keys.iter().map(SigningKey::jwk).collect::<Vec<_>>() })
    }

    /// The id of the key that signs, and its size in bits.
    pub fn current(&self) -> Option<(&str, usize)> {
        self.keys.first().map(|key| (key.kid.as_str(), key.pair.public_modulus_len() * 8))
    }
}

async fn stored(db: &Db) -> Result<Vec<String>, Error> {
    db.read(|tx| {
        let rows = tx.rows(&Sql::text("select sealed from signing_keys order by created_at desc, kid"))?;
        Ok(rows.iter().map(|row| row.text(0).to_owned()).collect())
    })
    .await
}

impl SigningKey {
    fn new(pair: RsaKeyPair) -> Result<Self> {
        let public: PublicKeyX509Der<'_> =
            pair.public_key().as_der().ok().context("a key has a public half")?;
        let kid = hex(&sha256(public.as_ref()));
        let header = json!({ "alg": "RS512", "typ": "JWT", "kid": kid }).to_string();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA512, public.as_ref().to_vec());
        Ok(Self { kid, header: URL_SAFE_NO_PAD.encode(header), public, pair })
    }

    fn open(vault: &Vault, sealed: &str) -> Result<Self> {
        let opened = vault.open(sealed).context(
            "the signing key cannot be opened with secret.key: the two files of a backup belong together",
        )?;
        let der = URL_SAFE_NO_PAD.decode(opened)?;
        let pair = RsaKeyPair::from_pkcs8(&der).ok().context("the signing key in the database is broken")?;
        Self::new(pair)
    }

    fn jwk(&self) -> Json {
        let public = self.pair.public_key();
        json!({
            "kty": "RSA",
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
            "kid": self.kid,
            "alg": "RS512",
            "use": "sig",
        })
    }
}
