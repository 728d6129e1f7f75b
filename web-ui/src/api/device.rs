//! The boxes of the organization.

use super::client::{call, empty_answer};
use crate::model::failure::Failure;
use crate::model::method as methods;
use kaliun_proto::fleet::v1::get_device_request::By;
use kaliun_proto::fleet::v1::{Device, GetDeviceRequest};

/// One device by id.
pub(crate) async fn get(id: String) -> Result<Device, Failure> {
    call(methods::GET_DEVICE, &GetDeviceRequest { by: Some(By::Id(id)) }).await?.device.ok_or_else(empty_answer)
}
