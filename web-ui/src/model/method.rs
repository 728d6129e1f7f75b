//! The calls that the dashboard makes: where each goes, what it takes and what it gives.
//!
//! The generated clients would compile the whole transport once for each call. Here a call is its path and two types, and the transport
//! exists once, for bytes. A test compares all of it with the contract.

use kaliun_proto::fleet::v1 as proto;
use std::marker::PhantomData;

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct Method<Q, A> {
    path: &'static str,
    types: PhantomData<fn(Q) -> A>,
}

impl<Q, A> Method<Q, A> {
    const fn new(path: &'static str) -> Self {
        Self { path, types: PhantomData }
    }

    /// The path, as in HTTP.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }
}

/// Declares calls: `NAME = Service/Method(Request) -> Response;`. For the test also `CONTRACT`: path, request and response of each.
macro_rules! methods {
    ($($name:ident = $service:ident / $method:ident ($request:ident) -> $response:ident;)*) => {
        $(
            #[doc = concat!("`", stringify!($service), ".", stringify!($method), "`.")]
            pub const $name: Method<proto::$request, proto::$response> =
                Method::new(concat!("/kaliun.fleet.v1.", stringify!($service), "/", stringify!($method)));
        )*

        #[cfg(test)]
        const CONTRACT: &[(&str, &str, &str)] =
            &[$(($name.path(), stringify!($request), stringify!($response))),*];
    };
}

