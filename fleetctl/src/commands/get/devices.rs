//! `fleetctl get devices`.

use super::watch::{self, Followed};
use super::{convert, print_found, sort};
use crate::Program;
use crate::cli::{DeviceFilter, Get, Global, LinkWord};
use crate::client::Client;
use crate::client::devices::DeviceQuery;
use crate::client::pages::Paging;
use crate::failure::{Failure, Kind, Tally};
use crate::output::print_list;
use crate::view::device::Device;
use kaliun_proto::fleet::v1::{DeviceOrder, LinkState};

/// Lists, fetches or follows devices.
pub(super) async fn run(
    program: &mut Program,
    global: &Global,
    get: &Get,
    names: Vec<String>,
    paging: Paging,
) -> Result<(), Failure> {
    let (query, field) = query(&get.devices);
    let client = Client::open(program, global).await?;
    if !names.is_empty() {
        if get.devices.selector.is_some() || get.devices.link.is_some() {
            return Err(Failure::usage("names and a filter were given", "leave one of them out"));
        }
        if get.devices.watch {
            let mut ids = Vec::with_capacity(names.len());
            for name in &names {
                ids.push(client.device(name).await?.id);
            }
            return watch::run(program, get, &client, &Followed::Devices(ids), field).await;
        }
        return named(program, get, &client, &names, field).await;
    }
    if get.devices.watch {
        return watch::run(program, get, &client, &Followed::List { query, limit: paging.limit }, field).await;
    }
    let Some(field) = field else {
        let list = client.device_list(&query, &paging).await?;
        return print_list(program, get.output.output, &convert::<_, Device>(list));
    };
    // An order that the server does not know is made here, so the limit can only count after it.
    let everything = Paging { limit: None, ..paging };
    let mut list = convert::<_, Device>(client.device_list(&query, &everything).await?);
    sort::by_field(&mut list.items, field)?;
    list.items.truncate(paging.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    print_list(program, get.output.output, &list)
}

async fn named(
    program: &mut Program,
    get: &Get,
    client: &Client,
    names: &[String],
    field: Option<&str>,
) -> Result<(), Failure> {
    let mut tally = Tally::default();
    let mut found = Vec::new();
    for name in names {
        match client.device(name).await {
            Ok(device) => {
                found.push(Device::from(device));
                tally.success();
            }
            Err(failure) if failure.kind == Kind::NotFound => tally.failure(failure),
            // Whatever else fails would fail for the next name as well.
            Err(failure) => return Err(failure),
        }
    }
    if let Some(field) = field {
        sort::by_field(&mut found, field)?;
    }
    print_found(program, get.output.output, found, names.len())?;
    tally.finish(|failure| program.console.report(failure))
}

/// What to ask the server for, and the field to sort by here when the server has no such order.
fn query(filter: &DeviceFilter) -> (DeviceQuery, Option<&str>) {
    let (order, field) = match filter.sort_by.as_deref() {
        None | Some("name") => (DeviceOrder::Name, None),
        Some("health") => (DeviceOrder::Health, None),
        Some("link") => (DeviceOrder::LinkSince, None),
        Some("enrolled") => (DeviceOrder::Enrolled, None),
        Some(field) => (DeviceOrder::Name, Some(field)),
    };
    let link_state = match filter.link {
        None => LinkState::Unspecified,
        Some(LinkWord::Online) => LinkState::Online,
        Some(LinkWord::Offline) => LinkState::Offline,
    };
    let selector = filter.selector.as_ref().map(ToString::to_string).unwrap_or_default();
    (DeviceQuery { selector, order, link_state }, field)
}
