//! Geometry of a chart: from points to lines, bands, gaps and axes. Knows nothing of colours or of the browser.

use super::format;
use super::series::{STEP_MS, Spot, Unit};
use std::fmt::Write as _;

/// Room around the drawing, pixels: values at the right, times below.
const MARGIN_RIGHT: f64 = 44.0;
const MARGIN_BOTTOM: f64 = 24.0;
const MARGIN_TOP: f64 = 8.0;
const MARGIN_LEFT: f64 = 2.0;
/// Two times must not touch: "14:35" takes about 36 pixels.
const TIME_LABEL_PIXELS: f64 = 72.0;
/// A point further from the one before than this is behind a gap: one whole step without a sample.
const GAP_MS: i64 = STEP_MS + STEP_MS / 2;

/// A chart ready to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Outer size, pixels.
    pub width: f64,
    /// Outer size, pixels.
    pub height: f64,
    /// Left, top, right and bottom edge of the drawing itself, pixels.
    pub frame: Frame,
    /// The line of middle values, as SVG path data; a gap is a gap.
    pub line: String,
    /// The band between lowest and highest values, as SVG path data.
    pub band: String,
    /// Points that stand alone between gaps: a line would not show them.
    pub singles: Vec<(f64, f64)>,
    /// Stretches without samples: left edge and width, pixels.
    pub gaps: Vec<(f64, f64)>,
    /// Horizontal lines: height in pixels, and text.
    pub values: Vec<(f64, String)>,
    /// Times below: place in pixels, and milliseconds since the Unix epoch.
    pub times: Vec<(f64, i64)>,
    /// Where each point is, for the read-out.
    pub spots: Vec<(f64, f64, Spot)>,
}

/// Edges of the drawing, pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Bottom edge.
    pub bottom: f64,
}

/// A value with its unit, for the read-out.
#[must_use]
pub fn text(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Percent => format!("{value:.1}\u{202f}%"),
        Unit::Celsius => format!("{value:.1}\u{202f}°C"),
        Unit::Count => format!("{value:.2}"),
    }
}

/// Draws the points between two times. `timezone_offset_ms` is what local time is ahead of UTC, so that ticks fall on round local times.
#[must_use]
pub fn draw(spots: &[Spot], unit: Unit, size: (f64, f64), span_ms: (i64, i64), timezone_offset_ms: i64) -> Chart {
    let (width, height) = size;
    let frame =
        Frame { left: MARGIN_LEFT, top: MARGIN_TOP, right: width - MARGIN_RIGHT, bottom: height - MARGIN_BOTTOM };
    let (from_ms, to_ms) = span_ms;
    let shown: Vec<Spot> = spots.iter().copied().filter(|spot| spot.at_ms >= from_ms && spot.at_ms < to_ms).collect();
    let (low, high, step) = scale(&shown, unit);
    let x = |at_ms: i64| {
        frame.left + milliseconds(at_ms - from_ms) / milliseconds(to_ms - from_ms) * (frame.right - frame.left)
    };
    let y = |value: f64| frame.bottom - (value - low) / (high - low) * (frame.bottom - frame.top);
    // A point stands for its whole step, so it is drawn in the middle of it.
    let placed: Vec<(f64, f64, Spot)> =
        shown.iter().map(|spot| (x((spot.at_ms + STEP_MS / 2).min(to_ms)), y(spot.middle), *spot)).collect();
    let runs: Vec<&[(f64, f64, Spot)]> = placed.chunk_by(|a, b| b.2.at_ms - a.2.at_ms <= GAP_MS).collect();

    let mut line = String::new();
    let mut band = String::new();
    let mut singles = Vec::new();
    for run in &runs {
        if let [(x, y, _)] = run {
            singles.push((*x, *y));
        }
        path(&mut line, run.iter().map(|(x, y, _)| (*x, *y)));
        let upper = run.iter().map(|(x, _, spot)| (*x, y(spot.max)));
        let lower = run.iter().rev().map(|(x, _, spot)| (*x, y(spot.min)));
        path(&mut band, upper.chain(lower));
        if !run.is_empty() {
            band.push('Z');
        }
    }
    let gaps = runs
        .iter()
        .zip(runs.iter().skip(1))
        .filter_map(|(before, after)| Some((before.last()?.0, after.first()?.0)))
        .map(|(left, right)| (left, right - left))
        .collect();
    Chart {
        width,
        height,
        frame,
        line,
        band,
        singles,
        gaps,
        values: value_ticks(low, high, step)
            .into_iter()
            .map(|value| (y(value), tick_text(unit, value, step)))
            .collect(),
        times: time_ticks(from_ms, to_ms, frame.right - frame.left, timezone_offset_ms)
            .into_iter()
            .map(|at_ms| (x(at_ms), at_ms))
            .collect(),
        spots: placed,
    }
}

