//! What is live on a screen.
//!
//! A watch reads its present state, then listens for hints of change and reads the devices that they name. A page is read again as
//! a whole only when other devices may belong on it, and now and then because a box that falls silent gives no hint; both at a
//! bounded pace (`following`). The row is the truth; a hint only says when to look. Hints are gathered for a moment, so that a fleet
//! that reports does not become a flood. What is remembered of what was shown is bounded for each organization (`room`), and so is
//! what waits for a watcher that does not read (`outlet`).

mod following;
mod part;
mod room;
mod shown;
mod summaries;

use super::auth::{Caller, Right};
use super::device::DevicePageQuery;
use super::outlet::{Answers, NotTaken, Outlet, outlet};
use super::page::PageSeal;
use super::status;
use crate::changes::{Change, Changes};
use crate::clock;
use crate::rights::{Holder, Rights};
use crate::tasks::Tasks;
use following::Following;
use kaliun_proto::fleet::v1 as proto;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::fleet::v1::watch_service_server::WatchService;
use kaliun_store::{AppStore, SystemStore};
use kaliun_types::id::{DeviceId, OrganizationId};
use room::{BOUNDS, Place, Room};
use std::time::{Duration, Instant};
use summaries::{Counted, Summaries};
use tokio::sync::broadcast;
use tonic::{Request, Response, Status};

/// How long hints are gathered before the rows are read.
const GATHER: Duration = Duration::from_millis(250);
/// Devices that are read by themselves at once: as many as are on the largest page.
const DEVICES_AT_ONCE: usize = 500;
/// A quiet watch says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// Whether a watcher still may is asked this often even when there is nothing to show.
const AUTHORIZE: Duration = Duration::from_secs(5);
/// When to look again after the database did not answer.
const RETRY: Duration = Duration::from_secs(1);
/// A right that was seen so recently still counts: what one look reads in many pieces asks once.
const RIGHT_IS_FRESH: Duration = Duration::from_millis(100);
/// A watch of which it is not known for so long whether it may be shown anything ends; the watcher comes back when it can be known.
const AUTHORIZED_FOR: Duration = Duration::from_secs(20);

/// Opens watches.
pub(crate) struct Watches {
    store: AppStore,
    system: SystemStore,
    seal: PageSeal,
    changes: Changes,
    rights: Rights,
    tasks: Tasks,
    summaries: Summaries,
    room: Room,
}

impl Watches {
    pub(crate) fn new(
        store: AppStore,
        system: SystemStore,
        seal: PageSeal,
        changes: Changes,
        rights: Rights,
        tasks: Tasks,
    ) -> Self {
        let summaries = Summaries::new(store.clone());
        Self { store, system, seal, changes, rights, tasks, summaries, room: Room::new(BOUNDS) }
    }
}

struct Watch {
    caller: Caller,
    store: AppStore,
    system: SystemStore,
    summaries: Summaries,
    seal: PageSeal,
    following: Following,
    /// When it was last known that the watcher may watch.
    authorized_at: Instant,
    /// Somebody said that it may be another one now.
    right_is_in_doubt: bool,
    /// When something was said last.
    said_at: Instant,
    /// Nothing is read before this: the database did not answer.
    rests_until: Instant,
    outlet: Outlet<proto::WatchResponse>,
    place: Place,
}

/// The watch is over: with what is to be told, or because the watcher went away.
struct Over(Option<Status>);

/// Why a look did not come to its end.
enum Trouble {
    Over(Over),
    /// It is worth another look.
    Passing(Status),
}

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

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        Self::Passing(status)
    }
}

#[tonic::async_trait]
impl WatchService for Watches {
    type WatchStream = Answers<proto::WatchResponse>;

