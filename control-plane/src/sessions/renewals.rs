//! What devices ask and say about certificates and trust over their links.

use crate::authority::{Authority, AuthorityError, CheckedRequest};
use crate::changes::Changes;
use crate::limiter::Limiter;
use crate::listen::places::{Place, Places};
use crate::metrics::Metrics;
use crate::sessions::handle::SessionHandle;
use crate::tasks::Tasks;
use futures_util::StreamExt;
use kaliun_proto::link::v1::Certificate;
use kaliun_proto::link::v1::server_message::Message;
use kaliun_store::{StoreError, SystemStore};
use kaliun_types::id::DeviceId;
use kaliun_types::reason::ReasonCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Requests that wait. Each takes some milliseconds; boxes whose requests find no room are reminded.
const WAITING_MAX: usize = 1_024;
/// Requests that are answered at once: half of the connections to the database. Commits that come together cost one write.
const ANSWERED_AT_ONCE: usize = 4;
/// Of one device: a certificate and a bundle.
const WAITING_FOR_EACH: u32 = 2;
/// Certificates of one device: several at once, for a rotation that goes forth and back asks for one each time, and then one an hour.
/// A certificate lasts 30 days, so a box that wants more does not keep what it gets.
const CERTIFICATES_AT_ONCE: u32 = 10;
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(3600);
/// Devices remembered by that: all of a large replica's. An entry is some 80 bytes, and whole again within ten hours.
const DEVICES_MAX: usize = 250_000;
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
    TrustHeld,
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
        let (waiting, requests) = mpsc::channel(WAITING_MAX);
        let stopping = tasks.stopping();
        let certificates = Arc::new(Limiter::for_many(DEVICES_MAX, CERTIFICATES_AT_ONCE, CERTIFICATE_INTERVAL));
        let worker = Worker { store, authority, changes, metrics, certificates: Arc::clone(&certificates) };
        tasks.spawn("renewals", async move {
            let answering =
                ReceiverStream::new(requests).for_each_concurrent(ANSWERED_AT_ONCE, |request| worker.answer(request));
            tokio::select! {
                () = answering => {}
                () = stopping.cancelled() => {}
            }
        });
        Self { waiting, places: Arc::new(Places::new(WAITING_MAX, WAITING_FOR_EACH)), certificates }
    }

    /// A device asks for its next certificate. When that finds no room, the box is reminded later.
    pub(crate) fn renew(&self, session: &Arc<SessionHandle>, request: CheckedRequest) {
        let Some(place) = self.places.take(session.device) else {
            session.not_renewed();
            return;
        };
        if let Err(wait) = self.certificates.has_one(&session.device, Instant::now()) {
            tracing::debug!(device.id = %session.device, ?wait, "asks for too many certificates");
            return;
        }
        self.wait(session, Asked::Certificate(Box::new(request)), place);
    }

    /// A device says which bundle it holds.
    pub(crate) fn trust_held(&self, session: &Arc<SessionHandle>, version: i64) {
        if session.holds(version) {
            self.note_trust(session);
        }
    }

    /// Notes which bundle a device holds, if that is not noted. What finds no room now is noted later: the session remembers it.
    pub(crate) fn note_trust(&self, session: &Arc<SessionHandle>) {
        if session.trust_to_note().is_some()
            && let Some(place) = self.places.take(session.device)
        {
            self.wait(session, Asked::TrustHeld, place);
        }
    }

    fn wait(&self, session: &Arc<SessionHandle>, asked: Asked, place: Place<DeviceId>) {
        let waiting = Waiting { session: Arc::clone(session), asked, _place: place };
        // There is room for whoever has a place, unless the process stops.
        if self.waiting.try_send(waiting).is_err() {
            tracing::debug!(device.id = %session.device, "nobody answers what is asked about certificates any more");
        }
    }
}

struct Worker {
    store: SystemStore,
    authority: Authority,
    changes: Changes,
    metrics: Arc<Metrics>,
    certificates: Arc<Limiter<DeviceId>>,
}

impl Worker {
    async fn answer(&self, waiting: Waiting) {
        let session = &waiting.session;
        match &waiting.asked {
            Asked::Certificate(request) => {
                if let Err(error) = self.renew(session, request).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(device.id = %session.device, error, "certificate not renewed; the box is reminded");
                    session.not_renewed();
                }
            }
            Asked::TrustHeld => {
                // The newest that it said counts, and may be noted already.
                let Some(version) = session.trust_to_note() else { return };
                match self.store.trust_held(session.device, session.epoch, version).await {
                    Ok(()) => session.trust_noted(version),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(device.id = %session.device, error, "trust not noted; it is tried again");
                    }
                }
            }
        }
    }

    async fn renew(&self, session: &SessionHandle, request: &CheckedRequest) -> Result<(), NotRenewed> {
        let (credentials, now) = (self.authority.current(), self.authority.now());
        let grant = credentials.grant(now);
        let chain = credentials.issue_device(request, session.device, session.organization, &grant)?;
        // Noted first: a certificate that nobody knows of must not be about.
        let granted = self.store.certificate_renew(session.device, session.epoch, &request.key_hash, grant).await?;
        let Some(organization) = granted else {
            session.close(ReasonCode::LinkProtocolError);
            return Ok(());
        };
        // Counted when it is given: what came to nothing, because the database failed, takes nothing from the box.
        let _was_the_last = self.certificates.take(&session.device, Instant::now());
        let certificate_chain = chain.into_iter().map(|certificate| certificate.to_vec()).collect();
        session.send(Message::Certificate(Certificate { certificate_chain }));
        self.changes.tell(organization, session.device);
        self.metrics.certificates_renewed.inc();
        tracing::info!(device.id = %session.device, authority = grant.authority, "certificate renewed");
        Ok(())
    }
}
