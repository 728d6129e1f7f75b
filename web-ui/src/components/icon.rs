//! Small drawings that stand beside words. Hidden from screen readers.

use leptos::prelude::*;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    Boxes,
    Home,
    Plus,
    Person,
    Search,
    Back,
    Next,
    Down,
    Bell,
}

/// One icon, in the colour of the text around it.
#[component]
pub(crate) fn IconView(icon: Icon) -> impl IntoView {
    let path = match icon {
        Icon::Boxes => "M4 4.5h12v4.6H4zM4 10.9h12v4.6H4zM6.6 6.8h.1M6.6 13.2h.1",
        Icon::Home => "M3.5 9.3 10 3.5l6.5 5.8v6a1.2 1.2 0 0 1-1.2 1.2H4.7a1.2 1.2 0 0 1-1.2-1.2z",
        Icon::Plus => "M10 4v12M4 10h12",
        Icon::Person => "M10 10a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM3.8 16.6a6.4 6.4 0 0 1 12.4 0",
        Icon::Search => "M8.8 14.4a5.6 5.6 0 1 0 0-11.2 5.6 5.6 0 0 0 0 11.2zM13 13l3.8 3.8",
        Icon::Back => "M12 4.5 6.5 10l5.5 5.5",
        Icon::Next => "M8 4.5 13.5 10 8 15.5",
        Icon::Down => "M5 7.8 10 12.8l5-5",
        Icon::Bell => {
            "M10 3.2a4.6 4.6 0 0 0-4.6 4.6c0 4-1.6 5.2-1.6 5.2h12.4s-1.6-1.2-1.6-5.2A4.6 4.6 0 0 0 10 3.2zM8.5 16a1.6 1.6 0 0 0 3 0"
        }
    };
    view! {
        <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false"><path d=path></path></svg>
    }
}