    async fn watch(&self, request: Request<proto::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = Caller::of(&request)?.clone();
        let now = Instant::now();
        let following = Following::new(request.into_inner().subscriptions, now)?;
        let place = self.room.take(caller.scope().organization(), caller.credential(), following.room())?;
        let (outlet, answers) = outlet();
        // Listening begins before the first read, so that nothing falls between.
        let (hints, rights) = (self.changes.listen(), self.rights.listen());
        let mut watch = Watch {
            caller,
            store: self.store.clone(),
            system: self.system.clone(),
            seal: self.seal.clone(),
            summaries: self.summaries.clone(),
            following,
            authorized_at: now,
            right_is_in_doubt: false,
            said_at: now,
            rests_until: now,
            outlet,
            place,
        };
        let stopping = self.tasks.stopping();
        self.tasks.spawn("watch", async move {
            let Over(told) = tokio::select! {
                over = watch.run(hints, rights) => over,
                () = stopping.cancelled() => Over(None),
            };
            if let Some(told) = told {
                watch.outlet.end(told);
            }
        });
        Ok(Response::new(answers))
    }
}

impl Watch {
    async fn run(&mut self, mut hints: broadcast::Receiver<Change>, mut rights: broadcast::Receiver<Holder>) -> Over {
        let holder = self.caller.holder();
        let organization = self.caller.scope().organization();
        loop {
            if Instant::now() >= self.rests_until {
                match self.look().await {
                    Ok(()) => {}
                    Err(Trouble::Over(over)) => return over,
                    // The first look must succeed, or the watcher would wait for what never comes. Later ones are repeated.
                    Err(Trouble::Passing(status)) if !self.following.is_caught_up() => return Over(Some(status)),
                    // Whatever failed: nobody is kept on what they were shown while nobody knows whether they still may.
                    Err(Trouble::Passing(status)) if self.right_is_unknown() => return Over(Some(status)),
                    Err(Trouble::Passing(_)) => self.rests_until = Instant::now() + RETRY,
                }
            }
            if self.said_at.elapsed() >= KEEP_ALIVE
                && let Err(over) = self.say_that_it_lives().await
            {
                return over;
            }
            let wake_at = self.wake_at();
            tokio::select! {
                () = gather(&mut self.following, organization, &mut hints) => {}
                () = tokio::time::sleep_until(wake_at.into()) => {}
                () = changed(&mut rights, holder) => self.right_is_in_doubt = true,
                () = self.outlet.closed() => return Over(None),
            }
        }
    }

    /// When there is something to do although nothing was heard.
    fn wake_at(&self) -> Instant {
        let asks_at = self.authorized_at + AUTHORIZE;
        let due_at = self.following.due_at(Instant::now()).map_or(asks_at, |due_at| due_at.min(asks_at));
        due_at.max(self.rests_until).min(self.said_at + KEEP_ALIVE)
    }

    /// Reads what is due and says what is different. Whether the watcher still may is asked in time, also when nothing was read or
    /// nothing could be.
    async fn look(&mut self) -> Result<(), Trouble> {
        let read = self.read().await;
        if (self.right_is_in_doubt || self.authorized_at.elapsed() >= AUTHORIZE)
            && !matches!(read, Err(Trouble::Over(_)))
        {
            self.authorize().await?;
        }
        read
    }

    async fn read(&mut self) -> Result<(), Trouble> {
        let now = Instant::now();
        while let Some((index, query)) = self.following.due_page(now) {
            self.look_at_page(index, &query).await?;
        }
        loop {
            let ids = self.following.due_devices(now, DEVICES_AT_ONCE);
            if ids.is_empty() {
                break;
            }
            self.look_at_devices(&ids).await?;
        }
        self.look_at_counts().await
    }

    async fn look_at_page(&mut self, index: usize, query: &DevicePageQuery) -> Result<(), Trouble> {
        let turn = self.place.turn().await?;
        let read_at = Instant::now();
        let page = query.ask(&self.store, &self.seal, self.caller.scope()).await?;
        self.authorize().await?;
        let responses = self.following.page_read(index, page, read_at, clock::now());
        self.say(responses).await?;
        drop(turn);
        Ok(())
    }

