//! The boxes of the organization.

use super::client::{empty_answer, failure, for_calls};
use crate::model::failure::Failure;
use kaliun_proto::fleet::v1::device_service_client::DeviceServiceClient;
use kaliun_proto::fleet::v1::get_device_request::By;
use kaliun_proto::fleet::v1::{Device, GetDeviceRequest};

/// One device by id.
pub(crate) async fn get(id: String) -> Result<Device, Failure> {
    let answer = DeviceServiceClient::new(for_calls()).get_device(GetDeviceRequest { by: Some(By::Id(id)) }).await;
    answer.map_err(|status| failure(&status))?.into_inner().device.ok_or_else(empty_answer)
}
