//! A mail server that answers as a test says.

use anyhow::{Context, Result};
use kaliun_control_plane::config::{MailConfig, MailServer as Server, Security};
use kaliun_mail_sink::reading::Mail;
use kaliun_mail_sink::session::{Answer, End, Offer, Received, Step, converse};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What a server says at a step.
pub(crate) type Script = fn(Step<'_>) -> Answer;

/// A server that takes everything.
pub(crate) fn accept(_step: Step<'_>) -> Answer {
    Answer::Accept
}

/// A running mail server. Dropping it ends it.
pub(crate) struct MailServer {
    port: u16,
    script: Arc<Mutex<Script>>,
    received: watch::Receiver<Vec<Received>>,
    steps: watch::Receiver<usize>,
    _conversations: JoinSet<()>,
}

/// How a mail server is kept from others.
#[derive(Clone, Default)]
pub(crate) struct Lock {
    /// TLS, and whether from the first byte.
    pub(crate) tls: Option<(TlsAcceptor, bool)>,
    /// Who has to sign in.
    pub(crate) login: Option<(String, String)>,
}

/// What one conversation reports to.
#[derive(Clone)]
struct Reports {
    script: Arc<Mutex<Script>>,
    received: watch::Sender<Vec<Received>>,
    steps: watch::Sender<usize>,
}

impl Reports {
    fn answer(&self, step: Step<'_>) -> Answer {
        let script = *self.script.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = script(step);
        if let (Step::Message(mail), Answer::Accept) = (step, &answer) {
            self.received.send_modify(|received| received.push(mail.clone()));
        }
        self.steps.send_modify(|steps| *steps += 1);
        answer
    }
}

impl MailServer {
    pub(crate) async fn start(script: Script) -> Result<Self> {
        Self::start_locked(script, Lock::default()).await
    }

    pub(crate) async fn start_locked(script: Script, lock: Lock) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let script = Arc::new(Mutex::new(script));
        let ((sender, received), (step, steps)) = (watch::channel(Vec::new()), watch::channel(0));
        let reports = Reports { script: Arc::clone(&script), received: sender, steps: step };
        let mut conversations = JoinSet::new();
        conversations.spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((stream, _peer)) = listener.accept().await {
                let (lock, reports) = (lock.clone(), reports.clone());
                running.spawn(async move {
                    // A client that goes in the middle is what some tests are about.
                    let _ended = hold(stream, lock, reports).await;
                });
            }
        });
        Ok(Self { port, script, received, steps, _conversations: conversations })
    }

    /// Lets it answer otherwise from now on.
    pub(crate) fn answer(&self, script: Script) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = script;
    }

    /// How a control plane is configured to send mails through it, without TLS.
    pub(crate) fn config(&self) -> MailConfig {
        self.config_for("127.0.0.1", Security::Loopback)
    }

    /// How one is configured by another name and security.
    pub(crate) fn config_for(&self, host: &str, security: Security) -> MailConfig {
        MailConfig {
            server: Server { host: host.to_owned(), port: self.port, security, user: None },
            password_file: None,
            ca: None,
            from: "Kaliun Fleet <fleet@example.org>".parse().expect("it is an address"),
        }
    }

    /// The first mails that it took, once there are so many.
    pub(crate) async fn taken(&self, count: usize) -> Result<Vec<Mail>> {
        let mut received = self.received.clone();
        let waited = tokio::time::timeout(super::PATIENCE, received.wait_for(|received| received.len() >= count)).await;
        let received = waited.context("the mail does not come")??;
        Ok(received.iter().map(|received| Mail::read(&received.bytes)).collect())
    }

    /// How many it took until now.
    pub(crate) fn count(&self) -> usize {
        self.received.borrow().len()
    }

    /// How many steps it was brought to.
    pub(crate) async fn reached(&self, count: usize) -> Result<()> {
        let mut steps = self.steps.clone();
        tokio::time::timeout(super::PATIENCE, steps.wait_for(|steps| *steps >= count))
            .await
            .context("it is not spoken to")??;
        Ok(())
    }
}

async fn hold(stream: TcpStream, lock: Lock, reports: Reports) -> io::Result<()> {
    let answer = &mut |step: Step<'_>| reports.answer(step);
    let starttls = lock.tls.as_ref().is_some_and(|(_, from_the_start)| !from_the_start);
    let offer = Offer { starttls, login: lock.login };
    match lock.tls {
        Some((tls, true)) => converse(tls.accept(stream).await?, &offer, false, answer).await.map(|_over| ()),
        tls => match (converse(stream, &offer, false, answer).await?, tls) {
            (End::StartTls(stream), Some((tls, _))) => {
                converse(tls.accept(stream).await?, &offer, true, answer).await.map(|_over| ())
            }
            (End::StartTls(_) | End::Over, _) => Ok(()),
        },
    }
}

/// TLS for `localhost` by an authority of this test alone, whose root is written to a file.
pub(crate) fn tls_for_localhost(root: &Path) -> Result<TlsAcceptor> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(root, made.cert.pem())?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
