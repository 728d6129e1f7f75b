//! Configuration: defaults, then a TOML file, then environment variables, then flags; the later wins.
//!
//! Every key stands once, in [`Layer`], and is file key, environment variable and flag alike: `public_listen` in the file is
//! `KALIUN_PUBLIC_LISTEN` and `--public-listen`. Unknown keys are refused.

mod smtp;

pub use smtp::{MailConfig, MailServer, Security};

use crate::grpc::account::SignUpPolicy;
use clap::Args;
use ipnet::IpNet;
use kaliun_store::DatabaseUrl;
use kaliun_types::text::line_of;
use serde::Deserialize;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use thiserror::Error;
use tracing_subscriber::EnvFilter;

/// One layer: whatever it leaves out comes from the layer below. It has no `Debug`, for its addresses hold passwords.
#[derive(Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Folder for the private database when there is no --database-url, and for the key file
    #[arg(long, env = "KALIUN_STATE_DIR", value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// File with the key that seals the authorities' keys, the same for all replicas (default: authority.key in the state folder)
    #[arg(long, env = "KALIUN_AUTHORITY_KEY_FILE", value_name = "FILE")]
    authority_key_file: Option<PathBuf>,
    /// Name of this process among replicas; a process that starts under the same name replaces the older one
    #[arg(long, env = "KALIUN_REPLICA_NAME", value_name = "NAME")]
    replica_name: Option<String>,
    /// Address for boxes (default: 0.0.0.0:8443)
    #[arg(long, env = "KALIUN_DEVICE_LISTEN", value_name = "ADDR")]
    device_listen: Option<SocketAddr>,
    /// How boxes reach that address; its host goes into the certificate (default: https://127.0.0.1:PORT)
    #[arg(long, env = "KALIUN_DEVICE_URL", value_name = "URL")]
    device_url: Option<String>,
    /// Load balancers in front of the device address, as networks: they must speak the PROXY protocol, version 2
    #[arg(long, env = "KALIUN_DEVICE_BALANCERS", value_name = "NETWORK,…", value_delimiter = ',')]
    device_balancers: Option<Vec<String>>,
    /// Boxes come through something that hides where they are, such as a balancer without PROXY protocol: limit nothing by source
    #[arg(long, env = "KALIUN_DEVICE_SOURCES_HIDDEN", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    device_sources_hidden: Option<bool>,
    /// Address for people and programs (default: 127.0.0.1:8080)
    #[arg(long, env = "KALIUN_PUBLIC_LISTEN", value_name = "ADDR")]
    public_listen: Option<SocketAddr>,
    /// How browsers reach that address; other origins are refused (default: http://127.0.0.1:PORT)
    #[arg(long, env = "KALIUN_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Certificate chain for the public address, PEM
    #[arg(long, env = "KALIUN_PUBLIC_TLS_CERT", value_name = "FILE")]
    public_tls_cert: Option<PathBuf>,
    /// Key for the public address, PEM
    #[arg(long, env = "KALIUN_PUBLIC_TLS_KEY", value_name = "FILE")]
    public_tls_key: Option<PathBuf>,
    /// Proxies that do TLS in front of the public address, as networks: they say by X-Forwarded-For where somebody is. Without them
    /// nothing is limited by source behind a proxy
    #[arg(long, env = "KALIUN_PUBLIC_PROXIES", value_name = "NETWORK,…", value_delimiter = ',')]
    public_proxies: Option<Vec<String>>,
    /// Allow plain HTTP on a public address that is not loopback, because a proxy in front does TLS
    #[arg(long, env = "KALIUN_BEHIND_TLS_PROXY", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    behind_tls_proxy: Option<bool>,
    /// File with the identity providers that people can sign in through, TOML
    #[arg(long, env = "KALIUN_IDENTITY_PROVIDERS_FILE", value_name = "FILE")]
    identity_providers_file: Option<PathBuf>,
    /// Servers to ask for the records by which organizations show that domains are theirs (default: those of the machine)
    #[arg(long, env = "KALIUN_DNS_SERVERS", value_name = "ADDR,…", value_delimiter = ',')]
    dns_servers: Option<Vec<SocketAddr>>,
    /// Address for probes and metrics (default: 127.0.0.1:8081)
    #[arg(long, env = "KALIUN_INTERNAL_LISTEN", value_name = "ADDR")]
    internal_listen: Option<SocketAddr>,
    /// Database to use, maybe through a pooler; without it a private one is started
    #[arg(long, env = "KALIUN_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// The same database without a pooler, for migrations (default: the database URL)
    #[arg(long, env = "KALIUN_DATABASE_DIRECT_URL", value_name = "URL", hide_env_values = true)]
    database_direct_url: Option<String>,
    /// Roots to check the database's certificate with, PEM (default: those of this machine). A connection that leaves this machine
    /// is encrypted, unless the URL says sslmode=disable
    #[arg(long, env = "KALIUN_DATABASE_CA", value_name = "FILE")]
    database_ca: Option<PathBuf>,
    /// Address of the first admin, made at the very first start (default: admin@localhost)
    #[arg(long, env = "KALIUN_FIRST_ADMIN_EMAIL", value_name = "EMAIL")]
    first_admin_email: Option<String>,
    /// File with the first admin's password; without it one is made and shown once
    #[arg(long, env = "KALIUN_FIRST_ADMIN_PASSWORD_FILE", value_name = "FILE")]
    first_admin_password_file: Option<PathBuf>,
    /// File with a first API token (kat1.…)
    #[arg(long, env = "KALIUN_FIRST_API_TOKEN_FILE", value_name = "FILE")]
    first_api_token_file: Option<PathBuf>,
    /// Who may have an account: open (whoever asks) or invited (who was invited; default: open)
    #[arg(long, env = "KALIUN_SIGN_UP", value_name = "WHO", value_enum)]
    sign_up: Option<SignUpPolicy>,
    /// Mail server that takes our mails, for example smtps://user@mail.example.org (port 465) or smtp://user@mail.example.org (port 587,
    /// STARTTLS); without it no mail is sent
    #[arg(long, env = "KALIUN_SMTP_URL", value_name = "URL")]
    smtp_url: Option<String>,
    /// File with the password of the user in that URL
    #[arg(long, env = "KALIUN_SMTP_PASSWORD_FILE", value_name = "FILE")]
    smtp_password_file: Option<PathBuf>,
    /// Roots to check the mail server's certificate with, PEM (default: those of this machine)
    #[arg(long, env = "KALIUN_SMTP_CA", value_name = "FILE")]
    smtp_ca: Option<PathBuf>,
    /// Whom mails come from, for example Kaliun Fleet <fleet@example.org>
    #[arg(long, env = "KALIUN_MAIL_FROM", value_name = "ADDRESS")]
    mail_from: Option<String>,
    /// Where to send traces by OTLP over gRPC, for example http://127.0.0.1:4317
    #[arg(long, env = "KALIUN_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// Log lines as JSON
    #[arg(long, env = "KALIUN_LOG_JSON", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    log_json: Option<bool>,
    /// What to log, for example info or kaliun_control_plane=debug (default: info)
    #[arg(long, env = "KALIUN_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// A side of a device link that has been silent this long sends a heartbeat, milliseconds (default: 30000)
    #[arg(long, env = "KALIUN_HEARTBEAT_INTERVAL_MS", value_name = "MS")]
    heartbeat_interval_ms: Option<u32>,
    /// Time between two samples of a box, milliseconds, set at the very first start (default: 15000)
    #[arg(long, env = "KALIUN_SAMPLE_INTERVAL_MS", value_name = "MS")]
    sample_interval_ms: Option<u32>,
}

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder for keys and the private database.
    pub state_dir: PathBuf,
    /// File with the key that seals the authorities' keys.
    pub authority_key_file: PathBuf,
    /// Name of this process among replicas.
    pub replica_name: String,
    /// Address for boxes.
    pub device_listen: SocketAddr,
    /// How boxes reach it; none: loopback.
    pub device_url: Option<String>,
    /// Whether boxes all seem to come from one place. Then nothing is limited by source for them.
    pub device_sources_hidden: bool,
    /// Load balancers in front of it, which say by PROXY protocol where a box is. Nobody else is believed.
    pub device_balancers: Vec<IpNet>,
    /// Address for people and programs.
    pub public_listen: SocketAddr,
    /// How browsers reach it; none: loopback.
    pub public_url: Option<String>,
    /// Certificate chain and key files for the public address.
    pub public_tls: Option<(PathBuf, PathBuf)>,
    /// Whether a proxy in front does TLS for people.
    pub behind_tls_proxy: bool,
    /// Proxies that say where somebody is. Nobody else is believed. Behind a proxy that is not here, nothing is limited by source.
    pub public_proxies: Vec<IpNet>,
    /// File with the identity providers that people can sign in through.
    pub identity_providers_file: Option<PathBuf>,
    /// Whom to ask for the records by which organizations show that domains are theirs. Empty: whom the machine asks.
    pub dns_servers: Vec<SocketAddr>,
    /// Address for probes and metrics.
    pub internal_listen: SocketAddr,
    /// Which database.
    pub database: Database,
    /// Address of the first admin.
    pub first_admin_email: String,
    /// File with the first admin's password.
    pub first_admin_password_file: Option<PathBuf>,
    /// File with a first API token.
    pub first_api_token_file: Option<PathBuf>,
    /// Who may have an account.
    pub sign_up: SignUpPolicy,
    /// How mails are sent; none: they are not.
    pub mail: Option<MailConfig>,
    /// Where traces go.
    pub otlp_endpoint: Option<String>,
    /// Whether log lines are JSON.
    pub log_json: bool,
    /// What is logged.
    pub log: String,
    /// Milliseconds of silence before a heartbeat, 1,000 to 300,000.
    pub heartbeat_interval_ms: u32,
    /// Milliseconds between two samples, 1,000 to 3,600,000.
    pub sample_interval_ms: u32,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum Database {
    /// A private one in the state folder.
    Private,
    /// Somebody else's.
    Url {
        /// For all work.
        url: DatabaseUrl,
        /// For migrations.
        direct_url: DatabaseUrl,
        /// Roots for TLS.
        ca: Option<PathBuf>,
    },
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration file {}, line {line}: {problem}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What is wrong. The parser's own words would quote the line, which may hold a password.
        problem: String,
    },
    /// Keys do not fit.
    #[error("the configuration is wrong:{0}")]
    Invalid(String),
}

