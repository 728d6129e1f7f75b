//! What moves on the screen: one watch stream for all tabs of this browser.
//!
//! Browsers allow six connections to a server without TLS, so eight tabs cannot each have a stream. One tab leads: it holds
//! a lock, opens the stream with what all tabs follow together, and passes on what comes. When it closes, the browser gives
//! the lock to another. Where the browser has no locks or no channel, a tab leads for itself alone.
//!
//! Lock and channel are named after the account and its organization: tabs of another one neither lead this one nor hear it.

mod channel;
mod leader;
mod locks;
mod shown;
mod tab_message;

use crate::browser;
use crate::components::moving::effect;
use crate::model::by_id::ById;
use crate::model::freshness::{Liveness, Phase};
use crate::model::subscription::subscription;
use crate::session::Session;
use channel::Channel;
use gloo_timers::future::TimeoutFuture;
use kaliun_proto::fleet::v1::subscription::What;
use kaliun_proto::fleet::v1::watch_response::Message;
use kaliun_proto::fleet::v1::{Subscription, WatchRequest, WatchResponse};
use leader::Leader;
use leptos::prelude::*;
use locks::Locks;
use shown::ShownPictures;
pub(crate) use shown::{DeviceCell, Shown};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use tab_message::TabMessage;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;

/// Changes of what a tab follows within this time go out together: leaving one page and entering another is one change.
const GATHER_MS: u32 = 15;

/// The live side of this tab. A handle: copies are the same thing.
#[derive(Clone, Copy)]
pub(crate) struct Live {
    tab: StoredValue<Rc<Tab>, LocalStorage>,
    liveness: RwSignal<Liveness>,
    server_ahead_ms: RwSignal<i64>,
    session: Session,
}

struct Tab {
    id: String,
    channel: RefCell<Option<Channel>>,
    locks: Option<Locks>,
    leader: RefCell<Option<Leader>>,
    follows: RefCell<ById<(Subscription, usize)>>,
    shown: RefCell<ShownPictures>,
    may_announce: Cell<bool>,
    announcement_waits: Cell<bool>,
}

/// Something followed for as long as this lives.
pub(crate) struct Followed {
    live: Live,
    id: String,
    /// What it shows.
    pub(crate) shown: Shown,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.live.unfollow(&self.id);
    }
}

impl Live {
    /// Joins the other tabs of this browser.
    pub(crate) fn start(session: Session) -> Self {
        let random = |factor: f64| browser::random() * factor;
        let tab = Rc::new(Tab {
            id: format!("{:x}-{:.0}", browser::now_ms(), random(1e12)),
            channel: RefCell::new(None),
            locks: Locks::of_browser(),
            leader: RefCell::new(None),
            follows: RefCell::default(),
            shown: RefCell::default(),
            may_announce: Cell::new(false),
            announcement_waits: Cell::new(false),
        });
        let live = Self {
            tab: StoredValue::new_local(tab),
            liveness: RwSignal::new(Liveness::default()),
            server_ahead_ms: RwSignal::new(0),
            session,
        };
        live.join_when_signed_in();
        live.reopen_when_back_online();
        live
    }

    /// Follows something until the answer is dropped. What was shown of it before is shown at once.
    pub(crate) fn follow(self, what: What) -> Followed {
        let subscription = subscription(what);
        let id = subscription.id.clone();
        let tab = self.tab();
        let shown = tab.shown.borrow_mut().open(&id);
        let mut follows = tab.follows.borrow_mut();
        let users = follows.get(&id).map_or(0, |(_, users)| *users);
        follows.set(&id, (subscription, users + 1));
        drop(follows);
        self.announce_soon();
        Followed { live: self, id, shown }
    }

    /// A device as it was seen last, on whatever page.
    pub(crate) fn device(self, id: &str) -> DeviceCell {
        self.tab().shown.borrow_mut().device(id)
    }

    /// How the stream is.
    pub(crate) fn liveness(self) -> RwSignal<Liveness> {
        self.liveness
    }

    /// What the server's clock is ahead of this browser's, milliseconds.
    pub(crate) fn server_ahead_ms(self) -> RwSignal<i64> {
        self.server_ahead_ms
    }

    /// The session is over, here and in the other tabs.
    fn session_ended(self) {
        self.session.end_everywhere();
    }

    fn tab(self) -> Rc<Tab> {
        self.tab.get_value()
    }

    fn unfollow(self, id: &str) {
        let Some(tab) = self.tab.try_get_value() else {
            return;
        };
        let mut follows = tab.follows.borrow_mut();
        if let Some((_, users)) = follows.get_mut(id) {
            *users -= 1;
            if *users == 0 {
                follows.remove(id);
                tab.shown.borrow_mut().close(id, |other| follows.get(other).is_some());
            }
        }
        drop(follows);
        self.announce_soon();
    }

    /// Joins once it is known whose page this is. That never changes: for others a page begins anew.
    fn join_when_signed_in(self) {
        let identity = self.session.identity();
        let has_joined = Cell::new(false);
        effect(move || {
            let whose = identity.with(|identity| format!("{}.{}", identity.organization_id, identity.account_id));
            let is_known = identity.with(|identity| !identity.organization_id.is_empty());
            if is_known && !has_joined.replace(true) {
                self.join(&whose);
            }
        });
    }

