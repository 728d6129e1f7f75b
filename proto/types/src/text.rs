//! Places in a text, for people who look for them.

/// The line of a byte, counted from 1. A place behind the end is on the last line.
#[must_use]
pub fn line_of(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let text = "a\nb\n\nc";
        let lines: Vec<usize> = (0..8).map(|byte| line_of(text, byte)).collect();
        assert_eq!(lines, [1, 1, 2, 2, 3, 4, 4, 4]);
    }
}
