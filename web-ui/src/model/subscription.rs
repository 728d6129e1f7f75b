//! What a browser follows: the subscriptions of all its tabs as one request.

use super::by_id::ById;
use kaliun_proto::fleet::v1::subscription::What;
use kaliun_proto::fleet::v1::{DeviceListSubscription, DeviceSubscription, Subscription, WatchRequest};
use kaliun_types::limits::WATCH_SUBSCRIPTIONS_MAX;

/// A subscription under an id made of its content: two tabs that follow the same thing share one.
#[must_use]
pub fn subscription(what: What) -> Subscription {
    let content = match &what {
        What::DeviceList(list) => list_content(list),
        What::Device(DeviceSubscription { device_id }) => format!("device {device_id}"),
    };
    Subscription { id: format!("{:016x}", fingerprint(&content)), what: Some(what) }
}

fn list_content(list: &DeviceListSubscription) -> String {
    // Debug text quotes the strings, so that no two different lists give the same text.
    format!(
        "list {:?} {:?} {} {} {:?} {}",
        list.selector, list.name_contains, list.order, list.page_size, list.page_token, list.link_state
    )
}

/// FNV-1a over 64 bits: enough to tell some dozens of subscriptions apart, and the same in every tab.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What each tab wants. Owned by the tab that leads.
#[derive(Debug, Default)]
pub struct Wanted {
    tabs: ById<Vec<Subscription>>,
}

impl Wanted {
    /// Takes what a tab wants from now on. Says whether this tab was not known.
    pub fn set(&mut self, tab: &str, subscriptions: Vec<Subscription>) -> bool {
        self.tabs.set(tab, subscriptions)
    }

    /// Forgets a tab that is gone.
    pub fn remove(&mut self, tab: &str) {
        self.tabs.remove(tab);
    }

    /// The request for all tabs together; nothing when no tab follows anything. Beyond the server's bound the last
    /// in order of their ids go without: a person does not look at more than 32 things.
    #[must_use]
    pub fn request(&self) -> Option<WatchRequest> {
        let mut subscriptions: Vec<Subscription> = Vec::new();
        for subscription in self.tabs.iter().flat_map(|(_, wanted)| wanted) {
            // In order of their ids, so that the same wishes always give the same request.
            if let Err(place) = subscriptions.binary_search_by(|known| known.id.cmp(&subscription.id)) {
                subscriptions.insert(place, subscription.clone());
            }
        }
        subscriptions.truncate(WATCH_SUBSCRIPTIONS_MAX);
        (!subscriptions.is_empty()).then_some(WatchRequest { subscriptions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: &str) -> Subscription {
        subscription(What::Device(DeviceSubscription { device_id: id.to_owned() }))
    }

    #[test]
    fn the_same_thing_is_followed_once() {
        let mut wanted = Wanted::default();
        assert_eq!(wanted.request(), None);
        assert!(wanted.set("a", vec![device("1"), device("2")]));
        assert!(wanted.set("b", vec![device("2")]));
        assert_eq!(wanted.request().map(|request| request.subscriptions.len()), Some(2));
        assert!(!wanted.set("b", vec![device("3")]));
        assert_eq!(wanted.request().map(|request| request.subscriptions.len()), Some(3));
        wanted.remove("a");
        assert_eq!(wanted.request().map(|request| request.subscriptions), Some(vec![device("3")]));
    }

    #[test]
    fn the_request_is_bounded() {
        let mut wanted = Wanted::default();
        wanted.set("a", (0..100).map(|n| device(&n.to_string())).collect());
        assert_eq!(wanted.request().map(|request| request.subscriptions.len()), Some(WATCH_SUBSCRIPTIONS_MAX));
    }

    #[test]
    fn different_lists_have_different_ids() {
        let list = |name: &str, selector: &str| {
            let list = DeviceListSubscription {
                name_contains: name.to_owned(),
                selector: selector.to_owned(),
                ..DeviceListSubscription::default()
            };
            subscription(What::DeviceList(list)).id
        };
        assert_ne!(list("a", ""), list("", "a"));
        assert_eq!(list("a", ""), list("a", ""));
        assert!(list("a", "").len() <= 64);
    }
}
