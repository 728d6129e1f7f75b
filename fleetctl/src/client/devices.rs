//! Calls about devices.

use super::pages::{Listing, Paging, collect};
use super::{ANSWER_MAX_BYTES, Client, SignedChannel, missing};
use crate::failure::Failure;
use kaliun_proto::fleet::v1::device_service_client::DeviceServiceClient;
use kaliun_proto::fleet::v1::{
    DeleteDeviceRequest, Device, DeviceOrder, ExtendDeviceRequest, GetDeviceRequest, LinkState, ListDevicesRequest,
    RevokeDeviceRequest, UpdateDeviceRequest, get_device_request,
};

/// Which devices, in which order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DeviceQuery {
    pub(crate) selector: String,
    pub(crate) order: DeviceOrder,
    pub(crate) link_state: LinkState,
}

impl Client {
    fn devices(&self) -> DeviceServiceClient<SignedChannel> {
        DeviceServiceClient::new(self.channel()).max_decoding_message_size(ANSWER_MAX_BYTES)
    }

    /// Fetches one device by name, or by id where the text is one.
    pub(crate) async fn device(&self, name_or_id: &str) -> Result<Device, Failure> {
        let by = if is_id(name_or_id) {
            get_device_request::By::Id(name_or_id.to_owned())
        } else {
            get_device_request::By::Name(name_or_id.to_owned())
        };
        let mut client = self.devices();
        let answer = self
            .call(&format!("get device/{name_or_id}"), GetDeviceRequest { by: Some(by) }, |request| {
                client.get_device(request)
            })
            .await?;
        answer.device.ok_or_else(|| missing("device"))
    }

    /// Lists devices.
    pub(crate) async fn device_list(&self, query: &DeviceQuery, paging: &Paging) -> Result<Listing<Device>, Failure> {
        collect(paging, async |page_size, page_token| {
            let message = ListDevicesRequest {
                selector: query.selector.clone(),
                name_contains: String::new(),
                order: query.order.into(),
                page_size,
                page_token,
                link_state: query.link_state.into(),
            };
            let mut client = self.devices();
            let answer = self.call("list devices", message, |request| client.list_devices(request)).await?;
            Ok((answer.devices, answer.next_page_token))
        })
        .await
    }

    /// Changes a device.
    pub(crate) async fn device_update(&self, name: &str, change: UpdateDeviceRequest) -> Result<Device, Failure> {
        let mut client = self.devices();
        let answer =
            self.call(&format!("change device/{name}"), change, |request| client.update_device(request)).await?;
        answer.device.ok_or_else(|| missing("device"))
    }

    /// Takes a device's right to connect away.
    pub(crate) async fn device_revoke(&self, device: &Device) -> Result<Device, Failure> {
        let mut client = self.devices();
        let message = RevokeDeviceRequest { id: device.id.clone() };
        let doing = format!("revoke device/{}", device.name);
        let answer = self.call(&doing, message, |request| client.revoke_device(request)).await?;
        answer.device.ok_or_else(|| missing("device"))
    }

    /// Lets a device recover for so many seconds from now on.
    pub(crate) async fn device_extend(&self, device: &Device, seconds: u64) -> Result<Device, Failure> {
        let mut client = self.devices();
        let message = ExtendDeviceRequest { id: device.id.clone(), seconds };
        let doing = format!("extend device/{}", device.name);
        let answer = self.call(&doing, message, |request| client.extend_device(request)).await?;
        answer.device.ok_or_else(|| missing("device"))
    }

    /// Forgets a device.
    pub(crate) async fn device_delete(&self, device: &Device) -> Result<(), Failure> {
        let mut client = self.devices();
        let message = DeleteDeviceRequest { id: device.id.clone() };
        self.call(&format!("delete device/{}", device.name), message, |request| client.delete_device(request)).await?;
        Ok(())
    }
}

/// Whether a text is an id. Only the form with hyphens counts: 32 hexadecimal digits can be the name of a box.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 36 && text.parse::<kaliun_types::id::DeviceId>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_id;

    #[test]
    fn ids_are_told_from_names() {
        assert!(is_id("018f3c1e-7d2a-7c3b-9f10-2b6f0c9a5d11"));
        assert!(!is_id("018f3c1e7d2a7c3b9f102b6f0c9a5d11"));
        assert!(!is_id("cellar-1"));
    }
}
