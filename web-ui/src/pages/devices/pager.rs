//! From page to page of a long list.

use crate::components::icon::{Icon, IconView};
use crate::components::moving::{flag, memo, pressed, words};
use leptos::prelude::*;

/// Forward and back; not there while everything fits on one page.
#[component]
pub(crate) fn Pager(pages: RwSignal<Vec<String>>, next_page_token: Memo<String>) -> impl IntoView {
    let has_before = memo(move || !pages.with(Vec::is_empty));
    let has_next = memo(move || !next_page_token.with(String::is_empty));
    let go_top = || {
        if let Some(window) = web_sys::window() {
            window.scroll_to_with_x_and_y(0.0, 0.0);
        }
    };
    let back = move || {
        pages.update(|pages| {
            pages.pop();
        });
        go_top();
    };
    let forward = move || {
        let token = next_page_token.get_untracked();
        if !token.is_empty() {
            pages.update(|pages| pages.push(token));
            go_top();
        }
    };
    view! {
        <nav class="pager" aria-label="Pages" class:is-hidden=flag(move || !has_before.get() && !has_next.get())>
            <button class="button" type="button" disabled=flag(move || !has_before.get()) on:click=pressed(back)>
                <IconView icon=Icon::Back/>"Back"
            </button>
            <span class="quiet">{words(move || format!("Page {}", pages.with(Vec::len) + 1))}</span>
            <button class="button" type="button" disabled=flag(move || !has_next.get()) on:click=pressed(forward)>
                "Next"<IconView icon=Icon::Next/>
            </button>
        </nav>
    }
}
