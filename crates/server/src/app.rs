//! The one place that ties everything together.

use crate::accounts::guesses::{self, Guesses};
use crate::accounts::passkeys;
use crate::accounts::passwords::Hasher;
use crate::bearer::Verified;
use crate::callers::Callers;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, DATABASE, Switch};
use crate::crypto::{Vault, hash};
use crate::keys::Keyring;
use crate::limits::Limiter;
use crate::resources::client_secrets::Uses;
use crate::{core, oauth, plans, resources, schema};
use anyhow::{Context, Result};
use guildhall_jsonapi::Catalog;
use guildhall_store::{Db, Options};
use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use tokio::sync::Notify;
use webauthn_rs::prelude::Webauthn;

/// An installation: its data, its keys, its clock, and nothing else.
pub struct App {
    /// Every setting.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// What time it is.
    pub clock: Clock,
    /// Where ids and secrets come from.
    pub chance: Chance,
    /// What seals secrets at rest.
    pub vault: Vault,
    /// What signs tokens.
    pub keys: Keyring,
    /// What is declared.
    pub catalog: Catalog,
    /// What is declared of an organization's own host.
    pub core_catalog: Catalog,
    /// `https://provisioning.<domain>/api`.
    pub base: String,
    /// `https://auth.<domain>`, which every token names.
    pub issuer: String,
    /// Tokens whose signature was checked before.
    pub verified: Verified,
    /// Callers that were looked up before.
    pub(crate) callers: Callers,
    /// Who asked how often; `None` when nobody is limited.
    pub limiter: Option<Limiter>,
    /// Tokens that are given again to applications that ask again.
    pub(crate) given: oauth::Given,
    /// Applications that have just shown who they are.
    pub(crate) known: oauth::Known,
    /// The latest second that a token was dated here.
    latest_date: AtomicI64,
    /// Secrets that were used since that was last written down.
    pub uses: Uses,
    /// Who guessed how often.
    pub guesses: Guesses,
    /// What hashes passwords.
    pub hasher: Hasher,
    /// What passkeys belong to.
    pub webauthn: Webauthn,
    /// How many requests there were, counted from a random number: what request ids are made of.
    pub requests: AtomicU64,
    /// What this node is called among those on the same database, also after a restart.
    pub node: String,
    /// Woken when a letter was queued.
    pub letters: Notify,
    /// Whether it was told to stop, and only goes on until nobody asks it any more.
    pub(crate) stopping: AtomicBool,
}

impl App {
    /// Opens the data folder, making what is not there yet.
    pub async fn open(config: Config, clock: Clock, chance: Chance) -> Result<Arc<Self>> {
        let folder = &config.data;
        make_folder(folder)?;
        // A server and a command may find the folder empty at the same moment: one makes the keys and the
        // schema, the other waits. The lock ends with the file.
        let opening = fs::File::create(folder.join("open.lock"))?;
        opening.lock()?;
        let vault = Vault::open(&config.key_file(), &chance)?;
        let options = config.options()?;
        Self::with(config, &options, vault, clock, chance).await
    }

    /// The same on a database and with a vault of one's own choice.
    pub async fn with(
        config: Config,
        options: &Options,
        vault: Vault,
        clock: Clock,
        chance: Chance,
    ) -> Result<Arc<Self>> {
        let db = options.open(schema::MIGRATIONS)?;
        let configured = config.plans.clone();
        db.write(move |tx| plans::complete(tx, &configured)).await?;
        let now = clock.now();
        let guesses = Guesses::default();
        guesses.learn(&db.read(move |tx| guesses::known(tx, now)).await?);
        let (bits, life) = (config.signing_key_bits, config.signing_key_life());
        let keys = Keyring::open(&db, &vault, bits, life, clock.now()).await?;
        Ok(Arc::new(Self {
            catalog: resources::catalog(&config.domain),
            core_catalog: core::catalog(&config.domain),
            issuer: config.url("auth"),
            base: format!("{}/api", config.url("provisioning")),
            limiter: (config.rate_limits == Switch::On).then(|| Limiter::new(config.limits)),
            verified: Verified::new(),
            callers: Callers::new(),
            given: oauth::Given::new(),
            known: oauth::Known::new(),
            latest_date: AtomicI64::default(),
            uses: Uses::default(),
            guesses,
            hasher: Hasher::new(config.hashers)?,
            webauthn: passkeys::relying_party(&config.dashboards())?,
            requests: AtomicU64::new(u64::from_le_bytes(chance.bytes())),
            node: node(&config.data)?,
            letters: Notify::new(),
            stopping: AtomicBool::default(),
            config,
            db,
            clock,
            chance,
            vault,
            keys,
        }))
    }

    /// Notes that a token is dated to this second.
    pub(crate) fn note_date(&self, second: i64) {
        self.latest_date.fetch_max(second, Ordering::Relaxed);
    }

    /// The first second that is later than the date of every token that was made here until `now`, in milliseconds: the
    /// clock may have been put back since the latest of them was dated.
    pub(crate) fn next_date(&self, now: i64) -> i64 {
        self.latest_date.load(Ordering::Relaxed).max(now / 1000) + 1
    }
}

/// What the node with this folder is called: no two of them the same, also where a folder or a machine was copied as a whole.
fn node(folder: &Path) -> Result<String> {
    let file = folder.join("node.id");
    // Containers have a name of their own, and no id or that of an image.
    let [machine, name] = ["/etc/machine-id", "/proc/sys/kernel/hostname"]
        .map(|file| fs::read_to_string(file).unwrap_or_default().trim().to_owned());
    let place = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let here = hash(&format!("{machine} {name} {}", place.display()));
    let known = fs::read_to_string(&file).unwrap_or_default();
    match known.trim().split_once(' ') {
        Some((name, place)) if place == here => Ok(name.to_owned()),
        _ => {
            let name = Chance::system().secret();
            fs::write(&file, format!("{name} {here}\n"))
                .with_context(|| format!("{} cannot be written", file.display()))?;
            Ok(name)
        }
    }
}

/// The name of the key of the secrets in a data folder.
pub const KEY: &str = "secret.key";

/// Whether nobody has lived in a data folder yet.
pub fn is_new(config: &Config) -> Result<bool> {
    let is_there =
        |file: &Path| file.try_exists().with_context(|| format!("{} cannot be looked at", file.display()));
    Ok(!is_there(&config.key_file())? && !is_there(&config.data.join(DATABASE))?)
}

/// Makes the data folder if it is not there. Before there is anything in it, it is closed to everybody else.
pub fn make_folder(folder: &Path) -> Result<()> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| {
        format!("the data folder {} cannot be made: name another with --data", folder.display())
    })?;
    let is_closed = fs::metadata(folder)?.permissions().mode() & 0o077 == 0;
    if is_closed || folder.join(DATABASE).exists() {
        return Ok(());
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).with_context(|| {
        format!(
            "the data folder {} is open to others and cannot be closed: name a folder in it with --data",
            folder.display()
        )
    })
}
