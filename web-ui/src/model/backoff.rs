//! How long to wait before trying again.

/// The first wait, milliseconds: a restart of the server is over in about a second.
const FIRST_MS: f64 = 500.0;
/// The longest wait, milliseconds: what a person in front of a screen bears.
const LONGEST_MS: f64 = 15_000.0;

/// Milliseconds before attempt `attempt` (counted from 0). `random` is from 0 to 1 and spreads many browsers over the time.
#[must_use]
pub fn wait_ms(attempt: u32, random: f64) -> u32 {
    let full = (FIRST_MS * f64::from(attempt.min(16)).exp2()).min(LONGEST_MS);
    let wait = full * (0.5 + 0.5 * random.clamp(0.0, 1.0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 250 and 15,000")]
    let whole = wait as u32;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        assert_eq!(wait_ms(0, 0.0), 250);
        assert_eq!(wait_ms(0, 1.0), 500);
        assert_eq!(wait_ms(3, 1.0), 4_000);
        assert_eq!(wait_ms(40, 1.0), 15_000);
    }
}
