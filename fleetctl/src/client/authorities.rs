//! Calls about the certificate authorities.

use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel, missing};
use crate::failure::Failure;
use kaliun_proto::enrollment::v1::SignedTrustBundle;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use kaliun_proto::fleet::v1::{
    AdvanceRotationRequest, GetRotationRequest, GetUnsignedTrustBundleRequest, ListStragglersRequest,
    PauseRotationRequest, ResumeRotationRequest, RollBackRotationRequest, Rotation, StartRotationRequest, Straggler,
    SubmitTrustBundleRequest,
};
use std::time::Duration;

/// What to look at when a rotation cannot go on, and when it cannot go back. Devices hold either up, or a pause.
const FORWARD: &str =
    "see who has not come along with `fleetctl ca stragglers`, and where the rotation stands with `fleetctl ca status`";
const BACKWARD: &str = "see who holds it up with `fleetctl ca stragglers --backwards`, and where the rotation stands with `fleetctl ca status`";

impl Client {
    fn authorities(&self) -> AuthorityServiceClient<SignedChannel> {
        AuthorityServiceClient::new(self.channel())
    }

    /// Where the rotation stands.
    pub(crate) async fn rotation(&self) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let answer =
            self.call("read the rotation", GetRotationRequest {}, |request| client.get_rotation(request)).await;
        answer.map_err(for_rotation)?.rotation.ok_or_else(|| missing("rotation"))
    }

    /// Begins a rotation. With a grace it goes on by itself.
    pub(crate) async fn rotation_start(&self, grace: Option<Duration>, force: bool) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let grace_ms = grace.map_or(0, |grace| u64::try_from(grace.as_millis()).unwrap_or(u64::MAX));
        let message = StartRotationRequest { is_automatic: grace.is_some(), grace_ms, force };
        let answer = self.call("start a rotation", message, |request| client.start_rotation(request)).await;
        answer.map_err(for_rotation)?.rotation.ok_or_else(|| missing("rotation"))
    }

    /// Goes on from a phase.
    pub(crate) async fn rotation_advance(&self, from: i32, force: bool) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let message = AdvanceRotationRequest { from, force };
        let answer = self.call("advance the rotation", message, |request| client.advance_rotation(request)).await;
        answer.map_err(|failure| failure.state_hint(FORWARD))?.rotation.ok_or_else(|| missing("rotation"))
    }

    /// Goes back from a phase.
    pub(crate) async fn rotation_roll_back(&self, from: i32, force: bool) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let message = RollBackRotationRequest { from, force };
        let answer = self.call("roll the rotation back", message, |request| client.roll_back_rotation(request)).await;
        answer.map_err(|failure| failure.state_hint(BACKWARD))?.rotation.ok_or_else(|| missing("rotation"))
    }

    /// Lets the rotation stand still.
    pub(crate) async fn rotation_pause(&self, reason: String) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let message = PauseRotationRequest { reason };
        let answer = self.call("pause the rotation", message, |request| client.pause_rotation(request)).await;
        answer.map_err(for_rotation)?.rotation.ok_or_else(|| missing("rotation"))
    }

    /// Lets it go on.
    pub(crate) async fn rotation_resume(&self) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let message = ResumeRotationRequest {};
        let answer = self.call("resume the rotation", message, |request| client.resume_rotation(request)).await;
        answer.map_err(for_rotation)?.rotation.ok_or_else(|| missing("rotation"))
    }

    /// The trust bundle that waits for its signature.
    pub(crate) async fn bundle_unsigned(&self) -> Result<SignedTrustBundle, Failure> {
        let mut client = self.authorities();
        let message = GetUnsignedTrustBundleRequest {};
        let answer =
            self.call("fetch the trust bundle", message, |request| client.get_unsigned_trust_bundle(request)).await;
        answer.map_err(for_rotation)?.bundle.ok_or_else(|| missing("bundle"))
    }

    /// Brings it signed.
    pub(crate) async fn bundle_submit(&self, bundle: SignedTrustBundle) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let message = SubmitTrustBundleRequest { bundle: Some(bundle) };
        let answer = self.call("bring the trust bundle", message, |request| client.submit_trust_bundle(request)).await;
        answer.map_err(for_rotation)?.rotation.ok_or_else(|| missing("rotation"))
    }

    /// Lists devices that have not come along, or those that hold up the way back.
    pub(crate) async fn straggler_list(&self, paging: &Paging, backwards: bool) -> Result<Listing<Straggler>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListStragglersRequest { page_size, page_token, backwards };
            let mut client = self.authorities();
            let answer = self.call("list stragglers", message, |request| client.list_stragglers(request)).await?;
            Ok((answer.stragglers, answer.next_page_token))
        })
        .await
    }
}

/// Where to look at a rotation whose state does not allow something. No device is wrong.
fn for_rotation(failure: Failure) -> Failure {
    failure.state_hint("see where the rotation stands with `fleetctl ca status`")
}
