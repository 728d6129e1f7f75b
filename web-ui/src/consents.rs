//! Support's requests that are open, for the banner on every page and for the pages that show them.

use crate::api::consent;
use crate::browser;
use crate::components::moving::background;
use crate::model::access::follows_consents;
use crate::model::failure::Failure;
use crate::session::Session;
use gloo_timers::future::TimeoutFuture;
use kaliun_proto::fleet::v1::Consent;
use leptos::prelude::*;

/// How often they are asked for while somebody looks, milliseconds. A request waits for days; support waits beside it.
const PERIOD_MS: u32 = 15_000;

/// What is open. A handle: copies are the same thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenConsents {
    list: RwSignal<Vec<Consent>>,
    /// Whether it was answered once.
    is_known: RwSignal<bool>,
    is_busy: RwSignal<bool>,
    done: RwSignal<Option<String>>,
    problem: RwSignal<Option<String>>,
    session: Session,
}

impl OpenConsents {
    /// Asks for as long as the page is there, where they concern whoever looks.
    pub(crate) fn start(session: Session) -> Self {
        let open = Self {
            list: RwSignal::new(Vec::new()),
            is_known: RwSignal::new(false),
            is_busy: RwSignal::new(false),
            done: RwSignal::new(None),
            problem: RwSignal::new(None),
            session,
        };
        background(async move {
            loop {
                let is_seen = browser::document().is_some_and(|document| !document.hidden());
                // Nothing when the page is gone.
                let Some(concerns) = session.identity().try_with_untracked(follows_consents) else { return };
                if is_seen && concerns {
                    open.ask().await;
                }
                TimeoutFuture::new(PERIOD_MS).await;
            }
        });
        open
    }

    /// What is open, the newest first.
    pub(crate) fn list(self) -> RwSignal<Vec<Consent>> {
        self.list
    }

    /// Whether it is known what is open.
    pub(crate) fn is_known(self) -> RwSignal<bool> {
        self.is_known
    }

    /// Whether a decision is under way.
    pub(crate) fn is_busy(self) -> RwSignal<bool> {
        self.is_busy
    }

    /// What came of the last decision.
    pub(crate) fn done(self) -> RwSignal<Option<String>> {
        self.done
    }

    /// Why the last one did not take.
    pub(crate) fn problem(self) -> RwSignal<Option<String>> {
        self.problem
    }

    /// Asks now. A failure does not hide what was known.
    pub(crate) async fn ask(self) {
        match consent::list_open().await {
            Ok(open) => {
                if self.list.try_with_untracked(|known| *known != open) == Some(true) {
                    self.list.set(open);
                }
                self.is_known.try_set(true);
            }
            Err(failure) => self.session.notice(&failure),
        }
    }

    /// Says yes or no to a request.
    pub(crate) fn decide(self, id: String, is_yes: bool) {
        let sentence = if is_yes {
            "They may look in now. It ends by itself, and you can end it before."
        } else {
            "They were told no."
        };
        self.act(sentence, async move { consent::decide(id, is_yes).await.map(|_| ()) });
    }

    /// Ends what holds.
    pub(crate) fn end(self, id: String) {
        self.act("It is over: nobody of support looks in by it any more.", async move {
            consent::end(id).await.map(|_| ())
        });
    }

    fn act(self, sentence: &'static str, call: impl Future<Output = Result<(), Failure>> + 'static) {
        self.is_busy.set(true);
        self.done.set(None);
        self.problem.set(None);
        background(async move {
            match call.await {
                Ok(()) => self.done.try_set(Some(sentence.to_owned())),
                Err(failure) => {
                    self.session.notice(&failure);
                    self.problem.try_set(Some(failure.advice()))
                }
            };
            self.ask().await;
            self.is_busy.try_set(false);
        });
    }
}
