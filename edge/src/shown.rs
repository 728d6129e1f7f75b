//! A text for whoever stands before the box: claim codes and what leads to them, check characters. It does not print itself.

use serde::Serialize;
use std::fmt;

/// The text, in no log: whoever knows a box's code can claim it.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Shown(String);

impl Shown {
    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_empty() { "Shown(nothing)" } else { "Shown(redacted)" })
    }
}
