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

/// Characters of a fleet's sentence that stand on one line of a phone: 318 pixels beside the mark, at 13 to 14 each in the
/// headline's size. A sentence that grew with the verdict would push the list below it away from the finger.
const LINE_MAX: usize = 23;

/// How a set of boxes is. `selected` says that the set is not the whole fleet.
#[must_use]
pub fn of_fleet(summary: &DeviceSummary, selected: bool) -> Answer {
    // Those that may not connect any more are no part of what there is to be well.
    let (total, unknown) = (summary.total.saturating_sub(summary.revoked), summary.unknown);
    let attention = summary.degraded + summary.critical + summary.stale;
    let (tone, sentence) = if total == 0 && summary.revoked > 0 {
        (Tone::Absent, "No box is in service.".to_owned())
    } else if total == 0 {
        (Tone::Absent, if selected { "No box matches." } else { "No boxes here yet." }.to_owned())
    } else if attention > 0 {
        let tone = if summary.critical > 0 { Tone::Bad } else { Tone::Warning };
        let verb = if attention == 1 { "needs" } else { "need" };
        let sentence = match (attention, total) {
            (1, 1) => "1 box needs attention.".to_owned(),
            (attention, total) if attention == total => "All need attention.".to_owned(),
            (attention, total) => {
                fitting(format!("{attention} of {total} {verb} attention."), format!("{attention} {verb} attention."))
            }
        };
        (tone, sentence)
    } else if unknown > 0 {
        let sentence = match (unknown, total) {
            (1, 1) => "Waiting for 1 box.".to_owned(),
            (unknown, total) if unknown == total => "Waiting for all.".to_owned(),
            (unknown, total) => {
                fitting(format!("Waiting for {unknown} of {total}."), format!("Waiting for {unknown}."))
            }
        };
        (Tone::Unknown, sentence)
    } else if total == 1 {
        (Tone::Good, "The only box is well.".to_owned())
    } else {
        (Tone::Good, fitting(format!("All {} are well.", boxes(total)), format!("All {total} are well.")))
    };
    Answer { tone, sentence, detail: fleet_detail(summary, selected) }
}

/// The full sentence where it fits on one line, else the short one. What that leaves out is in the detail.
fn fitting(full: String, short: String) -> String {
    if full.chars().count() <= LINE_MAX { full } else { short }
}

fn fleet_detail(summary: &DeviceSummary, selected: bool) -> String {
    if summary.total == 0 {
        return String::new();
    }
    let counts = [
        (summary.critical, "critical"),
        (summary.degraded, "with a warning"),
        (summary.stale, "not heard from"),
        (summary.unknown, "without a report"),
        (summary.ok, "well"),
        (summary.revoked, "revoked"),
    ];
    let mut parts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let in_service = summary.total.saturating_sub(summary.revoked);
    if in_service > 0 {
        parts.push(format!("{} of {} connected", summary.online, boxes(in_service)));
    }
    let whose = if selected { "In this selection: " } else { "" };
    format!("{whose}{}", parts.join(" · "))
}

