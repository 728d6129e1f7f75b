//! Keeps the device listener and all sessions here with the authorities, whoever changes them.
//!
//! Sessions are looked at again and again for what they lack, rather than told once what changed: what gets lost on its way, or finds no room,
//! or falls between a session's begin and a change, is said again.

use crate::authority::{Authority, AuthorityError, Credentials};
use crate::listen::device::{DeviceListenerError, DeviceTls};
use crate::sessions::handle::SessionHandle;
use crate::sessions::registry::Registry;
use crate::sessions::renewals::Renewals;
use crate::tasks::Tasks;
use kaliun_proto::enrollment::v1::SignedTrustBundle;
use kaliun_proto::link::v1::server_message::Message;
use kaliun_proto::link::v1::{RenewCertificate, TrustBundles};
use kaliun_store::StoreError;
use kaliun_types::reason::ReasonCode;
use prost::Message as _;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

/// Whether the authorities changed at another replica is looked for this often.
const LOOK_PERIOD: Duration = Duration::from_secs(2);
/// The device listener's certificate is made anew this often.
const CERTIFICATE_PERIOD: Duration = Duration::from_secs(24 * 3600);
/// A process that could not follow for so long is not ready any more. A phase of a rotation that goes by itself lasts as long at least,
/// so that what it goes by is believed until then; a box that got a certificate of an authority that is gone proves its key.
const BEHIND_AFTER: Duration = Duration::from_secs(60);
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
) -> Arc<Following> {
    let following = Arc::new(Following::default());
    let changed = Arc::new(Notify::new());
    let (follower, stopping) = (authority.clone(), tasks.stopping());
    let (tell, followed) = (Arc::clone(&changed), Arc::clone(&following));
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
            let refreshed = tls.refresh().await;
            followed.note(refreshed.as_ref().err(), Instant::now());
            if matches!(refreshed, Ok(true)) {
                certificate = CertificateAge::begin(&follower);
                tell.notify_one();
            } else if certificate.is_old(&follower) {
                // Also when this process cannot follow: what it shows must not run out meanwhile.
                certificate = CertificateAge::begin(&follower);
                if let Err(error) = tls.renew() {
                    let error = &error as &dyn Error;
                    tracing::error!(error, "the device listener keeps its old certificate");
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
    following
}

/// How well this process follows what is kept of the authorities.
#[derive(Default)]
pub(crate) struct Following(Mutex<Option<Trouble>>);

/// It does not, at the moment.
struct Trouble {
    /// What was said of it in the log.
    text: String,
    /// Since when what is kept cannot be used; none while it is the database that does not answer, which is told elsewhere.
    since: Option<Instant>,
}

impl Following {
    /// Whether this process has failed for so long that it serves by what may not count any more.
    pub(crate) fn is_behind(&self, now: Instant) -> bool {
        let since = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|trouble| trouble.since);
        since.is_some_and(|since| now.saturating_duration_since(since) >= BEHIND_AFTER)
    }

    /// Takes the outcome of one look, and says in the log what is new about it.
    fn note(&self, failure: Option<&DeviceListenerError>, now: Instant) {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = trouble.take();
        let Some(error) = failure else {
            if before.is_some() {
                tracing::info!("the authorities are followed again");
            }
            return;
        };
        let (text, was_since) = (chain(error), before.as_ref().and_then(|before| before.since));
        if before.is_none_or(|before| before.text != text) {
            tracing::warn!(error = error as &dyn Error, "the authorities stay as they were");
        }
        // A row that does not fit is not the database's failure.
        let is_database = matches!(
            error,
            DeviceListenerError::Authority(AuthorityError::Store(
                StoreError::Pool { .. } | StoreError::Database { .. } | StoreError::Silent { .. }
            ))
        );
        *trouble = Some(Trouble { text, since: was_since.or((!is_database).then_some(now)) });
    }
}

/// An error with what caused it, as one text.
fn chain(error: &DeviceListenerError) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
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
                } else if session.take_not_renewed() {
                    session.send(Message::RenewCertificate(RenewCertificate {}));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_cannot_follow_is_behind_after_a_minute() {
        let (following, began) = (Following::default(), Instant::now());
        let after = |seconds| began + Duration::from_secs(seconds);
        let damaged = DeviceListenerError::Authority(AuthorityError::Key);
        let database =
            DeviceListenerError::Authority(AuthorityError::Store(StoreError::Silent { operation: "authorities" }));
        // The database alone is no reason: probes ask for it themselves.
        following.note(Some(&database), after(0));
        assert!(!following.is_behind(after(3_600)));
        following.note(Some(&damaged), after(3_600));
        following.note(Some(&database), after(3_610));
        following.note(Some(&damaged), after(3_620));
        assert!(!following.is_behind(after(3_659)) && following.is_behind(after(3_660)));
        following.note(None, after(3_700));
        assert!(!following.is_behind(after(9_000)));
    }
}