    fn join(self, whose: &str) {
        let tab = self.tab();
        let Some(locks) = tab.locks.clone() else {
            return self.lead_alone();
        };
        let Some(channel) = Channel::open(whose, move |message| self.hear(message)) else {
            return self.lead_alone();
        };
        *tab.channel.borrow_mut() = Some(channel);
        // Held before the first word to a leader, who waits for it to become free to see that this tab is gone.
        locks.hold(&tab_lock(&tab.id), move || {
            self.tab().may_announce.set(true);
            self.announce_soon();
        });
        locks.hold(&format!("kaliun.live.leader.{whose}"), move || {
            *self.tab().leader.borrow_mut() = Some(Leader::default());
            self.tell(&TabMessage::Ask);
            self.announce_soon();
        });
    }

    fn lead_alone(self) {
        let tab = self.tab();
        *tab.leader.borrow_mut() = Some(Leader::default());
        tab.may_announce.set(true);
        self.announce_soon();
    }

    fn announce_soon(self) {
        let tab = self.tab();
        if !tab.may_announce.get() || tab.announcement_waits.replace(true) {
            return;
        }
        leptos::task::spawn_local(async move {
            TimeoutFuture::new(GATHER_MS).await;
            let tab = self.tab();
            tab.announcement_waits.set(false);
            let subscriptions =
                tab.follows.borrow().iter().map(|(_, (subscription, _))| subscription.clone()).collect();
            let request = WatchRequest { subscriptions };
            self.tell_all(TabMessage::Want { tab: tab.id.clone(), request });
        });
    }

    fn hear(self, message: TabMessage) {
        let tab = self.tab();
        match message {
            TabMessage::Ask => self.announce_soon(),
            TabMessage::Want { tab: other, request } => {
                let is_new = self.with_leader(|leader| leader.want(self, &other, request));
                if is_new == Some(true) && other != tab.id {
                    self.watch_over(other);
                }
                if is_new.is_some() {
                    self.tell(&TabMessage::Liveness(self.liveness.get_untracked()));
                }
            }
            TabMessage::Restart => tab.shown.borrow_mut().restart(),
            TabMessage::Frame(response) => self.take(*response),
            TabMessage::Refused { id, sentence } => tab.shown.borrow_mut().refused(&id, sentence),
            TabMessage::Liveness(liveness) => {
                let heard_at_ms = liveness.heard_at_ms.max(self.liveness.get_untracked().heard_at_ms);
                self.liveness.set(Liveness { heard_at_ms, ..liveness });
            }
        }
    }

    /// Learns from the browser when another tab is gone, however it went.
    fn watch_over(self, other: String) {
        if let Some(locks) = &self.tab().locks {
            locks.when_free(&tab_lock(&other), move || {
                self.with_leader(|leader| leader.gone(self, &other));
            });
        }
    }

    fn take(self, response: WatchResponse) {
        self.liveness.update(|liveness| *liveness = Liveness { phase: Phase::Live, heard_at_ms: browser::now_ms() });
        let Some(message) = response.message else {
            return;
        };
        if let Message::KeepAlive(keep_alive) = &message {
            if keep_alive.now_ms > 0 {
                self.server_ahead_ms.set(keep_alive.now_ms - browser::now_ms());
            }
            return;
        }
        self.tab().shown.borrow_mut().apply(&response.subscription_id, message);
    }

    fn with_leader<T>(self, use_it: impl FnOnce(&mut Leader) -> T) -> Option<T> {
        self.tab().leader.borrow_mut().as_mut().map(use_it)
    }

    fn set_phase(self, phase: Phase) {
        let before = self.liveness.get_untracked();
        if before.phase == phase {
            return;
        }
        // The time of silence is counted from here when nothing was ever heard.
        let now = browser::now_ms();
        let heard_at_ms = if phase == Phase::Live || before.phase == Phase::Idle { now } else { before.heard_at_ms };
        self.liveness.set(Liveness { phase, heard_at_ms });
        self.tell(&TabMessage::Liveness(Liveness { phase, heard_at_ms }));
    }

    /// Tells the other tabs.
    fn tell(self, message: &TabMessage) {
        if let Some(channel) = &*self.tab().channel.borrow() {
            channel.send(message);
        }
    }

    /// Tells the other tabs and this one.
    fn tell_all(self, message: TabMessage) {
        self.tell(&message);
        self.hear(message);
    }

    fn reopen_when_back_online(self) {
        let callback = Closure::<dyn Fn()>::new(move || {
            self.with_leader(|leader| leader.reopen(self));
        });
        if let Some(window) = web_sys::window() {
            // It fails for no listener of an own window.
            let _added = window.add_event_listener_with_callback("online", callback.as_ref().unchecked_ref());
        }
        callback.forget();
    }
}

fn tab_lock(tab: &str) -> String {
    format!("kaliun.live.tab.{tab}")
}
