//! What devices ask and say about certificates and trust over their links, and what they are told when the authorities change.

use crate::authority::{Authority, AuthorityError, CheckedRequest, Credentials};
use crate::changes::Changes;
use crate::limiter::Limiter;
use crate::listen::device::DeviceTls;
use crate::listen::places::{Place, Places};
use crate::metrics::Metrics;
use crate::sessions::handle::SessionHandle;
use crate::sessions::registry::Registry;
use crate::tasks::Tasks;
use kaliun_proto::enrollment::v1::SignedTrustBundle;
use kaliun_proto::link::v1::server_message::Message;
use kaliun_proto::link::v1::{Certificate, RenewCertificate, TrustBundles};
use kaliun_store::{StoreError, SystemStore};
use kaliun_types::id::DeviceId;
use kaliun_types::reason::ReasonCode;
use prost::Message as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

/// Requests that wait. Each takes some milliseconds; what does not fit is asked again by the box.
const WAITING_MAX: usize = 1_024;
/// Of one device: a certificate and a bundle.
const WAITING_FOR_EACH: u32 = 2;
/// Certificates of one device: several at once, for a rotation that goes forth and back asks for one each time, and then one an hour.
/// A certificate lasts 30 days, so a box that wants more does not keep what it gets.
const CERTIFICATES_AT_ONCE: u32 = 10;
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(3600);
/// Devices remembered by that: all of a large replica's. An entry is some 80 bytes, and whole again within ten hours.
const DEVICES_MAX: usize = 250_000;
/// Bytes of bundles in one message, which must stay below `LINK_MESSAGE_MAX_BYTES` with what is around them.
const BUNDLES_MAX_BYTES: usize = 24 * 1024;
/// Whether the authorities changed at another replica is looked for this often.
const LOOK_PERIOD: Duration = Duration::from_secs(2);
/// The device listener's certificate is made anew this often.
const CERTIFICATE_PERIOD: Duration = Duration::from_secs(24 * 3600);
/// Devices told at once that something changed, with a pause between: 500 a second, as fast as they are answered.
const TELL_BATCH: usize = 50;
const TELL_PAUSE: Duration = Duration::from_millis(100);

/// The door to the task that looks after certificates.
#[derive(Clone)]
pub(crate) struct Renewals {
    waiting: mpsc::Sender<Waiting>,
    places: Arc<Places<DeviceId>>,
    certificates: Arc<Limiter<DeviceId>>,
}

/// What a device asked or said, and its place until that is answered.
struct Waiting {
    session: Arc<SessionHandle>,
    asked: Asked,
    _place: Place<DeviceId>,
}

enum Asked {
    Certificate(Box<CheckedRequest>),
    TrustHeld(i64),
}

