//! The figures, for people and for programs.

use super::measure::Figures;
use serde::Serialize;
use std::io::Write as _;

/// What was asked and what came out.
#[derive(Debug)]
pub(super) struct Report {
    devices: usize,
    base: usize,
    settle_s: u64,
    concurrent: usize,
    pub(super) control_plane: Option<Figures>,
    pub(super) bare_tonic: Option<Figures>,
    pub(super) mosquitto: Option<Figures>,
}

/// The JSON object. A ratio is this control plane's figure over the peer's; what was not measured is null.
#[derive(Debug, Serialize)]
struct Document {
    devices: usize,
    base_devices: usize,
    settle_s: u64,
    concurrent_handshakes: usize,
    /// Of this control plane.
    kb_per_device: Option<f64>,
    connects_per_s: Option<f64>,
    /// Of memory: less than 1 is better than the peer.
    ratio_to_mosquitto: Option<f64>,
    ratio_to_bare_tonic: Option<f64>,
    /// Of connections a second: more than 1 is better than the peer.
    connects_ratio_to_mosquitto: Option<f64>,
    connects_ratio_to_bare_tonic: Option<f64>,
    control_plane: Option<Figures>,
    bare_tonic: Option<Figures>,
    mosquitto: Option<Figures>,
}

impl Report {
    pub(super) fn new(devices: usize, base: usize, settle_s: u64, concurrent: usize) -> Self {
        Self { devices, base, settle_s, concurrent, control_plane: None, bare_tonic: None, mosquitto: None }
    }

    fn ratio(&self, peer: Option<Figures>, figure: impl Fn(Figures) -> f64) -> Option<f64> {
        Some(figure(self.control_plane?) / figure(peer?))
    }

    fn document(&self) -> Document {
        let (memory, connects) = (|figures: Figures| figures.kb_per_device, |figures: Figures| figures.connects_per_s);
        Document {
            devices: self.devices,
            base_devices: self.base,
            settle_s: self.settle_s,
            concurrent_handshakes: self.concurrent,
            kb_per_device: self.control_plane.map(memory),
            connects_per_s: self.control_plane.map(connects),
            ratio_to_mosquitto: self.ratio(self.mosquitto, memory),
            ratio_to_bare_tonic: self.ratio(self.bare_tonic, memory),
            connects_ratio_to_mosquitto: self.ratio(self.mosquitto, connects),
            connects_ratio_to_bare_tonic: self.ratio(self.bare_tonic, connects),
            control_plane: self.control_plane,
            bare_tonic: self.bare_tonic,
            mosquitto: self.mosquitto,
        }
    }

    /// Writes to standard output.
    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        let document = self.document();
        let text = if json { serde_json::to_string(&document)? } else { self.table(&document) };
        writeln!(std::io::stdout().lock(), "{text}")?;
        Ok(())
    }

    fn table(&self, document: &Document) -> String {
        let mut lines = vec![format!(
            "{:<16}{:>16}{:>12}{:>20}{:>12}",
            "server", "kB per device", "ours/it", "connections a s", "ours/it"
        )];
        let ratio = |ratio: Option<f64>| ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        for (name, figures, memory, connects) in [
            ("control plane", self.control_plane, None, None),
            ("bare tonic", self.bare_tonic, document.ratio_to_bare_tonic, document.connects_ratio_to_bare_tonic),
            ("mosquitto", self.mosquitto, document.ratio_to_mosquitto, document.connects_ratio_to_mosquitto),
        ] {
            let Some(figures) = figures else { continue };
            lines.push(format!(
                "{name:<16}{:>16.1}{:>12}{:>20.0}{:>12}",
                figures.kb_per_device,
                ratio(memory),
                figures.connects_per_s,
                ratio(connects)
            ));
        }
        lines.push(format!(
            "slope of PSS from {} to {} idle devices, each reading after {} s; {} handshakes in flight",
            self.base, self.devices, self.settle_s, self.concurrent
        ));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_ours_over_theirs_and_absent_without_both() {
        let figures = |kb_per_device, connects_per_s| Figures {
            kb_per_device,
            connects_per_s,
            server_cpu_ms_per_connect: 1.0,
            pss_at_base_kb: 1,
            pss_at_end_kb: 2,
        };
        let mut report = Report::new(4, 1, 60, 2);
        report.control_plane = Some(figures(20.0, 900.0));
        report.bare_tonic = Some(figures(40.0, 1000.0));
        let document = report.document();
        assert_eq!(document.ratio_to_bare_tonic, Some(0.5));
        assert_eq!(document.connects_ratio_to_bare_tonic, Some(0.9));
        assert_eq!(document.ratio_to_mosquitto, None);
        assert!(report.table(&document).contains("bare tonic"));
    }
}
