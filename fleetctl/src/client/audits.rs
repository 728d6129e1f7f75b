//! Calls about who did what.

use super::pages::{Listing, Paging, collect};
use super::watch::{Break, SILENCE_MAX, break_by, broken};
use super::{ANSWER_MAX_BYTES, Client, SignedChannel};
use crate::failure::{Failure, from_status};
use kaliun_proto::fleet::v1::audit_service_client::AuditServiceClient;
use kaliun_proto::fleet::v1::export_audit_chain_response::Piece;
use kaliun_proto::fleet::v1::{
    AuditEntry, AuditFilter, ExportAuditChainRequest, ExportAuditChainResponse, FollowAuditEntriesRequest,
    FollowAuditEntriesResponse, ListAuditEntriesRequest,
};
use std::time::Duration;
use tokio::time::Instant;
use tonic::{Code, Request, Status, Streaming};

/// Completes "cannot …".
const FOLLOWING: &str = "follow the audit";
const EXPORTING: &str = "read the audit's chain";

/// An open stream of entries.
pub(crate) struct Followed {
    stream: Streaming<FollowAuditEntriesResponse>,
    heard_at: Instant,
    /// Whether another token may open the stream again when this one's has run out.
    renewable: bool,
}

/// A chain that is being read.
pub(crate) struct Exported {
    stream: Streaming<ExportAuditChainResponse>,
    timeout: Duration,
}

impl Client {
    fn audits(&self) -> AuditServiceClient<SignedChannel> {
        AuditServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    /// Lists entries, newest first.
    pub(crate) async fn audit_list(
        &self,
        filter: &AuditFilter,
        paging: &Paging,
    ) -> Result<Listing<AuditEntry>, Failure> {
        collect(paging, async |page_size, page_token| {
            let mut client = self.audits();
            let message = ListAuditEntriesRequest { filter: Some(filter.clone()), page_size, page_token };
            let answer = self.call("list the audit", message, |request| client.list_audit_entries(request)).await?;
            Ok((answer.entries, answer.next_page_token))
        })
        .await
    }

    /// Follows entries after a number, or after the newest.
    pub(crate) async fn audit_follow(
        &self,
        filter: &AuditFilter,
        after_sequence: Option<u64>,
    ) -> Result<Followed, Break> {
        let mut client = self.audits();
        let message = FollowAuditEntriesRequest { filter: Some(filter.clone()), after_sequence };
        // The stream has no end, so the time limit is for its beginning and is not told to the server.
        let opened = client.follow_audit_entries(Request::new(message));
        match tokio::time::timeout(self.channel.patience(), opened).await {
            Ok(Ok(response)) => Ok(Followed {
                stream: response.into_inner(),
                heard_at: Instant::now(),
                renewable: self.channel.is_renewable(),
            }),
            Ok(Err(status)) => Err(break_by(status.code(), self.failure(FOLLOWING, &status))),
            Err(_) => Err(broken(FOLLOWING, &self.late())),
        }
    }

    /// Reads the whole chain.
    pub(crate) async fn audit_export(&self) -> Result<Exported, Failure> {
        let mut client = self.audits();
        let opened = client.export_audit_chain(Request::new(ExportAuditChainRequest {}));
        match tokio::time::timeout(self.channel.patience(), opened).await {
            Ok(Ok(response)) => Ok(Exported { stream: response.into_inner(), timeout: self.timeout }),
            Ok(Err(status)) => Err(self.failure(EXPORTING, &status)),
            Err(_) => Err(from_status(EXPORTING, &self.late())),
        }
    }

    fn late(&self) -> Status {
        Status::deadline_exceeded(format!("no answer within {:?}", self.timeout))
    }
}

impl Followed {
    /// Waits for the next message. The wait may be given up and begun again without loss.
    pub(crate) async fn next(&mut self) -> Result<FollowAuditEntriesResponse, Break> {
        match tokio::time::timeout_at(self.heard_at + SILENCE_MAX, self.stream.message()).await {
            Ok(Ok(Some(message))) => {
                self.heard_at = Instant::now();
                Ok(message)
            }
            Ok(Ok(None)) => Err(broken(FOLLOWING, &Status::unavailable("the server ended the stream"))),
            // To open it again renews the session; when that is over it says so, and for good.
            Ok(Err(status)) if status.code() == Code::Unauthenticated && self.renewable => Err(Break::RunOut),
            Ok(Err(status)) => Err(broken(FOLLOWING, &status)),
            Err(_) => Err(broken(FOLLOWING, &Status::deadline_exceeded("the server has fallen silent"))),
        }
    }
}

impl Exported {
    /// The next piece. The chain is whole with its end; a stream that is over before is a failure.
    pub(crate) async fn next(&mut self) -> Result<Piece, Failure> {
        let late = || Status::deadline_exceeded("the server has fallen silent");
        let message = tokio::time::timeout(self.timeout, self.stream.message()).await.unwrap_or_else(|_| Err(late()));
        match message {
            Ok(Some(message)) => message.piece.ok_or_else(|| super::missing("piece of the chain")),
            Ok(None) => Err(from_status(EXPORTING, &Status::unavailable("the server ended before the chain did"))),
            Err(status) => Err(from_status(EXPORTING, &status)),
        }
    }
}