impl Chart {
    /// The point nearest to a place on the horizontal axis, pixels.
    #[must_use]
    pub fn nearest(&self, x: f64) -> Option<usize> {
        self.spots
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| (a.0 - x).abs().total_cmp(&(b.0 - x).abs()))
            .map(|(index, _)| index)
    }
}

fn milliseconds(value: i64) -> f64 {
    // Spans of hours are far below 2^53.
    #[expect(clippy::cast_precision_loss, reason = "spans of hours are far below 2^53 milliseconds")]
    let value = value as f64;
    value
}

fn path(out: &mut String, points: impl Iterator<Item = (f64, f64)>) {
    for (index, (x, y)) in points.enumerate() {
        let letter = if index == 0 { 'M' } else { 'L' };
        // Writing to a String cannot fail.
        let _infallible = write!(out, "{letter}{x:.1} {y:.1}");
    }
}

/// Lowest and highest value of the axis and the distance of its lines.
fn scale(spots: &[Spot], unit: Unit) -> (f64, f64, f64) {
    let highest = spots.iter().map(|spot| spot.max).fold(f64::NEG_INFINITY, f64::max);
    let lowest = spots.iter().map(|spot| spot.min).fold(f64::INFINITY, f64::min);
    match unit {
        // A share is shown in whole, so that half full looks half full; a calm one is magnified from nought.
        Unit::Percent if !highest.is_finite() || highest > 50.0 => (0.0, 100.0, 25.0),
        Unit::Percent if highest > 25.0 => (0.0, 50.0, 10.0),
        Unit::Percent if highest > 10.0 => (0.0, 25.0, 5.0),
        Unit::Percent => (0.0, 10.0, 2.5),
        Unit::Count => {
            let step = round_step(if highest.is_finite() { highest / 4.0 } else { 0.25 }, 0.1);
            (0.0, step * 4.0_f64.max((highest.max(0.0) / step).ceil()), step)
        }
        Unit::Celsius if !highest.is_finite() => (20.0, 80.0, 20.0),
        Unit::Celsius => {
            let step = round_step((highest - lowest) / 3.0, 5.0);
            let low = ((lowest - step / 4.0) / step).floor() * step;
            (low, low + step * (((highest + step / 4.0) - low) / step).ceil().max(2.0), step)
        }
    }
}

/// The next of 1, 2, 5, 10, … times a power of ten that is at least `rough`, and not below `least`.
fn round_step(rough: f64, least: f64) -> f64 {
    let rough = rough.max(least);
    let power = 10.0_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    steps.iter().map(|step| step * power).find(|step| *step >= rough * 0.999).unwrap_or(10.0 * power)
}

fn value_ticks(low: f64, high: f64, step: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    let mut value = low;
    // At most a dozen lines: `scale` chooses the step so.
    while value <= high + step / 1000.0 && ticks.len() < 12 {
        ticks.push(value);
        value += step;
    }
    ticks
}

fn tick_text(unit: Unit, value: f64, step: f64) -> String {
    match unit {
        Unit::Percent if step.fract() > 0.0 && value.fract() > 0.0 => format!("{value:.1}\u{202f}%"),
        Unit::Percent => format::percent(value / 100.0),
        Unit::Celsius => format::celsius(value),
        Unit::Count if step < 1.0 => format!("{value:.1}"),
        Unit::Count => format!("{value:.0}"),
    }
}

