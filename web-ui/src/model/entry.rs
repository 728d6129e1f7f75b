//! Rows of lists, in one form for all of them: people, invitations, sessions, tokens, homes, requests.

pub mod key;
pub mod person;
pub mod place;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// What the row is about, for calls. Unique in its list.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// A word beside that; empty for none.
    pub label: String,
    /// What stands below; empty for nothing.
    pub text: String,
    /// When things were, or will be.
    pub moments: Vec<Moment>,
    /// The page of it, an address of this dashboard; empty for none.
    pub href: String,
    /// The present value of what can be chosen in the row, such as a role's word; empty where there is nothing.
    pub value: String,
    /// Whether it is the person at the keyboard, or this session.
    pub is_own: bool,
    /// Whether it is over, so that there is nothing to do with it.
    pub is_over: bool,
}

/// A time with the words before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For example "joined".
    pub words: &'static str,
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
}

impl Entry {
    /// Adds a time, unless there is none.
    #[must_use]
    fn at(mut self, words: &'static str, at_ms: i64) -> Self {
        if at_ms > 0 {
            self.moments.push(Moment { words, at_ms });
        }
        self
    }
}

/// The name, or the address of somebody who has none; and the address, where it is not said yet.
fn name_and_address(name: &str, email: &str) -> (String, String) {
    if name.is_empty() { (email.to_owned(), String::new()) } else { (name.to_owned(), email.to_owned()) }
}
