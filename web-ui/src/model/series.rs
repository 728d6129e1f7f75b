//! What a chart shows of a box's last hour: points with a lowest, a middle and a highest value.

use super::device::value;
use kaliun_proto::fleet::v1::{Device, Point, Series};
use kaliun_proto::telemetry::v1::Metric;

/// Width of a point, milliseconds: four samples at the usual interval, so that the band between lowest and highest says something.
pub const STEP_MS: i64 = 60_000;
/// How far back a chart goes, milliseconds.
pub const SPAN_MS: i64 = 3_600_000;

/// What can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Share of the processor's time.
    Processor,
    /// Share of the memory in use.
    Memory,
    /// The hottest sensor.
    Temperature,
    /// Programs that want to run.
    Load,
    /// Share of the disk in use.
    Disk,
}

/// How values are written beside a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Values are percent.
    Percent,
    /// Values are degrees Celsius.
    Celsius,
    /// Values are bare counts.
    Count,
}

impl Topic {
    /// All topics, in the order of the choice.
    pub const ALL: [Self; 5] = [Self::Processor, Self::Memory, Self::Temperature, Self::Load, Self::Disk];

    /// Its name on the screen.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Processor => "Processor",
            Self::Memory => "Memory",
            Self::Temperature => "Temperature",
            Self::Load => "Load",
            Self::Disk => "Disk",
        }
    }

    /// A word for it where there is little room.
    #[must_use]
    pub const fn short_title(self) -> &'static str {
        match self {
            Self::Processor => "CPU",
            Self::Temperature => "Temp.",
            Self::Memory | Self::Load | Self::Disk => self.title(),
        }
    }

    /// Its unit.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Processor | Self::Memory | Self::Disk => Unit::Percent,
            Self::Temperature => Unit::Celsius,
            Self::Load => Unit::Count,
        }
    }

    /// What the values are, for the line under the title.
    #[must_use]
    pub const fn caption(self) -> &'static str {
        match self {
            Self::Processor => "share of time the cores are busy",
            Self::Memory => "share of the memory in use",
            Self::Temperature => "hottest sensor",
            Self::Load => "programs that want to run, over one minute",
            Self::Disk => "share of the disk in use",
        }
    }
}

/// All metrics that the topics are made of.
pub const METRICS: [Metric; 7] = [
    Metric::CpuBusyRatio,
    Metric::Load1mCount,
    Metric::MemoryTotalBytes,
    Metric::MemoryAvailableBytes,
    Metric::DiskTotalBytes,
    Metric::DiskAvailableBytes,
    Metric::TemperatureMaxCelsius,
];

/// One point of a chart, in the topic's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Begin of the step. Milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// Lowest value in the step.
    pub min: f64,
    /// Mean value.
    pub middle: f64,
    /// Highest value.
    pub max: f64,
    /// Samples behind it.
    pub count: u32,
}

/// Points of one topic out of the server's answer, oldest first.
#[must_use]
pub fn spots(topic: Topic, series: &[Series]) -> Vec<Spot> {
    let of = |metric: Metric| {
        series
            .iter()
            .find(|series| series.metric() == metric)
            .map(|series| series.points.as_slice())
            .unwrap_or_default()
    };
    match topic {
        Topic::Processor => of(Metric::CpuBusyRatio).iter().map(|point| scaled(point, 100.0)).collect(),
        Topic::Temperature => of(Metric::TemperatureMaxCelsius).iter().map(|point| scaled(point, 1.0)).collect(),
        Topic::Load => of(Metric::Load1mCount).iter().map(|point| scaled(point, 1.0)).collect(),
        Topic::Memory => used(of(Metric::MemoryTotalBytes), of(Metric::MemoryAvailableBytes)),
        Topic::Disk => used(of(Metric::DiskTotalBytes), of(Metric::DiskAvailableBytes)),
    }
}

fn scaled(point: &Point, factor: f64) -> Spot {
    Spot {
        at_ms: point.at_ms,
        min: point.min * factor,
        middle: point.average * factor,
        max: point.max * factor,
        count: point.count,
    }
}

/// Percent in use out of what there is and what is left. Most is used when least is left.
fn used(total: &[Point], available: &[Point]) -> Vec<Spot> {
    available
        .iter()
        .filter_map(|left| {
            let whole = total.iter().find(|point| point.at_ms == left.at_ms)?.last;
            let percent = |left: f64| (1.0 - left / whole).clamp(0.0, 1.0) * 100.0;
            (whole > 0.0).then(|| Spot {
                at_ms: left.at_ms,
                min: percent(left.max),
                middle: percent(left.average),
                max: percent(left.min),
                count: left.count,
            })
        })
        .collect()
}

/// The value of a topic in the newest sample.
#[must_use]
pub fn newest(topic: Topic, device: &Device) -> Option<f64> {
    let used = |total, available| match (value(device, total), value(device, available)) {
        (Some(total), Some(available)) if total > 0.0 => Some((1.0 - available / total).clamp(0.0, 1.0) * 100.0),
        (_, _) => None,
    };
    match topic {
        Topic::Processor => value(device, Metric::CpuBusyRatio).map(|ratio| ratio * 100.0),
        Topic::Temperature => value(device, Metric::TemperatureMaxCelsius),
        Topic::Load => value(device, Metric::Load1mCount),
        Topic::Memory => used(Metric::MemoryTotalBytes, Metric::MemoryAvailableBytes),
        Topic::Disk => used(Metric::DiskTotalBytes, Metric::DiskAvailableBytes),
    }
}

/// Adds a fresh sample at the end, so that the chart moves between two questions to the server.
pub fn push(spots: &mut Vec<Spot>, sampled_at_ms: i64, value: f64) {
    let at_ms = sampled_at_ms - sampled_at_ms.rem_euclid(STEP_MS);
    match spots.last_mut() {
        Some(last) if last.at_ms == at_ms => {
            let count = f64::from(last.count);
            last.middle = (last.middle * count + value) / (count + 1.0);
            last.min = last.min.min(value);
            last.max = last.max.max(value);
            last.count = last.count.saturating_add(1);
        }
        Some(last) if last.at_ms > at_ms => {}
        Some(_) | None => spots.push(Spot { at_ms, min: value, middle: value, max: value, count: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_ms: i64, min: f64, max: f64) -> Point {
        Point { at_ms, min, max, average: f64::midpoint(min, max), last: max, count: 4 }
    }

    #[test]
    fn memory_in_use_is_what_is_not_left() {
        let series = [
            Series { metric: Metric::MemoryTotalBytes.into(), points: vec![point(0, 8.0, 8.0), point(60, 8.0, 8.0)] },
            Series { metric: Metric::MemoryAvailableBytes.into(), points: vec![point(0, 2.0, 4.0)] },
        ];
        let spots = spots(Topic::Memory, &series);
        assert_eq!(spots, [Spot { at_ms: 0, min: 50.0, middle: 62.5, max: 75.0, count: 4 }]);
    }

    #[test]
    fn a_fresh_sample_joins_its_step() {
        let mut spots = vec![Spot { at_ms: 0, min: 1.0, middle: 2.0, max: 3.0, count: 3 }];
        push(&mut spots, 59_000, 6.0);
        assert_eq!(spots, [Spot { at_ms: 0, min: 1.0, middle: 3.0, max: 6.0, count: 4 }]);
        push(&mut spots, 61_000, 5.0);
        assert_eq!(spots.len(), 2);
        push(&mut spots, 10_000, 9.0);
        assert_eq!(spots.len(), 2, "an old sample changes nothing");
    }
}