/// Why a device got no certificate.
#[derive(Debug, Error)]
enum NotRenewed {
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Renewals {
    /// Starts the task.
    pub(crate) fn start(
        tasks: &Tasks,
        store: SystemStore,
        authority: Authority,
        changes: Changes,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (waiting, mut requests) = mpsc::channel(WAITING_MAX);
        let stopping = tasks.stopping();
        let worker = Worker { store, authority, changes, metrics };
        tasks.spawn("renewals", async move {
            loop {
                tokio::select! {
                    request = requests.recv() => match request {
                        Some(request) => worker.answer(request).await,
                        None => return,
                    },
                    () = stopping.cancelled() => return,
                }
            }
        });
        let certificates = Limiter::for_many(DEVICES_MAX, CERTIFICATES_AT_ONCE, CERTIFICATE_INTERVAL);
        Self {
            waiting,
            places: Arc::new(Places::new(WAITING_MAX, WAITING_FOR_EACH)),
            certificates: Arc::new(certificates),
        }
    }

    /// A device asks for its next certificate.
    pub(crate) fn renew(&self, session: &Arc<SessionHandle>, request: CheckedRequest) {
        if let Err(wait) = self.certificates.take(&session.device, Instant::now()) {
            tracing::debug!(device.id = %session.device, ?wait, "asks for too many certificates");
            return;
        }
        self.wait(session, Asked::Certificate(Box::new(request)));
    }

    /// A device says which bundle it holds. Said again in its next hello.
    pub(crate) fn trust_held(&self, session: &Arc<SessionHandle>, version: i64) {
        self.wait(session, Asked::TrustHeld(version));
    }

    fn wait(&self, session: &Arc<SessionHandle>, asked: Asked) {
        // Too many at once: the box asks or says it again.
        if let Some(place) = self.places.take(session.device) {
            let _again = self.waiting.try_send(Waiting { session: Arc::clone(session), asked, _place: place });
        }
    }
}

/// Tells a device the bundles that it does not have.
pub(crate) fn tell_bundles(session: &SessionHandle, bundles: &[SignedTrustBundle]) {
    let mut waiting = Vec::new();
    let mut bytes = 0;
    for bundle in bundles {
        if bytes + bundle.encoded_len() > BUNDLES_MAX_BYTES && !waiting.is_empty() {
            session.send(Message::TrustBundles(TrustBundles { bundles: std::mem::take(&mut waiting) }));
            bytes = 0;
        }
        bytes += bundle.encoded_len();
        waiting.push(bundle.clone());
    }
    if !waiting.is_empty() {
        session.send(Message::TrustBundles(TrustBundles { bundles: waiting }));
    }
}

/// Keeps the device listener and all sessions here with the authorities, whoever changes them.
pub(crate) fn follow_authorities(tasks: &Tasks, authority: &Authority, tls: Arc<DeviceTls>, registry: Arc<Registry>) {
    let (authority, stopping) = (authority.clone(), tasks.stopping());
    tasks.spawn("authorities", async move {
        let mut looks = tokio::time::interval(LOOK_PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut certificate = CertificateAge::begin(&authority);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = authority.changed() => {}
                () = stopping.cancelled() => return,
            }
            match tls.refresh().await {
                Ok(Some((before, now))) => {
                    certificate = CertificateAge::begin(&authority);
                    tell_all(&registry, &before, &now).await;
                }
                Ok(None) if certificate.is_old(&authority) => {
                    certificate = CertificateAge::begin(&authority);
                    if let Err(error) = tls.renew() {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "the device listener keeps its old certificate");
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the authorities stay as they were");
                }
            }
        }
    });
}

/// How old the device listener's certificate is, by the clock that it is valid by and by one that nobody sets.
struct CertificateAge {
    made_at: SystemTime,
    made: Instant,
}

impl CertificateAge {
    fn begin(authority: &Authority) -> Self {
        Self { made_at: authority.now(), made: Instant::now() }
    }

    fn is_old(&self, authority: &Authority) -> bool {
        let age = authority.now().duration_since(self.made_at).unwrap_or_default();
        age.max(self.made.elapsed()) >= CERTIFICATE_PERIOD
    }
}

/// Tells all devices here what changed of the authorities.
async fn tell_all(registry: &Registry, before: &Credentials, now: &Credentials) {
    let bundles = now.bundles_from(before.bundle_version());
    let renews = now.rotation().issuing() != before.rotation().issuing();
    for batch in registry.all().chunks(TELL_BATCH) {
        for session in batch {
            tell_bundles(session, &bundles);
            if renews {
                session.send(Message::RenewCertificate(RenewCertificate {}));
            }
        }
        tokio::time::sleep(TELL_PAUSE).await;
    }
}

struct Worker {
    store: SystemStore,
    authority: Authority,
    changes: Changes,
    metrics: Arc<Metrics>,
}

impl Worker {
    async fn answer(&self, waiting: Waiting) {
        let session = &waiting.session;
        match &waiting.asked {
            Asked::Certificate(request) => {
                if let Err(error) = self.renew(session, request).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(device.id = %session.device, error, "certificate not renewed; the box asks again");
                }
            }
            Asked::TrustHeld(version) => {
                if let Err(error) = self.store.trust_held(session.device, session.epoch, *version).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(device.id = %session.device, error, "trust not noted; the box says it again");
                }
            }
        }
    }

    async fn renew(&self, session: &SessionHandle, request: &CheckedRequest) -> Result<(), NotRenewed> {
        let (credentials, now) = (self.authority.current(), self.authority.now());
        let grant = credentials.grant(now);
        let chain = credentials.issue_device(request, session.device, now)?;
        // Noted first: a certificate that nobody knows of must not be about.
        let granted = self.store.certificate_renew(session.device, session.epoch, &request.key_hash, grant).await?;
        let Some(organization) = granted else {
            session.close(ReasonCode::LinkProtocolError);
            return Ok(());
        };
        let certificate_chain = chain.into_iter().map(|certificate| certificate.to_vec()).collect();
        session.send(Message::Certificate(Certificate { certificate_chain }));
        self.changes.tell(organization, session.device);
        self.metrics.certificates_renewed.inc();
        tracing::info!(device.id = %session.device, authority = grant.authority, "certificate renewed");
        Ok(())
    }
}