methods! {
    SIGN_UP = AccountService/SignUp(SignUpRequest) -> SignUpResponse;
    CONFIRM_SIGN_UP = AccountService/ConfirmSignUp(ConfirmSignUpRequest) -> ConfirmSignUpResponse;
    SIGN_IN = AccountService/SignIn(SignInRequest) -> SignInResponse;
    SIGN_OUT = AccountService/SignOut(SignOutRequest) -> SignOutResponse;
    WHO_AM_I = AccountService/WhoAmI(WhoAmIRequest) -> WhoAmIResponse;
    REQUEST_PASSWORD_RESET = AccountService/RequestPasswordReset(RequestPasswordResetRequest) -> RequestPasswordResetResponse;
    RESET_PASSWORD = AccountService/ResetPassword(ResetPasswordRequest) -> ResetPasswordResponse;
    CHANGE_PASSWORD = AccountService/ChangePassword(ChangePasswordRequest) -> ChangePasswordResponse;
    REQUEST_ADDRESS_CHANGE = AccountService/RequestAddressChange(RequestAddressChangeRequest) -> RequestAddressChangeResponse;
    CONFIRM_ADDRESS_CHANGE = AccountService/ConfirmAddressChange(ConfirmAddressChangeRequest) -> ConfirmAddressChangeResponse;
    UPDATE_ACCOUNT = AccountService/UpdateAccount(UpdateAccountRequest) -> UpdateAccountResponse;
    LIST_SESSIONS = AccountService/ListSessions(ListSessionsRequest) -> ListSessionsResponse;
    REVOKE_SESSION = AccountService/RevokeSession(RevokeSessionRequest) -> RevokeSessionResponse;
    REVOKE_OTHER_SESSIONS = AccountService/RevokeOtherSessions(RevokeOtherSessionsRequest) -> RevokeOtherSessionsResponse;
    EXPORT_ACCOUNT = AccountService/ExportAccount(ExportAccountRequest) -> ExportAccountResponse;
    DELETE_ACCOUNT = AccountService/DeleteAccount(DeleteAccountRequest) -> DeleteAccountResponse;

    LIST_SIGN_UPS = SignUpService/ListSignUps(ListSignUpsRequest) -> ListSignUpsResponse;
    APPROVE_SIGN_UP = SignUpService/ApproveSignUp(ApproveSignUpRequest) -> ApproveSignUpResponse;
    DENY_SIGN_UP = SignUpService/DenySignUp(DenySignUpRequest) -> DenySignUpResponse;

    LOOK_UP_LOGIN = LoginService/LookUpLogin(LookUpLoginRequest) -> LookUpLoginResponse;
    DECIDE_LOGIN = LoginService/DecideLogin(DecideLoginRequest) -> DecideLoginResponse;

    LIST_MY_ORGANIZATIONS = OrganizationService/ListMyOrganizations(ListMyOrganizationsRequest) -> ListMyOrganizationsResponse;
    CREATE_ORGANIZATION = OrganizationService/CreateOrganization(CreateOrganizationRequest) -> CreateOrganizationResponse;
    UPDATE_ORGANIZATION = OrganizationService/UpdateOrganization(UpdateOrganizationRequest) -> UpdateOrganizationResponse;
    LEAVE_ORGANIZATION = OrganizationService/LeaveOrganization(LeaveOrganizationRequest) -> LeaveOrganizationResponse;
    LIST_MEMBERS = OrganizationService/ListMembers(ListMembersRequest) -> ListMembersResponse;
    UPDATE_MEMBER = OrganizationService/UpdateMember(UpdateMemberRequest) -> UpdateMemberResponse;
    REMOVE_MEMBER = OrganizationService/RemoveMember(RemoveMemberRequest) -> RemoveMemberResponse;

    CREATE_INVITATION = InvitationService/CreateInvitation(CreateInvitationRequest) -> CreateInvitationResponse;
    LIST_INVITATIONS = InvitationService/ListInvitations(ListInvitationsRequest) -> ListInvitationsResponse;
    REVOKE_INVITATION = InvitationService/RevokeInvitation(RevokeInvitationRequest) -> RevokeInvitationResponse;
    LOOK_UP_INVITATION = InvitationService/LookUpInvitation(LookUpInvitationRequest) -> LookUpInvitationResponse;
    ACCEPT_INVITATION = InvitationService/AcceptInvitation(AcceptInvitationRequest) -> AcceptInvitationResponse;

    LIST_INSTALLATIONS = InstallationService/ListInstallations(ListInstallationsRequest) -> ListInstallationsResponse;
    CREATE_INSTALLATION = InstallationService/CreateInstallation(CreateInstallationRequest) -> CreateInstallationResponse;
    UPDATE_INSTALLATION = InstallationService/UpdateInstallation(UpdateInstallationRequest) -> UpdateInstallationResponse;
    DELETE_INSTALLATION = InstallationService/DeleteInstallation(DeleteInstallationRequest) -> DeleteInstallationResponse;
    LIST_HOME_PEOPLE = InstallationService/ListHomePeople(ListHomePeopleRequest) -> ListHomePeopleResponse;
    UPDATE_HOME_PERSON = InstallationService/UpdateHomePerson(UpdateHomePersonRequest) -> UpdateHomePersonResponse;
    REMOVE_HOME_PERSON = InstallationService/RemoveHomePerson(RemoveHomePersonRequest) -> RemoveHomePersonResponse;

    REQUEST_CONSENT = ConsentService/RequestConsent(RequestConsentRequest) -> RequestConsentResponse;
    LIST_CONSENTS = ConsentService/ListConsents(ListConsentsRequest) -> ListConsentsResponse;
    DECIDE_CONSENT = ConsentService/DecideConsent(DecideConsentRequest) -> DecideConsentResponse;
    END_CONSENT = ConsentService/EndConsent(EndConsentRequest) -> EndConsentResponse;

    CREATE_API_TOKEN = ApiTokenService/CreateApiToken(CreateApiTokenRequest) -> CreateApiTokenResponse;
    LIST_API_TOKENS = ApiTokenService/ListApiTokens(ListApiTokensRequest) -> ListApiTokensResponse;
    REVOKE_API_TOKEN = ApiTokenService/RevokeApiToken(RevokeApiTokenRequest) -> RevokeApiTokenResponse;

    GET_DEVICE = DeviceService/GetDevice(GetDeviceRequest) -> GetDeviceResponse;
    LIST_DEVICE_CERTIFICATES = CertificateService/ListDeviceCertificates(ListDeviceCertificatesRequest) -> ListDeviceCertificatesResponse;
    LOOK_UP_CLAIM = ClaimService/LookUpClaim(LookUpClaimRequest) -> LookUpClaimResponse;
    APPROVE_CLAIM = ClaimService/ApproveClaim(ApproveClaimRequest) -> ApproveClaimResponse;
    DENY_CLAIM = ClaimService/DenyClaim(DenyClaimRequest) -> DenyClaimResponse;
    LIST_ENROLLMENTS = EnrollmentService/ListEnrollments(ListEnrollmentsRequest) -> ListEnrollmentsResponse;
    APPROVE_ENROLLMENT = EnrollmentService/ApproveEnrollment(ApproveEnrollmentRequest) -> ApproveEnrollmentResponse;
    DENY_ENROLLMENT = EnrollmentService/DenyEnrollment(DenyEnrollmentRequest) -> DenyEnrollmentResponse;
    QUERY_METRICS = HistoryService/QueryMetrics(QueryMetricsRequest) -> QueryMetricsResponse;
    LIST_EVENTS = HistoryService/ListEvents(ListEventsRequest) -> ListEventsResponse;
    WATCH = WatchService/Watch(WatchRequest) -> WatchResponse;
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;
    use prost_types::FileDescriptorSet;
    use std::collections::BTreeMap;

    /// Request and response of each RPC of the contract, by its path.
    fn rpcs() -> BTreeMap<String, (String, String)> {
        let set = FileDescriptorSet::decode(kaliun_proto::DESCRIPTORS).expect("the build wrote it");
        let mut rpcs = BTreeMap::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    rpcs.insert(path, (method.input_type().to_owned(), method.output_type().to_owned()));
                }
            }
        }
        rpcs
    }

    #[test]
    fn each_call_is_in_the_contract() {
        let rpcs = rpcs();
        for (path, request, response) in CONTRACT {
            let full = |name: &str| format!(".kaliun.fleet.v1.{name}");
            assert_eq!(rpcs.get(*path), Some(&(full(request), full(response))), "{path}");
        }
    }
}
