//! The settings in force.

mod network;
mod said;

use crate::app::KEY;
use crate::clock::DAY;
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use guildhall_store::{Options, Postgres, Sqlite};
pub use network::Network;
pub use said::Said;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use url::Url;

/// The database, in the data folder.
pub(crate) const DATABASE: &str = "guildhall.db";

/// On or off.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    /// Anybody.
    Open,
    /// Who was invited.
    Invited,
    /// The operator alone.
    Closed,
}

/// How letters leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailTo {
    /// By SMTP, to the server of this URL.
    Smtp(Url),
    /// As files in this folder.
    Folder(PathBuf),
}

/// Which headers a trusted proxy sets. A client can send the others, so they are not read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedBy {
    /// `X-Forwarded-For` and `X-Forwarded-Host`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// How many requests one address may make (contract 1.4).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Limits {
    /// Reads over all endpoints.
    pub reads_a_minute: u32,
    /// Reads of one endpoint.
    pub reads_in_ten_seconds: u32,
    /// Writes over all endpoints.
    pub writes_a_minute: u32,
    /// Writes to one endpoint.
    pub writes_in_ten_seconds: u32,
    /// Requests for a token.
    pub tokens_a_minute: u32,
    /// Requests for pages and what belongs to them.
    pub pages_a_minute: u32,
    /// Requests to an organization's own host with a live token.
    pub core_live_a_minute: u32,
    /// The same to one endpoint.
    pub core_live_in_ten_seconds: u32,
    /// Requests to an organization's own host with a test token.
    pub core_test_a_minute: u32,
    /// The same to one endpoint.
    pub core_test_in_ten_seconds: u32,
    /// Invitations one person may send, over all organizations.
    pub invitations_a_day_of_an_inviter: u32,
    /// Invitations one organization may send, over all its admins.
    pub invitations_a_day_of_an_organization: u32,
    /// Invitations one address may get, over all organizations.
    pub invitations_a_day_to_an_address: u32,
}

