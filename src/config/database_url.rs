//! Where the data is: the setting `database_url`.
//!
//! Knows only how the URL is written, not whether the database exists.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::problem::NotAllowed;
use super::url_password::without_password;

/// Where the data is: `sqlite://path` or `postgres://…`.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file beside the program.
    Sqlite(std::path::PathBuf),
    /// A PostgreSQL server; the URL holds a password.
    Postgres(String),
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self::Sqlite("data/daemun.db".into())
    }
}

impl FromStr for DatabaseUrl {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            // A file only: not `:memory:`, and no parameters of the driver.
            let is_file =
                !path.is_empty() && !path.starts_with(':') && !path.contains(['?', '#', '\0']);
            return if is_file { Ok(Self::Sqlite(path.into())) } else { Err(NotAllowed) };
        }
        let url = Url::parse(text).map_err(|_| NotAllowed)?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(Self::Postgres(text.to_owned())),
            _ => Err(NotAllowed),
        }
    }
}

/// The password is left out.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_url_is_shown_without_its_password() {
        let url: DatabaseUrl = "postgres://ada:open%20sesame@db/x".parse().expect("a database");
        assert_eq!(url.to_string(), "postgres://ada:***@db/x");
        assert_eq!(format!("{url:?}"), "postgres://ada:***@db/x");
    }
}
