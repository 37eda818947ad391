//! The types of one entry in the table of settings.

use super::SETTINGS;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name in `Rocket.toml`, and in the environment as `ROCKET_<NAME>`.
    pub name: &'static str,
    /// Its value when it is not given.
    pub default: DefaultValue,
    /// What it accepts.
    pub accepts: Accepts,
    /// How much of it may be shown.
    pub secrecy: Secrecy,
    /// What it means: Markdown, for the README.
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "only tests read it"))]
    pub meaning: &'static str,
}

/// The value of a setting that is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// This text, read as if it had been given.
    Text(&'static str),
    /// The site's own origin, which follows `port` unless it is given; the README says it like
    /// this.
    PublicUrl(&'static str),
    /// Nothing, or what is made elsewhere; the README says it like this.
    Nothing(&'static str),
}

/// What a setting accepts, for the sentence that answers a wrong value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// What the sentence with this translation key says.
    Sentence(&'static str),
    /// A whole number from `min` to `max`.
    Number { min: u64, max: u64 },
    /// A duration from `min` to `max` seconds.
    Seconds { min: u64, max: u64 },
}

/// How much of a value may be shown and logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// All of it, except a password in a URL.
    None,
    /// All of it; its `@` is that of an e-mail address and ends no password.
    Address,
    /// All of it except the password. A file that has one contains a secret.
    Url,
    /// Nothing. A file that has it contains a secret.
    Secret,
}

impl Setting {
    /// Returns the setting with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Returns the row of the README's table.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn readme_row(&self) -> String {
        let default = match self.default {
            DefaultValue::Nothing("generated") => "generated".to_owned(),
            DefaultValue::Text(text)
            | DefaultValue::PublicUrl(text)
            | DefaultValue::Nothing(text) => {
                format!("`{text}`")
            }
        };
        format!("| `{}` | {default} | {} |", self.name, self.meaning)
    }
}
