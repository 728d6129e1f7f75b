//! Moving parts of a view, each kind as one type.
//!
//! Every closure has a type of its own, and Leptos compiles its whole machinery once for each. Boxed, all closures of a kind
//! share one copy: that is what keeps the download inside its budget.

use leptos::prelude::*;
use std::pin::Pin;
use web_sys::{Event, MouseEvent, SubmitEvent};

/// A text that moves.
pub(crate) fn words<T: Into<String>>(words: impl Fn() -> T + Send + 'static) -> Box<dyn FnMut() -> String + Send> {
    Box::new(move || words().into())
}

/// A yes or no that moves.
pub(crate) fn flag(is_so: impl Fn() -> bool + Send + 'static) -> Box<dyn FnMut() -> bool + Send> {
    Box::new(is_so)
}

/// A piece of a view that moves.
pub(crate) fn piece<V: IntoAny>(piece: impl Fn() -> V + Send + 'static) -> Box<dyn FnMut() -> AnyView + Send> {
    Box::new(move || piece().into_any())
}

/// A value worked out of others, only when they change.
pub(crate) fn memo<T: PartialEq + Send + Sync + 'static>(value: impl Fn() -> T + Send + Sync + 'static) -> Memo<T> {
    fn shared<T: PartialEq + Send + Sync + 'static>(value: Box<dyn Fn() -> T + Send + Sync>) -> Memo<T> {
        Memo::new(move |_| value())
    }
    shared(Box::new(value))
}

/// Something to do whenever what it reads changes.
pub(crate) fn effect(action: impl Fn() + 'static) {
    fn shared(action: Box<dyn Fn()>) {
        Effect::new(action);
    }
    shared(Box::new(action));
}

/// What a press of a button does.
pub(crate) fn pressed(mut action: impl FnMut() + 'static) -> Box<dyn FnMut(MouseEvent)> {
    Box::new(move |_| action())
}

/// What typing into a field or choosing in it does, with its value.
pub(crate) fn entered(mut action: impl FnMut(String) + 'static) -> Box<dyn FnMut(Event)> {
    Box::new(move |event| action(event_target_value(&event)))
}

/// What sending a form does.
pub(crate) fn submitted(mut action: impl FnMut() + 'static) -> Box<dyn FnMut(SubmitEvent)> {
    Box::new(move |event| {
        event.prevent_default();
        action();
    })
}

/// Views of one kind, collected as one type.
pub(crate) trait Views {
    /// All of them, in order.
    fn views(self) -> Vec<AnyView>;
}

impl<I: Iterator<Item: IntoAny>> Views for I {
    fn views(self) -> Vec<AnyView> {
        self.map(IntoAny::into_any).collect()
    }
}

/// Something to do in the background, such as a call.
pub(crate) fn background(future: impl Future<Output = ()> + 'static) {
    fn shared(future: Pin<Box<dyn Future<Output = ()>>>) {
        leptos::task::spawn_local(future);
    }
    shared(Box::pin(future));
}
