//! Who may call what: one row for each RPC. A test walks the descriptors and fails if one is missing, `docs/AUTHORIZATION.md` is this
//! table in words, and the check before every handler reads it.

use crate::role::{HomeRole, Role};

/// Who may call an RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A box, with or without a certificate (device listener).
    AnyPeer,
    /// A box with a valid certificate (device listener).
    Device,
    /// Anyone (public listener).
    Anyone,
    /// A person who is signed in, about what is theirs, whatever organizations they belong to (public listener). No token of an organization.
    Person,
    /// Whoever is signed in, as a person or by a token (public listener).
    SignedIn,
    /// Somebody inside the organization that the call acts in, as far as the grants reach (public listener).
    Inside(Grants),
    /// Somebody with at least this role in the organization that runs the control plane, for what belongs to all organizations (public
    /// listener).
    Platform(Role),
}

/// What it takes to make a call, any one of these. Where it is a home that lets somebody in, the call reaches that home's rows alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grants {
    /// At least this role in the whole organization.
    pub role: Option<Role>,
    /// At least this role in a home.
    pub home: Option<HomeRole>,
    /// The role support, with the consent of the home's owner.
    pub by_consent: bool,
    /// Only a person may, whatever a token may besides: it is about what somebody is, or says for themselves.
    pub by_person: bool,
}

impl Grants {
    /// At least this role in the whole organization.
    #[must_use]
    pub const fn of(role: Role) -> Self {
        Self { role: Some(role), home: None, by_consent: false, by_person: false }
    }

    /// At least this role in the home that it is about, and no role in the organization does.
    #[must_use]
    pub const fn in_home(home: HomeRole) -> Self {
        Self { role: None, home: Some(home), by_consent: false, by_person: false }
    }

    /// Or at least this role in the home that it is about.
    #[must_use]
    pub const fn or_in_home(self, home: HomeRole) -> Self {
        Self { home: Some(home), ..self }
    }

    /// Or by an owner's consent.
    #[must_use]
    pub const fn or_by_consent(self) -> Self {
        Self { by_consent: true, ..self }
    }

    /// And only as a person.
    #[must_use]
    pub const fn as_person(self) -> Self {
        Self { by_person: true, ..self }
    }
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The path of the RPC, as in HTTP.
    pub path: &'static str,
    /// Who may call it.
    pub rule: Rule,
    /// What the handler asks besides, for people; mostly nothing.
    pub besides: &'static str,
}

const fn row(path: &'static str, rule: Rule) -> Row {
    Row { path, rule, besides: "" }
}

impl Row {
    const fn but(self, besides: &'static str) -> Self {
        Self { besides, ..self }
    }
}

/// Sees the organization, or a home.
const SEES: Rule = Rule::Inside(Grants::of(Role::Viewer).or_in_home(HomeRole::Member));
/// Sees what is of the whole organization.
const SEES_ALL: Rule = Rule::Inside(Grants::of(Role::Viewer));
/// Sets a home up.
const SETS_UP: Rule = Rule::Inside(Grants::of(Role::Operator).or_in_home(HomeRole::Installer));
/// Looks after boxes that are there: with the owner's consent support does, too.
const LOOKS_AFTER: Rule = Rule::Inside(Grants::of(Role::Operator).or_in_home(HomeRole::Installer).or_by_consent());
/// Disposes of a home and its boxes.
const OWNS: Rule = Rule::Inside(Grants::of(Role::Operator).or_in_home(HomeRole::Owner));
/// Runs the fleet.
const OPERATES: Rule = Rule::Inside(Grants::of(Role::Operator));
/// Runs the organization.
const RUNS: Rule = Rule::Inside(Grants::of(Role::Admin));
/// Says who is in it: an admin of the organization, or an owner of the home.
const LETS_IN: Rule = Rule::Inside(Grants::of(Role::Admin).or_in_home(HomeRole::Owner));
/// Is in it, as a person.
const LEAVES: Rule = Rule::Inside(Grants::of(Role::Viewer).or_in_home(HomeRole::Member).as_person());
/// Asks to be let into a home that the role alone does not open.
const ASKS_IN: Rule = Rule::Inside(Grants::of(Role::Support).as_person());
/// Sees who asked to be let in: the handler shows each role its own.
const SEES_CONSENTS: Rule = Rule::Inside(Grants::of(Role::Support).or_in_home(HomeRole::Member));
/// Lets support in: nobody does so for an owner.
const CONSENTS: Rule = Rule::Inside(Grants::in_home(HomeRole::Owner).as_person());
/// Ends what an owner allowed: an owner of that home, or whoever it was allowed.
const ENDS_CONSENT: Rule = Rule::Inside(Grants::of(Role::Support).or_in_home(HomeRole::Owner).as_person());

