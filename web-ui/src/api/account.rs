//! Who is at the keyboard.

use super::client::{empty_answer, failure, for_calls};
use crate::model::failure::Failure;
use kaliun_proto::fleet::v1::account_service_client::AccountServiceClient;
use kaliun_proto::fleet::v1::{Identity, SignInRequest, SignOutRequest, WhoAmIRequest};

/// Opens a session; the answer's cookie carries it.
pub(crate) async fn sign_in(email: String, password: String) -> Result<Identity, Failure> {
    let answer = AccountServiceClient::new(for_calls()).sign_in(SignInRequest { email, password }).await;
    answer.map_err(|status| failure(&status))?.into_inner().identity.ok_or_else(empty_answer)
}

/// Ends the session.
pub(crate) async fn sign_out() -> Result<(), Failure> {
    let answer = AccountServiceClient::new(for_calls()).sign_out(SignOutRequest {}).await;
    answer.map(|_| ()).map_err(|status| failure(&status))
}

/// Who is signed in.
pub(crate) async fn who_am_i() -> Result<Identity, Failure> {
    let answer = AccountServiceClient::new(for_calls()).who_am_i(WhoAmIRequest {}).await;
    answer.map_err(|status| failure(&status))?.into_inner().identity.ok_or_else(empty_answer)
}
