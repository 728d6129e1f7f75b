//! The broadcast channel between the tabs of this browser.

use super::tab_message::TabMessage;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::closure::Closure;
use web_sys::{BroadcastChannel, MessageEvent};

/// Name of the channel, before whose it is; changes with the form of the messages, so that tabs of two versions do not talk past each
/// other.
const NAME: &str = "kaliun.live.2";

/// One end of the channel. A message does not come back to the tab that sent it.
pub(crate) struct Channel {
    channel: BroadcastChannel,
}

impl Channel {
    /// Opens the one of these tabs; nothing in a browser without it.
    pub(crate) fn open(whose: &str, on_message: impl Fn(TabMessage) + 'static) -> Option<Self> {
        let channel = BroadcastChannel::new(&format!("{NAME}.{whose}")).ok()?;
        let callback = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(message) = TabMessage::from_js(&event.data()) {
                on_message(message);
            }
        });
        channel.set_onmessage(Some(callback.as_ref().unchecked_ref()));
        // Lives as long as the page.
        callback.forget();
        Some(Self { channel })
    }

    /// Tells all other tabs.
    pub(crate) fn send(&self, message: &TabMessage) {
        // It fails only on a closed channel, and this one is never closed.
        let _sent = self.channel.post_message(&message.to_js());
    }
}
