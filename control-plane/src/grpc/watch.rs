//! What is live on a screen.
//!
//! A watch reads its present state, then listens for hints of change and reads again what they name. The row is the truth; a
//! hint only says when to look. Hints are gathered for a moment, so that a fleet that reports does not become a flood.

mod outlet;
mod summaries;

use super::auth::Caller;
use super::convert::device::{device_to_proto, summary_to_proto};
use super::device::DevicePageQuery;
use super::page::PageSeal;
use super::status;
use crate::changes::{Change, Changes};
use crate::clock;
use crate::listen::places::Places;
use crate::tasks::Tasks;
use kaliun_domain::device::Summary;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::fleet::v1::watch_service_server::WatchService;
use kaliun_store::{AppStore, SystemStore};
use kaliun_types::id::{DeviceId, OrganizationId};
use kaliun_types::limits::WATCH_SUBSCRIPTIONS_MAX;
use outlet::{Answers, NotTaken, Outlet, outlet};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use summaries::{Counted, Summaries};
use tokio::sync::broadcast;
use tonic::{Request, Response, Status};

/// How long hints are gathered before the rows are read.
const GATHER: Duration = Duration::from_millis(250);
/// Lists are read again this often even without a hint: a box that falls silent turns stale without a word.
const REFRESH: Duration = Duration::from_secs(5);
/// A quiet watch says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// When to ask again whether a watcher still may, after the database did not say.
const AUTHORIZE_RETRY: Duration = Duration::from_secs(1);
/// A watch of which that is not known for so long ends; the watcher comes back when it can be known.
const AUTHORIZED_FOR: Duration = Duration::from_secs(30);
/// Watches at once. A browser has one, whatever its number of tabs.
const WATCHES_MAX: usize = 1_000;
/// Of one organization.
const WATCHES_FOR_EACH: u32 = 200;

/// Opens watches.
pub(crate) struct Watches {
    store: AppStore,
    system: SystemStore,
    seal: PageSeal,
    changes: Changes,
    tasks: Tasks,
    summaries: Summaries,
    places: Places<OrganizationId>,
}

impl Watches {
    pub(crate) fn new(store: AppStore, system: SystemStore, seal: PageSeal, changes: Changes, tasks: Tasks) -> Self {
        let summaries = Summaries::new(store.clone());
        let places = Places::new(WATCHES_MAX, WATCHES_FOR_EACH);
        Self { store, system, seal, changes, tasks, summaries, places }
    }
}

/// One thing that is followed.
struct Followed {
    id: String,
    what: What,
    /// What the watcher was shown last, so that only changes are sent.
    shown: HashMap<DeviceId, proto::Device>,
    order: Vec<DeviceId>,
    next_page_token: String,
    summary: Option<Summary>,
}

enum What {
    List(Box<DevicePageQuery>),
    Device(DeviceId),
}

struct Watch {
    caller: Caller,
    store: AppStore,
    system: SystemStore,
    summaries: Summaries,
    seal: PageSeal,
    followed: Vec<Followed>,
    /// When it was last known that the watcher may watch.
    authorized_at: Instant,
    /// When the present look began: it is to show what is so then.
    wanted_at: Instant,
    /// When to look again although nothing more was heard.
    look_at: Instant,
    outlet: Outlet,
}

/// The watch is over: with what is to be told, or because the watcher went away.
struct Over(Option<Status>);

impl From<NotTaken> for Over {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Gone => Self(None),
            NotTaken::TooSlow => {
                Self(Some(Status::unavailable("what this watch had to say was not read for too long; open it again")))
            }
        }
    }
}

/// Whether the watcher still may see what it follows.
enum Known {
    Yes,
    /// The database does not say.
    NotNow,
}

#[tonic::async_trait]
impl WatchService for Watches {
    type WatchStream = Answers;

