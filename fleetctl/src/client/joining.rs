//! Calls about domains and claim rules. An organization has so few that they come in one answer.

use super::{Client, SignedChannel, missing};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::claim_rule_service_client::ClaimRuleServiceClient;
use kaliun_proto::fleet::v1::domain_service_client::DomainServiceClient;
use kaliun_proto::fleet::v1::{
    ClaimRule, ConfirmDomainRequest, CreateClaimRuleRequest, CreateDomainRequest, DeleteClaimRuleRequest,
    DeleteDomainRequest, Domain, ListClaimRulesRequest, ListDomainsRequest, Role, VerifyDomainRequest,
};

const DOMAINS_HINT: &str = "see what there is with `fleetctl org domain list`";
const RULES_HINT: &str = "see what there is with `fleetctl org claim-rule list`";

impl Client {
    fn domains(&self) -> DomainServiceClient<SignedChannel> {
        DomainServiceClient::new(self.channel())
    }

    fn claim_rules(&self) -> ClaimRuleServiceClient<SignedChannel> {
        ClaimRuleServiceClient::new(self.channel())
    }

    /// Says that a domain is the organization's.
    pub(crate) async fn domain_create(&self, name: String, role: Role) -> Result<Domain, Failure> {
        let mut client = self.domains();
        let message = CreateDomainRequest { name, role: role.into() };
        let answer = self.call("add the domain", message, |request| client.create_domain(request)).await?;
        answer.domain.ok_or_else(|| missing("domain"))
    }

    /// Lets the server look at a domain's record.
    pub(crate) async fn domain_verify(&self, name: String) -> Result<Domain, Failure> {
        let mut client = self.domains();
        let message = VerifyDomainRequest { name };
        let answer = self.call("verify the domain", message, |request| client.verify_domain(request)).await;
        answer.map_err(|failure| failure.not_found_hint(DOMAINS_HINT))?.domain.ok_or_else(|| missing("domain"))
    }

    /// Lists the organization's domains.
    pub(crate) async fn domain_list(&self) -> Result<Vec<Domain>, Failure> {
        let mut client = self.domains();
        let answer = self.call("list domains", ListDomainsRequest {}, |request| client.list_domains(request)).await?;
        Ok(answer.domains)
    }

    /// Gives a domain up.
    pub(crate) async fn domain_delete(&self, name: String) -> Result<(), Failure> {
        let mut client = self.domains();
        let message = DeleteDomainRequest { name };
        let answer = self.call("remove the domain", message, |request| client.delete_domain(request)).await;
        answer.map_err(|failure| failure.not_found_hint(DOMAINS_HINT))?;
        Ok(())
    }

    /// Says for an organization that a domain is its own.
    pub(crate) async fn domain_confirm(&self, organization_id: String, name: String) -> Result<(), Failure> {
        let mut client = self.domains();
        let message = ConfirmDomainRequest { organization_id, name };
        let hint = "the organization has to say first that the domain is its own, with `fleetctl org domain add`";
        let answer = self.call("confirm the domain", message, |request| client.confirm_domain(request)).await;
        answer.map_err(|failure| failure.not_found_hint(hint))?;
        Ok(())
    }

    /// Makes a claim rule.
    pub(crate) async fn claim_rule_create(&self, message: CreateClaimRuleRequest) -> Result<ClaimRule, Failure> {
        let mut client = self.claim_rules();
        let answer = self.call("create the claim rule", message, |request| client.create_claim_rule(request)).await?;
        answer.rule.ok_or_else(|| missing("claim rule"))
    }

    /// Lists the organization's claim rules.
    pub(crate) async fn claim_rule_list(&self) -> Result<Vec<ClaimRule>, Failure> {
        let mut client = self.claim_rules();
        let message = ListClaimRulesRequest {};
        let answer = self.call("list claim rules", message, |request| client.list_claim_rules(request)).await?;
        Ok(answer.rules)
    }

    /// Takes a claim rule away.
    pub(crate) async fn claim_rule_delete(&self, id: String) -> Result<(), Failure> {
        let mut client = self.claim_rules();
        let doing = format!("delete claim-rule/{id}");
        let answer =
            self.call(&doing, DeleteClaimRuleRequest { id }, |request| client.delete_claim_rule(request)).await;
        answer.map_err(|failure| failure.not_found_hint(RULES_HINT))?;
        Ok(())
    }
}
