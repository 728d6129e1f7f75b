//! Devices for people.

use super::auth::Caller;
use super::convert::device::{device_to_proto, summary_to_proto};
use super::page::{self, List, PageSeal};
use super::status;
use crate::changes::Changes;
use crate::clock::{self, Clock};
use crate::wakeups::Waker;
use kaliun_domain::device::Device;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::device_service_server::DeviceService;
use kaliun_store::{AppStore, DeviceChange, DeviceFilter, DeviceOrder, DevicePosition, OrganizationScope};
use kaliun_types::id::DeviceId;
use kaliun_types::label;
use kaliun_types::limits::LABELS_MAX;
use kaliun_types::name::{DEVICE_NAME_MAX_CHARS, DeviceName};
use kaliun_types::reason::ReasonCode;
use kaliun_types::selector::Selector;
use std::time::Duration;
use tonic::{Request, Response, Status};

/// For how long somebody may let a box recover: a minute to five years. Seconds.
const EXTENSION_SECONDS: std::ops::RangeInclusive<u64> = 60..=5 * 365 * 24 * 3_600;

/// Answers for devices.
pub(crate) struct Devices {
    pub(crate) store: AppStore,
    pub(crate) seal: PageSeal,
    pub(crate) waker: Waker,
    pub(crate) changes: Changes,
    pub(crate) clock: Clock,
}

/// One page's question, checked. Lists and watches share it.
#[derive(Debug, Clone)]
pub(crate) struct DevicePageQuery {
    pub(crate) filter: DeviceFilter,
    order: DeviceOrder,
    size: i64,
    page_token: String,
}

impl DevicePageQuery {
    /// Checks a question.
    pub(crate) fn new(request: proto::ListDevicesRequest) -> Result<Self, Status> {
        let order = match request.order() {
            proto::DeviceOrder::Unspecified | proto::DeviceOrder::Name => DeviceOrder::Name,
            proto::DeviceOrder::Health => DeviceOrder::Health,
            proto::DeviceOrder::LinkSince => DeviceOrder::LinkSince,
            proto::DeviceOrder::Enrolled => DeviceOrder::Enrolled,
        };
        let online = match request.link_state() {
            proto::LinkState::Unspecified => None,
            proto::LinkState::Online => Some(true),
            proto::LinkState::Offline => Some(false),
        };
        if request.name_contains.chars().count() > DEVICE_NAME_MAX_CHARS || request.name_contains.contains('\0') {
            return Err(status::invalid(
                "name_contains",
                format!("must be at most {DEVICE_NAME_MAX_CHARS} characters"),
            ));
        }
        Ok(Self {
            filter: DeviceFilter {
                selector: selector(&request.selector)?,
                name_contains: request.name_contains,
                online,
            },
            order,
            size: page::size(request.page_size, page::DEFAULT)?,
            page_token: request.page_token,
        })
    }

    fn list(&self, seal: &PageSeal, scope: &OrganizationScope) -> List {
        let DeviceFilter { selector, name_contains, online } = &self.filter;
        seal.list(scope, &format!("devices\n{selector}\n{name_contains}\n{online:?}\n{:?}", self.order))
    }

    /// Asks it: the devices, and the token of the next page.
    pub(crate) async fn ask(
        &self,
        store: &AppStore,
        seal: &PageSeal,
        scope: &OrganizationScope,
    ) -> Result<(Vec<Device>, String), Status> {
        let list = self.list(seal, scope);
        let after = list
            .position(&self.page_token)?
            .map(|position| {
                decode_position(self.order, &position)
                    .ok_or_else(|| status::invalid("page_token", "does not belong to this list"))
            })
            .transpose()?;
        let mut rows = store
            .device_list_page(scope, &self.filter, self.order, after.as_ref(), self.size + 1)
            .await
            .map_err(status::store)?;
        let token = page::cut(&mut rows, self.size, |(_, position)| list.token(&encode_position(position)));
        Ok((rows.into_iter().map(|(device, _)| device).collect(), token))
    }
}

/// A selector from a request.
pub(crate) fn selector(text: &str) -> Result<Selector, Status> {
    Selector::parse(text).map_err(|error| status::invalid("selector", error))
}

