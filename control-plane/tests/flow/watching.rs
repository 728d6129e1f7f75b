//! Watches: the present state, then changes, for those who may.

use crate::support::{Fixture, PATIENCE, TestBox, samples, with_token};
use anyhow::{Context, Result};
use kaliun_proto::fleet::v1 as fleet;
use kaliun_proto::fleet::v1::subscription::What;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::link::v1::device_message::Message as DeviceWord;
use tonic::Streaming;

/// Follows the list of all devices.
pub(crate) fn the_list() -> fleet::WatchRequest {
    let list = What::DeviceList(fleet::DeviceListSubscription::default());
    fleet::WatchRequest { subscriptions: vec![fleet::Subscription { id: "list".to_owned(), what: Some(list) }] }
}

async fn watch(fixture: &Fixture) -> Result<Streaming<fleet::WatchResponse>> {
    let mut client = fleet::watch_service_client::WatchServiceClient::new(fixture.public().await?);
    Ok(client.watch(with_token(the_list())).await?.into_inner())
}

/// Reads until a message fits.
pub(crate) async fn until(
    stream: &mut Streaming<fleet::WatchResponse>,
    fits: impl Fn(&Message) -> bool,
) -> Result<Message> {
    loop {
        let message = tokio::time::timeout(PATIENCE, stream.message()).await??.context("the watch ended")?;
        let message = message.message.context("a message")?;
        if fits(&message) {
            return Ok(message);
        }
    }
}

#[tokio::test]
async fn a_watch_shows_what_is_then_what_changes() -> Result<()> {
    let fixture = Fixture::start().await?;
    let first = TestBox::enroll(&fixture, "cellar").await?;
    let mut stream = watch(&fixture).await?;
    until(&mut stream, |m| matches!(m, Message::Device(device) if device.name == "cellar")).await?;
    until(&mut stream, |m| matches!(m, Message::Summary(summary) if summary.total == 1)).await?;
    until(&mut stream, |m| matches!(m, Message::CaughtUp(_))).await?;

    let mut session = first.open().await?;
    session.send(DeviceWord::SampleBatch(samples(1, 1))).await?;
    session.acknowledged(1).await?;
    until(&mut stream, |m| matches!(m, Message::Device(device) if device.last_sample.is_some())).await?;
    until(&mut stream, |m| matches!(m, Message::Summary(summary) if summary.online == 1 && summary.ok == 1)).await?;

    let second = TestBox::enroll(&fixture, "attic").await?;
    until(&mut stream, |m| matches!(m, Message::Order(order) if order.device_ids.len() == 2)).await?;
    let id = second.device_id.clone();
    fixture.devices().await?.delete_device(with_token(fleet::DeleteDeviceRequest { id })).await?;
    until(&mut stream, |m| matches!(m, Message::RemovedDeviceId(id) if *id == second.device_id)).await?;
    fixture.stop().await
}

/// A device that is on the page is told of by itself, one that comes to belong there and one that moves with the new order.
#[tokio::test]
async fn a_page_follows_who_belongs_on_it() -> Result<()> {
    let fixture = Fixture::start().await?;
    let barn = TestBox::enroll(&fixture, "barn").await?;
    let cellar = TestBox::enroll(&fixture, "cellar").await?;
    let list = fleet::DeviceListSubscription { page_size: 1, ..Default::default() };
    let page = fleet::Subscription { id: "page".to_owned(), what: Some(What::DeviceList(list)) };
    let mut client = fleet::watch_service_client::WatchServiceClient::new(fixture.public().await?);
    let request = fleet::WatchRequest { subscriptions: vec![page] };
    let mut stream = client.watch(with_token(request)).await?.into_inner();
    let order_of = |id: &str| {
        let ids = vec![id.to_owned()];
        move |m: &Message| matches!(m, Message::Order(order) if order.device_ids == ids)
    };
    until(&mut stream, order_of(&barn.device_id)).await?;
    until(&mut stream, |m| matches!(m, Message::CaughtUp(_))).await?;

    let rename = |id: &str, name: &str| fleet::UpdateDeviceRequest {
        id: id.to_owned(),
        version: 1,
        name: Some(name.to_owned()),
        ..Default::default()
    };
    let mut devices = fixture.devices().await?;
    // From the second page to the first, which the other leaves for it.
    devices.update_device(with_token(rename(&cellar.device_id, "attic"))).await?;
    until(&mut stream, |m| matches!(m, Message::Device(device) if device.name == "attic")).await?;
    until(&mut stream, |m| matches!(m, Message::RemovedDeviceId(id) if *id == barn.device_id)).await?;
    until(&mut stream, order_of(&cellar.device_id)).await?;
    // And away again, with the last place in the list.
    devices
        .update_device(with_token(fleet::UpdateDeviceRequest { version: 2, ..rename(&cellar.device_id, "zenith") }))
        .await?;
    until(&mut stream, |m| matches!(m, Message::Device(device) if device.name == "zenith")).await?;
    until(&mut stream, |m| matches!(m, Message::Device(device) if device.name == "barn")).await?;
    until(&mut stream, order_of(&barn.device_id)).await?;
    fixture.stop().await
}

#[tokio::test]
async fn a_watch_needs_sensible_subscriptions() -> Result<()> {
    let fixture = Fixture::start().await?;
    let mut client = fleet::watch_service_client::WatchServiceClient::new(fixture.public().await?);
    let device = |id: &str| fleet::Subscription {
        id: id.to_owned(),
        what: Some(What::Device(fleet::DeviceSubscription { device_id: "not an id".to_owned() })),
    };
    let list = |id: &str| fleet::Subscription {
        id: id.to_owned(),
        what: Some(What::DeviceList(fleet::DeviceListSubscription::default())),
    };
    for subscriptions in [vec![], vec![device("a")], vec![list("a"), list("a")], vec![list("")]] {
        let status = client.watch(with_token(fleet::WatchRequest { subscriptions })).await.map(|_| ()).unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    }
    fixture.stop().await
}
