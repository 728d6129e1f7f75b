//! Devices and the stream of their changes.

use super::{Services, page};
use crate::things::NOW_MS;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use kaliun_proto::fleet::v1::device_service_server::DeviceService;
use kaliun_proto::fleet::v1::watch_service_server::WatchService;
use kaliun_proto::fleet::v1::*;
use kaliun_types::selector::Selector;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl DeviceService for Services {
    async fn get_device(&self, request: Request<GetDeviceRequest>) -> Result<Response<GetDeviceResponse>, Status> {
        let by = request.get_ref().by.clone();
        self.enter(&request, format!("get_device: {by:?}")).await?;
        let world = self.world();
        let found = world.devices.iter().find(|device| match &by {
            Some(get_device_request::By::Id(id)) => device.id == *id,
            Some(get_device_request::By::Name(name)) => device.name == *name,
            None => false,
        });
        let device = found.cloned().ok_or_else(|| Status::not_found("There is no such device."))?;
        Ok(Response::new(GetDeviceResponse { device: Some(device) }))
    }

    async fn list_devices(
        &self,
        request: Request<ListDevicesRequest>,
    ) -> Result<Response<ListDevicesResponse>, Status> {
        let list = request.get_ref().clone();
        self.enter(
            &request,
            format!(
                "list_devices: {} from {:?} selector {:?} order {:?} link {:?}",
                list.page_size,
                list.page_token,
                list.selector,
                list.order(),
                list.link_state()
            ),
        )
        .await?;
        let selector = Selector::parse(&list.selector).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let world = self.world();
        let matching: Vec<Device> = world
            .devices
            .iter()
            .filter(|device| selector.matches(&device.labels.clone().into_iter().collect()))
            .cloned()
            .collect();
        let (devices, next_page_token) = page(&matching, list.page_size, &list.page_token)?;
        Ok(Response::new(ListDevicesResponse { devices, next_page_token }))
    }

    async fn summarize_devices(
        &self,
        request: Request<SummarizeDevicesRequest>,
    ) -> Result<Response<SummarizeDevicesResponse>, Status> {
        self.enter(&request, "summarize_devices").await?;
        Ok(Response::new(SummarizeDevicesResponse { summary: None }))
    }

    async fn update_device(
        &self,
        request: Request<UpdateDeviceRequest>,
    ) -> Result<Response<UpdateDeviceResponse>, Status> {
        let update = request.get_ref().clone();
        self.enter(&request, format!("update_device: version {}", update.version)).await?;
        let mut world = self.world();
        let device = world
            .devices
            .iter_mut()
            .find(|device| device.id == update.id)
            .ok_or_else(|| Status::not_found("There is no such device."))?;
        if device.version != update.version {
            return Err(Status::aborted("The device was changed meanwhile."));
        }
        device.version += 1;
        device.name = update.name.unwrap_or_else(|| device.name.clone());
        device.labels.extend(update.set_labels);
        device.labels.retain(|key, _| !update.remove_labels.contains(key));
        Ok(Response::new(UpdateDeviceResponse { device: Some(device.clone()) }))
    }

    async fn revoke_device(
        &self,
        request: Request<RevokeDeviceRequest>,
    ) -> Result<Response<RevokeDeviceResponse>, Status> {
        self.enter(&request, "revoke_device").await?;
        let mut world = self.world();
        let device = world.devices.iter_mut().find(|device| device.id == request.get_ref().id);
        let device = device.ok_or_else(|| Status::not_found("There is no such device."))?;
        device.revoked_at_ms = NOW_MS;
        Ok(Response::new(RevokeDeviceResponse { device: Some(device.clone()) }))
    }

    async fn extend_device(
        &self,
        request: Request<ExtendDeviceRequest>,
    ) -> Result<Response<ExtendDeviceResponse>, Status> {
        let extend = request.get_ref().clone();
        self.enter(&request, format!("extend_device: {} s", extend.seconds)).await?;
        let mut world = self.world();
        let device = world.devices.iter_mut().find(|device| device.id == extend.id);
        let device = device.ok_or_else(|| Status::not_found("There is no such device."))?;
        device.recoverable_until_ms = NOW_MS + i64::try_from(extend.seconds).unwrap() * 1_000;
        Ok(Response::new(ExtendDeviceResponse { device: Some(device.clone()) }))
    }

    async fn delete_device(
        &self,
        request: Request<DeleteDeviceRequest>,
    ) -> Result<Response<DeleteDeviceResponse>, Status> {
        self.enter(&request, "delete_device").await?;
        let mut world = self.world();
        if world.kept_device == request.get_ref().id {
            return Err(Status::permission_denied("This one stays."));
        }
        world.devices.retain(|device| device.id != request.get_ref().id);
        Ok(Response::new(DeleteDeviceResponse {}))
    }
}

#[tonic::async_trait]
impl WatchService for Services {
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let subscriptions: Vec<String> = request
            .get_ref()
            .subscriptions
            .iter()
            .map(|subscription| match &subscription.what {
                Some(subscription::What::DeviceList(list)) => {
                    format!(
                        "{} list {} from {:?} {:?}",
                        subscription.id, list.page_size, list.page_token, list.selector
                    )
                }
                Some(subscription::What::Device(device)) => format!("{} device {}", subscription.id, device.device_id),
                None => format!("{} nothing", subscription.id),
            })
            .collect();
        self.enter(&request, format!("watch: {}", subscriptions.join(", "))).await?;
        let script = self.world().watches.pop_front();
        let script = script.ok_or_else(|| Status::permission_denied("That was all."))?;
        Ok(Response::new(stream::iter(script).boxed()))
    }
}
