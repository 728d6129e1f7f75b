//! Handing a mail over to the mail server: one connection for each mail.

use super::message::Message;
use crate::config::{MailConfig, MailServer, Security};
use kaliun_types::secret::SecretText;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// Longest time for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for one mail, from connecting to its acceptance. Servers that look at a mail before they take it need seconds.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for a good-bye, which changes nothing any more.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);
/// Characters of a server's answer that are repeated.
const ANSWER_CHARS_MAX: usize = 300;

/// A file for mails does not serve.
#[derive(Debug, Error)]
pub enum MailServerError {
    /// It cannot be read.
    #[error("{key}: {} cannot be read: {source}", path.display())]
    File {
        /// The configuration key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The password file is empty.
    #[error("smtp_password_file: {} is empty: write the password into it", path.display())]
    NoPassword {
        /// The file.
        path: PathBuf,
    },
    /// The roots cannot be used.
    #[error("smtp_ca: {} has no certificate in PEM form that serves as a root", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
    },
    /// TLS cannot be set up.
    #[error("TLS towards the mail server cannot be set up: {problem}")]
    Tls {
        /// Why.
        problem: String,
    },
}

/// How far an attempt came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Reaching the server, and its greeting.
    Connect,
    /// Keeping the connection from others.
    Tls,
    /// Signing in.
    SignIn,
    /// Naming whom the mail comes from.
    Sender,
    /// Naming whom it goes to.
    Recipient,
    /// The mail itself.
    Message,
}

impl Stage {
    /// As a label of a metric.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::SignIn => "sign_in",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Message => "message",
        }
    }

    /// Whether it is before anything was said of the mail, so that other mails fare the same.
    pub(super) fn is_of_server(self) -> bool {
        self < Self::Recipient
    }
}

/// Why a mail server did not take a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailError {
    /// How far it came.
    pub stage: Stage,
    /// The server's code, when it gave one.
    pub code: Option<u16>,
    /// Whether the server will never take this mail.
    pub is_permanent: bool,
    /// What the reader can do about it, after what went wrong.
    text: String,
}

impl fmt::Display for MailError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Error for MailError {}

/// A mail server, and how to sign in there.
pub(super) struct Smtp {
    server: MailServer,
    password: Option<SecretText>,
    tls: Option<TlsParameters>,
    hello: ClientId,
    from: String,
}

/// What happened before the server took a mail.
enum Failed {
    Said(lettre::transport::smtp::Error),
    /// The server cannot take mails to such an address.
    NoUtf8,
    NoStartTls,
}

impl From<lettre::transport::smtp::Error> for Failed {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        Self::Said(error)
    }
}

impl Smtp {
    /// Reads what is needed. Connects to nothing.
    ///
    /// # Errors
    /// See [`MailServerError`].
    pub(super) fn new(config: &MailConfig) -> Result<Self, MailServerError> {
        let password = config.password_file.as_deref().map(password).transpose()?;
        let tls = match config.server.security {
            Security::Tls | Security::StartTls => Some(tls(config)?),
            Security::Loopback => None,
        };
        let hello = ClientId::Domain(config.from.email.domain().to_owned());
        Ok(Self { server: config.server.clone(), password, tls, hello, from: config.from.email.to_string() })
    }

    /// Sends a mail, within a minute. Answers what the server said when it took it.
    ///
    /// # Errors
    /// See [`MailError`].
    pub(super) async fn send(&self, message: &Message) -> Result<String, MailError> {
        let mut stage = Stage::Connect;
        let attempt = tokio::time::timeout(ATTEMPT_TIMEOUT, self.attempt(message, &mut stage)).await;
        let (said, mut connection) = match attempt {
            Ok(Ok(taken)) => taken,
            Ok(Err(failed)) => return Err(self.error(stage, &failed)),
            Err(_elapsed) => return Err(self.silent(stage)),
        };
        // The mail is taken, whatever becomes of the good-bye.
        let _gone = tokio::time::timeout(QUIT_TIMEOUT, connection.abort()).await;
        Ok(said)
    }

