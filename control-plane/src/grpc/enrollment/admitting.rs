//! How a box gets its device: at once, or when somebody has said yes.

use super::dialogue::{Dialogue, Ended, Proved, Steps, reveal, say};
use super::waiting::Decisions;
use super::{Inner, Shown, name_parts};
use crate::authority::{CheckedRequest, Credentials};
use crate::clock;
use crate::digest::{random, sha256};
use kaliun_domain::claim_code::ClaimCode;
use kaliun_domain::enrollment::{CODE_LIFETIME, EnrollmentState};
use kaliun_proto::enrollment::v1::enroll_response;
use kaliun_store::{ByToken, CertificateGrant, Enrolled, EnrollmentRow, NewClaim, NewDevice, StoreError};
use kaliun_types::claim_check::NONCE_BYTES;
use kaliun_types::id::EnrollmentId;
use kaliun_types::reason::ReasonCode;
use prost::Message;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::Status;

/// A box that waits for an operator and finds no room for a stream asks again after this long.
const WITHOUT_A_STREAM: Duration = Duration::from_secs(300);
/// Tries to find a claim code that nobody has. Two of 22^8 hardly ever meet.
const CODE_TRIES: usize = 4;
/// A box that waits is told again what it waits for this often: it takes a stream on which nothing comes for five minutes for dead.
const PENDING_AGAIN: Duration = Duration::from_secs(60);

impl Inner {
    /// Answers once the box may have its certificate, with the credentials that count then and what they grant: a box may wait for its
    /// yes while authorities change.
    pub(super) async fn admit(
        &self,
        source: IpAddr,
        proved: &Proved,
        secret_hash: Option<&[u8; 32]>,
        dialogue: &mut Dialogue<'_>,
        shown: &mut Shown,
    ) -> Result<(Arc<Credentials>, CertificateGrant, Enrolled), Ended> {
        let facts = proved.facts.encode_to_vec();
        let facts_hash = sha256(&facts);
        let mut decisions = self.waiting.listen();
        let mut place = None;
        loop {
            // Nothing is written for a box that waits by code before it has a place.
            if place.is_none() && secret_hash.is_none() {
                place = self.room.by_code(source);
                if place.is_none() {
                    // Whoever was told yes does not wait, however many others do.
                    let approved = self.store.enrollment_approved(&proved.request.key_hash).await?;
                    return self.collect(approved.ok_or(Ended::Refused(ReasonCode::EnrollmentBusy))?).await;
                }
            }
            let (credentials, now) = (self.authority.current(), self.authority.now());
            let new = NewDevice {
                parts: name_parts(&proved.facts, &proved.request.key_hash),
                facts: &facts,
                facts_hash: &facts_hash,
                certificate: credentials.grant(now),
            };
            let row = match secret_hash {
                None => self.show_code(source, &new, &proved.check_commitment).await?,
                Some(secret_hash) => {
                    let admitted = self.store.enroll_by_token(secret_hash, &new, &source.to_string(), now).await?;
                    match admitted.map_err(Ended::Refused)? {
                        ByToken::Enrolled(enrolled) => return Ok((credentials, new.certificate, enrolled)),
                        ByToken::Waits(row) => row,
                    }
                }
            };
            if place.is_none()
                && row.state != EnrollmentState::Approved
                && let Some(secret_hash) = secret_hash
            {
                let taken = self.room.by_token(source, *secret_hash, proved.request.key_hash);
                // It waits without a stream, too: its row is there.
                place = Some(taken.ok_or(Ended::Later(WITHOUT_A_STREAM))?);
            }
            let waited = self.wait_for_yes(row, &proved.check_commitment, &mut decisions, dialogue, shown).await?;
            if let Some(approved) = waited {
                return self.collect(approved).await;
            }
            // Its commitment is used up, so the next code takes another stream.
            if dialogue.has_revealed {
                return Err(Ended::Refused(ReasonCode::EnrollmentCodeExpired));
            }
            if secret_hash.is_none() {
                self.refusals.count(source, None, ReasonCode::EnrollmentCodeExpired);
            }
        }
    }

    /// Gives a box that was told yes what it waited for.
    async fn collect(&self, approved: EnrollmentId) -> Result<(Arc<Credentials>, CertificateGrant, Enrolled), Ended> {
        let (credentials, now) = (self.authority.current(), self.authority.now());
        let grant = credentials.grant(now);
        let enrolled = self.store.enrollment_collect(approved, grant, now).await?;
        Ok((credentials, grant, enrolled.map_err(Ended::Refused)?))
    }

