//! Boxes that wait for an operator, for the badge on every page and for the page that lists them.

use crate::api::enrollment;
use crate::browser;
use crate::components::moving::background;
use crate::model::failure::Failure;
use crate::session::Session;
use gloo_timers::future::TimeoutFuture;
use kaliun_proto::fleet::v1::ListEnrollmentsResponse;
use leptos::prelude::*;

/// How often they are asked for while somebody looks, milliseconds. A box waits for days.
const PERIOD_MS: u32 = 10_000;

/// What waits. A handle: copies are the same thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitingBoxes {
    known: RwSignal<Option<Result<ListEnrollmentsResponse, Failure>>>,
    session: Session,
}

impl WaitingBoxes {
    /// Asks until the owner goes away, or may not know.
    pub(crate) fn start(session: Session) -> Self {
        let waiting = Self { known: RwSignal::new(None), session };
        background(async move {
            loop {
                let is_seen = browser::document().is_some_and(|document| !document.hidden());
                if is_seen && !waiting.ask().await {
                    return;
                }
                TimeoutFuture::new(PERIOD_MS).await;
            }
        });
        waiting
    }

    /// What is known: nothing yet, the first of them, or why not. A failure does not hide what was known.
    pub(crate) fn known(self) -> RwSignal<Option<Result<ListEnrollmentsResponse, Failure>>> {
        self.known
    }

    /// How many wait; 0 where that is not known.
    pub(crate) fn count(self) -> u32 {
        self.known.with(|known| match known {
            Some(Ok(list)) => list.waiting_count,
            Some(Err(_)) | None => 0,
        })
    }

    /// Asks now. False when there is no use in asking again.
    pub(crate) async fn ask(self) -> bool {
        let answer = enrollment::list().await;
        if let Err(failure) = &answer {
            self.session.notice(failure);
            // Whoever may not decide does not see what waits.
            if matches!(failure, Failure::Denied(_) | Failure::SignedOut) {
                self.known.try_set(Some(answer));
                return false;
            }
            if self.known.try_with_untracked(|known| matches!(known, Some(Ok(_)))) == Some(true) {
                return true;
            }
        }
        self.known.try_set(Some(answer)).is_none()
    }
}
