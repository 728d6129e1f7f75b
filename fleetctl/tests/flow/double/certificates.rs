//! The certificates of devices.

use super::{Services, page};
use kaliun_proto::fleet::v1::certificate_service_server::CertificateService;
use kaliun_proto::fleet::v1::*;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl CertificateService for Services {
    async fn list_device_certificates(
        &self,
        request: Request<ListDeviceCertificatesRequest>,
    ) -> Result<Response<ListDeviceCertificatesResponse>, Status> {
        let list = request.get_ref().clone();
        self.enter(&request, format!("list_device_certificates: {} of {:?}", list.page_size, list.device_id)).await?;
        let world = self.world();
        let certificates = world.certificates.get(&list.device_id).cloned().unwrap_or_default();
        let (certificates, next_page_token) = page(&certificates, list.page_size, &list.page_token)?;
        Ok(Response::new(ListDeviceCertificatesResponse { certificates, next_page_token }))
    }
}
