//! Machines that want to sign in as the person at the keyboard.

use super::client::call;
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::LookUpLoginResponse;

/// What asks with this code.
pub(crate) async fn look_up(user_code: String) -> Result<LookUpLoginResponse, Failure> {
    call(methods::LOOK_UP_LOGIN, &proto::LookUpLoginRequest { user_code }).await
}

/// Says yes or no to it.
pub(crate) async fn decide(user_code: String, approve: bool) -> Result<(), Failure> {
    call(methods::DECIDE_LOGIN, &proto::DecideLoginRequest { user_code, approve }).await.map(|_| ())
}
