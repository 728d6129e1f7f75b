//! A letter as plain text.

use super::letter::Letter;
use std::fmt::Write as _;

/// Writes a letter down. Lines are as long as their paragraphs: mail programs wrap them to the width there is.
pub(super) fn text(letter: &Letter) -> String {
    let mut text = format!("{}\n", letter.heading);
    let mut part = |part: &str| {
        // Writing to a String cannot fail.
        let _infallible = write!(text, "\n{part}\n");
    };
    letter.paragraphs.iter().for_each(|paragraph| part(paragraph));
    if let Some(quote) = &letter.quote {
        part(&format!("> {quote}"));
    }
    if let Some(action) = &letter.action {
        part(&format!("{}:\n{}", action.label, action.url));
        if let Some(validity) = &action.validity {
            part(validity);
        }
    }
    if let Some(otherwise) = letter.otherwise {
        part(otherwise);
    }
    // What follows this line is a signature to mail programs.
    part(&format!("-- \n{}", letter.footer()));
    text
}
