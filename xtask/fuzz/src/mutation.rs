//! Changed inputs for the short run in tests: the same for the same number. No coverage guides it; that is what `cargo xtask fuzz` is for.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// Longest input that is made, bytes: more than any bound that the targets know.
const INPUT_MAX_BYTES: usize = 80 * 1024;
/// Bytes at which parsers change their minds.
const TELLING: [u8; 14] = [0, 1, 0x0a, 0x20, 0x21, 0x2b, 0x2c, 0x2e, 0x30, 0x7f, 0x80, 0x82, 0xfe, 0xff];

/// Makes inputs out of others.
pub struct Mutator {
    random: SmallRng,
}

impl Mutator {
    /// Begins with a number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self { random: SmallRng::seed_from_u64(number) }
    }

    /// An input that differs from one of these in a few places.
    pub fn next(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut input = inputs.choose(&mut self.random).cloned().unwrap_or_default();
        for _ in 0..self.random.random_range(1..=4) {
            self.change(&mut input, inputs);
        }
        input.truncate(INPUT_MAX_BYTES);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.random.random_range(0..=input.len());
        match self.random.random_range(0..8) {
            0 => self.with_byte(input, at, |byte, random| byte ^ 1_u8.rotate_left(random.random_range(0..8))),
            1 => self.with_byte(input, at, |_, random| random.random()),
            2 => self.with_byte(input, at, |_, random| TELLING.choose(random).copied().unwrap_or(0)),
            3 => input.insert(at, TELLING.choose(&mut self.random).copied().unwrap_or(0)),
            4 => {
                let end = (at + self.random.random_range(1..=16)).min(input.len());
                input.drain(at..end);
            }
            5 => input.truncate(at),
            // A stretch of it once more.
            6 => {
                let end = (at + self.random.random_range(1..=256)).min(input.len());
                let again = input.get(at..end).unwrap_or_default().to_vec();
                input.splice(at..at, again);
            }
            // On with another's end.
            _ => {
                let other = inputs.choose(&mut self.random).map(Vec::as_slice).unwrap_or_default();
                let from = self.random.random_range(0..=other.len());
                input.truncate(at);
                input.extend_from_slice(other.get(from..).unwrap_or_default());
            }
        }
    }

    fn with_byte(&mut self, input: &mut [u8], at: usize, change: impl Fn(u8, &mut SmallRng) -> u8) {
        if let Some(byte) = input.get_mut(at) {
            *byte = change(*byte, &mut self.random);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_makes_the_same_inputs_and_another_makes_others() {
        let inputs = [b"first input".to_vec(), b"another".to_vec()];
        let make = |number| {
            let mut mutator = Mutator::new(number);
            (0..50).map(|_| mutator.next(&inputs)).collect::<Vec<_>>()
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        assert!(make(1).iter().filter(|input| !inputs.contains(input)).count() > 40);
    }
}
