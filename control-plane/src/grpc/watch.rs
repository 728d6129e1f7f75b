//! What is live on a screen.
//!
//! A watch reads its present state, then listens for hints of change and reads again what they name. The row is the truth; a
//! hint only says when to look. Hints are gathered for a moment, so that a fleet that reports does not become a flood.

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
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use summaries::{Counted, Summaries};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// How long hints are gathered before the rows are read.
const GATHER: Duration = Duration::from_millis(250);
/// Lists are read again this often even without a hint: a box that falls silent turns stale without a word.
const REFRESH: Duration = Duration::from_secs(5);
/// A quiet watch says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Messages that wait for a watcher to read: one page of a list. One that lets more wait is not read faster by waiting.
const MESSAGES_MAX: usize = 512;
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
    messages: mpsc::Sender<Result<proto::WatchResponse, Status>>,
}

/// The watcher went away, or may not watch any more.
struct Over;

/// Whether the watcher still may see what it follows.
enum Known {
    Yes,
    /// The database does not say.
    NotNow,
}

#[tonic::async_trait]
impl WatchService for Watches {
    type WatchStream = ReceiverStream<Result<proto::WatchResponse, Status>>;

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
        let (messages, answers) = mpsc::channel(MESSAGES_MAX);
        // Listening begins before the first read, so that nothing falls between.
        let hints = self.changes.listen();
        let now = Instant::now();
        let watch = Watch {
            caller,
            store: self.store.clone(),
            system: self.system.clone(),
            seal: self.seal.clone(),
            summaries: self.summaries.clone(),
            followed,
            authorized_at: now,
            wanted_at: now,
            look_at: now,
            messages,
        };
        let stopping = self.tasks.stopping();
        self.tasks.spawn("watch", async move {
            tokio::select! {
                Over = watch.run(hints) => {}
                () = stopping.cancelled() => {}
            }
            drop(place);
        });
        Ok(Response::new(ReceiverStream::new(answers)))
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
    async fn run(mut self, mut hints: broadcast::Receiver<Change>) -> Over {
        if self.refresh_all(true).await.is_err() {
            return Over;
        }
        let mut said = Instant::now();
        loop {
            tokio::select! {
                () = self.gather(&mut hints) => {}
                () = tokio::time::sleep_until(self.look_at.into()) => {}
                () = self.messages.closed() => return Over,
            }
            self.wanted_at = Instant::now();
            // Before each look: who may not see it any more sees nothing more, nor does somebody of whom nobody knows now.
            match self.authorize().await {
                Ok(Known::Yes) => match self.refresh_all(false).await {
                    Ok(true) => said = Instant::now(),
                    Ok(false) => {}
                    Err(Over) => return Over,
                },
                Ok(Known::NotNow) => self.look_at = Instant::now() + AUTHORIZE_RETRY,
                Err(Over) => return Over,
            }
            if said.elapsed() >= KEEP_ALIVE {
                let alive = Message::KeepAlive(proto::KeepAlive { now_ms: clock::to_ms(clock::now()) });
                if self.say("", alive).await.is_err() {
                    return Over;
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
        let _watcher_gone = self.messages.send(Err(ended)).await;
        Err(Over)
    }

    async fn say(&self, subscription: &str, message: Message) -> Result<(), Over> {
        let response = proto::WatchResponse { subscription_id: subscription.to_owned(), message: Some(message) };
        self.messages.send(Ok(response)).await.map_err(|_gone| Over)
    }

    /// Reads everything that is followed and says what is different. Answers whether anything was.
    async fn refresh_all(&mut self, first: bool) -> Result<bool, Over> {
        let mut followed = std::mem::take(&mut self.followed);
        let mut any = false;
        self.look_at = Instant::now() + REFRESH;
        for one in &mut followed {
            match self.refresh(one, first).await {
                Ok(changed) => any |= changed,
                Err(Refresh::Over) => return Err(Over),
                Err(Refresh::Failed(status)) => {
                    // The first look must succeed, or the watcher would wait for what never comes. Later ones are repeated.
                    if first {
                        let _watcher_gone = self.messages.send(Err(status)).await;
                        return Err(Over);
                    }
                }
            }
        }
        self.followed = followed;
        Ok(any)
    }

    async fn refresh(&mut self, followed: &mut Followed, first: bool) -> Result<bool, Refresh> {
        let (devices, next_page_token, summary) = self.read(&followed.what).await?;
        let order: Vec<DeviceId> = devices.iter().map(|(id, _)| *id).collect();
        let mut any = first;
        for (id, device) in devices {
            if followed.shown.get(&id) != Some(&device) {
                any = true;
                self.say(&followed.id, Message::Device(device.clone())).await?;
                followed.shown.insert(id, device);
            }
        }
        let gone: Vec<DeviceId> = followed.shown.keys().filter(|id| !order.contains(id)).copied().collect();
        for id in gone {
            any = true;
            followed.shown.remove(&id);
            self.say(&followed.id, Message::RemovedDeviceId(id.to_string())).await?;
        }
        if matches!(followed.what, What::List(_))
            && (first || followed.order != order || followed.next_page_token != next_page_token)
        {
            any = true;
            let device_ids = order.iter().map(ToString::to_string).collect();
            let message = proto::DeviceListOrder { device_ids, next_page_token: next_page_token.clone() };
            self.say(&followed.id, Message::Order(message)).await?;
            followed.order = order;
            followed.next_page_token = next_page_token;
        }
        if summary.is_some() && followed.summary != summary {
            any = true;
            self.say(&followed.id, Message::Summary(summary_to_proto(summary.unwrap_or_default()))).await?;
            followed.summary = summary;
        }
        if first {
            self.say(&followed.id, Message::CaughtUp(proto::CaughtUp {})).await?;
        }
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

/// Why a look did not end well.
enum Refresh {
    Over,
    Failed(Status),
}

impl From<Over> for Refresh {
    fn from(Over: Over) -> Self {
        Self::Over
    }
}

impl From<Status> for Refresh {
    fn from(status: Status) -> Self {
        Self::Failed(status)
    }
}
