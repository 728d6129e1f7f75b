//! Calls about the end of a device's service.

use super::{Client, SignedChannel, missing};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::lifecycle_service_client::LifecycleServiceClient;
use kaliun_proto::fleet::v1::{DecommissionDeviceRequest, Device, ReadoptDeviceRequest, ReplaceDeviceRequest};
use kaliun_types::id::{BootId, DeviceId};
use kaliun_types::name::DeviceName;

impl Client {
    fn lifecycles(&self) -> LifecycleServiceClient<SignedChannel> {
        LifecycleServiceClient::new(self.channel())
    }

    /// Ends a device's service.
    pub(crate) async fn device_decommission(&self, device: &Device, wipe_identity: bool) -> Result<Device, Failure> {
        let mut client = self.lifecycles();
        let message = DecommissionDeviceRequest { id: device.id.clone(), wipe_identity };
        let doing = format!("decommission device/{}", device.name);
        let answer = self.call(&doing, message, |request| client.decommission_device(request)).await?;
        answer.device.ok_or_else(|| missing("device"))
    }

    /// Gives a device's home to another one. Answers both, the old one first.
    pub(crate) async fn device_replace(
        &self,
        old: &Device,
        new: &Device,
        wipe_identity: bool,
    ) -> Result<(Device, Device), Failure> {
        let mut client = self.lifecycles();
        let message = ReplaceDeviceRequest { id: old.id.clone(), with_id: new.id.clone(), wipe_identity };
        let doing = format!("replace device/{}", old.name);
        let answer = self.call(&doing, message, |request| client.replace_device(request)).await?;
        answer.old.zip(answer.new).ok_or_else(|| missing("device"))
    }

    /// Chooses between boxes that use one identity.
    pub(crate) async fn device_readopt(&self, device: &Device, kept: BootId) -> Result<Device, Failure> {
        let mut client = self.lifecycles();
        let message = ReadoptDeviceRequest {
            id: device.id.clone(),
            keep_boot_id: kept.to_string(),
            ..ReadoptDeviceRequest::default()
        };
        let doing = format!("readopt device/{}", device.name);
        let answer = self.call(&doing, message, |request| client.readopt_device(request)).await?;
        answer.device.ok_or_else(|| missing("device"))
    }

    /// Takes a device back that the server has no record of.
    pub(crate) async fn device_take_back(&self, id: DeviceId, name: Option<&DeviceName>) -> Result<Device, Failure> {
        let mut client = self.lifecycles();
        let name = name.map_or_else(String::new, |name| name.as_str().to_owned());
        let message = ReadoptDeviceRequest { id: id.to_string(), name, ..ReadoptDeviceRequest::default() };
        let doing = format!("take device/{id} back");
        let answer = self.call(&doing, message, |request| client.readopt_device(request)).await;
        let answer = answer.map_err(|failure| {
            failure.not_found_hint("see with `fleetctl audit posture` which devices wait to be taken back")
        })?;
        answer.device.ok_or_else(|| missing("device"))
    }
}