    async fn watch(&self, request: Request<proto::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = Caller::of(&request)?.clone();
        let followed = request.into_inner().subscriptions;
        if followed.is_empty() || followed.len() > WATCH_SUBSCRIPTIONS_MAX {
            return Err(status::invalid("subscriptions", format!("must be 1 to {WATCH_SUBSCRIPTIONS_MAX}")));
        }
        let followed: Vec<Followed> = followed.into_iter().map(follow).collect::<Result<_, _>>()?;
        let ids: HashSet<&str> = followed.iter().map(|followed| followed.id.as_str()).collect();
        if ids.len() != followed.len() {
            return Err(status::invalid("subscriptions.id", "must be unique in the request"));
        }
        let place = self.places.take(caller.scope().organization()).ok_or_else(|| {
            Status::resource_exhausted("too many watches of this organization; close some and try again")
        })?;
        let (outlet, answers) = outlet();
        // Listening begins before the first read, so that nothing falls between.
        let hints = self.changes.listen();
        let now = Instant::now();
        let mut watch = Watch {
            caller,
            store: self.store.clone(),
            system: self.system.clone(),
            seal: self.seal.clone(),
            summaries: self.summaries.clone(),
            followed,
            authorized_at: now,
            wanted_at: now,
            look_at: now,
            outlet,
        };
        let stopping = self.tasks.stopping();
        self.tasks.spawn("watch", async move {
            let Over(told) = tokio::select! {
                over = watch.run(hints) => over,
                () = stopping.cancelled() => Over(None),
            };
            if let Some(told) = told {
                watch.outlet.end(told);
            }
            drop(place);
        });
        Ok(Response::new(answers))
    }
}

fn follow(subscription: proto::Subscription) -> Result<Followed, Status> {
    use proto::subscription::What as Asked;
    if subscription.id.is_empty() || subscription.id.len() > 64 {
        return Err(status::invalid("subscriptions.id", "must have 1 to 64 bytes"));
    }
    let what = match subscription.what {
        Some(Asked::DeviceList(list)) => What::List(Box::new(DevicePageQuery::new(proto::ListDevicesRequest {
            selector: list.selector,
            name_contains: list.name_contains,
            order: list.order,
            page_size: list.page_size,
            page_token: list.page_token,
            link_state: list.link_state,
        })?)),
        Some(Asked::Device(device)) => {
            What::Device(device.device_id.parse().map_err(|error| status::invalid("subscriptions.device_id", error))?)
        }
        None => return Err(status::invalid("subscriptions", "name what to follow: a device list or a device")),
    };
    Ok(Followed {
        id: subscription.id,
        what,
        shown: HashMap::new(),
        order: Vec::new(),
        next_page_token: String::new(),
        summary: None,
    })
}

impl Watch {
    async fn run(&mut self, mut hints: broadcast::Receiver<Change>) -> Over {
        if let Err(over) = self.refresh_all(true).await {
            return over;
        }
        let mut said = Instant::now();
        loop {
            tokio::select! {
                () = self.gather(&mut hints) => {}
                () = tokio::time::sleep_until(self.look_at.into()) => {}
                () = self.outlet.closed() => return Over(None),
            }
            self.wanted_at = Instant::now();
            // Before each look: who may not see it any more sees nothing more, nor does somebody of whom nobody knows now.
            match self.authorize().await {
                Ok(Known::Yes) => match self.refresh_all(false).await {
                    Ok(true) => said = Instant::now(),
                    Ok(false) => {}
                    Err(over) => return over,
                },
                Ok(Known::NotNow) => self.look_at = Instant::now() + AUTHORIZE_RETRY,
                Err(over) => return over,
            }
            if said.elapsed() >= KEEP_ALIVE {
                let alive = Message::KeepAlive(proto::KeepAlive { now_ms: clock::to_ms(clock::now()) });
                if let Err(not_taken) = self.outlet.say(vec![response("", alive)]).await {
                    return not_taken.into();
                }
                said = Instant::now();
            }
        }
    }