    async fn attempt(&self, message: &Message, stage: &mut Stage) -> Result<(String, AsyncSmtpConnection), Failed> {
        let mut connection = self.connect(stage).await?;
        if let (Some(user), Some(password)) = (&self.server.user, &self.password) {
            *stage = Stage::SignIn;
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        *stage = Stage::Sender;
        let mut parameters = Vec::new();
        if !message.has_ascii_addresses() {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                *stage = Stage::Recipient;
                return Err(Failed::NoUtf8);
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        connection.command(Mail::new(message.envelope.from().cloned(), parameters)).await?;
        *stage = Stage::Recipient;
        for to in message.envelope.to() {
            connection.command(Rcpt::new(to.clone(), Vec::new())).await?;
        }
        *stage = Stage::Message;
        connection.command(Data).await?;
        let response = connection.message(&message.bytes).await?;
        let lines: Vec<&str> = response.message().collect();
        Ok((one_line(&format!("{} {}", response.code(), lines.join(" "))), connection))
    }

    async fn connect(&self, stage: &mut Stage) -> Result<AsyncSmtpConnection, Failed> {
        let place = (self.server.host.as_str(), self.server.port);
        let from_the_start = match self.server.security {
            Security::Tls => self.tls.clone(),
            Security::StartTls | Security::Loopback => None,
        };
        let connected =
            AsyncSmtpConnection::connect_tokio1(place, Some(CONNECT_TIMEOUT), &self.hello, from_the_start, None).await;
        let mut connection = connected.inspect_err(|error| {
            if of_tls(error).is_some() {
                *stage = Stage::Tls;
            }
        })?;
        if let (Security::StartTls, Some(tls)) = (self.server.security, &self.tls) {
            *stage = Stage::Tls;
            if !connection.can_starttls() {
                return Err(Failed::NoStartTls);
            }
            connection.starttls(tls.clone(), &self.hello).await?;
        }
        Ok(connection)
    }

    /// What to tell of a failure.
    fn error(&self, stage: Stage, failed: &Failed) -> MailError {
        let error = match failed {
            Failed::Said(error) => error,
            Failed::NoUtf8 => {
                let text =
                    "the mail server takes no addresses with letters beyond ASCII (it lacks SMTPUTF8)".to_owned();
                return MailError { stage, code: None, is_permanent: true, text };
            }
            Failed::NoStartTls => {
                let text =
                    format!("{} offers no STARTTLS, so nothing is sent there: try smtps:// in smtp_url", self.place());
                return MailError { stage, code: None, is_permanent: false, text };
            }
        };
        let code = error.status().map(u16::from);
        let is_permanent = error.is_permanent() && !stage.is_of_server();
        let said = match (code, of_tls(error)) {
            (_, Some(tls)) => tls,
            (Some(code), None) => format!("{code} {}", cause(error)),
            (None, None) => cause(error),
        };
        MailError { stage, code, is_permanent, text: self.explain(stage, &one_line(&said)) }
    }

    fn silent(&self, stage: Stage) -> MailError {
        let said = format!("it said nothing more within {} s", ATTEMPT_TIMEOUT.as_secs());
        MailError { stage, code: None, is_permanent: false, text: self.explain(stage, &said) }
    }

    fn explain(&self, stage: Stage, said: &str) -> String {
        let place = self.place();
        match stage {
            Stage::Connect => {
                format!(
                    "{place} cannot be spoken to ({said}): see whether smtp_url names the right host, port and scheme"
                )
            }
            Stage::Tls => format!(
                "the connection to {place} cannot be made safe ({said}): the host in smtp_url must be the one in its certificate, \
                 and a certificate of your own authority needs smtp_ca"
            ),
            Stage::SignIn => format!(
                "{place} does not let {} in ({said}): look at the user in smtp_url and at smtp_password_file",
                self.server.user.as_deref().unwrap_or_default()
            ),
            Stage::Sender => format!(
                "{place} takes no mails from {} ({said}): look at mail_from, and whether smtp_url needs a user",
                self.from
            ),
            Stage::Recipient => format!("{place} does not take mails to this address ({said})"),
            Stage::Message => format!("{place} does not take this mail ({said})"),
        }
    }

    fn place(&self) -> String {
        format!("the mail server {}:{}", self.server.host, self.server.port)
    }
}

/// What TLS itself found wrong, if it was TLS.
fn of_tls(error: &lettre::transport::smtp::Error) -> Option<String> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Some(tls.to_string());
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
        {
            return Some(tls.to_string());
        }
        source = error.source();
    }
    None
}

