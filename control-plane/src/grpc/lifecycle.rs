//! The end of a device's service, and the box that takes its place.

use super::auth::Caller;
use super::convert::device::device_to_proto;
use super::device::device_id;
use super::status;
use crate::changes::Changes;
use crate::clock;
use crate::wakeups::Waker;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::lifecycle_service_server::LifecycleService;
use kaliun_store::{AppStore, BootKept, Readopted, Replaced, SystemStore};
use kaliun_types::id::DeviceId;
use kaliun_types::name::DeviceName;
use kaliun_types::reason::ReasonCode;
use tonic::{Request, Response, Status};

/// Ends services and moves homes.
pub(crate) struct Lifecycles {
    pub(crate) store: AppStore,
    pub(crate) system: SystemStore,
    pub(crate) waker: Waker,
    pub(crate) changes: Changes,
}

/// The reason with which a device's link is cut, which its box obeys.
const fn end_of_service(wipe_identity: bool) -> ReasonCode {
    if wipe_identity { ReasonCode::PeerIdentityWipe } else { ReasonCode::PeerDeviceDecommissioned }
}

/// The name of a device that is taken back, when nobody gives it one.
const RETURNED_NAME: &str = "returned";

impl Lifecycles {
    /// Takes a device back that the database does not know. Its box comes in by itself within a minute.
    async fn take_back(
        &self,
        caller: &Caller,
        id: DeviceId,
        name: &str,
    ) -> Result<Response<proto::ReadoptDeviceResponse>, Status> {
        let name = if name.is_empty() { RETURNED_NAME } else { name };
        let name = DeviceName::parse(name).map_err(|error| status::invalid("name", error))?;
        let taken = self.system.device_take_back(caller.scope(), &caller.actor(), id, &name).await;
        match taken.map_err(status::store)? {
            Readopted::Yes => {}
            Readopted::NoSuchDevice => return Err(status::not_found("device that came back")),
            Readopted::KeyRefused => {
                return Err(Status::failed_precondition(
                    "its key is another device's by now, or was revoked; give the box a new one with `kaliun-edge enroll --new-key`",
                ));
            }
        }
        self.changes.tell(caller.scope().organization(), id);
        let device = self.device(caller, id).await?;
        Ok(Response::new(proto::ReadoptDeviceResponse { device: Some(device) }))
    }

    /// A device as it is now.
    async fn device(&self, caller: &Caller, id: DeviceId) -> Result<proto::Device, Status> {
        let device = self.store.device_get(caller.scope(), id).await.map_err(status::store)?;
        let device = device.ok_or_else(|| status::not_found("device"))?;
        Ok(device_to_proto(device, clock::now()))
    }
}

#[tonic::async_trait]
impl LifecycleService for Lifecycles {
    async fn decommission_device(
        &self,
        request: Request<proto::DecommissionDeviceRequest>,
    ) -> Result<Response<proto::DecommissionDeviceResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let id = device_id(&request.id)?;
        let (store, asks, wipe) = (self.store.clone(), caller.clone(), request.wipe_identity);
        let ending = async move { store.device_decommission(asks.scope(), &asks.actor(), id, wipe).await };
        if !self.waker.close_after(id, end_of_service(wipe), ending, |is_made| *is_made).await? {
            return Err(status::not_found("device"));
        }
        self.changes.tell(caller.scope().organization(), id);
        let device = self.device(&caller, id).await?;
        Ok(Response::new(proto::DecommissionDeviceResponse { device: Some(device) }))
    }

    async fn replace_device(
        &self,
        request: Request<proto::ReplaceDeviceRequest>,
    ) -> Result<Response<proto::ReplaceDeviceResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let old = device_id(&request.id)?;
        let new = request.with_id.parse().map_err(|_| status::invalid("with_id", "is not a device's id"))?;
        let (store, asks, wipe) = (self.store.clone(), caller.clone(), request.wipe_identity);
        let replacing = async move { store.device_replace(asks.scope(), &asks.actor(), old, new, wipe).await };
        let is_made = |replaced: &Replaced| *replaced == Replaced::Yes;
        match self.waker.close_after(old, end_of_service(wipe), replacing, is_made).await? {
            Replaced::Yes => {}
            Replaced::NoSuchDevice => return Err(status::not_found("device")),
            Replaced::No(why) => return Err(Status::failed_precondition(why.sentence())),
        }
        for device in [old, new] {
            self.changes.tell(caller.scope().organization(), device);
        }
        let (old, new) = (self.device(&caller, old).await?, self.device(&caller, new).await?);
        Ok(Response::new(proto::ReplaceDeviceResponse { old: Some(old), new: Some(new) }))
    }

    async fn readopt_device(
        &self,
        request: Request<proto::ReadoptDeviceRequest>,
    ) -> Result<Response<proto::ReadoptDeviceResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let id = device_id(&request.id)?;
        if request.keep_boot_id.is_empty() {
            return self.take_back(&caller, id, &request.name).await;
        }
        let boot = request.keep_boot_id.parse().map_err(|error| status::invalid("keep_boot_id", error))?;
        let (store, asks) = (self.store.clone(), caller.clone());
        let keeping = async move { store.device_keep_boot(asks.scope(), &asks.actor(), id, boot).await };
        // Whichever box is there now comes again, and is let in or not.
        let is_made = |kept: &BootKept| *kept == BootKept::Yes;
        match self.waker.close_after(id, ReasonCode::LinkDecided, keeping, is_made).await? {
            BootKept::Yes => {}
            BootKept::NoSuchDevice => return Err(status::not_found("device")),
            BootKept::NoSuchBoot => return Err(status::not_found("boot of this device")),
        }
        self.changes.tell(caller.scope().organization(), id);
        let device = self.device(&caller, id).await?;
        Ok(Response::new(proto::ReadoptDeviceResponse { device: Some(device) }))
    }
}
