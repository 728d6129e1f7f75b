//! What a call came to, in a form that can be compared and searched.

use std::fmt::Debug;
use tonic::{Code, Response, Status};

/// What a call came to.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// What was asked.
    pub(crate) question: &'static str,
    /// What it amounts to: all that may depend on the handles, and nothing that differs from one call to the next.
    pub(crate) essence: Result<String, (Code, String)>,
    /// All of it but what the caller brought along.
    pub(crate) whole: String,
    /// Whether whoever owns the handles gets another answer than a stranger.
    pub(crate) owner_differs: bool,
}

impl Answer {
    /// Takes the outcome of a call; `essence` says what an answer amounts to.
    pub(crate) fn new<T: Debug>(
        question: &'static str,
        outcome: Result<T, Status>,
        essence: impl FnOnce(&T) -> String,
    ) -> Self {
        let whole = outcome.as_ref().map_or_else(|_refused| String::new(), |answer| format!("{answer:?}"));
        let essence = outcome.as_ref().map(essence).map_err(|status| (status.code(), status.message().to_owned()));
        Self { question, essence, whole, owner_differs: true }
    }

    /// As `new`, for a unary call.
    pub(crate) fn unary<T: Debug>(
        question: &'static str,
        outcome: Result<Response<T>, Status>,
        essence: impl FnOnce(&T) -> String,
    ) -> Self {
        Self::new(question, outcome.map(Response::into_inner), essence)
    }

    /// The same for whoever asks: there is nothing of the handles in it.
    pub(crate) fn same_for_the_owner(self) -> Self {
        Self { owner_differs: false, ..self }
    }
}

/// Several things in one text.
pub(crate) fn listed<T: AsRef<str>>(things: impl IntoIterator<Item = T>) -> String {
    things.into_iter().fold(String::new(), |text, thing| text + thing.as_ref() + "\n")
}
