//! Letting a machine in that has no browser: the page that `fleetctl login` names.

use crate::api::login;
use crate::browser::set_title;
use crate::clock::Clock;
use crate::components::form::{Form, FormView, Problem};
use crate::components::moving::{effect, entered, flag, memo, piece, pressed, words};
use crate::components::notice::Notice;
use crate::components::time::Until;
use crate::model::login::{grouped, normalize, problem};
use crate::model::mark::Tone;
use crate::navigation::{History, Navigation};
use crate::session::Session;
use kaliun_proto::fleet::v1::LookUpLoginResponse;
use leptos::prelude::*;

/// The page: `/login-device?code=…`.
#[component]
pub(crate) fn LoginDevicePage() -> impl IntoView {
    set_title("Let a machine in");
    let navigation = expect_context::<Navigation>();
    let code = memo(move || normalize(&navigation.query_value("code")));
    let found = RwSignal::new(None::<LookUpLoginResponse>);
    let decided = RwSignal::new(None::<bool>);
    let form = Form::new("");
    let typed = RwSignal::new(grouped(&code.get_untracked()));
    let look_up = move |code: String| {
        form.send(async move {
            found.try_set(Some(login::look_up(code).await?));
            Ok(())
        });
    };
    effect(move || {
        let code = code.get();
        typed.set(grouped(&code));
        found.set(None);
        decided.set(None);
        if problem(&code).is_none() {
            look_up(code);
        }
    });
    form.on_submit(move || {
        let entered = normalize(&typed.get_untracked());
        if form.refuses("user_code", problem(&entered)) {
            return;
        }
        if entered == code.get_untracked() {
            // The address would not change, and so would nothing else.
            look_up(entered);
        } else {
            navigation.go(&format!("/login-device?code={entered}"), History::Replace);
        }
    });
    view! {
        <div class="narrow">
            {piece(move || match (found.get(), decided.get()) {
                (Some(_), Some(is_yes)) => view! { <Decided is_yes/> }.into_any(),
                (Some(asks), None) => view! { <Decide asks code=code.get_untracked() decided/> }.into_any(),
                (None, _) => view! {
                    <FormView form submit="Go on" class="card form claim-enter" is_wide=true>
                        <h1>"Let a machine in"</h1>
                        <p class="quiet">"Enter the code that fleetctl login shows in the terminal."</p>
                        <CodeField form typed/>
                    </FormView>
                }.into_any(),
            })}
        </div>
    }
}

/// The field for the code; it puts the hyphen where it belongs.
#[component]
fn CodeField(form: Form, typed: RwSignal<String>) -> impl IntoView {
    let wrong = form.field("user_code");
    view! {
        <div class="field">
            <label for="user_code">"Code"</label>
            <input
                id="user_code"
                class="code-input"
                autocomplete="one-time-code"
                autocapitalize="characters"
                spellcheck="false"
                maxlength="12"
                placeholder="XXXX-XXXX"
                autofocus=true
                aria-describedby="user_code-problem"
                aria-invalid=words(move || wrong.with(|problem| problem.is_some().to_string()))
                prop:value=words(move || typed.get())
                on:input=entered(move |text| typed.set(grouped(&text)))
            />
            <Problem id="user_code-problem".to_owned() text=wrong/>
        </div>
    }
}

/// What asks, and the decision.
#[component]
fn Decide(asks: LookUpLoginResponse, code: String, decided: RwSignal<Option<bool>>) -> impl IntoView {
    let clock = expect_context::<Clock>();
    let email = expect_context::<Session>().identity().with_untracked(|identity| identity.email.clone());
    let expires_at = asks.expires_at_ms;
    let has_expired = memo(move || expires_at > 0 && clock.server.get() >= expires_at);
    let form = Form::new("");
    let source = if asks.source_address.is_empty() { "not known".to_owned() } else { asks.source_address };
    let shown_code = grouped(&code);
    let code = StoredValue::new(code);
    let decide = move |is_yes: bool| {
        let code = code.get_value();
        form.send(async move {
            login::decide(code, is_yes).await?;
            decided.try_set(Some(is_yes));
            Ok(())
        });
    };
    view! {
        <header class="answer">
            <h1 class="answer-line">"Did you start this sign-in?"</h1>
            <p class="answer-detail">"Code "<span class="mono">{shown_code}</span>" · runs out "<Until at_ms=expires_at/></p>
        </header>
        <Notice tone=Tone::Warning title="Only go on if you started this yourself, just now." text="Whoever sent you this link or this code could act as you."/>
        <section class="card own-words" aria-labelledby="words-title">
            <div class="card-head"><h2 id="words-title">"What wants to sign in"</h2><span class="label">"its own words"</span></div>
            <dl class="facts">
                <div class="fact"><dt>"Machine"</dt><dd>{asks.client}</dd></div>
                <div class="fact"><dt>"Asks from"</dt><dd>{source}<span class="quiet">" (seen by the server)"</span></dd></div>
                <div class="fact"><dt>"Will act as"</dt><dd>{email}</dd></div>
            </dl>
        </section>
        {piece(move || if has_expired.get() {
            view! { <Notice tone=Tone::Bad title="The code has run out." text="Run fleetctl login again; it shows another one."/> }.into_any()
        } else {
            view! {
                <section class="card">
                    <p class="quiet">"It stays signed in until you sign it out: with fleetctl logout there, or under “Sessions” of your account."</p>
                    <Problem text=form.general()/>
                    <div class="actions card-part">
                        <button class="button primary" type="button" disabled=flag(move || form.is_busy().get()) on:click=pressed(move || decide(true))>"Let it in"</button>
                        <button class="button danger" type="button" disabled=flag(move || form.is_busy().get()) on:click=pressed(move || decide(false))>"Turn it away"</button>
                    </div>
                </section>
            }.into_any()
        })}
    }
}

#[component]
fn Decided(is_yes: bool) -> impl IntoView {
    let (title, text) = if is_yes {
        ("The machine is signed in.", "Go back to the terminal; it goes on by itself. You can close this page.")
    } else {
        ("It was turned away.", "Nobody was let in. If you did not start it, there is nothing more to do.")
    };
    view! {
        <section class="empty" role="status">
            <h1>{title}</h1>
            <p>{text}</p>
            <div class="actions"><a class="button" href="/">"Go to the start"</a><a class="button" href="/account">"Show my sessions"</a></div>
        </section>
    }
}
