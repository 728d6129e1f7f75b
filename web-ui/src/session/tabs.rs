//! What tabs of one browser tell each other about the session.
//!
//! Apart from the live channel, which belongs to one account in one organization: this one is there before anybody is signed in.

use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{BroadcastChannel, MessageEvent};

/// Name of the channel.
const NAME: &str = "kaliun.session.1";

/// What happened in another tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Somebody signed in.
    SignedIn,
    /// The session is over.
    SignedOut,
}

/// The other tabs of this browser.
#[derive(Debug)]
pub(super) struct OtherTabs {
    channel: BroadcastChannel,
}

impl OtherTabs {
    /// Listens to them; nothing in a browser without channels.
    pub(super) fn open(on_news: impl Fn(News) + 'static) -> Option<Self> {
        let channel = BroadcastChannel::new(NAME).ok()?;
        let callback = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            match event.data().as_string().as_deref() {
                Some("signed-in") => on_news(News::SignedIn),
                Some("signed-out") => on_news(News::SignedOut),
                // Of another version of this program.
                Some(_) | None => {}
            }
        });
        channel.set_onmessage(Some(callback.as_ref().unchecked_ref()));
        // Lives as long as the page.
        callback.forget();
        Some(Self { channel })
    }

    /// Tells all of them.
    pub(super) fn tell(&self, news: News) {
        let word = match news {
            News::SignedIn => "signed-in",
            News::SignedOut => "signed-out",
        };
        // It fails only on a closed channel, and this one is never closed.
        let _sent = self.channel.post_message(&word.into());
    }
}
