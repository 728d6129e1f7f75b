//! Calls about the end of a device's service.

use super::Caller;
use crate::tenants::answer::Answer;
use crate::tenants::handles::Handles;
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::lifecycle_service_client::LifecycleServiceClient;

impl Caller<'_> {
    fn lifecycles(&self) -> LifecycleServiceClient<tonic::transport::Channel> {
        LifecycleServiceClient::new(self.channel.clone())
    }

    pub(super) async fn decommission_device(&self, handles: &Handles) -> Answer {
        let request = fleet::DecommissionDeviceRequest { id: handles.device_id.clone(), wipe_identity: true };
        let answer = self.lifecycles().decommission_device(self.request(request)).await;
        Answer::unary("by id", answer, |_| "done".to_owned())
    }

    pub(super) async fn replace_device(&self, handles: &Handles) -> Vec<Answer> {
        let replace = async |id: &str, with_id: &str| {
            let request =
                fleet::ReplaceDeviceRequest { id: id.to_owned(), with_id: with_id.to_owned(), wipe_identity: false };
            self.lifecycles().replace_device(self.request(request)).await
        };
        let own = &self.tenant.other_device_id;
        let foreign = replace(&handles.device_id, own).await;
        let by_foreign = replace(own, &handles.device_id).await;
        let done = |_: &fleet::ReplaceDeviceResponse| "done".to_owned();
        vec![Answer::unary("of another", foreign, done), Answer::unary("by another", by_foreign, done)]
    }

    pub(super) async fn readopt_device(&self, handles: &Handles) -> Vec<Answer> {
        // The boot of every box of these tests.
        let boot = crate::support::hello().boot_id;
        let readopt = async |id: &str, keep_boot_id: String| {
            let request = fleet::ReadoptDeviceRequest { id: id.to_owned(), keep_boot_id, ..Default::default() };
            self.lifecycles().readopt_device(self.request(request)).await
        };
        let kept = readopt(&handles.device_id, boot).await;
        let back = readopt(&handles.returned_device_id, String::new()).await;
        let done = |_: &fleet::ReadoptDeviceResponse| "done".to_owned();
        vec![Answer::unary("by id", kept, done), Answer::unary("one that came back", back, done)]
    }
}
