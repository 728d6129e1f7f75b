//! Support's way into a home.

use super::client::{call, empty_answer};
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::{Consent, RequestConsentRequest};

/// Consents that are open at once and shown: a person looks through no more.
const OPEN_MAX: u32 = 100;

/// Asks the owners of a home.
pub(crate) async fn request(request: RequestConsentRequest) -> Result<Consent, Failure> {
    call(methods::REQUEST_CONSENT, &request).await?.consent.ok_or_else(empty_answer)
}

/// Those that wait or hold.
pub(crate) async fn list_open() -> Result<Vec<Consent>, Failure> {
    Ok(page(OPEN_MAX, String::new(), true).await?.0)
}

/// A page of all, and where the next one begins.
pub(crate) async fn list(page_token: String) -> Result<(Vec<Consent>, String), Failure> {
    page(super::PAGE, page_token, false).await
}

async fn page(page_size: u32, page_token: String, only_open: bool) -> Result<(Vec<Consent>, String), Failure> {
    let request = proto::ListConsentsRequest { page_size, page_token, only_open };
    let answer = call(methods::LIST_CONSENTS, &request).await?;
    Ok((answer.consents, answer.next_page_token))
}

/// Says yes or no.
pub(crate) async fn decide(id: String, approve: bool) -> Result<Consent, Failure> {
    call(methods::DECIDE_CONSENT, &proto::DecideConsentRequest { id, approve }).await?.consent.ok_or_else(empty_answer)
}

/// Ends one before its time.
pub(crate) async fn end(id: String) -> Result<Consent, Failure> {
    call(methods::END_CONSENT, &proto::EndConsentRequest { id }).await?.consent.ok_or_else(empty_answer)
}
