//! Calls about boxes that wait to be claimed.

use super::{Client, SignedChannel, missing};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::claim_service_client::ClaimServiceClient;
use kaliun_proto::fleet::v1::{ApproveClaimRequest, ApproveClaimResponse, Claim, DenyClaimRequest, LookUpClaimRequest};

impl Client {
    fn claims(&self) -> ClaimServiceClient<SignedChannel> {
        ClaimServiceClient::new(self.channel())
    }

    /// Looks up what the box with this code says of itself.
    pub(crate) async fn claim(&self, code: &str) -> Result<Claim, Failure> {
        let mut client = self.claims();
        let message = LookUpClaimRequest { code: code.to_owned() };
        let answer = self.call("look up the code", message, |request| client.look_up_claim(request)).await;
        answer.map_err(for_code)?.claim.ok_or_else(|| missing("claim"))
    }

    /// Takes the box into the organization.
    pub(crate) async fn claim_approve(&self, message: ApproveClaimRequest) -> Result<ApproveClaimResponse, Failure> {
        let mut client = self.claims();
        self.call("approve the claim", message, |request| client.approve_claim(request)).await.map_err(for_code)
    }

    /// Turns the box away.
    pub(crate) async fn claim_deny(&self, code: &str) -> Result<(), Failure> {
        let mut client = self.claims();
        let message = DenyClaimRequest { code: code.to_owned() };
        self.call("deny the claim", message, |request| client.deny_claim(request)).await.map_err(for_code)?;
        Ok(())
    }
}

/// A code that is not found has another remedy than a device that is not.
fn for_code(failure: Failure) -> Failure {
    failure.not_found_hint("read the code on the box's screen again; it changes every 15 minutes")
}
