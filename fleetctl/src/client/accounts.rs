//! Calls about the caller's account and its sessions.

use super::pages::{Listing, Paging, collect};
use super::{ANSWER_MAX_BYTES, Client, SignedChannel};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::account_service_client::AccountServiceClient;
use kaliun_proto::fleet::v1::{
    ExportAccountRequest, ListSessionsRequest, RevokeOtherSessionsRequest, RevokeSessionRequest, Session,
    SignOutRequest, UpdateAccountRequest,
};

impl Client {
    pub(super) fn accounts(&self) -> AccountServiceClient<SignedChannel> {
        AccountServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    /// Ends the session that calls.
    pub(crate) async fn sign_out(&self) -> Result<(), Failure> {
        let mut client = self.accounts();
        self.call("sign out", SignOutRequest {}, |request| client.sign_out(request)).await?;
        Ok(())
    }

    /// Changes what the person is called.
    pub(crate) async fn account_rename(&self, name: String) -> Result<(), Failure> {
        let mut client = self.accounts();
        let message = UpdateAccountRequest { name };
        self.call("rename the account", message, |request| client.update_account(request)).await?;
        Ok(())
    }

    /// All that the server keeps of the person: a JSON document.
    pub(crate) async fn account_export(&self) -> Result<Vec<u8>, Failure> {
        let mut client = self.accounts();
        let answer =
            self.call("export the account", ExportAccountRequest {}, |request| client.export_account(request)).await?;
        Ok(answer.json)
    }

    /// Lists the person's live sessions.
    pub(crate) async fn session_list(&self, paging: &Paging) -> Result<Listing<Session>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListSessionsRequest { page_size, page_token };
            let mut client = self.accounts();
            let answer = self.call("list sessions", message, |request| client.list_sessions(request)).await?;
            Ok((answer.sessions, answer.next_page_token))
        })
        .await
    }

    /// Ends one of them.
    pub(crate) async fn session_revoke(&self, id: String) -> Result<(), Failure> {
        let mut client = self.accounts();
        let doing = format!("revoke session/{id}");
        self.call(&doing, RevokeSessionRequest { id }, |request| client.revoke_session(request))
            .await
            .map_err(|failure| failure.not_found_hint("see what there is with `fleetctl get sessions`"))?;
        Ok(())
    }

    /// Ends all but the one that calls, and counts them.
    pub(crate) async fn session_revoke_others(&self) -> Result<u32, Failure> {
        let mut client = self.accounts();
        let doing = "revoke the other sessions";
        let answer =
            self.call(doing, RevokeOtherSessionsRequest {}, |request| client.revoke_other_sessions(request)).await?;
        Ok(answer.revoked)
    }
}
