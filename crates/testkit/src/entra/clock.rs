//! The emulator's own clock: the wall clock plus an offset that a test moves.
//!
//! A test advances it instead of sleeping, so that a token which lives an hour expires at once.

/// No offset beyond a century: a hostile or mistaken jump must not overflow a date.
const MAX_OFFSET_MS: i64 = 100 * 366 * 86_400 * 1_000;

/// Real time plus an offset.
#[derive(Debug, Default)]
pub(crate) struct EmulatorClock {
    offset_ms: i64,
}

impl EmulatorClock {
    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        wall_clock_ms().saturating_add(self.offset_ms)
    }

    /// Seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        self.now_ms().div_euclid(1_000)
    }

    /// Moves the clock; a negative number moves it back.
    pub(crate) fn advance(&mut self, seconds: i64) {
        let offset = self.offset_ms.saturating_add(seconds.saturating_mul(1_000));
        self.offset_ms = offset.clamp(-MAX_OFFSET_MS, MAX_OFFSET_MS);
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the emulator reads the time")]
fn wall_clock_ms() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_1970.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX / 2))
}

/// `2026-11-22 03:24:14Z`, as Entra writes it in an error.
pub(crate) fn write_timestamp(unix: i64) -> String {
    let (days, second_of_day) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) =
        (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// `2026-11-22T03:24:14Z`, as XML has it.
pub(crate) fn write_iso_time(unix: i64) -> String {
    write_timestamp(unix).replace(' ', "T")
}

/// Reads what [`write_iso_time`] writes; a fraction of a second is dropped.
pub(crate) fn read_timestamp(text: &str) -> Option<i64> {
    let (date, time) = text.trim().strip_suffix('Z')?.split_once('T')?;
    let whole = time.split('.').next()?;
    let mut numbers = date.split('-').chain(whole.split(':')).map(|part| part.parse::<i64>().ok());
    let mut next = || numbers.next().flatten();
    let (year, month, day) = (next()?, next()?, next()?);
    let (hour, minute, second) = (next()?, next()?, next()?);
    let is_plausible = (1970..9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    is_plausible
        .then(|| days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// The inverse of [`civil_from_days`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The Gregorian date of a day count since 1970, by whole 400-year eras that begin on 1 March.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let from_march_0000 = days + 719_468;
    let (era, day_of_era) =
        (from_march_0000.div_euclid(146_097), from_march_0000.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_the_gregorian_date() {
        for (unix, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_795_317_854, "2026-11-22 03:24:14Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(write_timestamp(unix), text);
            assert_eq!(read_timestamp(&write_iso_time(unix)), Some(unix));
        }
        assert_eq!(read_timestamp("1970-01-01T00:00:01.999Z"), Some(1));
        for hostile in ["", "Z", "T", "1970-01-01", "1970-01-01T00:00:00", "1970-13-01T00:00:00Z"] {
            assert_eq!(read_timestamp(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn a_hostile_jump_saturates() {
        let mut clock = EmulatorClock::default();
        clock.advance(i64::MAX);
        assert!(clock.now() < 5_500_000_000);
        clock.advance(i64::MIN);
        assert!(clock.now() < 0);
    }
}
