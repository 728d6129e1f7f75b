//! Calls about people who asked for an account.

use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::sign_up_service_client::SignUpServiceClient;
use kaliun_proto::fleet::v1::{ApproveSignUpRequest, DenySignUpRequest, ListSignUpsRequest, SignUpEntry};

impl Client {
    fn sign_ups(&self) -> SignUpServiceClient<SignedChannel> {
        SignUpServiceClient::new(self.channel())
    }

    /// Lists those who wait.
    pub(crate) async fn sign_up_list(&self, paging: &Paging) -> Result<Listing<SignUpEntry>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListSignUpsRequest { page_size, page_token };
            let mut client = self.sign_ups();
            let answer = self.call("list sign-ups", message, |request| client.list_sign_ups(request)).await?;
            Ok((answer.sign_ups, answer.next_page_token))
        })
        .await
    }

    /// Makes the account, and gives its id.
    pub(crate) async fn sign_up_approve(&self, entry: &SignUpEntry) -> Result<String, Failure> {
        let mut client = self.sign_ups();
        let doing = format!("let {} in", entry.email);
        let message = ApproveSignUpRequest { id: entry.id.clone() };
        let answer =
            self.call(&doing, message, |request| client.approve_sign_up(request)).await.map_err(for_sign_up)?;
        Ok(answer.account_id)
    }

    /// Forgets who asked.
    pub(crate) async fn sign_up_deny(&self, entry: &SignUpEntry) -> Result<(), Failure> {
        let mut client = self.sign_ups();
        let doing = format!("turn {} away", entry.email);
        let message = DenySignUpRequest { id: entry.id.clone() };
        self.call(&doing, message, |request| client.deny_sign_up(request)).await.map_err(for_sign_up)?;
        Ok(())
    }
}

fn for_sign_up(failure: Failure) -> Failure {
    failure
        .not_found_hint("see who waits with `fleetctl get sign-ups`")
        .conflict_hint("the address has an account already; turn the sign-up away with `fleetctl sign-up deny`")
}