/// The table.
pub const TABLE: &[Row] = &[
    row("/kaliun.enrollment.v1.EnrollmentService/GetTrustBundle", Rule::AnyPeer),
    row("/kaliun.enrollment.v1.EnrollmentService/Enroll", Rule::AnyPeer),
    row("/kaliun.enrollment.v1.RecoveryService/Recover", Rule::AnyPeer),
    row("/kaliun.link.v1.LinkService/OpenLink", Rule::Device),
    row("/kaliun.fleet.v1.ServerService/GetVersion", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/SignIn", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/SignOut", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/WhoAmI", Rule::SignedIn),
    row("/kaliun.fleet.v1.AccountService/SignUp", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/ConfirmSignUp", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/RequestPasswordReset", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/ResetPassword", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/ChangePassword", Rule::Person),
    row("/kaliun.fleet.v1.AccountService/RequestAddressChange", Rule::Person),
    row("/kaliun.fleet.v1.AccountService/ConfirmAddressChange", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/UpdateAccount", Rule::Person),
    row("/kaliun.fleet.v1.AccountService/ListSessions", Rule::Person),
    row("/kaliun.fleet.v1.AccountService/RevokeSession", Rule::Person),
    row("/kaliun.fleet.v1.AccountService/RevokeOtherSessions", Rule::Person),
    row("/kaliun.fleet.v1.AccountService/ExportAccount", Rule::Person),
    row("/kaliun.fleet.v1.AccountService/DeleteAccount", Rule::Person),
    row("/kaliun.fleet.v1.IdentityService/ListProviders", Rule::Anyone),
    row("/kaliun.fleet.v1.IdentityService/ListIdentities", Rule::Person),
    row("/kaliun.fleet.v1.IdentityService/StartLink", Rule::Person),
    row("/kaliun.fleet.v1.IdentityService/UnlinkIdentity", Rule::Person),
    row("/kaliun.fleet.v1.DomainService/CreateDomain", RUNS),
    row("/kaliun.fleet.v1.DomainService/ListDomains", RUNS),
    row("/kaliun.fleet.v1.DomainService/VerifyDomain", RUNS),
    row("/kaliun.fleet.v1.DomainService/ConfirmDomain", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.DomainService/DeleteDomain", RUNS),
    row("/kaliun.fleet.v1.ClaimRuleService/CreateClaimRule", RUNS),
    row("/kaliun.fleet.v1.ClaimRuleService/ListClaimRules", RUNS),
    row("/kaliun.fleet.v1.ClaimRuleService/DeleteClaimRule", RUNS),
    row("/kaliun.fleet.v1.SignUpService/ListSignUps", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.SignUpService/ApproveSignUp", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.SignUpService/DenySignUp", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.MailService/ListMails", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.LoginService/StartLogin", Rule::Anyone),
    row("/kaliun.fleet.v1.LoginService/PollLogin", Rule::Anyone),
    row("/kaliun.fleet.v1.LoginService/RefreshLogin", Rule::Anyone),
    row("/kaliun.fleet.v1.LoginService/LookUpLogin", Rule::Person),
    row("/kaliun.fleet.v1.LoginService/DecideLogin", Rule::Person),
    row("/kaliun.fleet.v1.OrganizationService/ListMyOrganizations", Rule::Person),
    row("/kaliun.fleet.v1.OrganizationService/CreateOrganization", Rule::Person),
    row("/kaliun.fleet.v1.OrganizationService/UpdateOrganization", RUNS),
    row("/kaliun.fleet.v1.OrganizationService/LeaveOrganization", LEAVES)
        .but("neither the only admin nor the only owner of a home"),
    row("/kaliun.fleet.v1.OrganizationService/ListMembers", OPERATES),
    row("/kaliun.fleet.v1.OrganizationService/UpdateMember", RUNS).but("never the only admin"),
    row("/kaliun.fleet.v1.OrganizationService/RemoveMember", RUNS).but("never the only admin"),
    row("/kaliun.fleet.v1.InvitationService/CreateInvitation", LETS_IN).but("nobody gives a role above their own"),
    row("/kaliun.fleet.v1.InvitationService/ListInvitations", LETS_IN),
    row("/kaliun.fleet.v1.InvitationService/RevokeInvitation", LETS_IN),
    row("/kaliun.fleet.v1.InvitationService/LookUpInvitation", Rule::Anyone).but("with its secret"),
    row("/kaliun.fleet.v1.InvitationService/AcceptInvitation", Rule::Person)
        .but("with its secret, and the address that it is for"),
    row("/kaliun.fleet.v1.InstallationService/CreateInstallation", OPERATES),
    row("/kaliun.fleet.v1.InstallationService/UpdateInstallation", OWNS),
    row("/kaliun.fleet.v1.InstallationService/DeleteInstallation", OPERATES).but("while no box serves it"),
    row(
        "/kaliun.fleet.v1.InstallationService/ListHomePeople",
        Rule::Inside(Grants::of(Role::Operator).or_in_home(HomeRole::Member)),
    ),
    row("/kaliun.fleet.v1.InstallationService/UpdateHomePerson", LETS_IN),
    row("/kaliun.fleet.v1.InstallationService/RemoveHomePerson", LETS_IN).but("the only owner by an admin alone"),
    row("/kaliun.fleet.v1.ConsentService/RequestConsent", ASKS_IN).but("support alone: the roles above need none"),
    row("/kaliun.fleet.v1.ConsentService/ListConsents", SEES_CONSENTS)
        .but("operators and admins all, support what they asked for, people of a home those of their homes"),
    row("/kaliun.fleet.v1.ConsentService/DecideConsent", CONSENTS),
    row("/kaliun.fleet.v1.ConsentService/EndConsent", ENDS_CONSENT).but("an owner of the home, or whoever asked"),
    row("/kaliun.fleet.v1.DeviceService/GetDevice", SEES),
    row("/kaliun.fleet.v1.DeviceService/ListDevices", SEES),
    row("/kaliun.fleet.v1.DeviceService/SummarizeDevices", SEES),
    row("/kaliun.fleet.v1.DeviceService/UpdateDevice", LOOKS_AFTER),
    row("/kaliun.fleet.v1.DeviceService/DeleteDevice", OPERATES),
    row("/kaliun.fleet.v1.DeviceService/RevokeDevice", OWNS),
    row("/kaliun.fleet.v1.DeviceService/ExtendDevice", LOOKS_AFTER),
    row("/kaliun.fleet.v1.LifecycleService/DecommissionDevice", OWNS),
    row("/kaliun.fleet.v1.LifecycleService/ReplaceDevice", OPERATES),
    row("/kaliun.fleet.v1.LifecycleService/ReadoptDevice", OPERATES),
    row("/kaliun.fleet.v1.CertificateService/ListDeviceCertificates", SEES),
    row("/kaliun.fleet.v1.PostureService/ListFindings", SEES_ALL),
    row("/kaliun.fleet.v1.PostureService/ListPlatformFindings", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.WatchService/Watch", SEES),
    row("/kaliun.fleet.v1.ClaimService/LookUpClaim", SETS_UP),
    row("/kaliun.fleet.v1.ClaimService/ApproveClaim", SETS_UP),
    row("/kaliun.fleet.v1.ClaimService/DenyClaim", SETS_UP),
    row("/kaliun.fleet.v1.EnrollmentService/ListEnrollments", OPERATES),
    row("/kaliun.fleet.v1.EnrollmentService/ApproveEnrollment", OPERATES),
    row("/kaliun.fleet.v1.EnrollmentService/DenyEnrollment", OPERATES),
    row("/kaliun.fleet.v1.JoinTokenService/CreateJoinToken", OPERATES),
    row("/kaliun.fleet.v1.JoinTokenService/ListJoinTokens", OPERATES),
    row("/kaliun.fleet.v1.JoinTokenService/RevokeJoinToken", OPERATES),
    row("/kaliun.fleet.v1.ApiTokenService/CreateApiToken", RUNS),
    row("/kaliun.fleet.v1.ApiTokenService/ListApiTokens", RUNS),
    row("/kaliun.fleet.v1.ApiTokenService/RevokeApiToken", RUNS),
    row("/kaliun.fleet.v1.InstallationService/ListInstallations", SEES),
    row("/kaliun.fleet.v1.AuthorityService/GetRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/StartRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/AdvanceRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/RollBackRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/PauseRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/ResumeRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/GetUnsignedTrustBundle", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/SubmitTrustBundle", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/ListStragglers", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuditService/ListAuditEntries", RUNS),
    row("/kaliun.fleet.v1.AuditService/FollowAuditEntries", RUNS),
    row("/kaliun.fleet.v1.AuditService/ExportAuditChain", RUNS),
    row("/kaliun.fleet.v1.HistoryService/QueryMetrics", SEES),
    row("/kaliun.fleet.v1.HistoryService/ListEvents", SEES),
];

/// The rule of an RPC; none for a path that is not in the table, which nobody may call.
#[must_use]
pub fn rule(path: &str) -> Option<Rule> {
    TABLE.iter().find(|row| row.path == path).map(|row| row.rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_path_stands_once() {
        let paths: BTreeSet<_> = TABLE.iter().map(|row| row.path).collect();
        assert_eq!(paths.len(), TABLE.len());
    }

    #[test]
    fn an_unknown_path_has_no_rule() {
        assert_eq!(rule("/kaliun.fleet.v1.DeviceService/Explode"), None);
    }
}