/// How one box is.
#[must_use]
pub fn of_device(name: &str, mark: Mark, first_reason: Option<&str>) -> Answer {
    let sentence = match mark.tone {
        Tone::Good => format!("{name} is well."),
        Tone::Warning => format!("{name} needs attention."),
        Tone::Bad => format!("{name} has a problem."),
        Tone::Absent if mark.word == "Revoked" => format!("{name} was revoked."),
        Tone::Absent => format!("{name} is out of service."),
        Tone::Unknown if mark.word == "No report yet" => format!("{name} has not reported yet."),
        Tone::Unknown => format!("{name} has not been heard from."),
    };
    Answer { tone: mark.tone, sentence, detail: first_reason.unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(ok: u32, degraded: u32, critical: u32, stale: u32, unknown: u32) -> DeviceSummary {
        let total = ok + degraded + critical + stale + unknown;
        DeviceSummary { total, online: total - stale, ok, degraded, critical, stale, unknown, revoked: 0 }
    }

    fn check(summary: DeviceSummary, tone: Tone, expected: &str) {
        let answer = of_fleet(&summary, false);
        assert_eq!((answer.tone, answer.sentence.as_str()), (tone, expected));
    }

    #[test]
    fn the_fleets_answer_counts() {
        check(summary(6, 0, 0, 0, 0), Tone::Good, "All 6 boxes are well.");
        check(summary(1, 0, 0, 0, 0), Tone::Good, "The only box is well.");
        check(summary(4, 1, 0, 1, 0), Tone::Warning, "2 of 6 need attention.");
        check(summary(5, 0, 1, 0, 0), Tone::Bad, "1 of 6 needs attention.");
        check(summary(0, 0, 1, 0, 0), Tone::Bad, "1 box needs attention.");
        check(summary(0, 0, 1, 1, 0), Tone::Bad, "All need attention.");
        check(summary(5, 0, 0, 0, 1), Tone::Unknown, "Waiting for 1 of 6.");
        check(summary(0, 0, 0, 0, 1), Tone::Unknown, "Waiting for 1 box.");
        check(summary(0, 0, 0, 0, 3), Tone::Unknown, "Waiting for all.");
        check(summary(0, 0, 0, 0, 0), Tone::Absent, "No boxes here yet.");
    }

    #[test]
    fn revoked_boxes_are_counted_and_need_nothing() {
        let with_revoked = |revoked: u32, of: DeviceSummary| DeviceSummary { total: of.total + revoked, revoked, ..of };
        check(with_revoked(1, summary(6, 0, 0, 0, 0)), Tone::Good, "All 6 boxes are well.");
        check(with_revoked(2, summary(1, 0, 0, 0, 0)), Tone::Good, "The only box is well.");
        check(with_revoked(2, summary(0, 1, 0, 0, 0)), Tone::Warning, "1 box needs attention.");
        check(with_revoked(3, summary(0, 0, 0, 0, 0)), Tone::Absent, "No box is in service.");
        let detail = |summary: DeviceSummary| of_fleet(&summary, false).detail;
        assert_eq!(detail(with_revoked(1, summary(6, 0, 0, 0, 0))), "6 well · 1 revoked · 6 of 6 boxes connected");
        assert_eq!(detail(with_revoked(3, summary(0, 0, 0, 0, 0))), "3 revoked");
        let told = |word| of_device("attic", Mark { tone: Tone::Absent, word }, None).sentence;
        assert_eq!([told("Revoked"), told("Out of service")], ["attic was revoked.", "attic is out of service."]);
    }

    #[test]
    fn a_large_fleets_answer_leaves_the_whole_to_the_detail() {
        check(summary(9_990, 8, 2, 0, 0), Tone::Bad, "10 need attention.");
        check(summary(9_999, 0, 0, 1, 0), Tone::Warning, "1 needs attention.");
        check(summary(10_000, 0, 0, 0, 0), Tone::Good, "All 10000 are well.");
        check(summary(5_000, 0, 0, 0, 5_000), Tone::Unknown, "Waiting for 5000.");
        let detail = of_fleet(&summary(9_990, 8, 2, 0, 0), false).detail;
        assert_eq!(detail, "2 critical · 8 with a warning · 9990 well · 10000 of 10000 boxes connected");
    }

    #[test]
    fn every_answer_stands_on_one_line_of_a_phone() {
        let counts = [0, 1, 2, 9, 10, 98, 100, 999, 1_000, 9_998, 10_000, 99_999];
        for ok in counts {
            for bad in counts {
                for unknown in counts {
                    for selected in [false, true] {
                        let sentence = of_fleet(&summary(ok, 0, bad, 0, unknown), selected).sentence;
                        assert!(sentence.chars().count() <= LINE_MAX, "{sentence}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_selection_says_so() {
        let answer = of_fleet(&summary(3, 0, 0, 0, 0), true);
        assert_eq!(answer.sentence, "All 3 boxes are well.");
        assert_eq!(answer.detail, "In this selection: 3 well · 3 of 3 boxes connected");
        assert_eq!(of_fleet(&summary(0, 0, 0, 0, 0), true).sentence, "No box matches.");
    }

    #[test]
    fn the_detail_leaves_out_what_is_nought() {
        assert_eq!(
            of_fleet(&summary(4, 1, 0, 1, 0), false).detail,
            "1 with a warning · 1 not heard from · 4 well · 5 of 6 boxes connected"
        );
    }
}
