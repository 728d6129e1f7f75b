//! What boxes prove themselves with.

use super::client::call;
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1::{ListDeviceCertificatesRequest, ListDeviceCertificatesResponse};

/// Certificates shown at once: some months.
const CERTIFICATES_SHOWN: u32 = 6;

/// A page of a device's certificates, the newest first; the first page where the token is empty.
pub(crate) async fn certificates(
    device_id: String,
    page_token: String,
) -> Result<ListDeviceCertificatesResponse, Failure> {
    let request = ListDeviceCertificatesRequest { device_id, page_size: CERTIFICATES_SHOWN, page_token };
    call(methods::LIST_DEVICE_CERTIFICATES, &request).await
}
