//! Who is signed in, as one signal for the whole page.

use crate::api::account;
use crate::browser;
use crate::model::backoff::wait_ms;
use crate::model::failure::Failure;
use gloo_timers::future::TimeoutFuture;
use kaliun_proto::fleet::v1::Identity;
use leptos::prelude::*;

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
}

impl Session {
    /// Asks the server who is signed in.
    pub(crate) fn start() -> Self {
        let session = Self { state: RwSignal::new(SessionState::Asking) };
        session.ask();
        session
    }

    /// What is known.
    pub(crate) fn state(self) -> RwSignal<SessionState> {
        self.state
    }

    /// Somebody signed in.
    pub(crate) fn begin(self, identity: Identity) {
        self.state.set(SessionState::In(identity));
    }

    /// The session is over. Every page gives way to the sign-in and comes back after it.
    pub(crate) fn end(self) {
        if matches!(self.state.get_untracked(), SessionState::In(_)) {
            self.state.set(SessionState::Out { has_ended: true });
        }
    }

    /// Somebody signed in in another tab.
    pub(crate) fn ask_again(self) {
        if !matches!(self.state.get_untracked(), SessionState::In(_)) {
            self.ask();
        }
    }

    /// Ends the session when a failure says that it is over.
    pub(crate) fn notice(self, failure: &Failure) {
        if *failure == Failure::SignedOut {
            self.end();
        }
    }

    fn ask(self) {
        leptos::task::spawn_local(async move {
            let mut attempt = 0;
            loop {
                match account::who_am_i().await {
                    Ok(identity) => return self.state.set(SessionState::In(identity)),
                    Err(Failure::SignedOut | Failure::Denied(_)) => {
                        return self.state.set(SessionState::Out { has_ended: false });
                    }
                    Err(_) => self.state.set(SessionState::Unreachable),
                }
                TimeoutFuture::new(wait_ms(attempt, browser::random())).await;
                attempt = attempt.saturating_add(1);
            }
        });
    }
}
