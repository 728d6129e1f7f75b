//! What is wrong with what devices are known by, for people.

use super::auth::Caller;
use super::authority::{HeldUp, held_up};
use super::page::{self, PageSeal};
use super::status;
use crate::authority::Authority;
use crate::clock;
use crate::ended_devices::JournalKeeping;
use kaliun_domain::posture::{Finding, FindingKind, Matter, Remedy};
use kaliun_domain::rotation::Phase;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::posture_service_server::PostureService;
use kaliun_store::{AppStore, FindingPage, OrganizationScope, SystemStore};
use kaliun_types::reason::ReasonCode;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// Answers for what is wrong.
pub(crate) struct Postures {
    pub(crate) store: AppStore,
    pub(crate) system: SystemStore,
    pub(crate) authority: Authority,
    pub(crate) seal: PageSeal,
    pub(crate) journal: Arc<JournalKeeping>,
    pub(crate) replica_name: String,
}

/// Whose list is asked for.
enum Whose<'a> {
    Organization(&'a OrganizationScope),
    Platform,
}

fn to_proto(finding: &Finding) -> proto::Finding {
    let (device_id, device_name) = finding.device.clone().map(|(id, name)| (id.to_string(), name)).unwrap_or_default();
    proto::Finding {
        reason: finding.reason().code().to_owned(),
        since_ms: clock::to_ms(finding.since),
        last_at_ms: finding.last_at.map_or(0, clock::to_ms),
        count: finding.count(),
        device_id,
        device_name,
        source: finding.source().to_owned(),
        message: finding.message(),
        next_step: finding.next_step().to_owned(),
        remedies: finding.remedies().into_iter().map(remedy_to_proto).collect(),
    }
}

fn remedy_to_proto(remedy: Remedy) -> proto::Remedy {
    match remedy {
        Remedy::Operator(command) => proto::Remedy { command, is_on_box: false },
        Remedy::OnBox(command) => proto::Remedy { command: command.to_owned(), is_on_box: true },
    }
}

impl Whose<'_> {
    const fn kinds(&self) -> &'static [FindingKind] {
        match self {
            Self::Organization(_) => FindingKind::OF_ORGANIZATION,
            Self::Platform => FindingKind::OF_PLATFORM,
        }
    }
}

/// Where a list goes on: in which kind, and behind which key of it.
fn place<'a>(kinds: &'static [FindingKind], position: &'a str) -> Option<(usize, &'a str)> {
    let (word, key) = position.split_once(' ')?;
    Some((kinds.iter().position(|kind| kind.word() == word)?, key))
}

impl Postures {
    /// A page, kind by kind, and the token of the next one.
    async fn page(
        &self,
        caller: &Caller,
        whose: &Whose<'_>,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Vec<proto::Finding>, String), Status> {
        let size = page::size(page_size, page::DEFAULT)?;
        let kinds = whose.kinds();
        let question = if matches!(whose, Whose::Platform) { "platform findings" } else { "findings" };
        let list = self.seal.list(caller.scope(), question);
        let position = list.position(page_token)?;
        let (first, mut after) = match position.as_deref().map(|position| place(kinds, position)) {
            None => (0, None),
            Some(Some((first, key))) => (first, Some(key)),
            // The server was exchanged for one that knows other kinds.
            Some(None) => {
                return Err(status::invalid("page_token", "is not one of this list; begin with the first page"));
            }
        };
        let mut found: Vec<(FindingKind, Finding)> = Vec::new();
        for kind in kinds.iter().skip(first).copied() {
            let limit = size + 1 - i64::try_from(found.len()).unwrap_or(i64::MAX);
            if limit <= 0 {
                break;
            }
            let page = FindingPage { after: after.take(), limit, now: self.authority.now() };
            let of_kind = self.of_kind(whose, kind, page).await?;
            found.extend(of_kind.into_iter().map(|finding| (kind, finding)));
        }
        let token =
            page::cut(&mut found, size, |(kind, finding)| list.token(&format!("{} {}", kind.word(), finding.key)));
        Ok((found.iter().map(|(_kind, finding)| to_proto(finding)).collect(), token))
    }

