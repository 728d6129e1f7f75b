//! Calls about certificates.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::certificate_service_client::CertificateServiceClient;

impl Caller<'_> {
    pub(super) async fn list_device_certificates(&self, handles: &Handles) -> Vec<Answer> {
        let causes = |page: &fleet::ListDeviceCertificatesResponse| {
            listed(page.certificates.iter().map(|certificate| certificate.cause().as_str_name()))
        };
        let ask = async |page_token: String| {
            let device_id = handles.device_id.clone();
            let request = fleet::ListDeviceCertificatesRequest { device_id, page_size: 1, page_token };
            CertificateServiceClient::new(self.channel.clone()).list_device_certificates(self.request(request)).await
        };
        vec![
            Answer::unary("of a device", ask(String::new()).await, causes),
            Answer::unary("a next page of a device", ask(handles.pages.certificates.clone()).await, causes),
        ]
    }
}
