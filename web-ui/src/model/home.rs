//! A home as its page shows it: the first line, made of the boxes that serve it.

use super::answer::Answer;
use super::device::{mark, reasons};
use super::format::boxes;
use super::mark::Tone;
use kaliun_proto::fleet::v1::Device;

/// How bad a tone is, the worst highest.
const fn rank(tone: Tone) -> u8 {
    match tone {
        Tone::Absent => 0,
        Tone::Good => 1,
        Tone::Unknown => 2,
        Tone::Warning => 3,
        Tone::Bad => 4,
    }
}

/// Is the home well? `name` is its name.
#[must_use]
pub fn answer<'a>(name: &str, devices: impl Iterator<Item = &'a Device>) -> Answer {
    let devices: Vec<&Device> = devices.collect();
    let worst = devices.iter().max_by_key(|device| rank(mark(device).tone));
    let Some(worst) = worst else {
        return Answer {
            tone: Tone::Absent,
            sentence: format!("{name} has no box yet."),
            detail: "A box that serves it shows here how it is.".to_owned(),
        };
    };
    let tone = mark(worst).tone;
    let sentence = match tone {
        Tone::Good => format!("{name} is well."),
        Tone::Warning | Tone::Bad => format!("{name} needs attention."),
        Tone::Unknown => format!("{name} is not heard from."),
        Tone::Absent => format!("{name} has no box in service."),
    };
    let count = u32::try_from(devices.len()).unwrap_or(u32::MAX);
    let detail = match reasons(worst).first() {
        Some(reason) if tone != Tone::Good => format!("{}: {}", worst.name, reason.sentence),
        Some(_) | None => boxes(count),
    };
    Answer { tone, sentence, detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::telemetry::v1::{Health, HealthVerdict, Reason};

    fn device(verdict: HealthVerdict) -> Device {
        let reasons = vec![Reason { code: "disk.nearly_full".to_owned(), ..Reason::default() }];
        let health = Health { verdict: verdict.into(), reasons };
        Device { name: "attic".to_owned(), health: Some(health), ..Device::default() }
    }

    #[test]
    fn the_worst_box_decides() {
        let check = |verdicts: &[HealthVerdict], tone: Tone, sentence: &str| {
            let devices: Vec<Device> = verdicts.iter().map(|verdict| device(*verdict)).collect();
            let answer = answer("Seaside", devices.iter());
            assert_eq!((answer.tone, answer.sentence.as_str()), (tone, sentence));
        };
        check(&[], Tone::Absent, "Seaside has no box yet.");
        check(&[HealthVerdict::Ok], Tone::Good, "Seaside is well.");
        check(&[HealthVerdict::Ok, HealthVerdict::Stale], Tone::Unknown, "Seaside is not heard from.");
        check(&[HealthVerdict::Critical, HealthVerdict::Ok], Tone::Bad, "Seaside needs attention.");
    }

    #[test]
    fn what_is_wrong_is_said_below() {
        let detail = |verdict| answer("Seaside", [device(verdict)].iter()).detail;
        assert_eq!(detail(HealthVerdict::Degraded), "attic: Disk: nearly full.");
        assert_eq!(detail(HealthVerdict::Ok), "1 box");
    }
}
