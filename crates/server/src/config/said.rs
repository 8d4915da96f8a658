//! What the operator says, and how it becomes the settings in force: a flag, an environment variable and a key of
//! `guildhall.toml` of the same name for each.

use super::{
    Config, ForwardedBy, Limits, LogForm, NO_REPLICA, Network, PlanSetting, SecretReaders, SignUp, Switch,
    read_database, read_mail, with_replica,
};
use crate::access::FEW_PLACES;
use crate::traces;
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

const FILE: &str = "guildhall.toml";
const DEV_DOMAIN: &str = "guildhall.localhost:8443";

fn address(said: &str) -> Result<SocketAddr, &'static str> {
    said.parse().map_err(|_| "an address and a port are needed, such as 127.0.0.1:8080")
}

/// What the operator says; what is not said has a default. A flag beats an environment variable, which
/// beats the file.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Said {
    /// The folder with everything that is kept [default: ./guildhall-data]
    #[arg(long, env = "GUILDHALL_DATA", value_name = "DIR", global = true)]
    data: Option<PathBuf>,
    /// The database: a server or a file
    #[arg(
        help = "The database: postgres://user:password@host[,host]/name?sslmode=verify-full, or sqlite:FILE [default: sqlite:DATA/guildhall.db]",
        long,
        env = "GUILDHALL_DATABASE",
        value_name = "URL",
        hide_env_values = true,
        global = true
    )]
    database: Option<String>,
    /// A replica of it, asked for lists as far as it has what was written before
    #[arg(
        help = "A replica of the PostgreSQL, asked for lists whenever it has everything that was acknowledged before: postgres://…",
        long,
        env = "GUILDHALL_DATABASE_REPLICA",
        value_name = "URL",
        hide_env_values = true,
        global = true
    )]
    database_replica: Option<String>,
    /// Try it out on this machine: own certificate authority, letters as files
    #[arg(long, env = "GUILDHALL_DEV", num_args = 0..=1, default_missing_value = "true", global = true)]
    dev: Option<bool>,
    /// The domain all hosts are under, with its port if that is not 443 [dev: guildhall.localhost:8443]
    #[arg(long, env = "GUILDHALL_DOMAIN", value_name = "HOST[:PORT]", global = true)]
    domain: Option<String>,
    /// Where plain HTTP is answered, for a proxy or for curl [default: 127.0.0.1:8080]
    #[arg(long, env = "GUILDHALL_LISTEN", value_name = "ADDR", value_parser = address, global = true)]
    listen: Option<SocketAddr>,
    /// Where HTTPS is answered [dev: 127.0.0.1:8443; with a certificate: 0.0.0.0:443]
    #[arg(long, env = "GUILDHALL_TLS_LISTEN", value_name = "ADDR", value_parser = address, global = true)]
    tls_listen: Option<SocketAddr>,
    /// Where metrics are told to Prometheus, at /metrics; nowhere else [default: none]
    #[arg(long, env = "GUILDHALL_METRICS_LISTEN", value_name = "ADDR", value_parser = address, global = true)]
    metrics_listen: Option<SocketAddr>,
    /// The key of the secrets, for nodes that share one file [default: DATA/secret.key]
    #[arg(long, env = "GUILDHALL_SECRET_KEY", value_name = "FILE", global = true)]
    secret_key: Option<PathBuf>,
    /// The OpenTelemetry collector traces are sent to, by OTLP over HTTP [default: none]
    #[arg(long, env = "GUILDHALL_TRACES", value_name = "http://HOST:4318", global = true)]
    traces: Option<String>,
    /// The certificate chain, as PEM
    #[arg(long, env = "GUILDHALL_TLS_CERT", value_name = "FILE", global = true)]
    tls_cert: Option<PathBuf>,
    /// The certificate's key, as PEM
    #[arg(long, env = "GUILDHALL_TLS_KEY", value_name = "FILE", global = true)]
    tls_key: Option<PathBuf>,
    /// Proxies whose Forwarded and X-Forwarded-* headers are believed, or their networks
    #[arg(
        long,
        env = "GUILDHALL_TRUSTED_PROXIES",
        value_name = "IP[/BITS]",
        value_delimiter = ',',
        global = true
    )]
    trusted_proxies: Option<Vec<Network>>,
    /// Whether callers are limited to so many requests a minute [default: on]
    #[arg(long, env = "GUILDHALL_RATE_LIMITS", value_name = "on|off", global = true)]
    rate_limits: Option<Switch>,
    /// Who reads client secrets: every member who sees the credential, admins, or whoever makes one, once [default: members]
    #[arg(long, env = "GUILDHALL_SHOW_SECRETS", value_name = "members|admins|once", global = true)]
    show_secrets: Option<SecretReaders>,
    /// The size of a new signing key: 2048, 3072 or 4096 [default: 2048]
    #[arg(long, env = "GUILDHALL_SIGNING_KEY_BITS", value_name = "BITS", global = true)]
    signing_key_bits: Option<u32>,
    /// How many days a signing key signs before a new one takes its place [default: 90]
    #[arg(long, env = "GUILDHALL_SIGNING_KEY_DAYS", value_name = "DAYS", global = true)]
    signing_key_days: Option<u16>,
    /// The plan of a new user: developer, growth or enterprise [default: enterprise]
    #[arg(long, env = "GUILDHALL_DEFAULT_PLAN", value_name = "PLAN", global = true)]
    default_plan: Option<String>,
    /// How many days an invitation can be accepted [default: 30]
    #[arg(long, env = "GUILDHALL_INVITATION_DAYS", value_name = "DAYS", global = true)]
    invitation_days: Option<u16>,
    /// Who may make an account: anybody, the invited, or the operator alone [default: open]
    #[arg(long, env = "GUILDHALL_SIGN_UP", value_name = "open|invited|closed", global = true)]
    sign_up: Option<SignUp>,
    /// How letters leave: a mail server or a folder
    #[arg(
        help = "How letters leave: smtp://user:password@host:587, smtps://user:password@host or dir:PATH [dev: dir:DATA/mail]",
        long,
        env = "GUILDHALL_MAIL",
        value_name = "URL",
        hide_env_values = true,
        global = true
    )]
    mail: Option<String>,
    /// Who letters are from: an address, or Name <address> [default: Guildhall <no-reply@DOMAIN>]
    #[arg(long, env = "GUILDHALL_MAIL_FROM", value_name = "ADDRESS", global = true)]
    mail_from: Option<String>,
    /// A certificate authority the mail server is believed by, as PEM [default: those of the system]
    #[arg(long, env = "GUILDHALL_MAIL_CA", value_name = "FILE", global = true)]
    mail_ca: Option<PathBuf>,
    /// How many letters are on their way at once; a crash may repeat one for each [default: 1]
    #[arg(long, env = "GUILDHALL_MAIL_LANES", value_name = "N", global = true)]
    mail_lanes: Option<u32>,
    /// Whether `serve` sends letters and clears up itself, or leaves that to `guildhall work` [default: on]
    #[arg(long, env = "GUILDHALL_WORKER", value_name = "on|off", global = true)]
    worker: Option<Switch>,
    /// How many seconds it goes on answering once it is told to stop, while /readyz says so, for proxies to notice [default: 0]
    #[arg(long, env = "GUILDHALL_STOP_DELAY", value_name = "SECONDS", global = true)]
    stop_delay: Option<u16>,
    /// How many threads hash passwords, with 19 MiB each [default: half as many as there are cores]
    #[arg(long, env = "GUILDHALL_HASHERS", value_name = "N", global = true)]
    hashers: Option<usize>,
    /// How log lines look [default: text with --dev, else json]
    #[arg(long, env = "GUILDHALL_LOG", value_name = "text|json", global = true)]
    log: Option<LogForm>,
    /// How many threads read the database, each with a connection [default: as many as there are cores, at least two; PostgreSQL: four times as many]
    #[arg(long, env = "GUILDHALL_READERS", value_name = "N", global = true)]
    readers: Option<usize>,
    /// How many connections write to PostgreSQL; SQLite has one writer [default: four]
    #[arg(long, env = "GUILDHALL_WRITERS", value_name = "N", global = true)]
    writers: Option<usize>,
    /// Which headers a trusted proxy sets: X-Forwarded-* or Forwarded [default: x-forwarded]
    #[arg(long, env = "GUILDHALL_FORWARDED_BY", value_name = "x-forwarded|forwarded", global = true)]
    forwarded_by: Option<ForwardedBy>,
    /// The value of x-backend-auth with which x-true-client-ip is believed [default: none]
    #[arg(
        long,
        env = "GUILDHALL_BACKEND_AUTH",
        value_name = "SECRET",
        hide_env_values = true,
        global = true
    )]
    backend_auth: Option<String>,
    /// Origins whose pages may call the API from a browser; * is any [default: none]
    #[arg(long, env = "GUILDHALL_CORS_ORIGINS", value_name = "ORIGIN", value_delimiter = ',', global = true)]
    cors_origins: Option<Vec<String>>,
    /// What each plan allows; in the file only, as `[plans.growth]`.
    #[arg(skip)]
    plans: Option<BTreeMap<String, PlanSetting>>,
    /// How many requests one address may make; in the file only, as `[limits]`.
    #[arg(skip)]
    limits: Option<Limits>,
}