    async fn look_at_devices(&mut self, ids: &[DeviceId]) -> Result<(), Trouble> {
        let turn = self.place.turn().await?;
        let read_at = Instant::now();
        let found = self.store.device_list_by_ids(self.caller.scope(), ids).await.map_err(status::store)?;
        self.authorize().await?;
        let responses = self.following.devices_read(ids, found, read_at, clock::now());
        self.say(responses).await?;
        drop(turn);
        Ok(())
    }

    async fn look_at_counts(&mut self) -> Result<(), Trouble> {
        let mut read = Vec::new();
        for (index, filter, wanted_at) in self.following.due_counts(Instant::now()) {
            read.push((index, self.summaries.get(self.caller.scope(), filter, wanted_at).await?));
        }
        if read.is_empty() {
            return Ok(());
        }
        self.authorize().await?;
        let mut responses = Vec::new();
        for (index, Counted { summary, due_at }) in read {
            responses.extend(self.following.counts_read(index, summary, due_at));
        }
        self.say(responses).await
    }

    /// Whether the watcher still may. It is asked after reading and before saying: so nobody is shown anything that is newer than
    /// their right to see it, but for a moment.
    async fn authorize(&mut self) -> Result<(), Trouble> {
        if !self.right_is_in_doubt && self.authorized_at.elapsed() < RIGHT_IS_FRESH {
            return Ok(());
        }
        let over = |status| Err(Trouble::Over(Over(Some(status))));
        match self.caller.right_now(&self.system).await {
            Ok(Right::Same) => {
                self.right_is_in_doubt = false;
                self.authorized_at = Instant::now();
                Ok(())
            }
            Ok(Right::Other) => {
                over(Status::permission_denied("your role has changed; ask again with what you may see now"))
            }
            Ok(Right::Ended) => over(Status::unauthenticated("the session or token has ended; sign in again")),
            Err(unavailable) => Err(Trouble::Passing(unavailable)),
        }
    }

    /// Whether it was not known for too long that the watcher may watch.
    fn right_is_unknown(&self) -> bool {
        self.authorized_at.elapsed() > AUTHORIZED_FOR
    }

    async fn say(&mut self, responses: Vec<proto::WatchResponse>) -> Result<(), Trouble> {
        if responses.is_empty() {
            return Ok(());
        }
        self.outlet.say(responses).await.map_err(|why| Trouble::Over(why.into()))?;
        self.said_at = Instant::now();
        Ok(())
    }

    async fn say_that_it_lives(&mut self) -> Result<(), Over> {
        let alive = Message::KeepAlive(proto::KeepAlive { now_ms: clock::to_ms(clock::now()) });
        self.outlet.say(vec![proto::WatchResponse { subscription_id: String::new(), message: Some(alive) }]).await?;
        self.said_at = Instant::now();
        Ok(())
    }
}

/// Waits for a hint that somebody's rights may be others now. One who cannot know asks, too.
async fn changed(rights: &mut broadcast::Receiver<Holder>, of: Holder) {
    use broadcast::error::RecvError;
    loop {
        match rights.recv().await {
            Ok(holder) if holder == of => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Waits for a hint that matters here, then a little longer for more. What was heard is kept when the wait is given up.
async fn gather(following: &mut Following, organization: OrganizationId, hints: &mut broadcast::Receiver<Change>) {
    use broadcast::error::{RecvError, TryRecvError};
    loop {
        match hints.recv().await {
            Ok(change) if hear(following, organization, change) => break,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => {
                following.hear_too_much(Instant::now());
                break;
            }
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
    tokio::time::sleep(GATHER).await;
    loop {
        match hints.try_recv() {
            Ok(change) => {
                hear(following, organization, change);
            }
            Err(TryRecvError::Lagged(_)) => following.hear_too_much(Instant::now()),
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

/// Answers whether a hint matters here.
fn hear(following: &mut Following, organization: OrganizationId, change: Change) -> bool {
    change.organization == organization && following.hear(change.device, Instant::now())
}
