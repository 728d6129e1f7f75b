//! Two boxes under one identity: told by the boot ids that come with it.
//!
//! A box has one boot id at a time, and a new one after each boot. One that comes back after another had taken its place was never
//! gone, so two machines take turns. Once may be a hello that was late on its way; twice within ten minutes is a clone.

use crate::certificate_order::CertificateSight;
use kaliun_types::id::BootId;
use std::time::{Duration, SystemTime};

/// How far apart two returns of one boot may be.
pub const RETURNS_WITHIN: Duration = Duration::from_secs(10 * 60);

/// Returns of one boot within that time which make a clone.
pub const RETURNS_OF_A_CLONE: usize = 2;

/// Boots that are remembered of a device. A box that starts again and again leaves many that never return, and each set of copies
/// returns within as many boots as there are copies: sixteen of them are found.
pub const BOOTS_MAX: usize = 16;

/// One boot that came with a device's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Which.
    pub id: BootId,
    /// Where it came from last, as the server saw it.
    pub source: String,
    /// When it opened a session last.
    pub last_at: SystemTime,
    /// When it returned after another had taken its place, within [`RETURNS_WITHIN`] of the last time; the oldest first.
    pub returned_at: Vec<SystemTime>,
    /// Whether somebody chose another one, so that this one may not connect.
    pub is_refused: bool,
}

/// The boots that came with a device's identity, the one that came last at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BootHistory {
    boots: Vec<Boot>,
}

/// What a hello tells about a device's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The boot that came last came again.
    Same,
    /// A boot that was not seen before: the box started again.
    New,
    /// A boot came back after another had taken its place. Not enough to conclude.
    Returned,
    /// A boot came back for the second time within ten minutes: another box uses the identity, too.
    Clone,
    /// Somebody chose another boot: this one may not connect. The history is as it was.
    Refused,
}

impl BootHistory {
    /// Reads one as it was kept, the boot that came last at the end. What is too much is left out.
    #[must_use]
    pub fn from_boots(mut boots: Vec<Boot>) -> Self {
        let too_many = boots.len().saturating_sub(BOOTS_MAX);
        boots.drain(..too_many);
        boots.iter_mut().for_each(|boot| keep_recent(&mut boot.returned_at, RETURNS_OF_A_CLONE));
        Self { boots }
    }

    /// The boots, the one that came last at the end.
    #[must_use]
    pub fn boots(&self) -> &[Boot] {
        &self.boots
    }

    /// Takes in a hello. What it leads to is for the caller to do.
    pub fn observe(&mut self, id: BootId, source: &str, now: SystemTime) -> Sight {
        let known = self.boots.iter().position(|boot| boot.id == id);
        let Some(place) = known else {
            self.make_room();
            self.boots.push(Boot {
                id,
                source: source.to_owned(),
                last_at: now,
                returned_at: Vec::new(),
                is_refused: false,
            });
            return Sight::New;
        };
        let is_last = place + 1 == self.boots.len();
        let mut boot = self.boots.remove(place);
        if boot.is_refused {
            self.boots.insert(place, boot);
            return Sight::Refused;
        }
        boot.last_at = now;
        boot.source = source.to_owned();
        let sight = if is_last { Sight::Same } else { note_return(&mut boot.returned_at, now) };
        self.boots.push(boot);
        sight
    }

    /// Lets one boot go on and refuses all others that are known. Says whether that boot is known.
    pub fn keep(&mut self, kept: BootId) -> bool {
        let Some(place) = self.boots.iter().position(|boot| boot.id == kept) else { return false };
        let boot = self.boots.remove(place);
        self.boots.push(boot);
        for boot in &mut self.boots {
            boot.is_refused = boot.id != kept;
            boot.returned_at.clear();
        }
        true
    }

    /// Boots of boxes that use the identity at once: those that returned lately, and the one that came last. Where none returned, and
    /// it was found in another way, that and the one before it.
    #[must_use]
    pub fn rivals(&self) -> Vec<&Boot> {
        let mut rivals: Vec<&Boot> = self.boots.iter().filter(|boot| !boot.is_refused).collect();
        let Some(last) = rivals.pop() else { return Vec::new() };
        let before = rivals.last().copied();
        rivals.retain(|boot| !boot.returned_at.is_empty());
        if rivals.is_empty() {
            rivals.extend(before);
        }
        rivals.push(last);
        rivals
    }

    fn make_room(&mut self) {
        if self.boots.len() >= BOOTS_MAX {
            // One that is refused is remembered as long as there is any other.
            let oldest = self.boots.iter().position(|boot| !boot.is_refused).unwrap_or(0);
            self.boots.remove(oldest);
        }
    }
}

/// Whether two boxes use one identity, by what a hello's boot and its certificate tell. A boot that came back once may have been late
/// on its way, and a certificate may come back from a backup, which is another boot then; both at once do not.
#[must_use]
pub fn is_two(boot: Sight, certificate: Option<CertificateSight>) -> bool {
    boot == Sight::Clone || (boot == Sight::Returned && certificate == Some(CertificateSight::Returned))
}

fn note_return(returned_at: &mut Vec<SystemTime>, now: SystemTime) -> Sight {
    // By a clock that was set back an earlier return lies ahead; that is within ten minutes, too.
    returned_at.retain(|at| now.duration_since(*at).unwrap_or_default() <= RETURNS_WITHIN);
    returned_at.push(now);
    keep_recent(returned_at, RETURNS_OF_A_CLONE);
    if returned_at.len() >= RETURNS_OF_A_CLONE { Sight::Clone } else { Sight::Returned }
}

fn keep_recent<T>(items: &mut Vec<T>, most: usize) {
    let too_many = items.len().saturating_sub(most);
    items.drain(..too_many);
}

#[cfg(test)]
mod tests;
