//! Calls about the certificate authorities.

use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel, missing};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::authority_service_client::AuthorityServiceClient;
use kaliun_proto::fleet::v1::{
    AdvanceRotationRequest, GetRotationRequest, ListStragglersRequest, RollBackRotationRequest, Rotation,
    StartRotationRequest, Straggler,
};

impl Client {
    fn authorities(&self) -> AuthorityServiceClient<SignedChannel> {
        AuthorityServiceClient::new(self.channel())
    }

    /// Where the rotation stands.
    pub(crate) async fn rotation(&self) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let answer =
            self.call("read the rotation", GetRotationRequest {}, |request| client.get_rotation(request)).await?;
        answer.rotation.ok_or_else(|| missing("rotation"))
    }

    /// Begins a rotation.
    pub(crate) async fn rotation_start(&self) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let message = StartRotationRequest {};
        let answer = self.call("start a rotation", message, |request| client.start_rotation(request)).await?;
        answer.rotation.ok_or_else(|| missing("rotation"))
    }

    /// Goes on from a phase.
    pub(crate) async fn rotation_advance(&self, from: i32, force: bool) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let message = AdvanceRotationRequest { from, force };
        let answer = self.call("advance the rotation", message, |request| client.advance_rotation(request)).await?;
        answer.rotation.ok_or_else(|| missing("rotation"))
    }

    /// Goes back from a phase.
    pub(crate) async fn rotation_roll_back(&self, from: i32, force: bool) -> Result<Rotation, Failure> {
        let mut client = self.authorities();
        let message = RollBackRotationRequest { from, force };
        let answer = self.call("roll the rotation back", message, |request| client.roll_back_rotation(request)).await?;
        answer.rotation.ok_or_else(|| missing("rotation"))
    }

    /// Lists devices that have not come along.
    pub(crate) async fn straggler_list(&self, paging: &Paging) -> Result<Listing<Straggler>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListStragglersRequest { page_size, page_token };
            let mut client = self.authorities();
            let answer = self.call("list stragglers", message, |request| client.list_stragglers(request)).await?;
            Ok((answer.stragglers, answer.next_page_token))
        })
        .await
    }
}