impl Said {
    /// Completes what was said with the file's words and the defaults. The file is `guildhall.toml` of
    /// this folder, or of the data folder when it is not here.
    pub fn settle(self) -> Result<Config> {
        let folder = self.data.clone().unwrap_or_else(|| PathBuf::from("guildhall-data"));
        let file = [PathBuf::from(FILE), folder.join(FILE)].into_iter().find(|file| file.is_file());
        let filed = file.map(|file| read(&file)).transpose()?.unwrap_or_default();
        self.over(filed).complete()
    }

    fn over(self, filed: Self) -> Self {
        Self {
            data: self.data.or(filed.data),
            database: self.database.or(filed.database),
            database_replica: self.database_replica.or(filed.database_replica),
            dev: self.dev.or(filed.dev),
            domain: self.domain.or(filed.domain),
            listen: self.listen.or(filed.listen),
            tls_listen: self.tls_listen.or(filed.tls_listen),
            metrics_listen: self.metrics_listen.or(filed.metrics_listen),
            secret_key: self.secret_key.or(filed.secret_key),
            traces: self.traces.or(filed.traces),
            tls_cert: self.tls_cert.or(filed.tls_cert),
            tls_key: self.tls_key.or(filed.tls_key),
            trusted_proxies: self.trusted_proxies.or(filed.trusted_proxies),
            rate_limits: self.rate_limits.or(filed.rate_limits),
            show_secrets: self.show_secrets.or(filed.show_secrets),
            signing_key_bits: self.signing_key_bits.or(filed.signing_key_bits),
            signing_key_days: self.signing_key_days.or(filed.signing_key_days),
            default_plan: self.default_plan.or(filed.default_plan),
            invitation_days: self.invitation_days.or(filed.invitation_days),
            sign_up: self.sign_up.or(filed.sign_up),
            mail: self.mail.or(filed.mail),
            mail_from: self.mail_from.or(filed.mail_from),
            mail_ca: self.mail_ca.or(filed.mail_ca),
            mail_lanes: self.mail_lanes.or(filed.mail_lanes),
            worker: self.worker.or(filed.worker),
            stop_delay: self.stop_delay.or(filed.stop_delay),
            hashers: self.hashers.or(filed.hashers),
            log: self.log.or(filed.log),
            readers: self.readers.or(filed.readers),
            writers: self.writers.or(filed.writers),
            forwarded_by: self.forwarded_by.or(filed.forwarded_by),
            backend_auth: self.backend_auth.or(filed.backend_auth),
            cors_origins: self.cors_origins.or(filed.cors_origins),
            plans: self.plans.or(filed.plans),
            limits: self.limits.or(filed.limits),
        }
    }

