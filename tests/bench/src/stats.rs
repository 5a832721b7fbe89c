//! Figures: quantiles, medians over rounds, and how they are shown.

use std::time::Duration;

use crate::{Outcome, now};

/// What one round of calls took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Round {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Round {
    /// Makes the calls one after the other.
    pub(crate) fn of(calls: usize, mut call: impl FnMut() -> Outcome) -> Outcome<Self> {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let started = now();
            call()?;
            times.push(started.elapsed().as_secs_f64());
        }
        Ok(Self::from_times(times))
    }

    /// Of durations in seconds.
    pub(crate) fn from_times(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self { p50: quantile(&times, 0.5), p99: quantile(&times, 0.99) }
    }
}

/// Rounds of one contestant.
#[derive(Debug, Default)]
pub(crate) struct Rounds(pub(crate) Vec<Round>);

impl Rounds {
    pub(crate) fn p50(&self) -> f64 {
        median(self.0.iter().map(|round| round.p50))
    }

    pub(crate) fn p99(&self) -> f64 {
        median(self.0.iter().map(|round| round.p99))
    }

    /// The middle of the ratios of neighbours: what slowed down the machine slowed down both.
    pub(crate) fn p50_over(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(one, other)| one.p50 / other.p50))
    }

    /// As [`Self::p50_over`].
    pub(crate) fn p99_over(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(one, other)| one.p99 / other.p99))
    }

    /// The middle of the differences of neighbours, in seconds.
    pub(crate) fn p50_beyond(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(one, other)| one.p50 - other.p50))
    }
}

/// The middle one; not a number of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

fn quantile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * part).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// A duration in seconds, for a person: three digits.
pub(crate) fn show(seconds: f64) -> String {
    let (value, unit) = match seconds.abs() {
        small if small < 999.5e-6 => (seconds * 1e6, "µs"),
        middle if middle < 0.9995 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    match value.abs() {
        small if small < 9.95 => format!("{value:.2} {unit}"),
        middle if middle < 99.5 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

/// As [`show`].
pub(crate) fn show_duration(duration: Duration) -> String {
    show(duration.as_secs_f64())
}

/// Bytes, for a person.
pub(crate) fn show_bytes(bytes: f64) -> String {
    match bytes.abs() {
        small if small < 10_000.0 => format!("{bytes:.0} bytes"),
        middle if middle < 1_048_576.0 => format!("{:.1} KiB", bytes / 1024.0),
        _ => format!("{:.1} MiB", bytes / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_call_shows_in_the_p99_alone() {
        let mut times = vec![1.0; 98];
        times.extend([7.0, 8.0]);
        assert_eq!(Round::from_times(times), Round { p50: 1.0, p99: 7.0 });
    }

    #[test]
    fn ratios_are_taken_between_neighbours() {
        let rounds = |values: [f64; 3]| Rounds(values.map(|p50| Round { p50, p99: p50 }).to_vec());
        // A machine that is ten times slower in the second round changes nothing.
        assert_eq!(rounds([2.0, 20.0, 2.0]).p50_over(&rounds([1.0, 10.0, 1.0])), 2.0);
        assert_eq!(rounds([2.0, 20.0, 2.0]).p50_beyond(&rounds([1.0, 10.0, 1.0])), 1.0);
    }

    #[test]
    fn figures_read_well() {
        for (seconds, text) in
            [(14.25e-6, "14.2 µs"), (0.000_999_6, "1.00 ms"), (0.421, "421 ms"), (2.0, "2.00 s")]
        {
            assert_eq!(show(seconds), text);
        }
        assert_eq!(show_bytes(2_048.0), "2048 bytes");
        assert_eq!(show_bytes(10.0 * 1_048_576.0), "10.0 MiB");
    }
}
