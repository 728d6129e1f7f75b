//! Which rows of a list are drawn while it grows.

/// What is drawn next: of the rows that are wanted, in their order, those that are drawn already and at most `most` new ones.
/// Says whether that is all of them.
#[must_use]
pub fn draw_some(drawn: &[String], wanted: &[String], most: usize) -> (Vec<String>, bool) {
    let mut left = most;
    let mut is_drawn = |id: &&String| {
        if drawn.contains(id) {
            return true;
        }
        let fits = left > 0;
        left = left.saturating_sub(1);
        fits
    };
    let next: Vec<String> = wanted.iter().filter(|id| is_drawn(id)).cloned().collect();
    let is_all = next.len() == wanted.len();
    (next, is_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    fn check(drawn: &str, wanted: &str, expected: &str, is_all: bool) {
        assert_eq!(draw_some(&rows(drawn), &rows(wanted), 2), (rows(expected), is_all), "{drawn} then {wanted}");
    }

    #[test]
    fn new_rows_come_some_at_a_time() {
        check("", "", "", true);
        check("", "a b", "a b", true);
        check("", "a b c d e", "a b", false);
        check("a b", "a b c d e", "a b c d", false);
        check("a b c d", "a b c d e", "a b c d e", true);
    }

    #[test]
    fn rows_that_are_drawn_stay_wherever_they_go() {
        check("a b c", "c x b y a z", "c x b y a", false);
        check("a b c", "b", "b", true);
    }
}
