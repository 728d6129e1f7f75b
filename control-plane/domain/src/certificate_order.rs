//! Copies of a box, told by the certificates that come: each takes the place of the one before, which the box does not keep.
//!
//! A box whose disk is set back to a backup shows a certificate that it had shown before a newer one, and gets one newer than all in
//! its time. Within one boot it never comes with the newer one again: what that means is decided with the boot, in
//! [`is_two`](crate::clone::is_two).

/// The certificates that a device showed, by numbers that grow in the order in which they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownCertificates {
    newest: i64,
    last: i64,
}

/// What a certificate tells that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateSight {
    /// The one that came last came again.
    Same,
    /// One newer than all before.
    Next,
    /// One whose place a newer one had taken: from a copy of the box's disk, or the disk was set back.
    Outdated,
    /// One that came before, after an older one had come since.
    Returned,
}

impl ShownCertificates {
    /// The first that a device shows.
    #[must_use]
    pub const fn first(number: i64) -> Self {
        Self { newest: number, last: number }
    }

    /// Reads them as they were kept: the newest that came, and the one that came last.
    #[must_use]
    pub fn from_parts(newest: i64, last: i64) -> Self {
        Self { newest: newest.max(last), last }
    }

    /// The newest that came.
    #[must_use]
    pub const fn newest(self) -> i64 {
        self.newest
    }

    /// The one that came last.
    #[must_use]
    pub const fn last(self) -> i64 {
        self.last
    }

    /// Takes in one that comes.
    pub fn observe(&mut self, number: i64) -> CertificateSight {
        let sight = if number > self.newest {
            CertificateSight::Next
        } else if number == self.last {
            CertificateSight::Same
        } else if number < self.last {
            CertificateSight::Outdated
        } else {
            CertificateSight::Returned
        };
        *self = Self { newest: self.newest.max(number), last: number };
        sight
    }
}

#[cfg(test)]
mod tests;
