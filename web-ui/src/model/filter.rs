//! What the list is narrowed to, as it stands in the page's address.

use kaliun_proto::fleet::v1::{DeviceListSubscription, DeviceOrder, LinkState};
use kaliun_types::selector::Selector;

/// Rows of one page. A phone scrolls through it; a screen shows half of it.
pub const PAGE_SIZE: u32 = 50;

/// The list's filter as a person set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What was typed: part of a name, or a label selector.
    pub text: String,
    /// Connected, not connected, or both.
    pub link_state: LinkState,
    /// What comes first.
    pub order: DeviceOrder,
}

impl Default for Filter {
    fn default() -> Self {
        Self { text: String::new(), link_state: LinkState::Unspecified, order: DeviceOrder::Health }
    }
}

/// How a typed text is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// Nothing typed.
    All,
    /// Part of a name.
    Name(String),
    /// Labels.
    Labels(String),
    /// Meant as labels, but not well formed. With what is wrong.
    Invalid(String),
}

/// Reads the search field. A text with one of `= ! ( ,` is about labels, anything else about names.
#[must_use]
pub fn search(text: &str) -> Search {
    let text = text.trim();
    if text.is_empty() {
        return Search::All;
    }
    if !text.contains(['=', '!', '(', ',']) {
        return Search::Name(text.to_lowercase());
    }
    match Selector::parse(text) {
        Ok(_) => Search::Labels(text.to_owned()),
        Err(invalid) => Search::Invalid(format!(
            "At character {}: {}. Write labels as site=graz.",
            invalid.position, invalid.problem
        )),
    }
}

/// Whether a list leaves boxes out.
#[must_use]
pub fn is_selection(list: &DeviceListSubscription) -> bool {
    let any = i32::from(LinkState::Unspecified);
    !list.selector.is_empty() || !list.name_contains.is_empty() || list.link_state != any
}

impl Filter {
    /// What to ask the server for; nothing while the search field is not well formed.
    #[must_use]
    pub fn subscription(&self, page_token: &str) -> Option<DeviceListSubscription> {
        let (name_contains, selector) = match search(&self.text) {
            Search::All => (String::new(), String::new()),
            Search::Name(name) => (name, String::new()),
            Search::Labels(selector) => (String::new(), selector),
            Search::Invalid(_) => return None,
        };
        Some(DeviceListSubscription {
            selector,
            name_contains,
            order: self.order.into(),
            page_size: PAGE_SIZE,
            page_token: page_token.to_owned(),
            link_state: self.link_state.into(),
        })
    }

    /// Whether anything is left out.
    #[must_use]
    pub fn narrows(&self) -> bool {
        !self.text.trim().is_empty() || self.link_state != LinkState::Unspecified
    }

    /// Reads the state's word as it stands in the address; anything unknown means both.
    #[must_use]
    pub fn link_state_from(word: &str) -> LinkState {
        match word {
            "online" => LinkState::Online,
            "offline" => LinkState::Offline,
            _ => LinkState::Unspecified,
        }
    }

    /// The state's word for the address; empty for both.
    #[must_use]
    pub const fn link_state_word(state: LinkState) -> &'static str {
        match state {
            LinkState::Online => "online",
            LinkState::Offline => "offline",
            LinkState::Unspecified => "",
        }
    }

    /// Reads the order's word as it stands in the address; anything unknown means gravest first.
    #[must_use]
    pub fn order_from(word: &str) -> DeviceOrder {
        match word {
            "name" => DeviceOrder::Name,
            "change" => DeviceOrder::LinkSince,
            "newest" => DeviceOrder::Enrolled,
            _ => DeviceOrder::Health,
        }
    }

    /// The order's word for the address; empty for gravest first.
    #[must_use]
    pub const fn order_word(order: DeviceOrder) -> &'static str {
        match order {
            DeviceOrder::Name => "name",
            DeviceOrder::LinkSince => "change",
            DeviceOrder::Enrolled => "newest",
            DeviceOrder::Health | DeviceOrder::Unspecified => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_name_or_labels() {
        assert_eq!(search("  "), Search::All);
        assert_eq!(search(" Cellar "), Search::Name("cellar".to_owned()));
        assert_eq!(search("site=graz,!retired"), Search::Labels("site=graz,!retired".to_owned()));
        assert!(matches!(search("site=graz,"), Search::Invalid(problem) if problem.starts_with("At character 11")));
    }

    #[test]
    fn a_selection_leaves_boxes_out() {
        let list = |text: &str, link_state| {
            Filter { text: text.to_owned(), link_state, ..Filter::default() }.subscription("7")
        };
        let is_selection = |text, link_state| list(text, link_state).is_some_and(|list| is_selection(&list));
        assert!(!is_selection("  ", LinkState::Unspecified));
        assert!(is_selection("attic", LinkState::Unspecified));
        assert!(is_selection("site=graz", LinkState::Unspecified));
        assert!(is_selection("", LinkState::Offline));
    }

    #[test]
    fn words_in_the_address_read_back() {
        for state in [LinkState::Unspecified, LinkState::Online, LinkState::Offline] {
            assert_eq!(Filter::link_state_from(Filter::link_state_word(state)), state);
        }
        for order in [DeviceOrder::Health, DeviceOrder::Name, DeviceOrder::LinkSince, DeviceOrder::Enrolled] {
            assert_eq!(Filter::order_from(Filter::order_word(order)), order);
        }
    }
}
