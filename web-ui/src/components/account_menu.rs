//! Who is signed in and where, what there is beyond boxes, the theme, and the way out.

use super::icon::{Icon, IconView};
use super::theme::ThemeChoice;
use crate::api::{account, organization as api};
use crate::browser::leave_for;
use crate::components::moving::{Views, background, effect, flag, memo, piece, pressed, words};
use crate::model::access::decides_sign_ups;
use crate::model::role::role_word;
use crate::navigation::Navigation;
use crate::organization;
use crate::session::Session;
use kaliun_proto::fleet::v1::Organization;
use leptos::ev;
use leptos::html::{Button, Div};
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

/// A button that opens a small panel. Escape, a click elsewhere and going to another page close it.
#[component]
pub(crate) fn AccountMenu() -> impl IntoView {
    let session = expect_context::<Session>();
    let route = expect_context::<Navigation>().route();
    let is_open = RwSignal::new(false);
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
    effect(move || {
        route.track();
        is_open.set(false);
    });

    let identity = session.identity();
    let name = move || identity.with(|identity| identity.name.clone());
    let email = move || identity.with(|identity| identity.email.clone());
    let organization = move || {
        identity.with(|identity| match (identity.organization_name.as_str(), role_word(identity.role())) {
            ("", _) => "no organization yet".to_owned(),
            (organization, "") => organization.to_owned(),
            (organization, role) => format!("{organization} · {role}"),
        })
    };
    let has_organization = session.may(|identity| !identity.organization_id.is_empty());
    let sees_sign_ups = session.may(decides_sign_ups);
    view! {
        <div class="account" node_ref=menu>
            <button
                class="button quiet-button account-button"
                type="button"
                node_ref=button
                aria-haspopup="true"
                aria-expanded=words(move || is_open.get().to_string())
                aria-controls="account-panel"
                on:click=pressed(move || is_open.update(|open| *open = !*open)
            )>
                <IconView icon=Icon::Person/>
                <span class="account-label">"Account"</span>
            </button>
            <div id="account-panel" class="panel" class:is-open=flag(move || is_open.get())>
                <div class="panel-head">
                    <p class="panel-email">{words(name)}</p>
                    <p class="quiet panel-address">{words(email)}</p>
                    <p class="quiet">{words(organization)}</p>
                </div>
                <nav class="panel-links" aria-label="Account">
                    <a href="/account">"Your account"</a>
                    {piece(move || has_organization.get().then(|| view! {
                        <a href="/organization">"Organization"</a>
                        <a href="/consents">"Support access"</a>
                    }))}
                    {piece(move || sees_sign_ups.get().then(|| view! { <a href="/sign-ups">"Sign-ups of this server"</a> }))}
                </nav>
                <OrganizationSwitch is_open/>
                <ThemeChoice/>
                <SignOut/>
            </div>
        </div>
    }
}

/// The person's organizations, to go to another one; asked for whenever the menu is opened.
#[component]
fn OrganizationSwitch(is_open: RwSignal<bool>) -> impl IntoView {
    let session = expect_context::<Session>();
    let known = RwSignal::new(Vec::<Organization>::new());
    let present = memo(move || session.identity().with(|identity| identity.organization_id.clone()));
    effect(move || {
        if is_open.get() {
            background(async move {
                // Without an answer there is nothing to switch to; everything else in the menu is there all the same.
                if let Ok(list) = api::list_mine().await {
                    known.try_set(list);
                }
            });
        }
    });
    view! {
        <div class="panel-links" role="group" aria-label="Organizations">
            {piece(move || {
                let present = present.get();
                known.get().into_iter().map(|one| {
                    let is_here = one.id == present;
                    let go = move || {
                        if !is_here {
                            organization::choose(&one.id);
                            leave_for("/");
                        }
                    };
                    view! {
                        <button type="button" class="panel-choice" aria-current=if is_here { "true" } else { "false" } on:click=pressed(go)>{one.name}</button>
                    }
                }).views()
            })}
            <a href="/organizations/new">"Make an organization"</a>
        </div>
    }
}

#[component]
fn SignOut() -> impl IntoView {
    let session = expect_context::<Session>();
    let is_busy = RwSignal::new(false);
    let trouble = RwSignal::new(None::<String>);
    let sign_out = move || {
        is_busy.set(true);
        background(async move {
            match account::sign_out().await {
                Ok(()) => session.end_everywhere(),
                Err(failure) => {
                    trouble.try_set(Some(format!("{} You are still signed in.", failure.sentence())));
                    session.notice(&failure);
                }
            }
            is_busy.try_set(false);
        });
    };
    view! {
        <button class="button" type="button" disabled=flag(move || is_busy.get()) on:click=pressed(sign_out)>"Sign out"</button>
        <p class="field-problem" role="alert">{trouble}</p>
    }
}
