//! Live figures of a box: processor, memory, disk, temperature.

use super::device::value;
use super::format;
use super::mark::Tone;
use kaliun_proto::fleet::v1::Device;
use kaliun_proto::telemetry::v1::Metric;

/// One figure as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge {
    /// What it measures.
    pub title: &'static str,
    /// The figure with its unit; "–" where there is none.
    pub figure: String,
    /// What stands behind it, for example "2.4 GB of 4.0 GB"; empty where there is nothing to add.
    pub detail: String,
    /// How full the bar is, 0 to 1; nothing where there is no figure.
    pub fill: Option<f64>,
    /// Good, or what the health rules say about it.
    pub tone: Tone,
}

/// Where a temperature bar begins and ends, degrees Celsius: a cool room to where small boxes switch off.
const TEMPERATURE_SCALE: (f64, f64) = (20.0, 100.0);

/// The four figures.
#[must_use]
pub fn of_device(device: &Device) -> [Gauge; 4] {
    [processor(device), memory(device), disk(device), temperature(device)]
}

fn absent(title: &'static str, detail: &str) -> Gauge {
    Gauge { title, figure: "–".to_owned(), detail: detail.to_owned(), fill: None, tone: Tone::Absent }
}

/// Same bounds as the health rules in kaliun-types.
fn tone(value: f64, warning: f64, bad: f64) -> Tone {
    if value >= bad {
        Tone::Bad
    } else if value >= warning {
        Tone::Warning
    } else {
        Tone::Good
    }
}

fn processor(device: &Device) -> Gauge {
    let Some(busy) = value(device, Metric::CpuBusyRatio) else {
        return absent("Processor", "No reading");
    };
    let detail = match (value(device, Metric::Load1mCount), device.facts.as_ref().map(|facts| facts.cpu_count)) {
        (Some(load), Some(cores)) if cores > 0 => {
            format!("load {load:.2} on {cores} core{}", if cores == 1 { "" } else { "s" })
        }
        (Some(load), _) => format!("load {load:.2}"),
        (None, _) => String::new(),
    };
    Gauge {
        title: "Processor",
        figure: format::percent(busy),
        detail,
        fill: Some(clamp(busy)),
        tone: tone(busy, 0.95, 2.0),
    }
}

fn memory(device: &Device) -> Gauge {
    share_used(device, "Memory", Metric::MemoryTotalBytes, Metric::MemoryAvailableBytes, (0.90, 0.97))
}

fn disk(device: &Device) -> Gauge {
    share_used(device, "Disk", Metric::DiskTotalBytes, Metric::DiskAvailableBytes, (0.90, 0.98))
}

fn share_used(device: &Device, title: &'static str, total: Metric, available: Metric, bounds: (f64, f64)) -> Gauge {
    match (value(device, total), value(device, available)) {
        (Some(total), Some(available)) if total > 0.0 => {
            let used = clamp(1.0 - available / total);
            Gauge {
                title,
                figure: format::percent(used),
                detail: format!("{} of {} free", format::bytes(available), format::bytes(total)),
                fill: Some(used),
                tone: tone(used, bounds.0, bounds.1),
            }
        }
        (_, _) => absent(title, "No reading"),
    }
}

fn temperature(device: &Device) -> Gauge {
    let Some(celsius) = value(device, Metric::TemperatureMaxCelsius) else {
        return absent("Temperature", "No sensor");
    };
    let (low, high) = TEMPERATURE_SCALE;
    Gauge {
        title: "Temperature",
        figure: format::celsius(celsius),
        detail: "hottest sensor".to_owned(),
        fill: Some(clamp((celsius - low) / (high - low))),
        tone: tone(celsius, 80.0, 95.0),
    }
}

fn clamp(ratio: f64) -> f64 {
    ratio.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaliun_proto::telemetry::v1::{Sample, SampleValues};

    fn measured(values: &[(Metric, f64)]) -> Device {
        let values = SampleValues {
            metrics: values.iter().map(|(metric, _)| i32::from(*metric)).collect(),
            values: values.iter().map(|(_, value)| *value).collect(),
        };
        Device {
            last_sample: Some(Sample { sampled_at_ms: 1, values: Some(values), health: None }),
            ..Device::default()
        }
    }

    #[test]
    fn figures_carry_units_and_tones() {
        let device = measured(&[
            (Metric::CpuBusyRatio, 0.374),
            (Metric::DiskTotalBytes, 64e9),
            (Metric::DiskAvailableBytes, 4e9),
            (Metric::TemperatureMaxCelsius, 96.0),
        ]);
        let [processor, memory, disk, temperature] = of_device(&device);
        assert_eq!(processor.figure, "37\u{202f}%");
        assert_eq!(processor.tone, Tone::Good);
        assert_eq!((memory.figure.as_str(), memory.fill), ("–", None));
        assert_eq!((disk.figure.as_str(), disk.tone), ("94\u{202f}%", Tone::Warning));
        assert_eq!(temperature.tone, Tone::Bad);
        assert!(temperature.fill.is_some_and(|fill| (fill - 0.95).abs() < 1e-9));
    }
}