    /// What is not said has a default; what cannot be meant is refused.
    fn complete(self) -> Result<Config> {
        let dev = self.dev.unwrap_or(false);
        let has_domain = self.domain.is_some();
        let domain = match self.domain {
            Some(domain) => domain.to_lowercase(),
            // Commands that only touch the data need no domain.
            None => DEV_DOMAIN.to_owned(),
        };
        check_domain(&domain)?;
        ensure!(
            self.tls_cert.is_some() == self.tls_key.is_some(),
            "--tls-cert and --tls-key belong together: give both or neither"
        );
        let tls = self.tls_cert.is_some();
        let any_port = |address: [u8; 4], port| SocketAddr::from((address, port));
        let tls_listen = match self.tls_listen {
            Some(address) => Some(address),
            None if tls => Some(any_port([0, 0, 0, 0], 443)),
            None if dev => Some(any_port([127, 0, 0, 1], port(&domain).unwrap_or(8443))),
            None => None,
        };
        ensure!(
            tls_listen.is_none() || tls || dev,
            "--tls-listen needs a certificate: give --tls-cert and --tls-key, or try it out with --dev"
        );
        let mut plans = built_in_plans();
        plans.extend(self.plans.unwrap_or_default());
        let default_plan = self.default_plan.unwrap_or_else(|| "enterprise".to_owned());
        ensure!(
            plans.contains_key(&default_plan),
            "--default-plan must be one of {}",
            plans.keys().cloned().collect::<Vec<_>>().join(", ")
        );
        let signing_key_bits = self.signing_key_bits.unwrap_or(2048);
        ensure!(
            matches!(signing_key_bits, 2048 | 3072 | 4096),
            "--signing-key-bits must be 2048, 3072 or 4096, not {signing_key_bits}"
        );
        if let Some(mail) = self.mail.as_deref().filter(|mail| !mail.is_empty()) {
            read_mail(mail)?;
        }
        if let Some(from) = &self.mail_from {
            ensure!(
                from.parse::<lettre::message::Mailbox>().is_ok(),
                "--mail-from must be an address, such as Acme <no-reply@acme.com>, not {from:?}"
            );
        }
        let traces = self.traces.filter(|url| !url.is_empty());
        traces.as_deref().map(traces::collector).transpose()?;
        let database = self.database.filter(|database| !database.is_empty());
        let database_replica = self.database_replica.filter(|replica| !replica.is_empty());
        let at_server = match &database {
            Some(database) => {
                let options = read_database(database, 1, 1, false)?;
                with_replica(options, database_replica.as_deref())?.is_server()
            }
            None => false,
        };
        ensure!(database.is_some() || database_replica.is_none(), NO_REPLICA);
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Ok(Config {
            data: self.data.unwrap_or_else(|| PathBuf::from("guildhall-data")),
            database,
            database_replica,
            waits: false,
            dev,
            domain,
            listen: self.listen.unwrap_or_else(|| any_port([127, 0, 0, 1], 8080)),
            tls_listen,
            metrics_listen: self.metrics_listen,
            secret_key: self.secret_key.filter(|file| !file.as_os_str().is_empty()),
            traces,
            tls_cert: self.tls_cert,
            tls_key: self.tls_key,
            trusted_proxies: self.trusted_proxies.unwrap_or_default(),
            rate_limits: self.rate_limits.unwrap_or(Switch::On),
            show_secrets: self.show_secrets.unwrap_or(SecretReaders::Members),
            signing_key_bits,
            signing_key_days: self.signing_key_days.unwrap_or(90).max(2),
            default_plan,
            invitation_days: self.invitation_days.unwrap_or(30).max(1),
            sign_up: self.sign_up.unwrap_or(SignUp::Open),
            mail: self.mail.filter(|mail| !mail.is_empty()),
            mail_from: self.mail_from,
            mail_ca: self.mail_ca,
            mail_lanes: self.mail_lanes.unwrap_or(1).max(1),
            worker: self.worker.unwrap_or(Switch::On),
            stop_delay: self.stop_delay.unwrap_or(0),
            hashers: self.hashers.unwrap_or(cores / 2).max(1),
            log: self.log.unwrap_or(if dev { LogForm::Text } else { LogForm::Json }),
            readers: self.readers.unwrap_or(if at_server { 4 * cores } else { cores.max(2) }).max(1),
            writers: self.writers.unwrap_or(4).max(1),
            forwarded_by: self.forwarded_by.unwrap_or(ForwardedBy::XForwarded),
            backend_auth: self.backend_auth.filter(|secret| !secret.is_empty()),
            cors_origins: self.cors_origins.unwrap_or_default(),
            plans,
            limits: self.limits.unwrap_or_default(),
            few_places: FEW_PLACES,
            has_domain,
        })
    }

