//! Figures: medians of what was timed in this run.

use std::time::Duration;

/// The middle of some durations; zero of none.
pub fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

/// A duration for a person: three digits at most.
pub fn show(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        10_000..1_000_000 => format!("{} ms", duration.as_millis()),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_well() {
        for (micros, expected) in
            [(14, "14 µs"), (1_500, "1.5 ms"), (52_700, "52 ms"), (2_340_000, "2.3 s")]
        {
            assert_eq!(show(Duration::from_micros(micros)), expected);
        }
    }

    #[test]
    fn one_slow_call_does_not_move_the_median() {
        assert_eq!(
            median([1, 2, 900].map(Duration::from_micros).to_vec()),
            Duration::from_micros(2)
        );
    }
}
