//! Who is signed in, the theme, and the way out.

use super::icon::{Icon, IconView};
use super::theme::ThemeChoice;
use crate::api::account;
use crate::components::moving::{background, flag, memo, words};
use crate::live::Live;
use crate::session::{Session, SessionState};
use kaliun_proto::fleet::v1::Role;
use leptos::ev;
use leptos::html::{Button, Div};
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

/// A button that opens a small panel. Escape and a click elsewhere close it.
#[component]
pub(crate) fn AccountMenu() -> impl IntoView {
    let session = expect_context::<Session>();
    let live = expect_context::<Live>();
    let is_open = RwSignal::new(false);
    let is_busy = RwSignal::new(false);
    let trouble = RwSignal::new(None::<String>);
    let button = NodeRef::<Button>::new();
    let menu = NodeRef::<Div>::new();

    let on_key = window_event_listener(ev::keydown, move |event| {
        if event.key() == "Escape" && is_open.get_untracked() {
            is_open.set(false);
            if let Some(button) = button.get_untracked() {
                // Focusing an element of the page cannot fail.
                let _focused = button.focus();
            }
        }
    });
    let on_click = window_event_listener(ev::pointerdown, move |event| {
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Node>().ok());
        if is_open.get_untracked() && !menu.get_untracked().is_some_and(|menu| menu.contains(target.as_ref())) {
            is_open.set(false);
        }
    });
    on_cleanup(move || {
        on_key.remove();
        on_click.remove();
    });

    let sign_out = move |_| {
        is_busy.set(true);
        background(async move {
            match account::sign_out().await {
                Ok(()) => live.session_ended(),
                Err(failure) => {
                    trouble.set(Some(format!("{} You are still signed in.", failure.sentence())));
                    session.notice(&failure);
                }
            }
            is_busy.try_set(false);
        });
    };
    let identity = memo(move || match session.state().get() {
        SessionState::In(identity) => Some(identity),
        SessionState::Asking | SessionState::Unreachable | SessionState::Out { .. } => None,
    });
    let email = move || identity.with(|identity| identity.as_ref().map(|identity| identity.email.clone()));
    let organization = move || {
        identity.with(|identity| {
            identity.as_ref().map(|identity| format!("{} · {}", identity.organization_name, role_word(identity.role())))
        })
    };
    view! {
        <div class="account" node_ref=menu>
            <button
                class="button quiet-button account-button"
                type="button"
                node_ref=button
                aria-haspopup="true"
                aria-expanded=words(move || is_open.get().to_string())
                aria-controls="account-panel"
                on:click=move |_| is_open.update(|open| *open = !*open)
            >
                <IconView icon=Icon::Person/>
                <span class="account-label">"Account"</span>
            </button>
            <div id="account-panel" class="panel" class:is-open=flag(move || is_open.get())>
                <div class="panel-head">
                    <p class="panel-email">{email}</p>
                    <p class="quiet">{organization}</p>
                </div>
                <ThemeChoice/>
                <button class="button" type="button" disabled=flag(move || is_busy.get()) on:click=sign_out>"Sign out"</button>
                <p class="field-problem" role="alert">{trouble}</p>
            </div>
        </div>
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Admin => "administrator",
        Role::Operator => "operator",
        Role::Support => "support",
        Role::Viewer | Role::Unspecified => "viewer",
    }
}