fn encode_position(position: &DevicePosition) -> String {
    let nanos =
        |time: &std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    match position {
        DevicePosition::Name(name) => name.clone(),
        DevicePosition::Health(rank, name) => format!("{rank} {name}"),
        DevicePosition::LinkSince(at, id) | DevicePosition::Enrolled(at, id) => format!("{} {id}", nanos(at)),
    }
}

fn decode_position(order: DeviceOrder, text: &str) -> Option<DevicePosition> {
    let pair = text.split_once(' ');
    let time_and_id = || {
        let (nanos, id) = pair?;
        let at = std::time::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos.parse().ok()?))?;
        Some((at, id.parse().ok()?))
    };
    match order {
        DeviceOrder::Name => Some(DevicePosition::Name(text.to_owned())),
        DeviceOrder::Health => {
            pair.and_then(|(rank, name)| Some(DevicePosition::Health(rank.parse().ok()?, name.to_owned())))
        }
        DeviceOrder::LinkSince => time_and_id().map(|(at, id)| DevicePosition::LinkSince(at, id)),
        DeviceOrder::Enrolled => time_and_id().map(|(at, id)| DevicePosition::Enrolled(at, id)),
    }
}

pub(super) fn device_id(text: &str) -> Result<DeviceId, Status> {
    text.parse().map_err(|error| status::invalid("id", error))
}

#[tonic::async_trait]
impl DeviceService for Devices {
    async fn get_device(
        &self,
        request: Request<proto::GetDeviceRequest>,
    ) -> Result<Response<proto::GetDeviceResponse>, Status> {
        use proto::get_device_request::By;
        let caller = Caller::of(&request)?.clone();
        let device = match request.into_inner().by {
            Some(By::Id(id)) => self.store.device_get(caller.scope(), device_id(&id)?).await,
            Some(By::Name(name)) => {
                let name = DeviceName::parse(&name).map_err(|error| status::invalid("name", error))?;
                self.store.device_get_by_name(caller.scope(), name.as_str()).await
            }
            None => return Err(status::invalid("by", "name the device by id or by name")),
        };
        let device = device.map_err(status::store)?.ok_or_else(|| status::not_found("device"))?;
        Ok(Response::new(proto::GetDeviceResponse { device: Some(device_to_proto(device, clock::now())) }))
    }

