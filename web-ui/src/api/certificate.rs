//! What boxes prove themselves with.

use super::client::{failure, for_calls};
use crate::model::failure::Failure;
use kaliun_proto::fleet::v1::certificate_service_client::CertificateServiceClient;
use kaliun_proto::fleet::v1::{ListDeviceCertificatesRequest, ListDeviceCertificatesResponse};

/// Certificates shown at once: some months.
const CERTIFICATES_SHOWN: u32 = 6;

/// A page of a device's certificates, the newest first; the first page where the token is empty.
pub(crate) async fn certificates(
    device_id: String,
    page_token: String,
) -> Result<ListDeviceCertificatesResponse, Failure> {
    let request = ListDeviceCertificatesRequest { device_id, page_size: CERTIFICATES_SHOWN, page_token };
    let answer = CertificateServiceClient::new(for_calls()).list_device_certificates(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
}