/// Round local times, so many that they do not touch.
fn time_ticks(from_ms: i64, to_ms: i64, width: f64, timezone_offset_ms: i64) -> Vec<i64> {
    const MINUTE_MS: i64 = 60_000;
    let fits = (width / TIME_LABEL_PIXELS).max(1.0);
    let distance = [5, 10, 15, 20, 30, 60]
        .map(|minutes| minutes * MINUTE_MS)
        .into_iter()
        .find(|distance| milliseconds(to_ms - from_ms) / milliseconds(*distance) <= fits)
        .unwrap_or(60 * MINUTE_MS);
    let first = from_ms + (distance - (from_ms + timezone_offset_ms).rem_euclid(distance)) % distance;
    (0..).map(|n| first + n * distance).take_while(|at_ms| *at_ms < to_ms).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(minute: i64, middle: f64) -> Spot {
        Spot { at_ms: minute * STEP_MS, min: middle - 1.0, middle, max: middle + 1.0, count: 4 }
    }

    fn hour(spots: &[Spot], unit: Unit) -> Chart {
        draw(spots, unit, (360.0, 200.0), (0, 60 * STEP_MS), 0)
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let chart = hour(&[spot(0, 20.0), spot(1, 22.0), spot(5, 21.0), spot(6, 20.0), spot(9, 30.0)], Unit::Percent);
        assert_eq!(chart.line.matches('M').count(), 3);
        assert_eq!(chart.band.matches('Z').count(), 3);
        assert_eq!(chart.gaps.len(), 2);
        assert_eq!(chart.singles.len(), 1);
    }

    #[test]
    fn everything_lies_inside_the_frame() {
        let chart = hour(
            &(0..60).map(|n| spot(n, 40.0 + f64::from(u8::try_from(n).unwrap()))).collect::<Vec<_>>(),
            Unit::Percent,
        );
        for (x, y, _) in &chart.spots {
            assert!(*x >= chart.frame.left && *x <= chart.frame.right, "{x}");
            assert!(*y >= chart.frame.top && *y <= chart.frame.bottom, "{y}");
        }
        assert_eq!(chart.gaps, []);
        assert_eq!(chart.values.len(), 5);
    }

    #[test]
    fn an_empty_chart_has_axes() {
        let chart = hour(&[], Unit::Celsius);
        assert_eq!(chart.line, "");
        assert!(chart.values.len() >= 3);
        assert_eq!(chart.nearest(10.0), None);
    }

    #[test]
    fn times_are_round_and_do_not_touch() {
        let minutes = |width: f64, offset: i64| {
            time_ticks(7 * 60_000, 67 * 60_000, width, offset).iter().map(|ms| ms / 60_000).collect::<Vec<_>>()
        };
        assert_eq!(minutes(314.0, 0), [15, 30, 45, 60]);
        assert_eq!(minutes(1200.0, 0).len(), 12);
        assert_eq!(minutes(150.0, 0), [30, 60]);
        // Nepal is 5 h 45 min ahead: round local times are at other minutes of UTC.
        assert_eq!(minutes(150.0, 345 * 60_000), [15, 45]);
    }

    #[test]
    fn the_axis_fits_the_values() {
        let top = |unit, value| scale(&[spot(0, value)], unit).1;
        assert!((top(Unit::Percent, 3.0) - 10.0).abs() < 1e-9);
        assert!((top(Unit::Percent, 60.0) - 100.0).abs() < 1e-9);
        let (low, high, step) = scale(&[spot(0, 51.0), spot(1, 52.0)], Unit::Celsius);
        assert!(low <= 50.0 && high >= 53.0 && step >= 5.0, "{low} {high} {step}");
    }

    #[test]
    fn the_read_out_takes_the_nearest_point() {
        let chart = hour(&[spot(0, 20.0), spot(30, 22.0)], Unit::Percent);
        assert_eq!(chart.nearest(0.0), Some(0));
        assert_eq!(chart.nearest(300.0), Some(1));
    }
}
