//! People who wait for an account of this server.

use super::client::call;
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::SignUpEntry;

/// A page of them, and where the next one begins.
pub(crate) async fn list(page_token: String) -> Result<(Vec<SignUpEntry>, String), Failure> {
    let request = proto::ListSignUpsRequest { page_size: super::PAGE, page_token };
    let answer = call(methods::LIST_SIGN_UPS, &request).await?;
    Ok((answer.sign_ups, answer.next_page_token))
}

/// Makes somebody's account.
pub(crate) async fn approve(id: String) -> Result<(), Failure> {
    call(methods::APPROVE_SIGN_UP, &proto::ApproveSignUpRequest { id }).await.map(|_| ())
}

/// Forgets somebody who asked.
pub(crate) async fn deny(id: String) -> Result<(), Failure> {
    call(methods::DENY_SIGN_UP, &proto::DenySignUpRequest { id }).await.map(|_| ())
}