    pub(super) async fn issue(
        &self,
        credentials: &Credentials,
        request: &CheckedRequest,
        enrolled: Enrolled,
        grant: &CertificateGrant,
        steps: &Steps,
    ) -> Result<(), Ended> {
        let (device, organization) = (enrolled.device, enrolled.organization);
        let chain = credentials.issue_device(request, device, organization, grant).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "certificate could not be issued");
            Status::internal("the certificate could not be made; the box tries again")
        })?;
        self.metrics.enrolled.inc();
        self.changes.tell(enrolled.organization, enrolled.device);
        tracing::info!(device.id = %enrolled.device, device.is_new = enrolled.is_new, "certificate issued");
        say(
            steps,
            enroll_response::Step::Issued(enroll_response::Issued {
                device_id: enrolled.device.to_string(),
                certificate_chain: chain.into_iter().map(|certificate| certificate.to_vec()).collect(),
                device_name: enrolled.name,
            }),
        )
        .await
    }

    /// Tells the box what it waits for, and its nonce for check characters once somebody has entered its code, until somebody has
    /// decided. `None` when it has waited for as long as it may, and begins again.
    async fn wait_for_yes(
        &self,
        mut row: EnrollmentRow,
        commitment: &[u8; NONCE_BYTES],
        decisions: &mut Decisions,
        dialogue: &mut Dialogue<'_>,
        shown: &mut Shown,
    ) -> Result<Option<EnrollmentId>, Ended> {
        let mut waiter = decisions.wait_as(row.id);
        // Of this stream, whatever begins to wait as the same box meanwhile.
        let begun_count = row.begun_count;
        let mut ends_at = Instant::now() + row.expires_in;
        loop {
            match row.state {
                EnrollmentState::Pending => {}
                EnrollmentState::Denied => return Err(Ended::Refused(ReasonCode::EnrollmentDenied)),
                EnrollmentState::CheckFailed => return Err(Ended::Refused(ReasonCode::EnrollmentCheckFailed)),
                EnrollmentState::Approved => return Ok(Some(row.id)),
            }
            if row.check_nonce.is_some() {
                waiter.told();
            }
            // The nonce is for the stream whose commitment came before it.
            if row.begun_count != begun_count {
                row.check_nonce = None;
            }
            say(dialogue.steps, self.pending(&row)).await?;
            *shown = row.claim_code.is_some().then(|| EnrollmentRow { begun_count, ..row.clone() });
            if row.check_nonce.is_some() && !dialogue.has_revealed {
                dialogue.has_revealed = true;
                let bytes = reveal(dialogue.inbound, commitment).await?;
                // Where that does not count any more, the box is told so by what comes next.
                self.store.enrollment_reveal(row.id, begun_count, &bytes).await?;
            }
            let left = ends_at.saturating_duration_since(Instant::now());
            let is_over = left <= PENDING_AGAIN;
            match tokio::time::timeout(left.min(PENDING_AGAIN), waiter.decided()).await {
                Err(_elapsed) if is_over => return Ok(None),
                Ok(()) | Err(_) => {}
            }
            row = match self.store.enrollment_get(row.id).await {
                Ok(Some(row)) => {
                    ends_at = Instant::now() + row.expires_in;
                    row
                }
                // Somebody cleaned up: begin again.
                Ok(None) => return Ok(None),
                // The decision stands; whoever looks for all of them tells of it again.
                Err(error) if error.is_transient() => row,
                Err(error) => return Err(error.into()),
            };
        }
    }

    async fn show_code(
        &self,
        source: IpAddr,
        new: &NewDevice<'_>,
        commitment: &[u8; NONCE_BYTES],
    ) -> Result<EnrollmentRow, Ended> {
        for _ in 0..CODE_TRIES {
            let Some(code) = ClaimCode::from_random(&random::<32>()) else { continue };
            let claim = NewClaim {
                code: code.as_str(),
                lifetime: CODE_LIFETIME,
                source_address: &source.to_string(),
                commitment,
                nonce: &random(),
            };
            match self.store.enrollment_wait(new, &claim, self.authority.now()).await {
                Ok(Ok(row)) => return Ok(row),
                Ok(Err(reason)) => return Err(Ended::Refused(reason)),
                Err(StoreError::AlreadyExists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Ended::Refused(ReasonCode::EnrollmentBusy))
    }

    fn pending(&self, row: &EnrollmentRow) -> enroll_response::Step {
        let claim_code = row.claim_code.clone().unwrap_or_default();
        let claim_url =
            if claim_code.is_empty() { String::new() } else { format!("{}/claim?code={claim_code}", self.public_url) };
        enroll_response::Step::Pending(enroll_response::Pending {
            claim_code,
            claim_url,
            expires_at_ms: clock::to_ms(row.code_expires_at),
            check_nonce: row.check_nonce.map(|nonce| nonce.to_vec()).unwrap_or_default(),
        })
    }
}
