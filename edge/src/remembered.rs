//! What a box remembers of its sessions, so that it can tell a server whose database is older than that.

use crate::state_dir::{StateDir, StateDirError};
use kaliun_types::id::DeviceId;

/// Its file: the incarnation, the session and whose that was, parted by blanks. Older versions wrote the incarnation alone.
pub(crate) const FILE: &str = "incarnation";

/// Highest session that a server takes notice of.
const EPOCH_MAX: u64 = 1 << 62;

/// What is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Remembered {
    /// The highest incarnation of the cluster that was seen; 0 for none.
    pub(crate) incarnation: u64,
    /// The last session, and under which identity.
    session: Option<(u64, DeviceId)>,
}

impl Remembered {
    /// Reads it. What cannot be understood is not remembered.
    pub(crate) fn load(state: &StateDir) -> Self {
        let content = state.read_if_possible(FILE).and_then(|content| String::from_utf8(content).ok());
        content.map(|content| Self::parse(&content)).unwrap_or_default()
    }

    fn parse(content: &str) -> Self {
        let mut words = content.split_whitespace();
        let incarnation = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let epoch: Option<u64> = words.next().and_then(|word| word.parse().ok()).filter(|epoch| *epoch <= EPOCH_MAX);
        let device = words.next().and_then(|word| word.parse().ok());
        Self { incarnation, session: epoch.zip(device) }
    }

    /// The last session under an identity; 0 for none.
    pub(crate) fn session_of(&self, device: Option<DeviceId>) -> u64 {
        self.session.filter(|(_epoch, of)| Some(*of) == device).map_or(0, |(epoch, _of)| epoch)
    }

    /// Takes in what a server said at the beginning of a session, and stores it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn welcomed(
        state: &StateDir,
        incarnation: u64,
        epoch: u64,
        device: DeviceId,
    ) -> Result<(), StateDirError> {
        let incarnation = incarnation.max(Self::load(state).incarnation);
        state.write(FILE, format!("{incarnation} {epoch} {device}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_dir::Durability;

    fn device(last: &str) -> DeviceId {
        format!("018f3c1e-7d2a-7c3b-9f10-0000000000{last}").parse().unwrap()
    }

    #[test]
    fn a_session_counts_for_its_own_identity_and_an_incarnation_never_falls() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
        let (device, other) = (device("01"), device("02"));
        assert_eq!(Remembered::load(&state), Remembered::default());
        // As an older version left it.
        state.write(FILE, b"3").unwrap();
        assert_eq!((Remembered::load(&state).incarnation, Remembered::load(&state).session_of(Some(device))), (3, 0));
        Remembered::welcomed(&state, 2, 17, device).unwrap();
        let remembered = Remembered::load(&state);
        assert_eq!((remembered.incarnation, remembered.session_of(Some(device))), (3, 17));
        assert_eq!((remembered.session_of(Some(other)), remembered.session_of(None)), (0, 0));
    }

    #[test]
    fn what_is_garbled_is_not_remembered() {
        let device = device("01");
        for content in ["", "x", "1 -1 x", "1 99999999999999999999 y", &format!("1 {} {device}", u64::MAX)] {
            assert_eq!(Remembered::parse(content).session_of(Some(device)), 0, "{content:?}");
        }
    }
}
