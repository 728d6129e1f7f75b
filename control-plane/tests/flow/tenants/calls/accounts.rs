//! Calls about a person's own account, about machines that sign in, and about people who wait for an account.

use super::{Caller, NO_SECRET};
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::account_service_client::AccountServiceClient;
use kaliun_proto::fleet::v1::login_service_client::LoginServiceClient;
use kaliun_proto::fleet::v1::sign_up_service_client::SignUpServiceClient;
use tonic::transport::Channel;

const NEW_PASSWORD: &str = "lantern ostrich seven graz";

impl Caller<'_> {
    fn people(&self) -> AccountServiceClient<Channel> {
        AccountServiceClient::new(self.channel.clone())
    }

    fn logins(&self) -> LoginServiceClient<Channel> {
        LoginServiceClient::new(self.channel.clone())
    }

    fn waiting_people(&self) -> SignUpServiceClient<Channel> {
        SignUpServiceClient::new(self.channel.clone())
    }

    /// An address that has an account is answered as one that has none.
    pub(super) async fn sign_up(&self, handles: &Handles) -> Answer {
        let request = fleet::SignUpRequest {
            email: handles.email.clone(),
            name: "Somebody".to_owned(),
            password: NEW_PASSWORD.to_owned(),
            ..Default::default()
        };
        let outcome = self.people().sign_up(self.request(request)).await;
        Answer::unary("by an address that somebody has", outcome, |answer| format!("{:?}", answer.next()))
            .same_for_the_owner()
    }

    pub(super) async fn confirm_sign_up(&self) -> Answer {
        let request = fleet::ConfirmSignUpRequest { secret: NO_SECRET.to_owned(), password: NEW_PASSWORD.to_owned() };
        let outcome = self.people().confirm_sign_up(self.request(request)).await;
        Answer::unary("without a secret", outcome, |_| String::new()).same_for_the_owner()
    }

    pub(super) async fn request_password_reset(&self, handles: &Handles) -> Answer {
        let request = fleet::RequestPasswordResetRequest { email: handles.email.clone() };
        let outcome = self.people().request_password_reset(self.request(request)).await;
        Answer::unary("by address", outcome, |_| "asked".to_owned()).same_for_the_owner()
    }

    pub(super) async fn reset_password(&self) -> Answer {
        let request =
            fleet::ResetPasswordRequest { secret: NO_SECRET.to_owned(), new_password: NEW_PASSWORD.to_owned() };
        let outcome = self.people().reset_password(self.request(request)).await;
        Answer::unary("without a secret", outcome, |_| String::new()).same_for_the_owner()
    }

    /// With a password that is wrong, so that the caller stays signed in. Nobody else's account can even be named.
    pub(super) async fn change_password(&self) -> Answer {
        let request = fleet::ChangePasswordRequest {
            current_password: "wrong horse wrong".to_owned(),
            new_password: NEW_PASSWORD.to_owned(),
        };
        let outcome = self.people().change_password(self.request(request)).await;
        Answer::unary("one's own", outcome, |_| "changed".to_owned()).same_for_the_owner()
    }

    pub(super) async fn request_address_change(&self, handles: &Handles) -> Answer {
        let request = fleet::RequestAddressChangeRequest {
            new_email: handles.email.clone(),
            password: "wrong horse wrong".to_owned(),
        };
        let outcome = self.people().request_address_change(self.request(request)).await;
        Answer::unary("to an address that somebody has", outcome, |_| "asked".to_owned()).same_for_the_owner()
    }

    pub(super) async fn confirm_address_change(&self) -> Answer {
        let request = fleet::ConfirmAddressChangeRequest { secret: NO_SECRET.to_owned() };
        let outcome = self.people().confirm_address_change(self.request(request)).await;
        Answer::unary("without a secret", outcome, |_| String::new()).same_for_the_owner()
    }

    pub(super) async fn update_account(&self) -> Answer {
        let request = fleet::UpdateAccountRequest { name: "Another name".to_owned() };
        let outcome = self.people().update_account(self.request(request)).await;
        Answer::unary("one's own", outcome, |_| "changed".to_owned()).same_for_the_owner()
    }

    pub(super) async fn list_sessions(&self, handles: &Handles) -> Vec<Answer> {
        let count =
            |page: &fleet::ListSessionsResponse| listed(page.sessions.iter().map(|session| session.client.as_str()));
        let all = self.people().list_sessions(self.request(fleet::ListSessionsRequest::default())).await;
        let page = fleet::ListSessionsRequest { page_size: 1, page_token: handles.pages.sessions.clone() };
        let next = self.people().list_sessions(self.request(page)).await;
        let next = Answer::unary("a next page", next, count);
        vec![Answer::unary("all", all, count).same_for_the_owner(), self.of_a_person(next)]
    }

    pub(super) async fn revoke_session(&self, handles: &Handles) -> Answer {
        let request = fleet::RevokeSessionRequest { id: handles.session_id.clone() };
        // Ends the one that it calls with only if it is that one; the handle is another session's.
        let outcome = self.people().revoke_session(self.request(request)).await;
        self.of_a_person(Answer::unary("by id", outcome, |_| "done".to_owned()))
    }

    pub(super) async fn revoke_other_sessions(&self) -> Answer {
        let outcome = self.people().revoke_other_sessions(self.request(fleet::RevokeOtherSessionsRequest {})).await;
        Answer::unary("one's own", outcome, |_| "done".to_owned()).same_for_the_owner()
    }

    pub(super) async fn export_account(&self) -> Answer {
        let outcome = self.people().export_account(self.request(fleet::ExportAccountRequest {})).await;
        // As text, so that it can be searched for what is another's.
        let outcome = outcome.map(|answer| answer.map(|answer| String::from_utf8_lossy(&answer.json).into_owned()));
        Answer::unary("one's own", outcome, |_| "exported".to_owned()).same_for_the_owner()
    }

    /// With a password that is wrong, so that the caller stays.
    pub(super) async fn delete_account(&self, handles: &Handles) -> Answer {
        let request =
            fleet::DeleteAccountRequest { email: handles.email.clone(), password: "wrong horse wrong".to_owned() };
        let outcome = self.people().delete_account(self.request(request)).await;
        self.of_a_person(Answer::unary("by address", outcome, |_| "done".to_owned()))
    }

    pub(super) async fn start_login(&self) -> Answer {
        let request = fleet::StartLoginRequest { client: "fleetctl on a test".to_owned() };
        let outcome = self.logins().start_login(self.request(request)).await;
        Answer::unary("a machine", outcome, |_| "begun".to_owned()).same_for_the_owner()
    }

    pub(super) async fn poll_login(&self) -> Answer {
        let request = fleet::PollLoginRequest { device_code: NO_SECRET.to_owned() };
        let outcome = self.logins().poll_login(self.request(request)).await;
        Answer::unary("without a code", outcome, |answer| format!("{:?}", answer.state())).same_for_the_owner()
    }

    pub(super) async fn refresh_login(&self) -> Answer {
        let request = fleet::RefreshLoginRequest { refresh_token: NO_SECRET.to_owned() };
        let outcome = self.logins().refresh_login(self.request(request)).await;
        Answer::unary("without a token", outcome, |_| String::new()).same_for_the_owner()
    }

    /// A code that was used is worth nothing to anybody.
    pub(super) async fn look_up_login(&self, handles: &Handles) -> Answer {
        let request = fleet::LookUpLoginRequest { user_code: handles.user_code.clone() };
        let outcome = self.logins().look_up_login(self.request(request)).await;
        Answer::unary("by code", outcome, |answer| answer.client.clone()).same_for_the_owner()
    }

    pub(super) async fn decide_login(&self, handles: &Handles) -> Answer {
        let request = fleet::DecideLoginRequest { user_code: handles.user_code.clone(), approve: true };
        let outcome = self.logins().decide_login(self.request(request)).await;
        Answer::unary("by code", outcome, |_| "done".to_owned()).same_for_the_owner()
    }

    pub(super) async fn list_sign_ups(&self) -> Vec<Answer> {
        let emails = |page: &fleet::ListSignUpsResponse| listed(page.sign_ups.iter().map(|entry| entry.email.as_str()));
        let all = self.waiting_people().list_sign_ups(self.request(fleet::ListSignUpsRequest::default())).await;
        // Whoever waits belongs to no tenant, and the addresses that the walk itself brought in are among them.
        let all = all.map(|mut page| {
            page.get_mut().sign_ups.clear();
            page
        });
        vec![Answer::unary("all", all, emails).same_for_the_owner()]
    }

    /// Ids of other things are worth nothing here.
    pub(super) async fn approve_sign_up(&self, handles: &Handles) -> Answer {
        let request = fleet::ApproveSignUpRequest { id: handles.account_id.clone() };
        let outcome = self.waiting_people().approve_sign_up(self.request(request)).await;
        Answer::unary("by an account's id", outcome, |_| "done".to_owned()).same_for_the_owner()
    }

    pub(super) async fn deny_sign_up(&self, handles: &Handles) -> Answer {
        let request = fleet::DenySignUpRequest { id: handles.account_id.clone() };
        let outcome = self.waiting_people().deny_sign_up(self.request(request)).await;
        Answer::unary("by an account's id", outcome, |_| "done".to_owned()).same_for_the_owner()
    }
}
