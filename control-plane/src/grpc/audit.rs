//! Who did what, and what proves it, for people and for verifiers.

mod streams;

use super::auth::Caller;
use super::convert::audit::{entry_to_proto, filter, question};
use super::outlet::Answers;
use super::page::{self, PageSeal};
use super::status;
use crate::audit::sealer::News;
use crate::listen::places::Places;
use crate::tasks::Tasks;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::audit_service_server::AuditService;
use kaliun_store::{AppStore, AuditPosition, SystemStore};
use kaliun_types::id::OrganizationId;
use tonic::{Request, Response, Status};

/// Streams of all organizations at once, and of one. Each holds 16 messages at most, of some 100 kB when changes are large, and asks the
/// database twice a second.
const STREAMS_MAX: usize = 64;
const STREAMS_FOR_EACH: u32 = 8;

/// Answers for the audit.
pub(crate) struct Audits {
    store: AppStore,
    /// Asked whether a caller still may.
    gate: SystemStore,
    seal: PageSeal,
    news: News,
    tasks: Tasks,
    places: Places<OrganizationId>,
}

impl Audits {
    pub(crate) fn new(store: AppStore, gate: SystemStore, seal: PageSeal, news: News, tasks: Tasks) -> Self {
        Self { store, gate, seal, news, tasks, places: Places::new(STREAMS_MAX, STREAMS_FOR_EACH) }
    }
}

/// A place in the list, as it stands in a token.
fn position(text: &str) -> Option<AuditPosition> {
    let (at_us, id) = text.split_once(' ')?;
    Some(AuditPosition { at_us: at_us.parse().ok()?, id: id.parse().ok()? })
}

#[tonic::async_trait]
impl AuditService for Audits {
    type FollowAuditEntriesStream = Answers<proto::FollowAuditEntriesResponse>;
    type ExportAuditChainStream = Answers<proto::ExportAuditChainResponse>;

    async fn list_audit_entries(
        &self,
        request: Request<proto::ListAuditEntriesRequest>,
    ) -> Result<Response<proto::ListAuditEntriesResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let size = page::size(request.page_size, page::DEFAULT)?;
        let filter = filter(request.filter)?;
        let list = self.seal.list(caller.scope(), &question(&filter));
        // Only we make positions, so one that does not read is none of ours.
        let after = list.position(&request.page_token)?.as_deref().and_then(position);
        let page = self.store.audit_list_page(caller.scope(), &filter, after, size).await;
        let (entries, next) = page.map_err(status::store)?;
        let next_page_token = next.map_or_else(String::new, |next| list.token(&format!("{} {}", next.at_us, next.id)));
        let entries = entries.into_iter().map(entry_to_proto).collect();
        Ok(Response::new(proto::ListAuditEntriesResponse { entries, next_page_token }))
    }

    async fn follow_audit_entries(
        &self,
        request: Request<proto::FollowAuditEntriesRequest>,
    ) -> Result<Response<Self::FollowAuditEntriesStream>, Status> {
        self.follow(request).await
    }

    async fn export_audit_chain(
        &self,
        request: Request<proto::ExportAuditChainRequest>,
    ) -> Result<Response<Self::ExportAuditChainStream>, Status> {
        self.export(&request)
    }
}
