//! What devices prove themselves with, for people.

use super::auth::Caller;
use super::page::{self, PageSeal};
use super::status;
use crate::clock;
use kaliun_domain::certificate::{CertificateCause, DeviceCertificate};
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::certificate_service_server::CertificateService;
use kaliun_store::AppStore;
use kaliun_types::id::DeviceId;
use tonic::{Request, Response, Status};

/// Certificates on a page when the caller does not say: a year, for there is a new one each 20 days.
const CERTIFICATES_DEFAULT: u32 = 20;

/// Answers for certificates.
pub(crate) struct Certificates {
    pub(crate) store: AppStore,
    pub(crate) seal: PageSeal,
}

fn to_proto(certificate: DeviceCertificate) -> proto::DeviceCertificate {
    let cause = match certificate.cause {
        CertificateCause::Enrolled => proto::CertificateCause::Enrolled,
        CertificateCause::GivenAgain => proto::CertificateCause::GivenAgain,
        CertificateCause::Renewed => proto::CertificateCause::Renewed,
        CertificateCause::Recovered => proto::CertificateCause::Recovered,
    };
    proto::DeviceCertificate {
        cause: cause.into(),
        authority: certificate.authority.unsigned_abs(),
        issued_at_ms: clock::to_ms(certificate.issued_at),
        expires_at_ms: clock::to_ms(certificate.expires_at),
    }
}

#[tonic::async_trait]
impl CertificateService for Certificates {
    async fn list_device_certificates(
        &self,
        request: Request<proto::ListDeviceCertificatesRequest>,
    ) -> Result<Response<proto::ListDeviceCertificatesResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let device: DeviceId = request.device_id.parse().map_err(|error| status::invalid("device_id", error))?;
        let size = page::size(request.page_size, CERTIFICATES_DEFAULT)?;
        let list = self.seal.list(caller.scope(), &format!("certificates\n{device}"));
        let before = list.position(&request.page_token)?.and_then(|id| id.parse().ok());
        let rows = self.store.certificate_list_page(caller.scope(), device, before, size + 1).await;
        let mut rows = rows.map_err(status::store)?.ok_or_else(|| status::not_found("device"))?;
        let next_page_token = page::cut(&mut rows, size, |row| list.token(&row.id.to_string()));
        let certificates = rows.into_iter().map(to_proto).collect();
        Ok(Response::new(proto::ListDeviceCertificatesResponse { certificates, next_page_token }))
    }
}