impl Layer {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or has a key that does not exist.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            problem: error.message().to_owned(),
        })
    }

    /// This layer over another.
    fn over(self, below: Self) -> Self {
        Self {
            state_dir: self.state_dir.or(below.state_dir),
            authority_key_file: self.authority_key_file.or(below.authority_key_file),
            replica_name: self.replica_name.or(below.replica_name),
            device_listen: self.device_listen.or(below.device_listen),
            device_url: self.device_url.or(below.device_url),
            device_balancers: self.device_balancers.or(below.device_balancers),
            device_sources_hidden: self.device_sources_hidden.or(below.device_sources_hidden),
            public_listen: self.public_listen.or(below.public_listen),
            public_url: self.public_url.or(below.public_url),
            public_tls_cert: self.public_tls_cert.or(below.public_tls_cert),
            public_tls_key: self.public_tls_key.or(below.public_tls_key),
            behind_tls_proxy: self.behind_tls_proxy.or(below.behind_tls_proxy),
            public_proxies: self.public_proxies.or(below.public_proxies),
            identity_providers_file: self.identity_providers_file.or(below.identity_providers_file),
            dns_servers: self.dns_servers.or(below.dns_servers),
            internal_listen: self.internal_listen.or(below.internal_listen),
            database_url: self.database_url.or(below.database_url),
            database_direct_url: self.database_direct_url.or(below.database_direct_url),
            database_ca: self.database_ca.or(below.database_ca),
            first_admin_email: self.first_admin_email.or(below.first_admin_email),
            first_admin_password_file: self.first_admin_password_file.or(below.first_admin_password_file),
            first_api_token_file: self.first_api_token_file.or(below.first_api_token_file),
            sign_up: self.sign_up.or(below.sign_up),
            smtp_url: self.smtp_url.or(below.smtp_url),
            smtp_password_file: self.smtp_password_file.or(below.smtp_password_file),
            smtp_ca: self.smtp_ca.or(below.smtp_ca),
            mail_from: self.mail_from.or(below.mail_from),
            otlp_endpoint: self.otlp_endpoint.or(below.otlp_endpoint),
            log_json: self.log_json.or(below.log_json),
            log: self.log.or(below.log),
            heartbeat_interval_ms: self.heartbeat_interval_ms.or(below.heartbeat_interval_ms),
            sample_interval_ms: self.sample_interval_ms.or(below.sample_interval_ms),
        }
    }
}

