//! Calls about certificates.

use super::Client;
use super::pages::{Listing, Paging, collect};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::certificate_service_client::CertificateServiceClient;
use kaliun_proto::fleet::v1::{DeviceCertificate, ListDeviceCertificatesRequest};

impl Client {
    /// Lists the certificates that a device got, the newest first.
    pub(crate) async fn certificate_list(
        &self,
        device_id: &str,
        paging: &Paging,
    ) -> Result<Listing<DeviceCertificate>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListDeviceCertificatesRequest { device_id: device_id.to_owned(), page_size, page_token };
            let mut client = CertificateServiceClient::new(self.channel());
            let list = self.call("list certificates", message, |request| client.list_device_certificates(request));
            let answer = list.await?;
            Ok((answer.certificates, answer.next_page_token))
        })
        .await
    }
}