    async fn of_kind(
        &self,
        whose: &Whose<'_>,
        kind: FindingKind,
        page: FindingPage<'_>,
    ) -> Result<Vec<Finding>, Status> {
        match whose {
            Whose::Organization(scope) => self.store.finding_list_page(scope, kind, page).await.map_err(status::store),
            Whose::Platform => self.of_platform(kind, page).await,
        }
    }

    async fn of_platform(&self, kind: FindingKind, page: FindingPage<'_>) -> Result<Vec<Finding>, Status> {
        match kind {
            FindingKind::EnrollmentFlood => self.system.flood_list_page(page).await.map_err(status::store),
            FindingKind::Returned => self.system.returned_list_page(page).await.map_err(status::store),
            FindingKind::DatabaseOlder if page.after.is_none() => {
                let older = self.system.database_older().await.map_err(status::store)?;
                Ok(older.into_iter().collect())
            }
            FindingKind::JournalStopped if page.after.is_none() => Ok(self.journal_stopped().into_iter().collect()),
            FindingKind::RotationWaits if page.after.is_none() => {
                Ok(self.rotation_waits().await?.into_iter().collect())
            }
            FindingKind::RotationWaits
            | FindingKind::DatabaseOlder
            | FindingKind::JournalStopped
            | FindingKind::KeyReused
            | FindingKind::CloneSuspected
            | FindingKind::CertificateOutdated
            | FindingKind::Refused
            | FindingKind::RecoveryOver
            | FindingKind::CertificateExpired
            | FindingKind::CertificateOverdue => Ok(Vec::new()),
        }
    }

    /// That this replica does not write down what ends.
    fn journal_stopped(&self) -> Option<Finding> {
        let trouble = self.journal.trouble()?;
        let matter = Matter::JournalStopped { replica: self.replica_name.clone(), text: trouble.text };
        Some(Finding { key: "journal".to_owned(), device: None, since: trouble.since, last_at: None, matter })
    }

    /// A rotation that is under way and does not go on.
    async fn rotation_waits(&self) -> Result<Option<Finding>, Status> {
        // Most of the time there is none, and then nothing is asked.
        if self.authority.current().rotation().phase() == Phase::Steady {
            return Ok(None);
        }
        let now = self.authority.rotation_now().await.map_err(super::authority::refused)?;
        let gate = now.rotation.gate(now.bundle_version);
        let counted = self.system.rotation_count(gate).await.map_err(status::store)?;
        let behind = (counted.devices - counted.ready).unsigned_abs();
        let course = now.steering.course(now.rotation.phase(), counted, self.authority.now());
        let held = held_up(&now, course, counted);
        let (reason, message, since) = match held {
            // Replicas are given a moment: nothing is wrong.
            Some(HeldUp { code: ReasonCode::RotationWaiting, .. }) | None if behind == 0 => return Ok(None),
            Some(HeldUp { code, message, since }) => {
                let by = now.steering.pause.as_ref().map(|pause| &pause.by);
                let message = by.map_or(message.clone(), |by| format!("The rotation is paused by {by}: {message}."));
                (code, message, since)
            }
            None => {
                let devices = counted.devices;
                let message =
                    format!("{behind} of {devices} devices have not come along in this phase of the rotation.");
                (ReasonCode::RotationWaits, message, now.steering.phase_since)
            }
        };
        let matter = Matter::RotationWaits { behind, reason, message };
        Ok(Some(Finding { key: "rotation".to_owned(), device: None, since, last_at: None, matter }))
    }
}

#[tonic::async_trait]
impl PostureService for Postures {
    async fn list_findings(
        &self,
        request: Request<proto::ListFindingsRequest>,
    ) -> Result<Response<proto::ListFindingsResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let whose = Whose::Organization(caller.scope());
        let (findings, next_page_token) = self.page(&caller, &whose, request.page_size, &request.page_token).await?;
        Ok(Response::new(proto::ListFindingsResponse { findings, next_page_token }))
    }

    async fn list_platform_findings(
        &self,
        request: Request<proto::ListPlatformFindingsRequest>,
    ) -> Result<Response<proto::ListPlatformFindingsResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let page = self.page(&caller, &Whose::Platform, request.page_size, &request.page_token);
        let (findings, next_page_token) = page.await?;
        Ok(Response::new(proto::ListPlatformFindingsResponse { findings, next_page_token }))
    }
}
