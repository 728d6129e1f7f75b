//! Calls about boxes that wait to be claimed.

use super::{Client, SignedChannel, missing};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::claim_service_client::ClaimServiceClient;
use kaliun_proto::fleet::v1::{ApproveClaimRequest, ApproveClaimResponse, Claim, DenyClaimRequest, LookUpClaimRequest};
use std::time::Duration;

/// How often a box that has not answered is looked up again, and how many times: five seconds in all, for it is asked over a link that is
/// there already.
const AGAIN: Duration = Duration::from_millis(500);
const TIMES: u32 = 10;

impl Client {
    fn claims(&self) -> ClaimServiceClient<SignedChannel> {
        ClaimServiceClient::new(self.channel())
    }

    /// Looks up what the box with this code says of itself, and waits a moment for it to show its check characters. One that does not
    /// answer is told as it is.
    pub(crate) async fn claim(&self, code: &str) -> Result<Claim, Failure> {
        for _ in 0..TIMES {
            let claim = self.claim_now(code).await?;
            if claim.shows_check {
                return Ok(claim);
            }
            tokio::time::sleep(AGAIN).await;
        }
        self.claim_now(code).await
    }

    async fn claim_now(&self, code: &str) -> Result<Claim, Failure> {
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

/// A code that is not found, or whose box is not ready, has another remedy than a device.
fn for_code(failure: Failure) -> Failure {
    failure
        .not_found_hint("read the code on the box's screen again; it changes every 15 minutes")
        .state_hint("look at what the box shows, and look its code up with `fleetctl claim show`")
}
