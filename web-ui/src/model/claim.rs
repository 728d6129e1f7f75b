//! The code on a box's screen.

/// Characters of a claim code.
pub const CODE_CHARACTERS: usize = 8;

/// What of a typed or scanned text can belong to a code: letters and digits, upper case, at most eight.
#[must_use]
pub fn normalize(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).take(CODE_CHARACTERS).collect()
}

/// The code as the box shows it: two groups of four.
#[must_use]
pub fn grouped(text: &str) -> String {
    let code = normalize(text);
    match code.split_at_checked(CODE_CHARACTERS / 2) {
        Some((left, right)) if !right.is_empty() => format!("{left}-{right}"),
        Some(_) | None => code,
    }
}

/// Whether all eight characters are there.
#[must_use]
pub fn is_complete(text: &str) -> bool {
    normalize(text).len() == CODE_CHARACTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        assert_eq!(grouped("k7m2 q9xa"), "K7M2-Q9XA");
        assert_eq!(grouped("K7M2-Q9XA-more"), "K7M2-Q9XA");
        assert_eq!(grouped("k7m"), "K7M");
        assert_eq!(grouped("k7m2"), "K7M2");
        assert!(is_complete("k7m2-q9xa"));
        assert!(!is_complete("k7m2-q9x"));
    }
}
