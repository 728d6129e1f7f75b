//! Entering the code by hand.

use crate::components::moving::{entered, submitted, words};
use crate::model::claim::{grouped, incomplete, is_complete, normalize};
use crate::navigation::{History, Navigation};
use leptos::prelude::*;

/// A field for the code. It goes into the address, as the QR code does it; `look_again` takes the one that is there already. With
/// a part of a code it says what is missing.
#[component]
pub(crate) fn EnterCode(title: &'static str, code: String, look_again: impl Fn(String) + 'static) -> impl IntoView {
    // Below what was said of a code this is not the page's first heading.
    let code_is_known = is_complete(&code);
    let typed = RwSignal::new(grouped(&code));
    let problem = RwSignal::new(if code.is_empty() { None } else { incomplete(&code) });
    let navigation = expect_context::<Navigation>();
    let submit = move || {
        let entered = normalize(&typed.get_untracked());
        match incomplete(&entered) {
            // The address would not change, and so would nothing else.
            None if entered == code => look_again(entered),
            None => navigation.go(&format!("/claim?code={entered}"), History::Keep),
            missing @ Some(_) => problem.set(missing),
        }
    };
    view! {
        <form class="card claim-enter" on:submit=submitted(submit) novalidate=true>
            {if code_is_known { view! { <h2>{title}</h2> }.into_any() } else { view! { <h1>{title}</h1> }.into_any() }}
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
                    aria-invalid=words(move || problem.with(|problem| problem.is_some().to_string()))
                    prop:value=words(move || typed.get())
                    on:input=entered(move |text| {
                        problem.set(None);
                        typed.set(grouped(&text));
                    })
                />
            </div>
            <p id="code-problem" class="field-problem reserve" role="alert">{problem}</p>
            <button class="button primary wide" type="submit">"Look for the box"</button>
        </form>
    }
}
