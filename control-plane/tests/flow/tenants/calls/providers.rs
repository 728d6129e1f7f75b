//! Calls about identity providers, and what organizations make of what these say.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::claim_rule_service_client::ClaimRuleServiceClient;
use kaliun_proto::fleet::v1::domain_service_client::DomainServiceClient;
use kaliun_proto::fleet::v1::identity_service_client::IdentityServiceClient;
use tonic::transport::Channel;

impl Caller<'_> {
    fn identities(&self) -> IdentityServiceClient<Channel> {
        IdentityServiceClient::new(self.channel.clone())
    }

    fn domains(&self) -> DomainServiceClient<Channel> {
        DomainServiceClient::new(self.channel.clone())
    }

    fn claim_rules(&self) -> ClaimRuleServiceClient<Channel> {
        ClaimRuleServiceClient::new(self.channel.clone())
    }

    pub(super) async fn list_providers(&self) -> Answer {
        let outcome = self.identities().list_providers(self.request(fleet::ListProvidersRequest {})).await;
        Answer::unary("the server's", outcome, |answer| listed(answer.providers.iter().map(|one| &one.id)))
            .same_for_the_owner()
    }

    pub(super) async fn list_identities(&self) -> Answer {
        let outcome = self.identities().list_identities(self.request(fleet::ListIdentitiesRequest {})).await;
        Answer::unary("one's own", outcome, |answer| listed(answer.identities.iter().map(|one| &one.provider)))
            .same_for_the_owner()
    }

    /// Only a browser on our own pages can.
    pub(super) async fn start_link(&self) -> Answer {
        let request = fleet::StartLinkRequest { provider: "company".to_owned(), ..Default::default() };
        let outcome = self.identities().start_link(self.request(request)).await;
        Answer::unary("without a page", outcome, |answer| answer.redirect_to.clone()).same_for_the_owner()
    }

    pub(super) async fn unlink_identity(&self, handles: &Handles) -> Answer {
        let request = fleet::UnlinkIdentityRequest { id: handles.identity_id.clone() };
        let outcome = self.identities().unlink_identity(self.request(request)).await;
        let answer = Answer::unary("by id", outcome, |_| String::new());
        // A token is nobody's, whosever the identity is.
        if self.is_person { answer } else { answer.same_for_the_owner() }
    }

    /// Anybody may say that a domain is theirs, and learns nothing of who else does.
    pub(super) async fn create_domain(&self, handles: &Handles) -> Answer {
        let request = fleet::CreateDomainRequest { name: handles.domain.clone(), role: fleet::Role::Viewer.into() };
        let outcome = self.domains().create_domain(self.request(request)).await;
        let outcome = outcome.map(|answer| {
            let domain = answer.into_inner().domain.unwrap_or_default();
            let brought = fleet::Domain { name: String::new(), record_name: String::new(), ..domain };
            fleet::Domain { record_text: String::new(), created_at_ms: 0, ..brought }
        });
        Answer::new("by name", outcome, |domain| format!("{domain:?}"))
    }

    pub(super) async fn list_domains(&self) -> Answer {
        let outcome = self.domains().list_domains(self.request(fleet::ListDomainsRequest {})).await;
        Answer::unary("all", outcome, |answer| listed(answer.domains.iter().map(|domain| &domain.name)))
    }

    /// By now the caller has said that it is theirs; there is no record.
    pub(super) async fn verify_domain(&self, handles: &Handles) -> Answer {
        let request = fleet::VerifyDomainRequest { name: handles.domain.clone() };
        let outcome = self.domains().verify_domain(self.request(request)).await;
        Answer::unary("by name", outcome, |answer| format!("{answer:?}")).same_for_the_owner()
    }

    /// For the own organization: whose the domain is, an admin of the server may say of each.
    pub(super) async fn confirm_domain(&self, handles: &Handles) -> Answer {
        let organization_id = self.tenant.organization.to_string();
        let request = fleet::ConfirmDomainRequest { organization_id, name: handles.domain.clone() };
        let outcome = self.domains().confirm_domain(self.request(request)).await;
        Answer::unary("for the own organization", outcome, |_| String::new())
    }

    pub(super) async fn delete_domain(&self, handles: &Handles) -> Answer {
        let request = fleet::DeleteDomainRequest { name: handles.domain.clone() };
        let outcome = self.domains().delete_domain(self.request(request)).await;
        Answer::unary("by name", outcome, |_| String::new()).same_for_the_owner()
    }

    pub(super) async fn create_claim_rule(&self) -> Answer {
        let request = fleet::CreateClaimRuleRequest {
            provider: "company".to_owned(),
            claim: "groups".to_owned(),
            value: "crew".to_owned(),
            role: fleet::Role::Viewer.into(),
        };
        let outcome = self.claim_rules().create_claim_rule(self.request(request)).await;
        Answer::unary("for a provider that is not there", outcome, |_| String::new()).same_for_the_owner()
    }

    pub(super) async fn list_claim_rules(&self) -> Answer {
        let outcome = self.claim_rules().list_claim_rules(self.request(fleet::ListClaimRulesRequest {})).await;
        Answer::unary("all", outcome, |answer| listed(answer.rules.iter().map(|rule| &rule.value)))
    }

    pub(super) async fn delete_claim_rule(&self, handles: &Handles) -> Answer {
        let request = fleet::DeleteClaimRuleRequest { id: handles.claim_rule_id.clone() };
        let outcome = self.claim_rules().delete_claim_rule(self.request(request)).await;
        Answer::unary("by id", outcome, |_| String::new())
    }
}
