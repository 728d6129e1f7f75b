//! Keeps the device listener and all sessions here with the authorities, whoever changes them.
//!
//! Sessions are looked at again and again for what they lack, rather than told once what changed: what gets lost on its way, or finds no room,
//! or falls between a session's begin and a change, is said again.

use crate::authority::{Authority, Credentials};
use crate::listen::device::DeviceTls;
use crate::sessions::handle::SessionHandle;
use crate::sessions::registry::Registry;
use crate::sessions::renewals::Renewals;
use crate::tasks::Tasks;
use kaliun_proto::enrollment::v1::SignedTrustBundle;
use kaliun_proto::link::v1::server_message::Message;
use kaliun_proto::link::v1::{RenewCertificate, TrustBundles};
use kaliun_types::reason::ReasonCode;
use prost::Message as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

/// Whether the authorities changed at another replica is looked for this often.
const LOOK_PERIOD: Duration = Duration::from_secs(2);
/// The device listener's certificate is made anew this often.
const CERTIFICATE_PERIOD: Duration = Duration::from_secs(24 * 3600);
/// What sessions lack is looked at this often. One that lacks the same for long is told less often than that.
const TELL_PERIOD: Duration = Duration::from_secs(10);
/// Devices told at once, with a pause between: 500 a second, as fast as they are answered.
const TELL_BATCH: usize = 50;
const TELL_PAUSE: Duration = Duration::from_millis(100);
/// Bytes of bundles in one message, which must stay below `LINK_MESSAGE_MAX_BYTES` with what is around them.
const BUNDLES_MAX_BYTES: usize = 24 * 1024;

/// Starts both: what follows the authorities, and what tells the sessions.
pub(crate) fn follow(
    tasks: &Tasks,
    authority: &Authority,
    tls: Arc<DeviceTls>,
    registry: Arc<Registry>,
    renewals: Renewals,
) {
    let changed = Arc::new(Notify::new());
    let (follower, stopping) = (authority.clone(), tasks.stopping());
    let tell = Arc::clone(&changed);
    tasks.spawn("authorities", async move {
        let mut looks = tokio::time::interval(LOOK_PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut certificate = CertificateAge::begin(&follower);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = follower.changed() => {}
                () = stopping.cancelled() => return,
            }
            match tls.refresh().await {
                Ok(true) => {
                    certificate = CertificateAge::begin(&follower);
                    tell.notify_one();
                }
                Ok(false) if certificate.is_old(&follower) => {
                    certificate = CertificateAge::begin(&follower);
                    if let Err(error) = tls.renew() {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(error, "the device listener keeps its old certificate");
                    }
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the authorities stay as they were");
                }
            }
        }
    });
    let (teller, stopping) = (Teller { authority: authority.clone(), registry, renewals }, tasks.stopping());
    tasks.spawn("authority-teller", async move {
        let mut passes = tokio::time::interval(TELL_PERIOD);
        passes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = passes.tick() => {}
                () = changed.notified() => {}
                () = stopping.cancelled() => return,
            }
            tokio::select! {
                () = teller.pass() => {}
                () = stopping.cancelled() => return,
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

struct Teller {
    authority: Authority,
    registry: Arc<Registry>,
    renewals: Renewals,
}

impl Teller {
    /// Looks at all sessions here.
    async fn pass(&self) {
        for batch in self.registry.all().chunks(TELL_BATCH) {
            // Read for each batch: what changes meanwhile counts at once.
            let credentials = self.authority.current();
            let mut told = 0;
            for session in batch {
                self.renewals.note_trust(session);
                if !credentials.trusts(session.authority) {
                    // Its certificate proves nothing any more. The box proves its key and gets another.
                    session.close(ReasonCode::PeerUnknownIssuer);
                    told += 1;
                } else if tell(session, &credentials) {
                    told += 1;
                }
            }
            if told == 0 {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(TELL_PAUSE).await;
            }
        }
    }
}

/// Tells a device what it lacks: bundles, and a certificate of the authority that issues now. Answers whether it was told something.
pub(crate) fn tell(session: &SessionHandle, credentials: &Credentials) -> bool {
    let held = session.trust_version().unsigned_abs();
    // By what it shows: a certificate that was granted may have been lost on its way.
    let renews = session.authority != credentials.rotation().issuing();
    if (held >= credentials.bundle_version() && !renews) || !session.is_to_be_told(credentials.revision()) {
        return false;
    }
    tell_bundles(session, &credentials.bundles_from(held));
    if renews {
        session.send(Message::RenewCertificate(RenewCertificate {}));
    }
    true
}

fn tell_bundles(session: &SessionHandle, bundles: &[SignedTrustBundle]) {
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