    /// The settings of a try-out in this folder.
    pub(super) fn try_out(data: &Path) -> Result<Config> {
        Self { data: Some(data.to_owned()), dev: Some(true), ..Self::default() }.complete()
    }
}

fn read(file: &Path) -> Result<Said> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not understood", file.display()))
}

fn port(domain: &str) -> Option<u16> {
    domain.rsplit_once(':')?.1.parse().ok()
}

fn check_domain(domain: &str) -> Result<()> {
    let (host, port) = domain.split_once(':').map_or((domain, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    ensure!(
        host.split('.').all(is_label) && port.is_none_or(|port| port.parse::<u16>().is_ok()),
        "--domain must be a host name with an optional port, such as example.com or example.test:8443, not {domain:?}"
    );
    Ok(())
}

fn built_in_plans() -> BTreeMap<String, PlanSetting> {
    let limited = |organizations, memberships| PlanSetting {
        enterprise: false,
        organizations: Some(organizations),
        memberships: Some(memberships),
    };
    BTreeMap::from([
        ("developer".to_owned(), limited(1, 2)),
        ("growth".to_owned(), limited(2, 5)),
        ("enterprise".to_owned(), PlanSetting { enterprise: true, organizations: None, memberships: None }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_beats_the_file() {
        let filed: Said = toml::from_str("domain = \"filed.test\"\nlisten = \"127.0.0.1:1\"").unwrap();
        let said = Said { domain: Some("Said.test".to_owned()), ..Said::default() };
        let config = said.over(filed).complete().unwrap();
        assert_eq!((config.domain.as_str(), config.listen.port()), ("said.test", 1));
    }

    #[test]
    fn plans_can_be_changed_in_the_file() {
        let filed: Said = toml::from_str("[plans.growth]\norganizations = 7").unwrap();
        let plans = filed.complete().unwrap().plans;
        assert_eq!(plans["growth"], PlanSetting { organizations: Some(7), ..PlanSetting::default() });
        assert!(plans["enterprise"].enterprise);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_one_line() {
        for (file, line) in [
            ("domain = \"https://example.com\"", "--domain must be a host name"),
            ("tls-cert = \"cert.pem\"", "--tls-cert and --tls-key belong together"),
            ("tls-listen = \"127.0.0.1:443\"", "--tls-listen needs a certificate"),
            ("mail = \"mail.example.com\"", "--mail must be smtp://HOST, smtps://HOST or dir:PATH"),
            ("traces = \"localhost:4318\"", "--traces must be http://HOST:PORT"),
            ("mail-from = \"Acme\"", "--mail-from must be an address"),
            ("database = \"mysql://x\"", "--database must be postgres://"),
            ("database = \"postgres://x?sslmode=maybe\"", "--database is not understood"),
            ("default-plan = \"free\"", "--default-plan must be one of developer, enterprise, growth"),
        ] {
            let error = toml::from_str::<Said>(file).unwrap().complete().unwrap_err().to_string();
            assert!(error.starts_with(line), "{error}");
        }
        assert!(toml::from_str::<Said>("domian = \"example.com\"").is_err());
    }
}
