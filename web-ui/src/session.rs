//! Who is signed in, as one signal for the whole page, and the same in all tabs.

mod tabs;

use crate::api::account;
use crate::browser;
use crate::components::moving::{background, memo};
use crate::model::backoff::wait_ms;
use crate::model::failure::Failure;
use crate::organization;
use gloo_timers::future::TimeoutFuture;
use kaliun_proto::fleet::v1::Identity;
use leptos::prelude::*;
use tabs::{News, OtherTabs};

/// What is known of the session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SessionState {
    /// The server is being asked.
    Asking,
    /// The server does not answer; it is asked again and again.
    Unreachable,
    /// Nobody is signed in. True when somebody was a moment ago.
    Out { has_ended: bool },
    /// Somebody is.
    In(Identity),
}

/// The session. A handle: copies are the same thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    state: RwSignal<SessionState>,
    identity: Memo<Identity>,
    /// Account and organization that this page belongs to; empty before anybody was signed in.
    owner: StoredValue<(String, String)>,
    other_tabs: StoredValue<Option<OtherTabs>, LocalStorage>,
}

impl Session {
    /// Asks the server who is signed in.
    pub(crate) fn start() -> Self {
        let state = RwSignal::new(SessionState::Asking);
        let identity = memo(move || {
            state.with(|state| match state {
                SessionState::In(identity) => identity.clone(),
                SessionState::Asking | SessionState::Unreachable | SessionState::Out { .. } => Identity::default(),
            })
        });
        let session = Self {
            state,
            identity,
            owner: StoredValue::new(Default::default()),
            other_tabs: StoredValue::new_local(None),
        };
        let other_tabs = OtherTabs::open(move |news| match news {
            News::SignedIn => session.ask(),
            News::SignedOut => session.end(),
        });
        session.other_tabs.set_value(other_tabs);
        organization::follow_other_tabs();
        session.ask();
        session
    }

    /// What is known.
    pub(crate) fn state(self) -> RwSignal<SessionState> {
        self.state
    }

    /// Who is signed in; the default where nobody is.
    pub(crate) fn identity(self) -> Memo<Identity> {
        self.identity
    }

    /// Whether something holds for who is signed in.
    pub(crate) fn may(self, is_so: fn(&Identity) -> bool) -> Memo<bool> {
        memo(move || self.identity.with(is_so))
    }

    /// Somebody signed in here. The other tabs are told.
    pub(crate) fn begin(self, identity: Identity) {
        let chosen = organization::current();
        if chosen.is_empty() || chosen == identity.organization_id {
            self.enter(identity);
        } else {
            // A sign-in knows nothing of the organization that was chosen in this browser.
            self.ask();
        }
        self.tell(News::SignedIn);
    }

    /// The session is over, here and in the other tabs.
    pub(crate) fn end_everywhere(self) {
        self.end();
        self.tell(News::SignedOut);
    }

    /// The session is over. Every page gives way to the sign-in and comes back after it.
    pub(crate) fn end(self) {
        if self.state.with_untracked(|state| matches!(state, SessionState::In(_))) {
            self.state.set(SessionState::Out { has_ended: true });
        }
    }

    /// Ends the session when a failure says that it is over, and asks anew when the person is in the organization no more.
    pub(crate) fn notice(self, failure: &Failure) {
        if *failure == Failure::SignedOut {
            self.end();
        } else if failure.is_about_organization() {
            self.ask();
        }
    }

    /// Asks the server who is signed in, for something of it has changed.
    pub(crate) fn ask(self) {
        background(async move {
            let mut attempt = 0;
            loop {
                match account::who_am_i().await {
                    Ok(identity) => return self.enter(identity),
                    Err(Failure::SignedOut) => return self.leave(),
                    // The person is in the chosen organization no more: the server chooses.
                    Err(Failure::Denied(_) | Failure::NotFound(_) | Failure::Refused(_)) if organization::forget() => {
                        continue;
                    }
                    Err(Failure::Denied(_)) => return self.leave(),
                    Err(_) => {
                        if self.state.with_untracked(|state| *state == SessionState::Asking) {
                            self.state.set(SessionState::Unreachable);
                        }
                    }
                }
                TimeoutFuture::new(wait_ms(attempt, browser::random())).await;
                attempt = attempt.saturating_add(1);
            }
        });
    }

    fn leave(self) {
        let has_ended = self.state.with_untracked(|state| matches!(state, SessionState::In(_)));
        self.state.set(SessionState::Out { has_ended });
    }

    /// A page belongs to one account in one organization: for others it begins anew, so that nothing of the ones before is left.
    fn enter(self, identity: Identity) {
        let owner = (identity.account_id.clone(), identity.organization_id.clone());
        let before = self.owner.get_value();
        if before != owner && !before.0.is_empty() {
            return browser::reload();
        }
        organization::settle(&owner.1);
        self.owner.set_value(owner);
        self.state.set(SessionState::In(identity));
    }

    fn tell(self, news: News) {
        self.other_tabs.with_value(|tabs| {
            if let Some(tabs) = tabs {
                tabs.tell(news);
            }
        });
    }
}
