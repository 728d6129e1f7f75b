//! Calls about support's way into homes.

use super::pages::{Listing, Paging, collect};
use super::{Client, SignedChannel, missing};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::consent_service_client::ConsentServiceClient;
use kaliun_proto::fleet::v1::{
    Consent, DecideConsentRequest, EndConsentRequest, ListConsentsRequest, RequestConsentRequest,
};

impl Client {
    fn consents(&self) -> ConsentServiceClient<SignedChannel> {
        ConsentServiceClient::new(self.channel())
    }

    /// Asks the owners of a home.
    pub(crate) async fn consent_request(&self, home: &str, message: RequestConsentRequest) -> Result<Consent, Failure> {
        let mut client = self.consents();
        let doing = format!("ask the owners of installation/{home}");
        let answer =
            self.call(&doing, message, |request| client.request_consent(request)).await.map_err(|failure| {
                failure
                    .not_found_hint("see what there is with `fleetctl get installations`")
                    .conflict_hint(
                        "see yours with `fleetctl access list --open`, and end it with `fleetctl access end ID`",
                    )
                    .state_hint("invite an owner first, with `fleetctl org invite EMAIL --home NAME --home-role owner`")
            })?;
        answer.consent.ok_or_else(|| missing("consent"))
    }

    /// Lists consents, newest first.
    pub(crate) async fn consent_list(&self, only_open: bool, paging: &Paging) -> Result<Listing<Consent>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListConsentsRequest { page_size, page_token, only_open };
            let mut client = self.consents();
            let answer = self.call("list accesses", message, |request| client.list_consents(request)).await?;
            Ok((answer.consents, answer.next_page_token))
        })
        .await
    }

    /// Says yes or no.
    pub(crate) async fn consent_decide(&self, id: String, approve: bool) -> Result<Consent, Failure> {
        let mut client = self.consents();
        let doing = format!("{} access/{id}", if approve { "approve" } else { "deny" });
        let message = DecideConsentRequest { id, approve };
        let answer = self.call(&doing, message, |request| client.decide_consent(request)).await.map_err(for_consent)?;
        answer.consent.ok_or_else(|| missing("consent"))
    }

    /// Ends one before its time.
    pub(crate) async fn consent_end(&self, id: String) -> Result<Consent, Failure> {
        let mut client = self.consents();
        let doing = format!("end access/{id}");
        let message = EndConsentRequest { id };
        let answer = self.call(&doing, message, |request| client.end_consent(request)).await.map_err(for_consent)?;
        answer.consent.ok_or_else(|| missing("consent"))
    }
}

fn for_consent(failure: Failure) -> Failure {
    let hint = "see how it is with `fleetctl access list`";
    failure.not_found_hint(hint).state_hint(hint)
}
