//! Who may call what: one row for each RPC. A test walks the descriptors and fails if one is missing.

use crate::role::Role;

/// Who may call an RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A box, with or without a certificate (device listener).
    AnyPeer,
    /// A box with a valid certificate (device listener).
    Device,
    /// Anyone (public listener).
    Anyone,
    /// A person or a token with at least this role, inside its own organization (public listener).
    Member(Role),
    /// The same, of the organization that runs the control plane, for what belongs to all organizations (public listener).
    Platform(Role),
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The path of the RPC, as in HTTP.
    pub path: &'static str,
    /// Who may call it.
    pub rule: Rule,
}

const fn row(path: &'static str, rule: Rule) -> Row {
    Row { path, rule }
}

/// The table.
pub const TABLE: &[Row] = &[
    row("/kaliun.enrollment.v1.EnrollmentService/GetTrustBundle", Rule::AnyPeer),
    row("/kaliun.enrollment.v1.EnrollmentService/Enroll", Rule::AnyPeer),
    row("/kaliun.enrollment.v1.RecoveryService/Recover", Rule::AnyPeer),
    row("/kaliun.link.v1.LinkService/OpenLink", Rule::Device),
    row("/kaliun.fleet.v1.ServerService/GetVersion", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/SignIn", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/SignOut", Rule::Anyone),
    row("/kaliun.fleet.v1.AccountService/WhoAmI", Rule::Member(Role::Viewer)),
    row("/kaliun.fleet.v1.DeviceService/GetDevice", Rule::Member(Role::Viewer)),
    row("/kaliun.fleet.v1.DeviceService/ListDevices", Rule::Member(Role::Viewer)),
    row("/kaliun.fleet.v1.DeviceService/SummarizeDevices", Rule::Member(Role::Viewer)),
    row("/kaliun.fleet.v1.DeviceService/UpdateDevice", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.DeviceService/DeleteDevice", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.DeviceService/RevokeDevice", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.DeviceService/ExtendDevice", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.LifecycleService/DecommissionDevice", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.LifecycleService/ReplaceDevice", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.LifecycleService/ReadoptDevice", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.CertificateService/ListDeviceCertificates", Rule::Member(Role::Viewer)),
    row("/kaliun.fleet.v1.PostureService/ListFindings", Rule::Member(Role::Viewer)),
    row("/kaliun.fleet.v1.PostureService/ListPlatformFindings", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.WatchService/Watch", Rule::Member(Role::Viewer)),
    row("/kaliun.fleet.v1.ClaimService/LookUpClaim", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.ClaimService/ApproveClaim", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.ClaimService/DenyClaim", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.EnrollmentService/ListEnrollments", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.EnrollmentService/ApproveEnrollment", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.EnrollmentService/DenyEnrollment", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.JoinTokenService/CreateJoinToken", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.JoinTokenService/ListJoinTokens", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.JoinTokenService/RevokeJoinToken", Rule::Member(Role::Operator)),
    row("/kaliun.fleet.v1.ApiTokenService/CreateApiToken", Rule::Member(Role::Admin)),
    row("/kaliun.fleet.v1.ApiTokenService/ListApiTokens", Rule::Member(Role::Admin)),
    row("/kaliun.fleet.v1.ApiTokenService/RevokeApiToken", Rule::Member(Role::Admin)),
    row("/kaliun.fleet.v1.InstallationService/ListInstallations", Rule::Member(Role::Viewer)),
    row("/kaliun.fleet.v1.AuthorityService/GetRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/StartRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/AdvanceRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/RollBackRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/PauseRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/ResumeRotation", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/GetUnsignedTrustBundle", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/SubmitTrustBundle", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuthorityService/ListStragglers", Rule::Platform(Role::Admin)),
    row("/kaliun.fleet.v1.AuditService/ListAuditEntries", Rule::Member(Role::Admin)),
    row("/kaliun.fleet.v1.AuditService/FollowAuditEntries", Rule::Member(Role::Admin)),
    row("/kaliun.fleet.v1.AuditService/ExportAuditChain", Rule::Member(Role::Admin)),
    row("/kaliun.fleet.v1.HistoryService/QueryMetrics", Rule::Member(Role::Viewer)),
    row("/kaliun.fleet.v1.HistoryService/ListEvents", Rule::Member(Role::Viewer)),
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
