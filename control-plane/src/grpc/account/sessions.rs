//! A person's sessions, for the person.

use super::Accounts;
use crate::clock;
use crate::grpc::auth::Somebody;
use crate::grpc::page;
use crate::grpc::status;
use kaliun_proto::fleet::v1 as proto;
use kaliun_store::{SessionKind, SessionRow};
use kaliun_types::id::SessionId;
use tonic::Status;

impl Accounts {
    pub(super) async fn page_of_sessions(
        &self,
        somebody: &Somebody,
        request: &proto::ListSessionsRequest,
    ) -> Result<proto::ListSessionsResponse, Status> {
        let size = page::size(request.page_size, page::DEFAULT)?;
        let scope = somebody.person().scope();
        let list = self.seal.list_of_account(&scope, "sessions");
        let after = list.position(&request.page_token)?.and_then(|id| id.parse().ok());
        let mut rows = self.store.session_list_page(&scope, after, size + 1).await.map_err(status::store)?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.id.to_string()));
        let sessions = rows.into_iter().map(|row| to_proto(row, scope.session())).collect();
        Ok(proto::ListSessionsResponse { sessions, next_page_token })
    }

    pub(super) async fn end_session(&self, somebody: &Somebody, id: &str) -> Result<(), Status> {
        let id = id.parse().map_err(|error| status::invalid("id", error))?;
        let scope = somebody.person().scope();
        if !self.store.session_revoke(&scope, id).await.map_err(status::store)? {
            return Err(status::not_found("live session of yours"));
        }
        self.rights.changed(scope.account()).await;
        Ok(())
    }

    pub(super) async fn end_other_sessions(&self, somebody: &Somebody) -> Result<u32, Status> {
        let scope = somebody.person().scope();
        let ended = self.store.session_revoke_others(&scope).await.map_err(status::store)?;
        self.rights.changed(scope.account()).await;
        Ok(u32::try_from(ended).unwrap_or(u32::MAX))
    }
}

fn to_proto(row: SessionRow, current: SessionId) -> proto::Session {
    let kind = match row.kind {
        SessionKind::Browser => proto::SessionKind::Browser,
        SessionKind::CommandLine => proto::SessionKind::CommandLine,
    };
    proto::Session {
        id: row.id.to_string(),
        kind: kind.into(),
        client: row.client,
        source_address: row.source_address,
        created_at_ms: clock::to_ms(row.created_at),
        last_used_at_ms: clock::to_ms(row.last_used_at),
        expires_at_ms: clock::to_ms(row.expires_at),
        is_current: row.id == current,
    }
}
