//! Boxes that wait for an operator.

use super::{Services, page};
use crate::things::id;
use kaliun_proto::fleet::v1::enrollment_service_server::EnrollmentService;
use kaliun_proto::fleet::v1::*;
use tonic::{Request, Response, Status};

impl Services {
    fn take_waiting(&self, id: &str) -> Result<Enrollment, Status> {
        let waiting = &mut self.world().enrollments;
        let place = waiting.iter().position(|waiting| waiting.id == id);
        let place = place.ok_or_else(|| Status::not_found("no such waiting box"))?;
        Ok(waiting.remove(place))
    }
}

#[tonic::async_trait]
impl EnrollmentService for Services {
    async fn list_enrollments(
        &self,
        request: Request<ListEnrollmentsRequest>,
    ) -> Result<Response<ListEnrollmentsResponse>, Status> {
        self.enter(&request, "list_enrollments").await?;
        let list = request.into_inner();
        let world = self.world();
        let (enrollments, next_page_token) = page(&world.enrollments, list.page_size, &list.page_token)?;
        let waiting_count = u32::try_from(world.enrollments.len()).unwrap();
        Ok(Response::new(ListEnrollmentsResponse { enrollments, next_page_token, waiting_count }))
    }

    async fn approve_enrollment(
        &self,
        request: Request<ApproveEnrollmentRequest>,
    ) -> Result<Response<ApproveEnrollmentResponse>, Status> {
        let wanted = request.get_ref().clone();
        let mut labels: Vec<_> = wanted.labels.into_iter().collect();
        labels.sort();
        let call = format!("approve_enrollment: {:?} in {:?} with {labels:?}", wanted.name, wanted.installation_id);
        self.enter(&request, call).await?;
        let before = self.world().admitted.iter().find(|(id, _name)| *id == wanted.id).cloned();
        if let Some((_id, device_name)) = before {
            return Ok(Response::new(ApproveEnrollmentResponse { device_id: id(8), device_name }));
        }
        let waiting = self.take_waiting(&wanted.id)?;
        assert_eq!(wanted.facts_hash, waiting.facts_hash, "a yes is for what was shown");
        let device_name = if wanted.name.is_empty() { waiting.name } else { wanted.name };
        self.world().admitted.push((wanted.id, device_name.clone()));
        Ok(Response::new(ApproveEnrollmentResponse { device_id: id(8), device_name }))
    }

    async fn deny_enrollment(
        &self,
        request: Request<DenyEnrollmentRequest>,
    ) -> Result<Response<DenyEnrollmentResponse>, Status> {
        self.enter(&request, format!("deny_enrollment: {}", request.get_ref().id)).await?;
        self.take_waiting(&request.get_ref().id)?;
        Ok(Response::new(DenyEnrollmentResponse {}))
    }
}
