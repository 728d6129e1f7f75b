//! The settings that the control plane gives a box: which are taken, and how they are kept.

use crate::identity::sha256;
use crate::state_dir::{StateDir, StateDirError};
use kaliun_proto::link::v1::{Settings, SettingsApplied, SettingsDocument};
use kaliun_proto::telemetry::v1::Reason;
use kaliun_types::limits::REASON_MESSAGE_MAX_BYTES;
use kaliun_types::reason::ReasonCode;
use prost::Message;
use std::time::Duration;

pub(crate) const FILE: &str = "settings.pb";

/// Time between samples where nobody says otherwise.
pub const SAMPLE_INTERVAL_DEFAULT: Duration = Duration::from_secs(15);

/// Bounds of the time between samples, milliseconds, as the contract says.
const SAMPLE_INTERVAL_MS: std::ops::RangeInclusive<u32> = 1_000..=3_600_000;

/// Settings that were checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeldSettings {
    settings: Settings,
    document: SettingsDocument,
}

/// What to do with settings that came.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// They are new: store them, then apply them.
    Apply(HeldSettings),
    /// The box has them already.
    Held,
    /// They are not taken.
    Refused(String),
}

impl HeldSettings {
    /// Reads what is stored. Nothing, or nothing that can be understood, is generation 0.
    #[must_use]
    pub fn load(state: &StateDir) -> Self {
        let Some(content) = state.read_if_possible(FILE) else {
            return Self::default();
        };
        let stored = Settings::decode(content.as_slice()).ok().and_then(|settings| check(settings).ok());
        if stored.is_none() {
            tracing::warn!("the stored settings cannot be understood and are asked for again");
        }
        stored.unwrap_or_default()
    }

    /// Stores the settings in place of any other.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn store(&self, state: &StateDir) -> Result<(), StateDirError> {
        state.write(FILE, &self.settings.encode_to_vec())
    }

    /// Decides about settings that came.
    #[must_use]
    pub fn judge(&self, incoming: Settings) -> Verdict {
        let (held, came) = (self.settings.generation, incoming.generation);
        if came < held {
            return Verdict::Refused(format!("Generation {came} is older than {held}, which this box holds."));
        }
        if came == held && incoming.hash != self.settings.hash {
            return Verdict::Refused(format!("Generation {came} has other content than the one this box holds."));
        }
        match check(incoming) {
            Ok(_) if came == held => Verdict::Held,
            Ok(settings) => Verdict::Apply(settings),
            Err(message) => Verdict::Refused(message.to_owned()),
        }
    }

    /// Time between two samples.
    #[must_use]
    pub fn sample_interval(&self) -> Duration {
        match self.document.sample_interval_ms {
            0 => SAMPLE_INTERVAL_DEFAULT,
            milliseconds => Duration::from_millis(u64::from(milliseconds)),
        }
    }

    /// Generation of the settings in force; 0 for none.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.settings.generation
    }

    /// Their hash; empty for none.
    #[must_use]
    pub fn hash(&self) -> &[u8] {
        &self.settings.hash
    }

    /// The answer that says what is in force, and why what came is not.
    #[must_use]
    pub fn report(&self, failure: Option<String>, now_ms: i64) -> SettingsApplied {
        SettingsApplied {
            generation: self.settings.generation,
            hash: self.settings.hash.clone(),
            failure: failure.map(|message| Reason {
                code: ReasonCode::SettingsInvalid.code().to_owned(),
                message: crate::facts::clip(&message, REASON_MESSAGE_MAX_BYTES).to_owned(),
                since_ms: now_ms,
            }),
        }
    }
}

fn check(settings: Settings) -> Result<HeldSettings, &'static str> {
    if settings.generation == 0 {
        return Err("The settings have no generation.");
    }
    if settings.hash != sha256(&settings.document) {
        return Err("The settings do not have the hash they came with.");
    }
    let document = SettingsDocument::decode(settings.document.as_slice())
        .map_err(|_| "The settings' document cannot be read by this agent.")?;
    let interval = document.sample_interval_ms;
    if interval != 0 && !SAMPLE_INTERVAL_MS.contains(&interval) {
        return Err("sample_interval_ms is not between 1,000 and 3,600,000.");
    }
    Ok(HeldSettings { settings, document })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_dir::Durability;

    fn settings(generation: u64, interval: u32) -> Settings {
        let document = SettingsDocument { sample_interval_ms: interval }.encode_to_vec();
        Settings { generation, hash: sha256(&document).to_vec(), document }
    }

    fn held(generation: u64, interval: u32) -> HeldSettings {
        check(settings(generation, interval)).unwrap()
    }

    #[test]
    fn generations_only_go_up() {
        let is_refused = |verdict| matches!(verdict, Verdict::Refused(_));
        assert_eq!(HeldSettings::default().judge(settings(1, 5000)), Verdict::Apply(held(1, 5000)));
        assert_eq!(held(3, 5000).judge(settings(7, 6000)), Verdict::Apply(held(7, 6000)));
        assert_eq!(held(3, 5000).judge(settings(3, 5000)), Verdict::Held);
        assert!(is_refused(held(3, 5000).judge(settings(3, 6000))));
        assert!(is_refused(held(3, 5000).judge(settings(2, 6000))));
        assert!(is_refused(held(3, 5000).judge(settings(0, 5000))));
    }

    #[test]
    fn content_that_does_not_fit_is_refused_and_nothing_changes() {
        let is_refused = |incoming| matches!(HeldSettings::default().judge(incoming), Verdict::Refused(_));
        assert!(is_refused(settings(1, 999)));
        assert!(is_refused(settings(1, 3_600_001)));
        assert!(is_refused(Settings { hash: vec![1; 32], ..settings(1, 5000) }));
        let document = vec![255];
        assert!(is_refused(Settings { generation: 1, hash: sha256(&document).to_vec(), document }));
        assert!(is_refused(settings(0, 5000)));
    }

    #[test]
    fn settings_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path(), Durability::PageCache).unwrap();
        assert_eq!(HeldSettings::load(&state).sample_interval(), SAMPLE_INTERVAL_DEFAULT);
        held(4, 2000).store(&state).unwrap();
        let loaded = HeldSettings::load(&state);
        assert_eq!((loaded.generation(), loaded.sample_interval()), (4, Duration::from_secs(2)));
        state.write(FILE, b"\xff\xff").unwrap();
        assert_eq!(HeldSettings::load(&state), HeldSettings::default());
    }
}
