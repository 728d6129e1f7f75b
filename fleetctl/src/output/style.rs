//! Colour, as a help for the eye. Meaning never depends on it: each toned word says the same without.

use owo_colors::OwoColorize as _;

/// What a piece of text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Wants attention.
    Warning,
    /// Broken.
    Bad,
    /// Background.
    Faint,
    /// A heading.
    Heading,
}

/// Colours a text, or leaves it.
pub(crate) fn paint(text: &str, tone: Tone, color: bool) -> String {
    if !color || text.is_empty() {
        return text.to_owned();
    }
    match tone {
        Tone::Plain => text.to_owned(),
        Tone::Good => text.green().to_string(),
        Tone::Warning => text.yellow().to_string(),
        Tone::Bad => text.red().to_string(),
        Tone::Faint => text.dimmed().to_string(),
        Tone::Heading => text.bold().to_string(),
    }
}
