//! Every call that people can make, with handles in every place where one fits.

mod accounts;
mod audits;
mod authorities;
mod certificates;
mod claims;
mod consents;
mod devices;
mod enrollments;
mod history;
mod homes;
mod lifecycle;
mod mails;
mod organizations;
mod people;
mod posture;
mod providers;
mod tokens;
mod watch;

use super::answer::Answer;
use super::handles::Handles;
use super::tenant::Tenant;
use crate::support::claims::check;
use crate::support::{Fixture, with_token_of};
use anyhow::{Result, bail};
use kaliun_domain::authorization::{Grants, Rule};
use kaliun_domain::role::{HomeRole, Role};
use std::net::SocketAddr;
use tonic::Request;
use tonic::transport::Channel;

/// What nobody has.
const NO_SECRET: &str = "there-is-no-such-secret-anywhere";

/// What somebody is in their tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Something in the whole of it.
    In(Role),
    /// Something in a home.
    InHome(HomeRole),
    /// Of support, with leave of a home's owner.
    WithConsent,
}

impl Standing {
    /// Whether these grants let somebody in who is that.
    fn fits(self, grants: Grants) -> bool {
        let in_whole = |role| grants.role.is_some_and(|least| role >= least);
        match self {
            Self::In(role) => in_whole(role),
            Self::InHome(role) => grants.home.is_some_and(|least| role >= least),
            Self::WithConsent => in_whole(Role::Support) || grants.by_consent,
        }
    }
}

/// Somebody who calls, with a role in a tenant.
pub(crate) struct Caller<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) standing: Standing,
    /// Whether it is a person, and not a token.
    pub(crate) is_person: bool,
    token: String,
    channel: Channel,
    public: SocketAddr,
    /// Code of a box that waits for anybody, and the check characters on its screen.
    waiting: String,
    check: String,
}

impl<'a> Caller<'a> {
    /// Calls with a role in a tenant. `waiting` is the code of a box that nobody has claimed.
    pub(crate) async fn new(fixture: &Fixture, tenant: &'a Tenant, role: Role, waiting: &str) -> Result<Self> {
        let public = fixture.server.addresses().public;
        let token = tenant.token_of(fixture, role).await?;
        let check = if waiting.is_empty() { String::new() } else { check(fixture, waiting).await? };
        let (channel, waiting) = (fixture.public().await?, waiting.to_owned());
        let standing = Standing::In(role);
        Ok(Self { tenant, standing, is_person: false, token, channel, public, waiting, check })
    }

    /// Calls as a person with a role in a tenant, as `fleetctl login` signs in.
    pub(crate) async fn person(fixture: &Fixture, tenant: &'a Tenant, role: Role, waiting: &str) -> Result<Self> {
        let token = tenant.person_of(fixture, role).await?;
        Ok(Self { token, is_person: true, ..Self::new(fixture, tenant, role, waiting).await? })
    }

    /// Calls as a person who is something in a home only, or of support with leave.
    pub(crate) async fn near(fixture: &Fixture, tenant: &'a Tenant, standing: Standing, waiting: &str) -> Result<Self> {
        let token = match standing {
            Standing::In(role) => tenant.person_of(fixture, role).await?,
            Standing::InHome(role) => tenant.resident_of(fixture, role).await?,
            Standing::WithConsent => tenant.helper_of(fixture).await?,
        };
        Ok(Self { token, standing, is_person: true, ..Self::new(fixture, tenant, Role::Admin, waiting).await? })
    }

