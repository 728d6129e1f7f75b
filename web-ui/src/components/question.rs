//! Asks once more before something that is not easily taken back: what will happen, to what, and how to undo it.

use crate::components::moving::{pressed, words};
use leptos::html::Dialog;
use leptos::prelude::*;

/// What is done after a yes.
type Deed = Box<dyn FnOnce()>;

/// The one question of the page. A handle: copies are the same thing.
#[derive(Clone, Copy)]
pub(crate) struct Asker {
    /// Title, text, and what stands on the button.
    question: RwSignal<[String; 3]>,
    deed: StoredValue<Option<Deed>, LocalStorage>,
    dialog: NodeRef<Dialog>,
}

impl Asker {
    /// Asks nothing yet.
    pub(crate) fn start() -> Self {
        Self { question: RwSignal::new(Default::default()), deed: StoredValue::new_local(None), dialog: NodeRef::new() }
    }

    /// Asks, and does it after a yes.
    pub(crate) fn ask(self, title: String, text: impl Into<String>, button: &str, deed: impl FnOnce() + 'static) {
        self.question.set([title, text.into(), button.to_owned()]);
        self.deed.set_value(Some(Box::new(deed)));
        if let Some(dialog) = self.dialog.get_untracked() {
            // It fails only for one that is open already.
            let _shown = dialog.show_modal();
        }
    }

    fn close(self) -> Option<Deed> {
        if let Some(dialog) = self.dialog.get_untracked() {
            dialog.close();
        }
        self.deed.try_update_value(Option::take).flatten()
    }
}

/// The dialog. The browser keeps the focus in it, closes it on Escape and gives the focus back.
#[component]
pub(crate) fn QuestionDialog() -> impl IntoView {
    let asker = expect_context::<Asker>();
    let part =
        move |index: usize| words(move || asker.question.with(|parts| parts.get(index).cloned().unwrap_or_default()));
    let yes = move || {
        if let Some(deed) = asker.close() {
            deed();
        }
    };
    view! {
        <dialog class="question" node_ref=asker.dialog aria-labelledby="question-title" aria-describedby="question-text" on:close=move |_| asker.deed.set_value(None)>
            <h2 id="question-title">{part(0)}</h2>
            <p id="question-text">{part(1)}</p>
            <div class="actions">
                <button class="button" type="button" autofocus=true on:click=pressed(move || drop(asker.close()))>"Cancel"</button>
                <button class="button danger" type="button" on:click=pressed(yes)>{part(2)}</button>
            </div>
        </dialog>
    }
}
