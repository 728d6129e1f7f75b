//! The code that `fleetctl login` shows.

/// Letters of a code.
const CODE_LETTERS: usize = 8;
/// A code as a terminal shows it, to compare with.
const EXAMPLE: &str = "BDWP-HQPK";

/// What of a typed text can belong to a code: letters, upper case, at most eight.
#[must_use]
pub fn normalize(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).take(CODE_LETTERS).collect()
}

/// The code as the terminal shows it: two groups of four.
#[must_use]
pub fn grouped(text: &str) -> String {
    let code = normalize(text);
    match code.split_at_checked(CODE_LETTERS / 2) {
        Some((left, right)) if !right.is_empty() => format!("{left}-{right}"),
        Some(_) | None => code,
    }
}

/// What is wrong with a code, as a sentence; nothing when it may be one.
#[must_use]
pub fn problem(text: &str) -> Option<String> {
    let code = normalize(text);
    if let Some(digit) = code.chars().find(char::is_ascii_digit) {
        return Some(format!("A code has letters only, such as {EXAMPLE}; {digit} is none."));
    }
    let missing = CODE_LETTERS.saturating_sub(code.len());
    let verb = if missing == 1 { "is" } else { "are" };
    (missing > 0).then(|| format!("A code has {CODE_LETTERS} letters, such as {EXAMPLE}; {missing} {verb} missing."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        assert_eq!(grouped("bdwp hqpk"), "BDWP-HQPK");
        assert_eq!(grouped("BDWP-HQPK-more"), "BDWP-HQPK");
        assert_eq!(grouped("bdw"), "BDW");
        assert_eq!(grouped("bdwp"), "BDWP");
        assert_eq!(problem("bdwp-hqpk"), None);
    }

    #[test]
    fn what_is_no_code_is_told_what_is_wrong() {
        let says = |text: &str, what: &str| assert!(problem(text).is_some_and(|told| told.contains(what)), "{text:?}");
        says("", "8 are missing");
        says("bdwp-hqp", "1 is missing");
        says("BDWP-HQP1", "1 is none");
    }
}
