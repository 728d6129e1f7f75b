//! What a mail says, before it is text or HTML.

/// Longest name that a letter repeats, in characters: others are cut. A name is written by somebody else than us, and is no place for a
/// letter of its own.
const NAME_CHARS_MAX: usize = 80;
/// Longest reason that a letter repeats, in characters.
const REASON_CHARS_MAX: usize = 600;

/// A letter. Both forms of a mail are made of it, so that they say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    /// One line.
    pub(super) subject: String,
    /// What it is about, in a few words.
    pub(super) heading: &'static str,
    /// One after another.
    pub(super) paragraphs: Vec<String>,
    /// What somebody else said, in their words.
    pub(super) quote: Option<String>,
    /// What to do now.
    pub(super) action: Option<Action>,
    /// What to do when it was not the reader who caused this.
    pub(super) otherwise: Option<&'static str>,
    /// Where it comes from: the public address of the control plane.
    pub(super) home: String,
}

/// A link, as a button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Action {
    /// What it does.
    pub(super) label: &'static str,
    /// Where it leads.
    pub(super) url: String,
    /// How long it works, in a sentence.
    pub(super) validity: Option<String>,
}

/// Of whom every mail says that it is.
pub(super) const BRAND: &str = "Kaliun Fleet";

impl Letter {
    /// A letter that only proves that mails arrive.
    pub(super) fn test(public_url: &str) -> Self {
        Self {
            subject: format!("Test mail from {BRAND}"),
            heading: "Mails arrive",
            paragraphs: vec![
                "Somebody who runs the control plane sent this to see whether its mail server works. It does."
                    .to_owned(),
            ],
            quote: None,
            action: None,
            otherwise: None,
            home: public_url.to_owned(),
        }
    }

    /// What stands below every letter.
    pub(super) fn footer(&self) -> String {
        format!("{BRAND} at {} sent this. Nobody reads answers to it.", self.home)
    }
}

/// A name as a letter repeats it: one line, not too long, with nothing that a mail program would make a link of or that would turn the
/// reading direction.
pub(super) fn name(text: &str) -> String {
    cut(&clean(text), NAME_CHARS_MAX)
}

/// Somebody's words as a letter repeats them.
pub(super) fn reason(text: &str) -> String {
    cut(&clean(text), REASON_CHARS_MAX)
}

fn clean(text: &str) -> String {
    let is_hidden = |char: char| matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let visible: String = text.chars().filter(|char| !is_hidden(*char)).collect();
    let words: Vec<&str> =
        visible.split(|char: char| char.is_control() || char.is_whitespace()).filter(|word| !word.is_empty()).collect();
    // "https://…" from a stranger's pen is no link of ours.
    words.join(" ").replace("://", ": //")
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_short_line() {
        let check = |text: &str, expected: &str| assert_eq!(name(text), expected, "{text:?}");
        check("Ada Lovelace", "Ada Lovelace");
        check("Ada\r\nBcc: everybody@example.org", "Ada Bcc: everybody@example.org");
        check("Ada\0\u{85}\u{2028}Lovelace", "Ada Lovelace");
        check("gro.elpmaxe\u{202e}", "gro.elpmaxe");
        check("see https://evil.example/a", "see https: //evil.example/a");
        check("https:\u{200b}//evil.example", "https: //evil.example");
        check("  ", "");
        assert_eq!(name(&"ä".repeat(500)).chars().count(), NAME_CHARS_MAX);
        let cut = reason(&"ä ".repeat(5_000));
        assert!(cut.chars().count() <= REASON_CHARS_MAX && cut.ends_with("ä…"), "{cut}");
    }
}
