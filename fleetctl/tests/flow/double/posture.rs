//! What is wrong, as a test says.

use super::{Services, page};
use kaliun_proto::fleet::v1::posture_service_server::PostureService;
use kaliun_proto::fleet::v1::*;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl PostureService for Services {
    async fn list_findings(
        &self,
        request: Request<ListFindingsRequest>,
    ) -> Result<Response<ListFindingsResponse>, Status> {
        self.enter(&request, "list_findings").await?;
        let list = request.into_inner();
        let (findings, next_page_token) = page(&self.world().findings, list.page_size, &list.page_token)?;
        Ok(Response::new(ListFindingsResponse { findings, next_page_token }))
    }

    async fn list_platform_findings(
        &self,
        request: Request<ListPlatformFindingsRequest>,
    ) -> Result<Response<ListPlatformFindingsResponse>, Status> {
        self.enter(&request, "list_platform_findings").await?;
        let list = request.into_inner();
        let world = self.world();
        let all = world.platform_findings.as_ref();
        let all = all.ok_or_else(|| Status::permission_denied("this call is about the control plane itself"))?;
        let (findings, next_page_token) = page(all, list.page_size, &list.page_token)?;
        Ok(Response::new(ListPlatformFindingsResponse { findings, next_page_token }))
    }
}
