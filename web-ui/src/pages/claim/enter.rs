//! Entering the code by hand.

use crate::components::moving::words;
use crate::model::claim::{CODE_CHARACTERS, grouped, is_complete, normalize};
use crate::navigation::{History, Navigation};
use leptos::ev::SubmitEvent;
use leptos::prelude::*;

/// A field for the code. It goes into the address, as the QR code does it.
#[component]
pub(crate) fn EnterCode(code: String) -> impl IntoView {
    let typed = RwSignal::new(grouped(&code));
    let problem = RwSignal::new(None::<String>);
    let navigation = expect_context::<Navigation>();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let code = typed.get_untracked();
        if is_complete(&code) {
            navigation.go(&format!("/claim?code={}", normalize(&code)), History::Keep);
        } else {
            let missing = CODE_CHARACTERS - normalize(&code).len();
            let verb = if missing == 1 { "is" } else { "are" };
            problem.set(Some(format!("The code has {CODE_CHARACTERS} letters and digits; {missing} {verb} missing.")));
        }
    };
    view! {
        <form class="card claim-enter" on:submit=submit novalidate=true>
            <h1>"Add a box"</h1>
            <p class="quiet" id="code-help">"Enter the code that the box shows on its screen."</p>
            <div class="field">
                <label for="code">"Code"</label>
                <input
                    id="code"
                    class="code-input"
                    inputmode="text"
                    autocomplete="one-time-code"
                    autocapitalize="characters"
                    spellcheck="false"
                    maxlength="12"
                    placeholder="XXXX-XXXX"
                    aria-describedby="code-help code-problem"
                    prop:value=words(move || typed.get())
                    on:input=move |event| {
                        problem.set(None);
                        typed.set(grouped(&event_target_value(&event)));
                    }
                />
            </div>
            <p id="code-problem" class="field-problem reserve" role="alert">{problem}</p>
            <button class="button primary wide" type="submit">"Look for the box"</button>
        </form>
    }
}
