//! The end of a device's service.

use super::Services;
use crate::things::NOW_MS;
use kaliun_proto::fleet::v1::lifecycle_service_server::LifecycleService;
use kaliun_proto::fleet::v1::*;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl LifecycleService for Services {
    async fn decommission_device(
        &self,
        request: Request<DecommissionDeviceRequest>,
    ) -> Result<Response<DecommissionDeviceResponse>, Status> {
        let wanted = request.get_ref().clone();
        self.enter(&request, format!("decommission_device: wipe {}", wanted.wipe_identity)).await?;
        let mut world = self.world();
        let device = world.devices.iter_mut().find(|device| device.id == wanted.id);
        let device = device.ok_or_else(|| Status::not_found("There is no such device."))?;
        (device.revoked_at_ms, device.decommissioned_at_ms) = (NOW_MS, NOW_MS);
        Ok(Response::new(DecommissionDeviceResponse { device: Some(device.clone()) }))
    }

    async fn replace_device(
        &self,
        request: Request<ReplaceDeviceRequest>,
    ) -> Result<Response<ReplaceDeviceResponse>, Status> {
        let wanted = request.get_ref().clone();
        self.enter(&request, format!("replace_device: wipe {}", wanted.wipe_identity)).await?;
        let mut world = self.world();
        let find = |world: &mut super::World, id: &str| world.devices.iter().position(|device| device.id == id);
        let (old, new) = (find(&mut world, &wanted.id), find(&mut world, &wanted.with_id));
        let (Some(old), Some(new)) = (old, new) else { return Err(Status::not_found("There is no such device.")) };
        let home = (world.devices[old].installation_id.clone(), world.devices[old].installation_name.clone());
        if home.0.is_empty() {
            return Err(Status::failed_precondition("the old device serves no home"));
        }
        (world.devices[new].installation_id, world.devices[new].installation_name) = home;
        world.devices[old].installation_id.clear();
        world.devices[old].installation_name.clear();
        world.devices[old].decommissioned_at_ms = NOW_MS;
        let (old, new) = (world.devices[old].clone(), world.devices[new].clone());
        Ok(Response::new(ReplaceDeviceResponse { old: Some(old), new: Some(new) }))
    }

    async fn readopt_device(
        &self,
        request: Request<ReadoptDeviceRequest>,
    ) -> Result<Response<ReadoptDeviceResponse>, Status> {
        let wanted = request.get_ref().clone();
        self.enter(&request, format!("readopt_device: keep {}", wanted.keep_boot_id)).await?;
        let mut world = self.world();
        if wanted.keep_boot_id.is_empty() {
            let waits = world.findings.iter().any(|finding| finding.device_id == wanted.id);
            if !waits {
                return Err(Status::not_found("There is no such device."));
            }
            let name = if wanted.name.is_empty() { "returned".to_owned() } else { wanted.name };
            let device = Device { id: wanted.id, name, ..Device::default() };
            world.devices.push(device.clone());
            return Ok(Response::new(ReadoptDeviceResponse { device: Some(device) }));
        }
        let device = world.devices.iter_mut().find(|device| device.id == wanted.id);
        let device = device.ok_or_else(|| Status::not_found("There is no such device."))?;
        device.parked_at_ms = 0;
        Ok(Response::new(ReadoptDeviceResponse { device: Some(device.clone()) }))
    }
}
