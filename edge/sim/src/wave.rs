//! What the simulated numbers are made of.

use std::f64::consts::TAU;

/// A smooth wave between -1 and 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wave {
    pub(crate) period_seconds: f64,
    /// Where in its period it begins, 0 to 1.
    pub(crate) phase: f64,
}

impl Wave {
    /// Its height at a time.
    pub(crate) fn at(self, seconds: f64) -> f64 {
        (TAU * self.progress(seconds)).sin()
    }

    /// How much of the current period is over, 0 to 1.
    pub(crate) fn progress(self, seconds: f64) -> f64 {
        (seconds / self.period_seconds + self.phase).fract()
    }
}

/// A random walk that is pulled back to zero.
#[derive(Debug)]
pub(crate) struct Walk {
    value: f64,
    step_max: f64,
}

/// Share of the way back to zero in each step: after some ten steps a push is forgotten.
const PULL: f64 = 0.2;

impl Walk {
    pub(crate) fn new(value: f64, step_max: f64) -> Self {
        Self { value, step_max }
    }

    /// Takes a step and gives where it leads.
    pub(crate) fn step(&mut self) -> f64 {
        let push = (rand::random::<f64>() - 0.5) * self.step_max;
        self.value = self.value * (1.0 - PULL) + push;
        self.value
    }
}

/// A number from 0 to 1 that looks random but is always the same for the same seed and purpose.
pub(crate) fn noise(seed: u32, purpose: u32) -> f64 {
    let mut bytes = [0; 8];
    let (first, second) = bytes.split_at_mut(4);
    first.copy_from_slice(&seed.to_le_bytes());
    second.copy_from_slice(&purpose.to_le_bytes());
    // A checksum of so few bytes is linear; a multiplication and a second round scatter it.
    let scattered = crc32fast::hash(&bytes).wrapping_mul(0x9E37_79B1);
    f64::from(crc32fast::hash(&scattered.to_le_bytes())) / f64::from(u32::MAX)
}
