//! Certificates of devices, as they were given.

use std::time::SystemTime;

/// Why a device got a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateCause {
    /// It was enrolled.
    Enrolled,
    /// The answer to its first try was lost.
    GivenAgain,
    /// It asked for the next one over its link.
    Renewed,
    /// It proved its key after its certificate had become useless.
    Recovered,
}

impl CertificateCause {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Enrolled, Self::GivenAgain, Self::Renewed, Self::Recovered];

    /// The number it is stored as.
    #[must_use]
    pub const fn number(self) -> i16 {
        match self {
            Self::Enrolled => 1,
            Self::GivenAgain => 2,
            Self::Renewed => 3,
            Self::Recovered => 4,
        }
    }

    /// Reads a stored number.
    #[must_use]
    pub fn from_number(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.number() == number)
    }
}

/// A certificate that a device got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// Grows with each.
    pub id: i64,
    /// Why.
    pub cause: CertificateCause,
    /// Number of the authority that signed it.
    pub authority: i32,
    /// When.
    pub issued_at: SystemTime,
    /// Until when it is valid.
    pub expires_at: SystemTime,
}

/// How the certificates of all devices that may connect are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CertificateExpiry {
    /// When the next of those that are valid runs out; none when there are none.
    pub next_at: Option<SystemTime>,
    /// Devices whose certificate is valid and soon is not.
    pub expiring: i64,
    /// Devices whose certificate has run out.
    pub expired: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_read_back() {
        for cause in CertificateCause::ALL {
            assert_eq!(CertificateCause::from_number(cause.number()), Some(cause));
        }
        assert_eq!(CertificateCause::from_number(0), None);
    }
}
