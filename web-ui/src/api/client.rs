//! The transport under all calls: gRPC-Web by the browser's fetch, same origin, with the session's cookie.

use crate::model::failure::Failure;
use std::time::Duration;
use tonic_web_wasm_client::Client;
use tonic_web_wasm_client::options::{Credentials, FetchOptions};

/// How long a call may take before the page says that nobody answers: longer than a restart of the server.
const CALL_MAX: Duration = Duration::from_secs(15);

/// For calls with one answer.
pub(crate) fn for_calls() -> Client {
    Client::new_with_options(String::new(), options().timeout(CALL_MAX))
}

/// For streams, which last as long as the page.
pub(crate) fn for_streams() -> Client {
    Client::new_with_options(String::new(), options())
}

fn options() -> FetchOptions {
    FetchOptions::new().credentials(Credentials::SameOrigin)
}

/// What a gRPC status means to a person.
pub(crate) fn failure(status: &tonic::Status) -> Failure {
    Failure::from_status(i32::from(status.code()), status.message())
}

/// An answer that lacks what it is there for.
pub(crate) fn empty_answer() -> Failure {
    Failure::Unexpected("The answer was empty.".to_owned())
}