/// The error's own words, without what the library puts before them.
fn cause(error: &lettre::transport::smtp::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|char: char| char.is_control() || char.is_whitespace()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(ANSWER_CHARS_MAX).collect()
}

fn password(path: &Path) -> Result<SecretText, MailServerError> {
    let text = std::fs::read_to_string(path).map_err(|source| MailServerError::File {
        key: "smtp_password_file",
        path: path.to_owned(),
        source,
    })?;
    let password = text.strip_suffix('\n').unwrap_or(&text).trim_end_matches('\r');
    if password.is_empty() {
        return Err(MailServerError::NoPassword { path: path.to_owned() });
    }
    Ok(SecretText::new(password.to_owned()))
}

fn tls(config: &MailConfig) -> Result<TlsParameters, MailServerError> {
    let mut builder = TlsParametersBuilder::new(config.server.host.clone());
    if let Some(path) = &config.ca {
        let pem = std::fs::read(path).map_err(|source| MailServerError::File {
            key: "smtp_ca",
            path: path.clone(),
            source,
        })?;
        let unusable = || MailServerError::Roots { path: path.clone() };
        builder = builder.certificate_store(CertificateStore::None);
        let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        for root in roots.ok().filter(|roots| !roots.is_empty()).ok_or_else(unusable)? {
            let root = Certificate::from_der(root.to_vec()).map_err(|_| unusable())?;
            builder = builder.add_root_certificate(root);
        }
    }
    builder.build_rustls().map_err(|error| MailServerError::Tls { problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::letter::Letter;
    use kaliun_mail_sink::session::{Answer, Offer, Step, converse};
    use kaliun_types::id::MailId;
    use std::time::SystemTime;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    /// A server that says nothing more from a step on is left after a minute, and the step is named.
    async fn check_silence(is_silent: fn(Step<'_>) -> bool, stage: Stage) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = MailConfig {
            server: MailServer { host: "127.0.0.1".to_owned(), port, security: Security::Loopback, user: None },
            password_file: None,
            ca: None,
            from: "fleet@example.org".parse().unwrap(),
        };
        let smtp = Smtp::new(&config).unwrap();
        let letter = Letter::test("https://fleet.example.org");
        let message =
            Message::new(MailId::new(), &letter, &config.from, "ada@example.org", SystemTime::UNIX_EPOCH).unwrap();
        let (say, mut said) = mpsc::channel(1);
        let server = async {
            let (stream, _peer) = listener.accept().await.unwrap();
            let mut answer = |step: Step<'_>| {
                if is_silent(step) {
                    say.try_send(()).unwrap();
                    Answer::Silence
                } else {
                    Answer::Accept
                }
            };
            converse(stream, &Offer::default(), false, &mut answer).await.unwrap();
        };
        let clock = async {
            said.recv().await.unwrap();
            // From here on nothing moves but the clock.
            tokio::time::pause();
        };
        let (sent, (), ()) = tokio::join!(smtp.send(&message), server, clock);
        let error = sent.unwrap_err();
        assert_eq!((error.stage, error.is_permanent), (stage, false), "{error}");
        assert!(error.to_string().contains("said nothing more within 60 s"), "{error}");
    }

    #[tokio::test]
    async fn a_silent_server_is_left_after_a_minute() {
        check_silence(|step| matches!(step, Step::Connected), Stage::Connect).await;
    }

    #[tokio::test]
    async fn a_server_that_falls_silent_over_a_mail_is_left_after_a_minute() {
        check_silence(|step| matches!(step, Step::Message(_)), Stage::Message).await;
    }
}