    async fn list_devices(
        &self,
        request: Request<proto::ListDevicesRequest>,
    ) -> Result<Response<proto::ListDevicesResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let query = DevicePageQuery::new(request.into_inner())?;
        let (devices, next_page_token) = query.ask(&self.store, &self.seal, caller.scope()).await?;
        let now = clock::now();
        let devices = devices.into_iter().map(|device| device_to_proto(device, now)).collect();
        Ok(Response::new(proto::ListDevicesResponse { devices, next_page_token }))
    }

    async fn summarize_devices(
        &self,
        request: Request<proto::SummarizeDevicesRequest>,
    ) -> Result<Response<proto::SummarizeDevicesResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let filter = DeviceFilter { selector: selector(&request.into_inner().selector)?, ..DeviceFilter::default() };
        let summary = self.store.device_summary(caller.scope(), &filter).await.map_err(status::store)?;
        Ok(Response::new(proto::SummarizeDevicesResponse { summary: Some(summary_to_proto(summary)) }))
    }

    async fn update_device(
        &self,
        request: Request<proto::UpdateDeviceRequest>,
    ) -> Result<Response<proto::UpdateDeviceResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let id = device_id(&request.id)?;
        let name = request
            .name
            .map(|name| DeviceName::parse(&name).map_err(|error| status::invalid("name", error)))
            .transpose()?;
        if request.remove_labels.len() > LABELS_MAX {
            return Err(status::invalid("remove_labels", format_args!("at most {LABELS_MAX} at once")));
        }
        if let Some(key) = request.remove_labels.iter().find(|key| !label::is_key(key)) {
            return Err(status::invalid("remove_labels", label::InvalidLabel::Key(key.chars().take(64).collect())));
        }
        let change = DeviceChange {
            name: name.map(|name| name.as_str().to_owned()),
            set_labels: label::check(request.set_labels).map_err(|error| status::invalid("set_labels", error))?,
            remove_labels: request.remove_labels,
        };
        let version = i64::try_from(request.version).map_err(|_| status::invalid("version", "is too large"))?;
        let found = self
            .store
            .device_update(caller.scope(), &caller.actor(), id, version, &change)
            .await
            .map_err(status::store)?;
        if !found {
            return Err(status::not_found("device"));
        }
        self.changes.tell(caller.scope().organization(), id);
        let device = self.store.device_get(caller.scope(), id).await.map_err(status::store)?;
        let device = device.ok_or_else(|| status::not_found("device"))?;
        Ok(Response::new(proto::UpdateDeviceResponse { device: Some(device_to_proto(device, clock::now())) }))
    }

    async fn delete_device(
        &self,
        request: Request<proto::DeleteDeviceRequest>,
    ) -> Result<Response<proto::DeleteDeviceResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let id = device_id(&request.into_inner().id)?;
        let (store, asks) = (self.store.clone(), caller.clone());
        let deleting = async move { store.device_delete(asks.scope(), &asks.actor(), id).await };
        if !self.waker.close_after(id, ReasonCode::PeerDeviceDeleted, deleting, |is_made| *is_made).await? {
            return Err(status::not_found("device"));
        }
        self.changes.tell(caller.scope().organization(), id);
        Ok(Response::new(proto::DeleteDeviceResponse {}))
    }

    async fn revoke_device(
        &self,
        request: Request<proto::RevokeDeviceRequest>,
    ) -> Result<Response<proto::RevokeDeviceResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let id = device_id(&request.into_inner().id)?;
        let (store, asks) = (self.store.clone(), caller.clone());
        let revoking = async move { store.device_revoke(asks.scope(), &asks.actor(), id).await };
        if !self.waker.close_after(id, ReasonCode::PeerDeviceRevoked, revoking, |is_made| *is_made).await? {
            return Err(status::not_found("device"));
        }
        self.changes.tell(caller.scope().organization(), id);
        let device = self.store.device_get(caller.scope(), id).await.map_err(status::store)?;
        let device = device.ok_or_else(|| status::not_found("device"))?;
        Ok(Response::new(proto::RevokeDeviceResponse { device: Some(device_to_proto(device, clock::now())) }))
    }

    async fn extend_device(
        &self,
        request: Request<proto::ExtendDeviceRequest>,
    ) -> Result<Response<proto::ExtendDeviceResponse>, Status> {
        let caller = Caller::of(&request)?.clone();
        let request = request.into_inner();
        let id = device_id(&request.id)?;
        if !EXTENSION_SECONDS.contains(&request.seconds) {
            return Err(status::invalid("seconds", "must be 60 to 157680000: a minute to five years"));
        }
        let until = self.clock.now() + Duration::from_secs(request.seconds);
        let extended = self.store.device_extend(caller.scope(), &caller.actor(), id, until).await;
        if !extended.map_err(status::store)? {
            return Err(status::not_found("device"));
        }
        self.changes.tell(caller.scope().organization(), id);
        let device = self.store.device_get(caller.scope(), id).await.map_err(status::store)?;
        let device = device.ok_or_else(|| status::not_found("device"))?;
        Ok(Response::new(proto::ExtendDeviceResponse { device: Some(device_to_proto(device, clock::now())) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn positions_read_back() {
        let at = UNIX_EPOCH + Duration::from_micros(1_800_000_000_123_456);
        let id = DeviceId::new();
        for (order, position) in [
            (DeviceOrder::Name, DevicePosition::Name("cellar-1".to_owned())),
            (DeviceOrder::Health, DevicePosition::Health(2, "cellar-1".to_owned())),
            (DeviceOrder::LinkSince, DevicePosition::LinkSince(at, id)),
            (DeviceOrder::Enrolled, DevicePosition::Enrolled(at, id)),
        ] {
            assert_eq!(decode_position(order, &encode_position(&position)), Some(position));
        }
        assert_eq!(decode_position(DeviceOrder::Enrolled, "x"), None);
    }
}
