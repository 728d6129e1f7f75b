//! How a device's service ends, and how a new box takes its place.

use kaliun_types::id::{DeviceId, InstallationId};
use kaliun_types::reason::ReasonCode;

/// What a device's record says of its right to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// It is a tombstone.
    pub deleted: bool,
    /// Somebody took its right away.
    pub revoked: bool,
    /// Its service ended for good.
    pub decommissioned: bool,
    /// The box shall delete its identity.
    pub wipe_identity: bool,
}

impl Standing {
    /// Why the device may not connect; none when it may.
    ///
    /// The end of service counts before the tombstone: whoever takes a device off the list did not take its order back, and the box
    /// hears it only now. A revocation counts before it, too: a box that was deleted may enrol again with its key, one that was revoked
    /// may not.
    #[must_use]
    pub const fn refusal(self) -> Option<ReasonCode> {
        if self.decommissioned && self.wipe_identity {
            Some(ReasonCode::PeerIdentityWipe)
        } else if self.decommissioned {
            Some(ReasonCode::PeerDeviceDecommissioned)
        } else if self.revoked {
            Some(ReasonCode::PeerDeviceRevoked)
        } else if self.deleted {
            Some(ReasonCode::PeerDeviceDeleted)
        } else {
            None
        }
    }
}

/// A device, as far as a replacement asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaceable {
    /// Which.
    pub device: DeviceId,
    /// The home it serves.
    pub installation: Option<InstallationId>,
    /// Whether its right to connect was taken away.
    pub revoked: bool,
    /// Who took its place already.
    pub replaced_by: Option<DeviceId>,
}

/// What a replacement comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// The home moves.
    Move(InstallationId),
    /// It moved before: somebody asks again whose answer was lost.
    Done,
}

/// Why a device does not take another's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReplaced {
    /// Both are the same device.
    SameDevice,
    /// The old one serves no home.
    ServesNone,
    /// Another device took the old one's place already.
    ReplacedAlready,
    /// The new one serves another home.
    ServesAnother,
    /// The new one may not connect.
    Revoked,
}

impl NotReplaced {
    /// One sentence for a person, with what to do.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::SameDevice => "a device cannot take its own place; name the new box with --with",
            Self::ServesNone => "the old device serves no home, so there is nothing to move; decommission it instead",
            Self::ReplacedAlready => "another device has taken the old one's place already; replace that one instead",
            Self::ServesAnother => {
                "the new device serves another home already; enrol a box without a home, and name that one"
            }
            Self::Revoked => {
                "the new device was revoked or taken out of service; enrol the box anew, and name the new device"
            }
        }
    }
}

/// Decides whether one device takes another's place. Both are of one organization and not deleted.
///
/// # Errors
/// Why not.
pub fn replace(old: &Replaceable, new: &Replaceable) -> Result<Replacement, NotReplaced> {
    if old.device == new.device {
        return Err(NotReplaced::SameDevice);
    }
    match old.replaced_by {
        Some(successor) if successor == new.device => return Ok(Replacement::Done),
        Some(_) => return Err(NotReplaced::ReplacedAlready),
        None => {}
    }
    let Some(home) = old.installation else { return Err(NotReplaced::ServesNone) };
    if new.revoked {
        return Err(NotReplaced::Revoked);
    }
    match new.installation {
        Some(other) if other != home => Err(NotReplaced::ServesAnother),
        Some(_) | None => Ok(Replacement::Move(home)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_service_is_told_so_first() {
        let check = |deleted, revoked, decommissioned, wipe_identity, expected| {
            let standing = Standing { deleted, revoked, decommissioned, wipe_identity };
            assert_eq!(standing.refusal(), expected, "{standing:?}");
        };
        check(false, false, false, false, None);
        check(false, true, false, false, Some(ReasonCode::PeerDeviceRevoked));
        check(true, false, false, false, Some(ReasonCode::PeerDeviceDeleted));
        check(true, true, false, false, Some(ReasonCode::PeerDeviceRevoked));
        check(false, true, true, false, Some(ReasonCode::PeerDeviceDecommissioned));
        check(false, true, true, true, Some(ReasonCode::PeerIdentityWipe));
        check(true, true, true, true, Some(ReasonCode::PeerIdentityWipe));
        check(true, true, true, false, Some(ReasonCode::PeerDeviceDecommissioned));
    }

    #[test]
    fn a_home_moves_to_a_box_that_is_free() {
        let (home, other_home) = (InstallationId::new(), InstallationId::new());
        let device =
            |installation| Replaceable { device: DeviceId::new(), installation, revoked: false, replaced_by: None };
        let (old, new) = (device(Some(home)), device(None));
        assert_eq!(replace(&old, &new), Ok(Replacement::Move(home)));
        assert_eq!(replace(&old, &device(Some(home))), Ok(Replacement::Move(home)), "both served it meanwhile");
        assert_eq!(replace(&old, &device(Some(other_home))), Err(NotReplaced::ServesAnother));
        assert_eq!(replace(&old, &Replaceable { revoked: true, ..new }), Err(NotReplaced::Revoked));
        assert_eq!(replace(&old, &old), Err(NotReplaced::SameDevice));
        assert_eq!(replace(&device(None), &new), Err(NotReplaced::ServesNone));
        // A stolen box was revoked before somebody brought the new one.
        assert_eq!(replace(&Replaceable { revoked: true, ..old }, &new), Ok(Replacement::Move(home)));
        let replaced = Replaceable { installation: None, revoked: true, replaced_by: Some(new.device), ..old };
        assert_eq!(replace(&replaced, &Replaceable { installation: Some(home), ..new }), Ok(Replacement::Done));
        assert_eq!(replace(&replaced, &device(None)), Err(NotReplaced::ReplacedAlready));
    }
}
