//! Calls about who did what.

use super::Caller;
use crate::support::PATIENCE;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::audit_service_client::AuditServiceClient;
use kaliun_proto::fleet::v1::export_audit_chain_response::Piece;
use tonic::Status;
use tonic::transport::Channel;

impl Caller<'_> {
    fn audits(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    pub(super) async fn list_audit_entries(&self, handles: &Handles) -> Vec<Answer> {
        let actions = |page: &fleet::ListAuditEntriesResponse| {
            listed(page.entries.iter().map(|entry| format!("{} {}", entry.action, entry.target)))
        };
        let of = |filter: fleet::AuditFilter| fleet::ListAuditEntriesRequest {
            filter: Some(filter),
            page_size: 500,
            ..Default::default()
        };
        let target = fleet::AuditFilter { target: format!("device/{}", handles.device_id), ..Default::default() };
        let actor = fleet::AuditFilter { actor: handles.email.clone(), ..Default::default() };
        let next = fleet::ListAuditEntriesRequest {
            page_size: 1,
            page_token: handles.pages.audit.clone(),
            ..Default::default()
        };
        let ask = async |request| self.audits().list_audit_entries(self.request(request)).await;
        vec![
            Answer::unary("about a device", ask(of(target)).await, actions),
            // Nobody signed in with the address.
            Answer::unary("by a person", ask(of(actor)).await, actions).same_for_the_owner(),
            Answer::unary("a next page", ask(next).await, actions),
        ]
    }

    /// All that was done to a device, as far as it is sealed.
    pub(super) async fn follow_audit_entries(&self, handles: &Handles) -> Answer {
        let filter = fleet::AuditFilter { target: format!("device/{}", handles.device_id), ..Default::default() };
        let request = fleet::FollowAuditEntriesRequest { filter: Some(filter), after_sequence: Some(0) };
        let followed = async {
            let mut stream = self.audits().follow_audit_entries(self.request(request)).await?.into_inner();
            let first = tokio::time::timeout(PATIENCE, stream.message()).await;
            first.map_err(|_elapsed| Status::deadline_exceeded("the test waited too long"))?
        };
        let entries = |first: &Option<fleet::FollowAuditEntriesResponse>| {
            listed(first.iter().flat_map(|first| &first.entries).map(|entry| &entry.action))
        };
        Answer::new("about a device", followed.await, entries).same_for_the_owner()
    }

    /// Whose chain is handed out.
    pub(super) async fn export_audit_chain(&self) -> Answer {
        let exported = async {
            let request = self.request(fleet::ExportAuditChainRequest {});
            let mut stream = self.audits().export_audit_chain(request).await?.into_inner();
            let mut pieces = Vec::new();
            while let Some(message) = stream.message().await? {
                pieces.push(message);
            }
            Ok(pieces)
        };
        let whose = |pieces: &Vec<fleet::ExportAuditChainResponse>| {
            listed(pieces.iter().filter_map(|message| match &message.piece {
                Some(Piece::Start(start)) => Some(start.organization_id.clone()),
                Some(Piece::Part(_) | Piece::End(_)) | None => None,
            }))
        };
        Answer::new("all", exported.await, whose).same_for_the_owner()
    }
}