impl Limits {
    /// The smallest of those that count requests.
    pub fn least(&self) -> u32 {
        let all = [
            self.reads_a_minute,
            self.reads_in_ten_seconds,
            self.writes_a_minute,
            self.writes_in_ten_seconds,
            self.tokens_a_minute,
            self.pages_a_minute,
            self.core_live_a_minute,
            self.core_live_in_ten_seconds,
            self.core_test_a_minute,
            self.core_test_in_ten_seconds,
        ];
        all.into_iter().min().unwrap_or(0)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reads_a_minute: 1000,
            reads_in_ten_seconds: 250,
            writes_a_minute: 200,
            writes_in_ten_seconds: 50,
            tokens_a_minute: 30,
            pages_a_minute: 600,
            core_live_a_minute: 200,
            core_live_in_ten_seconds: 50,
            core_test_a_minute: 100,
            core_test_in_ten_seconds: 25,
            invitations_a_day_of_an_inviter: 1000,
            invitations_a_day_of_an_organization: 2000,
            invitations_a_day_to_an_address: 20,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogForm {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Who reads client secrets in answers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum SecretReaders {
    /// Every member who sees the credential, as the wire contract has it.
    Members,
    /// Admins of the organization only.
    Admins,
    /// Whoever makes one, in the answer to that and never again.
    Once,
}

/// What a plan allows; a number that is not said is unlimited.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlanSetting {
    /// Whether it opens custom roles, permissions and identity providers.
    #[serde(default)]
    pub enterprise: bool,
    /// How many organizations a user may own.
    pub organizations: Option<i64>,
    /// How many memberships an organization may have.
    pub memberships: Option<i64>,
}

/// The settings in force.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// The folder with everything that is kept.
    pub data: PathBuf,
    /// The database, if it is not the file in the folder; never printed, since it may hold a password.
    #[serde(skip)]
    pub database: Option<String>,
    /// A replica of it, if there is one; never printed either.
    #[serde(skip)]
    pub database_replica: Option<String>,
    /// Whether to wait for a database that cannot be reached yet.
    #[serde(skip)]
    pub waits: bool,
    /// Whether this is a try-out on one machine.
    pub dev: bool,
    /// The domain all hosts are under, with its port if that is not 443.
    pub domain: String,
    /// Where plain HTTP is answered.
    pub listen: SocketAddr,
    /// Where HTTPS is answered, if anywhere.
    pub tls_listen: Option<SocketAddr>,
    /// Where metrics are told, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// The file with the key of the secrets, when it is not in the data folder.
    pub secret_key: Option<PathBuf>,
    /// The collector traces are sent to, if any.
    pub traces: Option<String>,
    /// The certificate chain.
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key.
    pub tls_key: Option<PathBuf>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Whether callers are limited.
    pub rate_limits: Switch,
    /// Who reads client secrets in answers.
    pub show_secrets: SecretReaders,
    /// The size of a new signing key.
    pub signing_key_bits: u32,
    /// How many days a signing key signs.
    pub signing_key_days: u16,
    /// The plan of a new user.
    pub default_plan: String,
    /// How many days an invitation can be accepted.
    pub invitation_days: u16,
    /// Who may make an account.
    pub sign_up: SignUp,
    /// How letters leave, as it was said; never printed, since it may hold a password.
    #[serde(skip)]
    pub mail: Option<String>,
    /// Who letters are from.
    pub mail_from: Option<String>,
    /// A certificate authority the mail server is believed by.
    pub mail_ca: Option<PathBuf>,
    /// How many letters are on their way at once.
    pub mail_lanes: u32,
    /// Whether the server sends letters and clears up itself.
    pub worker: Switch,
    /// How many seconds it goes on answering once it is told to stop.
    pub stop_delay: u16,
    /// How many threads hash passwords.
    pub hashers: usize,
    /// How log lines look.
    pub log: LogForm,
    /// How many threads read the database.
    pub readers: usize,
    /// How many connections write to it, where there can be several.
    pub writers: usize,
    /// Which headers a trusted proxy sets.
    pub forwarded_by: ForwardedBy,
    /// The value with which a backend vouches for its caller's address; never printed.
    #[serde(skip)]
    pub backend_auth: Option<String>,
    /// Origins whose pages may call the API from a browser.
    pub cors_origins: Vec<String>,
    /// What each plan allows.
    pub plans: BTreeMap<String, PlanSetting>,
    /// How many requests one address may make.
    pub limits: Limits,
    /// How many places of a caller are looked up with them; nobody sets that but tests.
    #[serde(skip)]
    pub few_places: usize,
    /// Whether the operator said a domain.
    #[serde(skip)]
    pub has_domain: bool,
}

impl Config {
    /// The settings of a try-out in this folder, as tests and benchmarks use them.
    pub fn try_out(data: &Path) -> Result<Self> {
        Said::try_out(data)
    }

    /// The database that is meant.
    pub fn options(&self) -> Result<Options> {
        match &self.database {
            Some(database) => {
                let options = read_database(database, self.readers, self.writers, self.waits)?;
                with_replica(options, self.database_replica.as_deref())
            }
            None => Ok(Options::Sqlite(Sqlite {
                file: self.data.join(DATABASE),
                readers: self.readers,
                durable: true,
            })),
        }
    }

    /// How long a signing key signs, in milliseconds.
    pub fn signing_key_life(&self) -> i64 {
        i64::from(self.signing_key_days) * DAY
    }

    /// `https://<host>.<domain>`.
    pub fn url(&self, host: &str) -> String {
        format!("https://{host}.{}", self.domain)
    }

    /// The file with the key of the secrets.
    pub fn key_file(&self) -> PathBuf {
        self.secret_key.clone().unwrap_or_else(|| self.data.join(KEY))
    }

    /// Where the pages are. Whoever tries it out gets them over plain HTTP, which browsers trust on one's own
    /// machine, instead of a certificate that they do not.
    pub fn dashboard(&self) -> String {
        if self.dev && self.tls_cert.is_none() {
            let host = self.domain.split(':').next().unwrap_or(&self.domain);
            return format!("http://dashboard.{host}:{}", self.listen.port());
        }
        self.url("dashboard")
    }

