//! The first line of a page: the answer to the question it was opened with.

use super::format::boxes;
use super::mark::{Mark, Tone};
use kaliun_proto::fleet::v1::DeviceSummary;

/// The answer with what kind it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Decides the shape and colour beside it.
    pub tone: Tone,
    /// One sentence.
    pub sentence: String,
    /// What stands behind it, in a few words; empty when the sentence says all.
    pub detail: String,
}

/// How a set of boxes is. `selected` says that the set is not the whole fleet.
#[must_use]
pub fn of_fleet(summary: &DeviceSummary, selected: bool) -> Answer {
    let total = summary.total;
    let attention = summary.degraded + summary.critical + summary.stale;
    let whose = if selected { " in this selection" } else { "" };
    let (tone, sentence) = if total == 0 {
        let sentence = if selected { "No box matches." } else { "There are no boxes here yet." };
        (Tone::Absent, sentence.to_owned())
    } else if attention > 0 {
        let tone = if summary.critical > 0 { Tone::Bad } else { Tone::Warning };
        let sentence = match (attention, total) {
            (1, 1) => "The only box needs attention.".to_owned(),
            (attention, total) if attention == total => format!("All {} need attention.", boxes(total)),
            (1, total) => format!("1 of {} needs attention.", boxes(total)),
            (attention, total) => format!("{attention} of {} need attention.", boxes(total)),
        };
        (tone, sentence)
    } else if summary.unknown > 0 {
        let verb = if summary.unknown == 1 { "has" } else { "have" };
        (Tone::Unknown, format!("{} of {} {verb} not reported yet.", summary.unknown, boxes(total)))
    } else if total == 1 {
        (Tone::Good, "The only box is well.".to_owned())
    } else {
        (Tone::Good, format!("All {} are well.", boxes(total)))
    };
    let sentence = match sentence.strip_suffix('.') {
        Some(start) if total > 0 => format!("{start}{whose}."),
        Some(_) | None => sentence,
    };
    Answer { tone, sentence, detail: fleet_detail(summary) }
}

fn fleet_detail(summary: &DeviceSummary) -> String {
    if summary.total == 0 {
        return String::new();
    }
    let counts = [
        (summary.critical, "critical"),
        (summary.degraded, "with a warning"),
        (summary.stale, "not heard from"),
        (summary.unknown, "without a report"),
        (summary.ok, "well"),
    ];
    let mut parts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    parts.push(format!("{} of {} connected", summary.online, summary.total));
    parts.join(" · ")
}

/// How one box is.
#[must_use]
pub fn of_device(name: &str, mark: Mark, first_reason: Option<&str>) -> Answer {
    let sentence = match mark.tone {
        Tone::Good => format!("{name} is well."),
        Tone::Warning => format!("{name} needs attention."),
        Tone::Bad => format!("{name} has a problem."),
        Tone::Unknown | Tone::Absent if mark.word == "No report yet" => format!("{name} has not reported yet."),
        Tone::Unknown | Tone::Absent => format!("{name} has not been heard from."),
    };
    Answer { tone: mark.tone, sentence, detail: first_reason.unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(ok: u32, degraded: u32, critical: u32, stale: u32, unknown: u32) -> DeviceSummary {
        let total = ok + degraded + critical + stale + unknown;
        DeviceSummary { total, online: total - stale, ok, degraded, critical, stale, unknown }
    }

    fn check(summary: DeviceSummary, tone: Tone, expected: &str) {
        let answer = of_fleet(&summary, false);
        assert_eq!((answer.tone, answer.sentence.as_str()), (tone, expected));
    }

    #[test]
    fn the_fleets_answer_counts() {
        check(summary(6, 0, 0, 0, 0), Tone::Good, "All 6 boxes are well.");
        check(summary(1, 0, 0, 0, 0), Tone::Good, "The only box is well.");
        check(summary(4, 1, 0, 1, 0), Tone::Warning, "2 of 6 boxes need attention.");
        check(summary(5, 0, 1, 0, 0), Tone::Bad, "1 of 6 boxes needs attention.");
        check(summary(0, 0, 1, 0, 0), Tone::Bad, "The only box needs attention.");
        check(summary(0, 0, 1, 1, 0), Tone::Bad, "All 2 boxes need attention.");
        check(summary(5, 0, 0, 0, 1), Tone::Unknown, "1 of 6 boxes has not reported yet.");
        check(summary(0, 0, 0, 0, 0), Tone::Absent, "There are no boxes here yet.");
    }

    #[test]
    fn a_selection_says_so() {
        let answer = of_fleet(&summary(3, 0, 0, 0, 0), true);
        assert_eq!(answer.sentence, "All 3 boxes are well in this selection.");
        assert_eq!(of_fleet(&summary(0, 0, 0, 0, 0), true).sentence, "No box matches.");
    }

    #[test]
    fn the_detail_leaves_out_what_is_nought() {
        assert_eq!(
            of_fleet(&summary(4, 1, 0, 1, 0), false).detail,
            "1 with a warning · 1 not heard from · 4 well · 5 of 6 connected"
        );
    }
}
