//! `fleetctl get devices --watch`.

mod roster;
mod show;

use super::sort;
use crate::Program;
use crate::cli::Get;
use crate::client::Client;
use crate::client::devices::DeviceQuery;
use crate::client::pages::Paging;
use crate::client::watch::{Break, Changes};
use crate::failure::{Failure, Kind};
use crate::view::device::Device;
use kaliun_proto::fleet::v1::{DeviceListSubscription, DeviceSubscription, Subscription, subscription::What};
use kaliun_types::limits::{PAGE_SIZE_MAX, WATCH_SUBSCRIPTIONS_MAX};
use roster::{Parts, Roster};
use show::Show;
use std::time::Duration;
use tokio::time::Instant;

/// The first pause before a broken stream is opened again; each further one is twice as long, up to the longest. Each is
/// shortened by chance to between a half and all of it, so that a hundred terminals do not come back as one.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(15);
/// A table in place is written at most this often: faster than an eye follows, slow enough for any terminal.
const FRAME: Duration = Duration::from_millis(200);
/// When pages have moved they settle for so long before all of them are asked for again; twice as long each time, up to
/// the longest, for a fleet in which a thousand boxes come back moves all the time.
const SETTLE_FIRST: Duration = Duration::from_secs(1);
const SETTLE_LONGEST: Duration = Duration::from_secs(30);

/// What is followed.
pub(super) enum Followed {
    /// A list, up to a limit.
    List {
        /// Which devices.
        query: DeviceQuery,
        /// How many.
        limit: Option<u32>,
    },
    /// Devices by id.
    Devices(Vec<String>),
}

/// How one stream ended.
enum End {
    /// It is to be opened anew.
    Moved,
    Broken(Break),
}

/// Follows changes until something ends it for good.
pub(super) async fn run(
    program: &mut Program,
    get: &Get,
    client: &Client,
    followed: &Followed,
    field: Option<&str>,
) -> Result<(), Failure> {
    let mut show = Show::new(program, get.output.output)?;
    let mut roster = Roster::default();
    let mut pause = RETRY_FIRST;
    let mut settle = SETTLE_FIRST;
    let mut began = false;
    let mut in_trouble = false;
    loop {
        let end = match open(program, client, followed, &mut roster).await {
            Ok(changes) => {
                if std::mem::take(&mut in_trouble) {
                    show.well_again(program);
                }
                follow(program, changes, &mut roster, &mut show, field, settle).await?
            }
            // What does not work at all is not worth waiting for.
            Err(Break::Passing(failure) | Break::Final(failure)) if !began => return Err(failure),
            Err(broken) => End::Broken(broken),
        };
        if roster.is_caught_up() {
            began = true;
            pause = RETRY_FIRST;
        }
        match end {
            End::Moved => settle = (settle * 2).min(SETTLE_LONGEST),
            End::Broken(Break::Final(failure)) => return Err(failure),
            End::Broken(Break::RunOut) => tokio::time::sleep(RETRY_FIRST.mul_f64(rand::random_range(0.5..=1.0))).await,
            End::Broken(Break::Passing(failure)) => {
                show.trouble(program, &failure, std::mem::replace(&mut in_trouble, true));
                refresh(program, &roster, &mut show, field)?;
                tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
                pause = (pause * 2).min(RETRY_LONGEST);
            }
        }
    }
}

/// Opens a stream with one subscription for each page or device.
async fn open(
    program: &mut Program,
    client: &Client,
    followed: &Followed,
    roster: &mut Roster,
) -> Result<Changes, Break> {
    let (subscriptions, parts) = match followed {
        Followed::Devices(ids) => {
            let subscriptions = ids.iter().map(|id| What::Device(DeviceSubscription { device_id: id.clone() }));
            (subscriptions.collect::<Vec<_>>(), Parts::Devices(ids.len()))
        }
        Followed::List { query, limit } => pages(program, client, query, *limit).await.map_err(|failure| {
            let passing = matches!(failure.kind, Kind::General | Kind::Timeout);
            if passing { Break::Passing(failure) } else { Break::Final(failure) }
        })?,
    };
    let subscriptions = subscriptions
        .into_iter()
        .enumerate()
        .map(|(index, what)| Subscription { id: index.to_string(), what: Some(what) })
        .collect();
    let changes = client.watch(subscriptions).await?;
    roster.begin(parts);
    Ok(changes)
}

/// Finds out where the pages of a list begin. A list of one page needs no call.
async fn pages(
    program: &mut Program,
    client: &Client,
    query: &DeviceQuery,
    limit: Option<u32>,
) -> Result<(Vec<What>, Parts), Failure> {
    let mut subscriptions = Vec::new();
    let mut tokens = Vec::new();
    let mut token = String::new();
    let mut left = limit.unwrap_or(u32::MAX);
    loop {
        let page_size = left.min(PAGE_SIZE_MAX);
        subscriptions.push(What::DeviceList(DeviceListSubscription {
            selector: query.selector.clone(),
            name_contains: String::new(),
            order: query.order.into(),
            page_size,
            page_token: token.clone(),
            link_state: query.link_state.into(),
        }));
        tokens.push(token.clone());
        left -= page_size;
        if left == 0 {
            return Ok((subscriptions, Parts::Pages { tokens, open_end: true }));
        }
        let paging = Paging { limit: Some(page_size), chunk_size: page_size, page_token: token };
        match client.device_list(query, &paging).await?.next_page_token {
            None => return Ok((subscriptions, Parts::Pages { tokens, open_end: false })),
            Some(_) if subscriptions.len() >= WATCH_SUBSCRIPTIONS_MAX => {
                program.console.talk(&format!(
                    "warning: only the first {} devices are followed; narrow the list with -l",
                    subscriptions.len() * PAGE_SIZE_MAX as usize
                ));
                return Ok((subscriptions, Parts::Pages { tokens, open_end: true }));
            }
            Some(next) => token = next,
        }
    }
}

/// Shows what one stream brings, until it ends.
async fn follow(
    program: &mut Program,
    mut changes: Changes,
    roster: &mut Roster,
    show: &mut Show,
    field: Option<&str>,
    settle: Duration,
) -> Result<End, Failure> {
    let mut frame = tokio::time::interval(FRAME);
    frame.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut moved_at = None;
    loop {
        tokio::select! {
            message = changes.next() => match message {
                Ok(message) => show.changes(program, roster.apply(message))?,
                Err(broken) => return Ok(End::Broken(broken)),
            },
            _ = frame.tick() => refresh(program, roster, show, field)?,
        }
        if roster.has_moved() && moved_at.get_or_insert_with(Instant::now).elapsed() >= settle {
            return Ok(End::Moved);
        }
    }
}

fn refresh(program: &mut Program, roster: &Roster, show: &mut Show, field: Option<&str>) -> Result<(), Failure> {
    if !show.is_table() {
        return Ok(());
    }
    let mut devices: Vec<&Device> = roster.devices().collect();
    if let Some(field) = field {
        sort::by_field(&mut devices, field)?;
    }
    show.refresh(program, roster, &devices)
}
