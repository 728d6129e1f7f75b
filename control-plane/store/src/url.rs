//! How to reach a database, as a person writes it down.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use tokio_postgres::Config;

/// Where a database is and who logs in. It may hold a password, so it is never printed.
#[derive(Clone)]
pub struct DatabaseUrl(Box<Config>);

/// A text that is no database URL. The text is not repeated, for it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("must be like postgresql://user:password@host:5432/kaliun")]
pub struct InvalidDatabaseUrl;

impl DatabaseUrl {
    /// The connection parameters.
    pub(crate) fn config(&self) -> &Config {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The parser's own message may repeat a part of the text.
        text.parse().map(|config| Self(Box::new(config))).map_err(|_| InvalidDatabaseUrl)
    }
}

/// From parameters that are known already, such as those of a private cluster.
impl From<Config> for DatabaseUrl {
    fn from(config: Config) -> Self {
        Self(Box::new(config))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DatabaseUrl(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_repeated() {
        let url: DatabaseUrl = "postgresql://u:hunter2@h:5432/d".parse().unwrap();
        assert_eq!(format!("{url:?}"), "DatabaseUrl(redacted)");
        for wrong in ["postgresql://u:hunter2@h:x/d", "postgres:/hunter2", "hunter2"] {
            let error = wrong.parse::<DatabaseUrl>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
