//! A certificate that a device got.

use crate::output::time::Time;
use kaliun_proto::fleet::v1 as proto;
use serde::Serialize;

/// A certificate as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Certificate {
    pub(crate) cause: &'static str,
    /// Number of the authority that signed it.
    pub(crate) authority: u32,
    pub(crate) issued_at: Option<Time>,
    pub(crate) expires_at: Option<Time>,
}

impl From<proto::DeviceCertificate> for Certificate {
    fn from(certificate: proto::DeviceCertificate) -> Self {
        Self {
            cause: cause(certificate.cause),
            authority: certificate.authority,
            issued_at: Time::from_ms(certificate.issued_at_ms),
            expires_at: Time::from_ms(certificate.expires_at_ms),
        }
    }
}

/// A cause as a word.
fn cause(number: i32) -> &'static str {
    match proto::CertificateCause::try_from(number) {
        Ok(proto::CertificateCause::Enrolled) => "enrolled",
        Ok(proto::CertificateCause::GivenAgain) => "given_again",
        Ok(proto::CertificateCause::Renewed) => "renewed",
        Ok(proto::CertificateCause::Recovered) => "recovered",
        Ok(proto::CertificateCause::Unspecified) | Err(_) => "unrecognized",
    }
}