    /// Everywhere the pages are: whoever tries it out may take HTTPS as well.
    pub fn dashboards(&self) -> Vec<String> {
        let mut all = vec![self.dashboard(), self.url("dashboard")];
        all.dedup();
        all
    }

    /// How letters leave.
    pub fn mail_to(&self) -> Option<MailTo> {
        let folder = || MailTo::Folder(self.data.join("mail"));
        // It was checked when the settings were.
        let said = self.mail.as_deref().and_then(|mail| read_mail(mail).ok());
        said.or_else(|| self.dev.then(folder))
    }
}

/// An address without the passwords in it. Where one is written wrongly, rather too much is hidden than too little.
pub(crate) fn without_password(address: &str) -> String {
    let begin = address.find("://").map_or(0, |at| at + 3);
    let end = address.rfind('@').filter(|end| *end >= begin);
    let hidden = end.and_then(|end| {
        let colon = begin + address[begin..end].find(':')?;
        Some(format!("{}:***{}", &address[..colon], &address[end..]))
    });
    let hidden = hidden.unwrap_or_else(|| address.to_owned());
    let Some((place, query)) = hidden.split_once('?') else { return hidden };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if name.contains("password") => format!("{name}=***"),
        _ => pair.to_owned(),
    });
    format!("{place}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// The database that an address names.
pub(crate) fn read_database(said: &str, readers: usize, writers: usize, waits: bool) -> Result<Options> {
    if let Some(file) = said.strip_prefix("sqlite:").filter(|file| !file.is_empty()) {
        return Ok(Options::Sqlite(Sqlite { file: PathBuf::from(file), readers, durable: true }));
    }
    // What was said may hold a password, so it is not repeated.
    ensure!(
        said.starts_with("postgres://") || said.starts_with("postgresql://"),
        "--database must be postgres://USER:PASSWORD@HOST/NAME or sqlite:FILE"
    );
    let options = Postgres { url: said.to_owned(), readers, writers, waits, replica: None };
    options.check().context("--database is not understood")?;
    Ok(Options::Postgres(options))
}

/// What is said of a replica of a file.
const NO_REPLICA: &str = "--database-replica is for PostgreSQL: a file has no replica";

/// The same with a replica.
fn with_replica(options: Options, replica: Option<&str>) -> Result<Options> {
    let Some(replica) = replica else { return Ok(options) };
    let Options::Postgres(options) = options else { bail!(NO_REPLICA) };
    read_database(replica, 1, 1, false)
        .ok()
        .filter(Options::is_server)
        .context("--database-replica must be postgres://USER:PASSWORD@HOST/NAME")?;
    Ok(Options::Postgres(Postgres { replica: Some(replica.to_owned()), ..options }))
}

fn read_mail(mail: &str) -> Result<MailTo> {
    if let Some(folder) = mail.strip_prefix("dir:").filter(|folder| !folder.is_empty()) {
        return Ok(MailTo::Folder(PathBuf::from(folder)));
    }
    // What was said may hold a password, so it is not repeated.
    let url = Url::parse(mail).ok().filter(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host());
    url.map(MailTo::Smtp).context("--mail must be smtp://HOST, smtps://HOST or dir:PATH")
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn an_address_is_shown_without_its_passwords() {
        for (address, shown) in [
            ("sqlite:guildhall-data/guildhall.db", "sqlite:guildhall-data/guildhall.db"),
            ("postgres://ada@one:1,two:2/house", "postgres://ada@one:1,two:2/house"),
            (
                "postgres://ada:s:e/c?r@t@one,two/house?sslmode=require",
                "postgres://ada:***@one,two/house?sslmode=require",
            ),
            (
                "postgres://one/house?user=ada&password=secret&sslpassword=secret",
                "postgres://one/house?user=ada&password=***&sslpassword=***",
            ),
            ("smtps://:secret@mail.test:465", "smtps://:***@mail.test:465"),
            ("dir:letters", "dir:letters"),
        ] {
            assert_eq!(without_password(address), shown);
        }
    }
}
