//! How many bytes of a class the server lets the box send.

/// Credit of a class before the server named one, bytes: two full messages, so that a box begins without a round trip and
/// 10,000 of them together cost a server 640 MB at the very worst and some MB in practice.
pub const INITIAL_CREDIT_BYTES: u32 = 64 * 1024;

/// Most credit that is kept, bytes: the largest grant of the contract.
const CREDIT_MAX_BYTES: u32 = 1024 * 1024;

/// Credit of one class: counts the encoded `DeviceMessage`s that carry its batches, as the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credit(u32);

impl Credit {
    /// Begins a session. `None` where the server named no credit for the class.
    #[must_use]
    pub fn begin(granted: Option<u32>) -> Self {
        Self(granted.unwrap_or(INITIAL_CREDIT_BYTES).min(CREDIT_MAX_BYTES))
    }

    /// Adds what the server granted.
    pub fn grant(&mut self, bytes: u32) {
        self.0 = self.0.saturating_add(bytes).min(CREDIT_MAX_BYTES);
    }

    /// Takes the size of a batch that is sent.
    pub fn spend(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// What may be sent, bytes.
    #[must_use]
    pub fn available(&self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_spent_granted_and_bounded() {
        let mut credit = Credit::begin(None);
        assert_eq!(credit.available(), 65_536);
        credit.spend(65_000);
        credit.grant(100);
        assert_eq!(credit.available(), 636);
        credit.spend(1_000_000);
        assert_eq!(credit.available(), 0);
        credit.grant(u32::MAX);
        assert_eq!(credit.available(), 1_048_576);
        assert_eq!(Credit::begin(Some(0)).available(), 0);
    }
}
