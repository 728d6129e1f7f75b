//! Calls about devices.

use super::Caller;
use crate::tenants::answer::{Answer, listed};
use crate::tenants::handles::Handles;
use anyhow::{Context, Result};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::device_service_client::DeviceServiceClient;
use kaliun_proto::fleet::v1::get_device_request::By;
use tonic::{Response, Status};

/// The names of a page, without those that differ with what else a test does.
fn names(page: &fleet::ListDevicesResponse) -> String {
    listed(page.devices.iter().map(|device| device.name.as_str()))
}

impl Caller<'_> {
    fn devices(&self) -> DeviceServiceClient<tonic::transport::Channel> {
        DeviceServiceClient::new(self.channel.clone())
    }

    async fn device(&self, by: By) -> Result<Response<fleet::GetDeviceResponse>, Status> {
        self.devices().get_device(self.request(fleet::GetDeviceRequest { by: Some(by) })).await
    }

    pub(super) async fn get_device(&self, handles: &Handles) -> Vec<Answer> {
        let by_id = self.device(By::Id(handles.device_id.clone())).await;
        let by_name = self.device(By::Name(handles.device_name.clone())).await;
        let found = |_: &fleet::GetDeviceResponse| "found".to_owned();
        vec![Answer::unary("by id", by_id, found), Answer::unary("by name", by_name, found)]
    }

    async fn page(&self, question: &'static str, request: fleet::ListDevicesRequest) -> Answer {
        Answer::unary(question, self.devices().list_devices(self.request(request)).await, names)
    }

    pub(super) async fn list_devices(&self, handles: &Handles) -> Vec<Answer> {
        let all = fleet::ListDevicesRequest::default();
        let mut answers = vec![self.page("all", all.clone()).await.same_for_the_owner()];
        let selector = format!("site={}", handles.site);
        answers.push(self.page("by selector", fleet::ListDevicesRequest { selector, ..all.clone() }).await);
        let name_contains = handles.device_name.clone();
        answers.push(self.page("by name", fleet::ListDevicesRequest { name_contains, ..all.clone() }).await);
        for (order, page_token) in (1..).zip(handles.pages.devices.clone()) {
            let page = fleet::ListDevicesRequest { order, page_size: 1, page_token, ..all.clone() };
            answers.push(self.page("a next page", page).await);
        }
        answers
    }

    pub(super) async fn summarize_devices(&self, handles: &Handles) -> Vec<Answer> {
        let total = |answer: &fleet::SummarizeDevicesResponse| answer.summary.unwrap_or_default().total.to_string();
        let ask = async |selector: String| {
            self.devices().summarize_devices(self.request(fleet::SummarizeDevicesRequest { selector })).await
        };
        vec![
            Answer::unary("all", ask(String::new()).await, total).same_for_the_owner(),
            Answer::unary("by selector", ask(format!("site={}", handles.site)).await, total),
        ]
    }

    async fn rename(
        &self,
        id: &str,
        version: u64,
        name: &str,
    ) -> Result<Response<fleet::UpdateDeviceResponse>, Status> {
        let (id, name) = (id.to_owned(), Some(name.to_owned()));
        let set_labels = [("by".to_owned(), self.tenant.word.to_owned())].into();
        let request = fleet::UpdateDeviceRequest { id, version, name, set_labels, remove_labels: Vec::new() };
        self.devices().update_device(self.request(request)).await
    }

    pub(super) async fn update_device(&self, handles: &Handles) -> Result<Vec<Answer>> {
        let done = |_: &fleet::UpdateDeviceResponse| "done".to_owned();
        // A name is taken in its own tenant only.
        let own_id = &self.tenant.other_device_id;
        // Whoever is of another home of their tenant does not see it.
        let own = self.device(By::Id(own_id.clone())).await.ok().and_then(|answer| answer.into_inner().device);
        let version = own.as_ref().map_or(1, |own| own.version);
        let named_alike = self.rename(own_id, version, &handles.device_name).await;
        if named_alike.is_ok() {
            self.rename(own_id, version + 1, &own.context("it was changed")?.name).await?;
        }
        let renamed = named_alike.map(|_| ());
        let name = format!("{}-taken", self.tenant.word);
        let stale = self.rename(&handles.device_id, handles.device_version + 7, &name).await;
        let taken = self.rename(&handles.device_id, handles.device_version, &name).await;
        Ok(vec![
            Answer::new("a name that somebody has", renamed, |()| "done".to_owned()),
            Answer::unary("with a stale version", stale, done),
            Answer::unary("with the right version", taken, done),
        ])
    }

    pub(super) async fn delete_device(&self, handles: &Handles) -> Answer {
        let request = fleet::DeleteDeviceRequest { id: handles.device_id.clone() };
        Answer::unary("by id", self.devices().delete_device(self.request(request)).await, |_| "done".to_owned())
    }

    pub(super) async fn extend_device(&self, handles: &Handles) -> Answer {
        let request = fleet::ExtendDeviceRequest { id: handles.device_id.clone(), seconds: 60 };
        Answer::unary("by id", self.devices().extend_device(self.request(request)).await, |_| "done".to_owned())
    }

    pub(super) async fn revoke_device(&self, handles: &Handles) -> Answer {
        let request = fleet::RevokeDeviceRequest { id: handles.device_id.clone() };
        Answer::unary("by id", self.devices().revoke_device(self.request(request)).await, |_| "done".to_owned())
    }
}