impl Config {
    /// Puts flags and environment over the file, fills in the defaults and checks the whole.
    ///
    /// # Errors
    /// All that is wrong, each with its key and what would be right.
    pub fn load(flags: Layer, file: Option<&Path>) -> Result<Self, ConfigError> {
        let below = file.map(Layer::read).transpose()?.unwrap_or_default();
        Self::from_layer(flags.over(below))
    }

    fn from_layer(layer: Layer) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let state_dir = layer.state_dir.unwrap_or_else(|| {
            problems.add("state_dir", "is missing: name a folder that only this program uses");
            PathBuf::new()
        });
        let public_listen = layer.public_listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
        let public_tls = match (layer.public_tls_cert, layer.public_tls_key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => problems.missing("public_tls_key", "public_tls_cert is set: name its key's file too"),
            (None, Some(_)) => problems.missing("public_tls_cert", "public_tls_key is set: name its certificate too"),
        };
        let proxied = layer.behind_tls_proxy.unwrap_or(false);
        if public_tls.is_none() && !public_listen.ip().is_loopback() && !proxied {
            problems.add(
                "public_listen",
                "is not a loopback address, and passwords would pass in the clear: set public_tls_cert and \
                 public_tls_key, or behind_tls_proxy when a proxy in front does TLS",
            );
        }
        for (key, url, schemes) in [
            ("device_url", &layer.device_url, &["https://"][..]),
            ("public_url", &layer.public_url, &["http://", "https://"][..]),
        ] {
            if let Some(url) = url
                && (host_of(url).is_none() || !schemes.iter().any(|scheme| url.starts_with(scheme)))
            {
                problems
                    .add(key, &format!("must be an address such as {}fleet.example.org:8443", schemes.join(" or ")));
            }
        }
        let device_balancers = problems.networks("device_balancers", layer.device_balancers.unwrap_or_default());
        let public_proxies = problems.networks("public_proxies", layer.public_proxies.unwrap_or_default());
        let database = problems.database(layer.database_url, layer.database_direct_url, layer.database_ca);
        let mail = smtp::mail(
            &mut problems,
            smtp::Keys {
                url: layer.smtp_url,
                password_file: layer.smtp_password_file,
                ca: layer.smtp_ca,
                from: layer.mail_from,
            },
        );
        let heartbeat_interval_ms = layer.heartbeat_interval_ms.unwrap_or(30_000);
        problems.range("heartbeat_interval_ms", heartbeat_interval_ms, 1_000, 300_000);
        let sample_interval_ms = layer.sample_interval_ms.unwrap_or(15_000);
        problems.range("sample_interval_ms", sample_interval_ms, 1_000, 3_600_000);
        let log = layer.log.unwrap_or_else(|| "info".to_owned());
        if let Err(error) = EnvFilter::try_new(&log) {
            problems.add(
                "log",
                &format!("is no filter ({error}): it must be like info or kaliun_control_plane=debug,info"),
            );
        }
        if let Some(endpoint) = &layer.otlp_endpoint
            && (host_of(endpoint).is_none() || !endpoint.starts_with("http"))
        {
            problems.add("otlp_endpoint", "must be an address such as http://127.0.0.1:4317");
        }
        problems.none()?;
        Ok(Self {
            authority_key_file: layer.authority_key_file.unwrap_or_else(|| state_dir.join("authority.key")),
            state_dir,
            replica_name: layer.replica_name.unwrap_or_else(hostname),
            device_listen: layer.device_listen.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 8443))),
            device_url: layer.device_url,
            device_balancers,
            device_sources_hidden: layer.device_sources_hidden.unwrap_or(false),
            public_listen,
            public_url: layer.public_url,
            public_tls,
            behind_tls_proxy: proxied,
            public_proxies,
            identity_providers_file: layer.identity_providers_file,
            dns_servers: layer.dns_servers.unwrap_or_default(),
            internal_listen: layer.internal_listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8081))),
            database,
            first_admin_email: layer.first_admin_email.unwrap_or_else(|| "admin@localhost".to_owned()),
            first_admin_password_file: layer.first_admin_password_file,
            first_api_token_file: layer.first_api_token_file,
            sign_up: layer.sign_up.unwrap_or(SignUpPolicy::Open),
            mail,
            otlp_endpoint: layer.otlp_endpoint,
            log_json: layer.log_json.unwrap_or(false),
            log,
            heartbeat_interval_ms,
            sample_interval_ms,
        })
    }

    /// The names that the device listener's certificate is for.
    #[must_use]
    pub fn device_names(&self) -> Vec<String> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        if let Some(host) = self.device_url.as_deref().and_then(host_of)
            && !names.contains(&host)
        {
            names.push(host);
        }
        names
    }
}