    /// Waits for a hint that matters here, then a little longer for more.
    async fn gather(&self, hints: &mut broadcast::Receiver<Change>) {
        loop {
            match hints.recv().await {
                Ok(change) if self.concerns(change) => break,
                Ok(_) => {}
                // Too many to follow one by one: look at everything.
                Err(broadcast::error::RecvError::Lagged(_)) => break,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
        tokio::time::sleep(GATHER).await;
        // What came meanwhile is answered by the same look.
        while let Ok(_) | Err(broadcast::error::TryRecvError::Lagged(_)) = hints.try_recv() {}
    }

    fn concerns(&self, change: Change) -> bool {
        change.organization == self.caller.scope().organization()
            && self.followed.iter().any(|followed| match &followed.what {
                What::List(_) => true,
                What::Device(device) => *device == change.device,
            })
    }

    async fn authorize(&mut self) -> Result<Known, Over> {
        let ended = match self.caller.still_holds(&self.system).await {
            Ok(true) => {
                self.authorized_at = Instant::now();
                return Ok(Known::Yes);
            }
            Ok(false) => Status::unauthenticated("the session or token has ended; sign in again"),
            Err(unavailable) if self.authorized_at.elapsed() > AUTHORIZED_FOR => unavailable,
            Err(_unavailable) => return Ok(Known::NotNow),
        };
        Err(Over(Some(ended)))
    }

    /// Reads everything that is followed and says what is different. Answers whether anything was.
    async fn refresh_all(&mut self, first: bool) -> Result<bool, Over> {
        let mut followed = std::mem::take(&mut self.followed);
        let mut any = false;
        self.look_at = Instant::now() + REFRESH;
        for one in &mut followed {
            match self.refresh(one, first).await {
                Ok(changed) => any |= changed,
                Err(Refresh::Over(over)) => return Err(over),
                // The first look must succeed, or the watcher would wait for what never comes. Later ones are repeated.
                Err(Refresh::Failed(status)) if first => return Err(Over(Some(status))),
                Err(Refresh::Failed(_)) => {}
            }
        }
        self.followed = followed;
        Ok(any)
    }

    async fn refresh(&mut self, followed: &mut Followed, first: bool) -> Result<bool, Refresh> {
        let (devices, next_page_token, summary) = self.read(&followed.what).await?;
        let order: Vec<DeviceId> = devices.iter().map(|(id, _)| *id).collect();
        let mut messages = Vec::new();
        for (id, device) in devices {
            if followed.shown.get(&id) != Some(&device) {
                messages.push(Message::Device(device.clone()));
                followed.shown.insert(id, device);
            }
        }
        let gone: Vec<DeviceId> = followed.shown.keys().filter(|id| !order.contains(id)).copied().collect();
        for id in gone {
            followed.shown.remove(&id);
            messages.push(Message::RemovedDeviceId(id.to_string()));
        }
        if matches!(followed.what, What::List(_))
            && (first || followed.order != order || followed.next_page_token != next_page_token)
        {
            let device_ids = order.iter().map(ToString::to_string).collect();
            let message = proto::DeviceListOrder { device_ids, next_page_token: next_page_token.clone() };
            messages.push(Message::Order(message));
            followed.order = order;
            followed.next_page_token = next_page_token;
        }
        if summary.is_some() && followed.summary != summary {
            messages.push(Message::Summary(summary_to_proto(summary.unwrap_or_default())));
            followed.summary = summary;
        }
        if first {
            messages.push(Message::CaughtUp(proto::CaughtUp {}));
        }
        let any = !messages.is_empty();
        self.outlet.say(messages.into_iter().map(|message| response(&followed.id, message)).collect()).await?;
        Ok(any)
    }

    async fn read(&mut self, what: &What) -> Result<(Vec<(DeviceId, proto::Device)>, String, Option<Summary>), Status> {
        let now = clock::now();
        let scope = self.caller.scope();
        let (devices, token, summary) = match what {
            What::List(query) => {
                let (devices, token) = query.ask(&self.store, &self.seal, scope).await?;
                let counted = self.summaries.get(scope, &query.filter, self.wanted_at).await?;
                let Counted { summary, due_at } = counted;
                self.look_at = due_at.map_or(self.look_at, |due_at| due_at.min(self.look_at));
                (devices, token, Some(summary))
            }
            What::Device(id) => {
                let device = self.store.device_get(scope, *id).await.map_err(status::store)?;
                (device.into_iter().collect(), String::new(), None)
            }
        };
        Ok((devices.into_iter().map(|device| (device.id, device_to_proto(device, now))).collect(), token, summary))
    }
}

fn response(subscription: &str, message: Message) -> proto::WatchResponse {
    proto::WatchResponse { subscription_id: subscription.to_owned(), message: Some(message) }
}

/// Why a look did not end well.
enum Refresh {
    Over(Over),
    Failed(Status),
}

impl From<NotTaken> for Refresh {
    fn from(why: NotTaken) -> Self {
        Self::Over(why.into())
    }
}

impl From<Status> for Refresh {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}
