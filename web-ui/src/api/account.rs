//! Who is at the keyboard, and that person's account.

use super::client::{call, empty_answer};
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::{Identity, Session, SignUpRequest, SignUpStep};

/// Asks for an account, and says what the person waits for.
pub(crate) async fn sign_up(request: SignUpRequest) -> Result<SignUpStep, Failure> {
    Ok(call(methods::SIGN_UP, &request).await?.next())
}

/// Makes the account, and opens a session.
pub(crate) async fn confirm_sign_up(secret: String, password: String) -> Result<Identity, Failure> {
    let answer = call(methods::CONFIRM_SIGN_UP, &proto::ConfirmSignUpRequest { secret, password }).await?;
    answer.identity.ok_or_else(empty_answer)
}

/// Opens a session; the answer's cookie carries it.
pub(crate) async fn sign_in(email: String, password: String) -> Result<Identity, Failure> {
    call(methods::SIGN_IN, &proto::SignInRequest { email, password }).await?.identity.ok_or_else(empty_answer)
}

/// Ends the session.
pub(crate) async fn sign_out() -> Result<(), Failure> {
    call(methods::SIGN_OUT, &proto::SignOutRequest {}).await.map(|_| ())
}

/// Who is signed in.
pub(crate) async fn who_am_i() -> Result<Identity, Failure> {
    call(methods::WHO_AM_I, &proto::WhoAmIRequest {}).await?.identity.ok_or_else(empty_answer)
}

/// Asks for a mail with which the password can be set anew.
pub(crate) async fn request_password_reset(email: String) -> Result<(), Failure> {
    call(methods::REQUEST_PASSWORD_RESET, &proto::RequestPasswordResetRequest { email }).await.map(|_| ())
}

/// Sets the password by the secret of that mail.
pub(crate) async fn reset_password(secret: String, new_password: String) -> Result<(), Failure> {
    call(methods::RESET_PASSWORD, &proto::ResetPasswordRequest { secret, new_password }).await.map(|_| ())
}

/// Sets another password; the present one is empty for an account that has none.
pub(crate) async fn change_password(current_password: String, new_password: String) -> Result<(), Failure> {
    let request = proto::ChangePasswordRequest { current_password, new_password };
    call(methods::CHANGE_PASSWORD, &request).await.map(|_| ())
}

/// Asks for a mail to another address.
pub(crate) async fn request_address_change(new_email: String, password: String) -> Result<(), Failure> {
    let request = proto::RequestAddressChangeRequest { new_email, password };
    call(methods::REQUEST_ADDRESS_CHANGE, &request).await.map(|_| ())
}

/// Gives the account the address that the mail was sent to, and says which it is.
pub(crate) async fn confirm_address_change(secret: String) -> Result<String, Failure> {
    Ok(call(methods::CONFIRM_ADDRESS_CHANGE, &proto::ConfirmAddressChangeRequest { secret }).await?.email)
}

/// Changes what the person is called.
pub(crate) async fn update(name: String) -> Result<(), Failure> {
    call(methods::UPDATE_ACCOUNT, &proto::UpdateAccountRequest { name }).await.map(|_| ())
}

/// A page of the person's sessions, and where the next one begins.
pub(crate) async fn sessions(page_token: String) -> Result<(Vec<Session>, String), Failure> {
    let request = proto::ListSessionsRequest { page_size: super::PAGE, page_token };
    let answer = call(methods::LIST_SESSIONS, &request).await?;
    Ok((answer.sessions, answer.next_page_token))
}

/// Ends one of them.
pub(crate) async fn revoke_session(id: String) -> Result<(), Failure> {
    call(methods::REVOKE_SESSION, &proto::RevokeSessionRequest { id }).await.map(|_| ())
}

/// Ends all but this one, and says how many those were.
pub(crate) async fn revoke_other_sessions() -> Result<u32, Failure> {
    Ok(call(methods::REVOKE_OTHER_SESSIONS, &proto::RevokeOtherSessionsRequest {}).await?.revoked)
}

/// All that the server keeps of the person, as a JSON document.
pub(crate) async fn export() -> Result<Vec<u8>, Failure> {
    Ok(call(methods::EXPORT_ACCOUNT, &proto::ExportAccountRequest {}).await?.json)
}

/// Deletes the account.
pub(crate) async fn delete(password: String, email: String) -> Result<(), Failure> {
    call(methods::DELETE_ACCOUNT, &proto::DeleteAccountRequest { password, email }).await.map(|_| ())
}