/// The host of an address, without brackets and port.
fn host_of(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| host.to_owned())
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// All that is wrong, so that a person mends it in one go.
#[derive(Default)]
struct Problems(String);

impl Problems {
    fn add(&mut self, key: &str, problem: &str) {
        // Writing to a String cannot fail.
        let _infallible = write!(self.0, "\n  {key} {problem}");
    }

    fn missing<T>(&mut self, key: &str, problem: &str) -> Option<T> {
        self.add(key, &format!("is missing: {problem}"));
        None
    }

    /// Notes what is wrong with a part that is needed for the whole.
    fn missing_part<T>(&mut self, key: &str, problem: &str) -> Option<T> {
        self.add(key, problem);
        None
    }

    fn networks(&mut self, key: &str, texts: Vec<String>) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for text in texts {
            // A single address is a network of one.
            match text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
                Ok(network) => networks.push(network),
                Err(_) => self.add(key, &format!("has {text:?}: it must be like 10.0.0.0/24 or 10.0.0.7")),
            }
        }
        networks
    }

    fn range(&mut self, key: &str, value: u32, least: u32, most: u32) {
        if value < least || value > most {
            self.add(key, &format!("is {value}: it must be {least} to {most}"));
        }
    }

    fn database(&mut self, url: Option<String>, direct_url: Option<String>, ca: Option<PathBuf>) -> Database {
        let Some(url) = url else {
            if direct_url.is_some() {
                self.add("database_direct_url", "is set without database_url: set both or neither");
            }
            return Database::Private;
        };
        let direct = direct_url.unwrap_or_else(|| url.clone());
        match (url.parse::<DatabaseUrl>(), direct.parse::<DatabaseUrl>()) {
            (Ok(url), Ok(direct_url)) => return Database::Url { url, direct_url, ca },
            (Err(error), _) => self.add("database_url", &error.to_string()),
            (_, Err(error)) => self.add("database_direct_url", &error.to_string()),
        }
        Database::Private
    }

    fn none(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(toml: &str) -> Layer {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn a_flag_wins_over_the_file_and_both_over_the_default() {
        let file = layer("state_dir = '/a'\nlog = 'debug'\nheartbeat_interval_ms = 5000");
        let flags = layer("log = 'warn'");
        let config = Config::from_layer(flags.over(file)).unwrap();
        assert_eq!(config.log, "warn");
        assert_eq!(config.heartbeat_interval_ms, 5000);
        assert_eq!(config.public_listen.port(), 8080);
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = Layer::parse("log = 'info'\nstate_dri = '/a'", Path::new("fleet.toml")).err().unwrap();
        let text = error.to_string();
        assert!(text.contains("fleet.toml, line 2") && text.contains("state_dri"), "{text}");
    }

    fn check_problem(toml: &str, key: &str) {
        let error = Config::from_layer(layer(toml)).unwrap_err().to_string();
        assert!(error.contains(key), "{error}");
    }

    #[test]
    fn problems_name_their_key() {
        check_problem("", "state_dir");
        check_problem("state_dir = '/a'\npublic_listen = '0.0.0.0:80'", "public_listen");
        check_problem("state_dir = '/a'\npublic_tls_cert = '/b'", "public_tls_key");
        check_problem("state_dir = '/a'\ndevice_url = 'http://a'", "device_url");
        check_problem("state_dir = '/a'\ndevice_balancers = ['10.0.0.0/40']", "device_balancers");
        check_problem("state_dir = '/a'\nheartbeat_interval_ms = 1", "heartbeat_interval_ms");
        check_problem("state_dir = '/a'\ndatabase_direct_url = 'postgresql://a'", "database_direct_url");
        check_problem("state_dir = '/a'\ndatabase_url = 'postgres:/secret'", "database_url");
        check_problem("state_dir = '/a'\nlog = 'kaliun=loudest'", "log");
        check_problem("state_dir = '/a'\notlp_endpoint = 'collector'", "otlp_endpoint");
        check_problem("state_dir = '/a'\npublic_proxies = ['home']", "public_proxies");
        check_problem("state_dir = '/a'\nsmtp_url = 'smtps://mail.example.org'", "mail_from");
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let error = Config::from_layer(layer("state_dir = '/a'\ndatabase_url = 'postgresql://u:hunter2@h:x/d'"));
        assert!(!error.unwrap_err().to_string().contains("hunter2"));
        let config =
            Config::from_layer(layer("state_dir = '/a'\ndatabase_url = 'postgresql://u:hunter2@h:5432/d'")).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
        for file in ["database_ur = 'postgresql://u:hunter2@h/d'", "database_url = 'postgresql://u:hunter2@h/d' x"] {
            let error = Layer::parse(file, Path::new("fleet.toml")).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_certificate_is_for_the_address_that_boxes_use() {
        let config =
            Config::from_layer(layer("state_dir = '/a'\ndevice_url = 'https://fleet.example.org:9443'")).unwrap();
        assert!(config.device_names().contains(&"fleet.example.org".to_owned()));
    }
}