    /// Whether the table lets them call an RPC; none where it does not ask what they are.
    pub(crate) fn may(&self, rule: Option<Rule>) -> Option<bool> {
        match rule {
            Some(Rule::Inside(grants)) => Some(self.standing.fits(grants) && (self.is_person || !grants.by_person)),
            Some(Rule::Platform(least)) => Some(self.standing.fits(Grants::of(least))),
            // A token is nobody's.
            Some(Rule::Person) => Some(self.is_person),
            Some(Rule::AnyPeer | Rule::Device | Rule::Anyone | Rule::SignedIn) | None => None,
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        with_token_of(&self.token, message)
    }

    /// A call that says which organization it acts in.
    fn request_in<T>(&self, handles: &Handles, message: T) -> Request<T> {
        let mut request = self.request(message);
        let id = handles.people.organization_id.parse().expect("an id is ASCII");
        request.metadata_mut().insert("kaliun-organization", id);
        request
    }

    /// What differs for the owner does so for the person whose account the handles name, and for no token.
    fn of_a_person(&self, answer: Answer) -> Answer {
        if self.is_person { answer } else { answer.same_for_the_owner() }
    }

    /// Makes the calls of an RPC with handles in them. An RPC that is not here fails the test: think of how a stranger would
    /// use it, and add that.
    pub(crate) async fn call(&self, path: &str, handles: &Handles) -> Result<Vec<Answer>> {
        let name = path.strip_prefix("/kaliun.fleet.v1.").unwrap_or(path);
        Ok(match name {
            "ServerService/GetVersion" => vec![self.get_version().await],
            "AccountService/SignIn" => vec![self.sign_in(handles).await?],
            "AccountService/SignOut" => vec![self.sign_out().await],
            "AccountService/WhoAmI" => vec![self.who_am_i().await],
            "AccountService/SignUp" => vec![self.sign_up(handles).await],
            "AccountService/ConfirmSignUp" => vec![self.confirm_sign_up().await],
            "AccountService/RequestPasswordReset" => vec![self.request_password_reset(handles).await],
            "AccountService/ResetPassword" => vec![self.reset_password().await],
            "AccountService/ChangePassword" => vec![self.change_password().await],
            "AccountService/RequestAddressChange" => vec![self.request_address_change(handles).await],
            "AccountService/ConfirmAddressChange" => vec![self.confirm_address_change().await],
            "AccountService/UpdateAccount" => vec![self.update_account().await],
            "AccountService/ListSessions" => self.list_sessions(handles).await,
            "AccountService/RevokeSession" => vec![self.revoke_session(handles).await],
            "AccountService/RevokeOtherSessions" => vec![self.revoke_other_sessions().await],
            "AccountService/ExportAccount" => vec![self.export_account().await],
            "AccountService/DeleteAccount" => vec![self.delete_account(handles).await],
            "LoginService/StartLogin" => vec![self.start_login().await],
            "LoginService/PollLogin" => vec![self.poll_login().await],
            "LoginService/RefreshLogin" => vec![self.refresh_login().await],
            "LoginService/LookUpLogin" => vec![self.look_up_login(handles).await],
            "LoginService/DecideLogin" => vec![self.decide_login(handles).await],
            "SignUpService/ListSignUps" => self.list_sign_ups().await,
            "SignUpService/ApproveSignUp" => vec![self.approve_sign_up(handles).await],
            "SignUpService/DenySignUp" => vec![self.deny_sign_up(handles).await],
            "OrganizationService/ListMyOrganizations" => self.list_my_organizations(handles).await,
            "OrganizationService/CreateOrganization" => vec![self.create_organization().await],
            "OrganizationService/UpdateOrganization" => vec![self.update_organization(handles).await],
            "OrganizationService/LeaveOrganization" => vec![self.leave_organization(handles).await],
            "OrganizationService/ListMembers" => self.list_members(handles).await,
            "OrganizationService/UpdateMember" => vec![self.update_member(handles).await],
            "OrganizationService/RemoveMember" => vec![self.remove_member(handles).await],
            "InvitationService/CreateInvitation" => self.create_invitation(handles).await,
            "InvitationService/ListInvitations" => self.list_invitations(handles).await,
            "InvitationService/RevokeInvitation" => vec![self.revoke_invitation(handles).await],
            "InvitationService/LookUpInvitation" => vec![self.look_up_invitation().await],
            "InvitationService/AcceptInvitation" => vec![self.accept_invitation().await],
            "ConsentService/RequestConsent" => vec![self.request_consent(handles).await],
            "ConsentService/ListConsents" => self.list_consents(handles).await,
            "ConsentService/DecideConsent" => vec![self.decide_consent(handles).await],
            "ConsentService/EndConsent" => vec![self.end_consent(handles).await],
            "IdentityService/ListProviders" => vec![self.list_providers().await],
            "IdentityService/ListIdentities" => vec![self.list_identities().await],
            "IdentityService/StartLink" => vec![self.start_link().await],
            "IdentityService/UnlinkIdentity" => vec![self.unlink_identity(handles).await],
            "DomainService/CreateDomain" => vec![self.create_domain(handles).await],
            "DomainService/ListDomains" => vec![self.list_domains().await],
            "DomainService/VerifyDomain" => vec![self.verify_domain(handles).await],
            "DomainService/ConfirmDomain" => vec![self.confirm_domain(handles).await],
            "DomainService/DeleteDomain" => vec![self.delete_domain(handles).await],
            "ClaimRuleService/CreateClaimRule" => vec![self.create_claim_rule().await],
            "ClaimRuleService/ListClaimRules" => vec![self.list_claim_rules().await],
            "ClaimRuleService/DeleteClaimRule" => vec![self.delete_claim_rule(handles).await],
            "DeviceService/GetDevice" => self.get_device(handles).await,
            "DeviceService/ListDevices" => self.list_devices(handles).await,
            "DeviceService/SummarizeDevices" => self.summarize_devices(handles).await,
            "DeviceService/UpdateDevice" => self.update_device(handles).await?,
            "DeviceService/DeleteDevice" => vec![self.delete_device(handles).await],
            "DeviceService/RevokeDevice" => vec![self.revoke_device(handles).await],
            "DeviceService/ExtendDevice" => vec![self.extend_device(handles).await],
            "LifecycleService/DecommissionDevice" => vec![self.decommission_device(handles).await],
            "LifecycleService/ReadoptDevice" => self.readopt_device(handles).await,
            "LifecycleService/ReplaceDevice" => self.replace_device(handles).await,
            "CertificateService/ListDeviceCertificates" => self.list_device_certificates(handles).await,
            "PostureService/ListFindings" => self.list_findings(handles).await,
            "PostureService/ListPlatformFindings" => self.list_platform_findings(handles).await,
            "MailService/ListMails" => self.list_mails(handles).await,
            "WatchService/Watch" => self.watch(handles).await,
            "ClaimService/LookUpClaim" => vec![self.look_up_claim(handles).await],
            "ClaimService/ApproveClaim" => self.approve_claim(handles).await,
            "ClaimService/DenyClaim" => vec![self.deny_claim(handles).await],
            "EnrollmentService/ListEnrollments" => self.list_enrollments(handles).await,
            "EnrollmentService/ApproveEnrollment" => vec![self.approve_enrollment(handles).await],
            "EnrollmentService/DenyEnrollment" => vec![self.deny_enrollment(handles).await],
            "JoinTokenService/CreateJoinToken" => vec![self.create_join_token(handles).await],
            "JoinTokenService/ListJoinTokens" => self.list_join_tokens(handles).await,
            "JoinTokenService/RevokeJoinToken" => vec![self.revoke_join_token(handles).await],
            "ApiTokenService/CreateApiToken" => vec![self.create_api_token(handles).await],
            "ApiTokenService/ListApiTokens" => self.list_api_tokens(handles).await,
            "ApiTokenService/RevokeApiToken" => vec![self.revoke_api_token(handles).await],
            "InstallationService/ListInstallations" => self.list_installations(handles).await,
            "InstallationService/CreateInstallation" => vec![self.create_installation(handles).await],
            "InstallationService/UpdateInstallation" => vec![self.update_installation(handles).await],
            "InstallationService/DeleteInstallation" => vec![self.delete_installation(handles).await],
            "InstallationService/ListHomePeople" => self.list_home_people(handles).await,
            "InstallationService/UpdateHomePerson" => vec![self.update_home_person(handles).await],
            "InstallationService/RemoveHomePerson" => vec![self.remove_home_person(handles).await],
            "AuthorityService/GetRotation" => vec![self.get_rotation().await],
            "AuthorityService/StartRotation" => vec![self.start_rotation().await],
            "AuthorityService/AdvanceRotation" => vec![self.advance_rotation().await],
            "AuthorityService/RollBackRotation" => vec![self.roll_back_rotation().await],
            "AuthorityService/PauseRotation" => vec![self.pause_rotation().await],
            "AuthorityService/GetUnsignedTrustBundle" => vec![self.get_unsigned_trust_bundle().await],
            "AuthorityService/SubmitTrustBundle" => vec![self.submit_trust_bundle().await],
            "AuthorityService/ResumeRotation" => vec![self.resume_rotation().await],
            "AuthorityService/ListStragglers" => self.list_stragglers(handles).await,
            "AuditService/ListAuditEntries" => self.list_audit_entries(handles).await,
            "AuditService/FollowAuditEntries" => vec![self.follow_audit_entries(handles).await],
            "AuditService/ExportAuditChain" => vec![self.export_audit_chain().await],
            "HistoryService/QueryMetrics" => vec![self.query_metrics(handles).await?],
            "HistoryService/ListEvents" => self.list_events(handles).await,
            _ => bail!("no case for {path}: what could a stranger put into it?"),
        })
    }
}
