//! The problems of a setting.
//!
//! Holds facts and translation keys; `cli::settings` turns them into sentences.

use std::fmt;

use thiserror::Error;

/// A text that a setting does not accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAllowed;

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name} = {value}: {what}")]
pub struct SettingError {
    pub name: String,
    /// Its value, without secrets.
    pub value: String,
    pub what: SettingProblem,
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingProblem {
    /// There is no such setting; the setting with the most similar name, if one is similar.
    Unknown(Option<String>),
    /// The value is not accepted; the translation key of what is, with its bounds if it has any.
    NotAllowed(&'static str, Option<(u64, u64)>),
    /// Rocket refuses one of its own settings; Rocket's message.
    Rocket(String),
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(_) => f.write_str("unknown setting"),
            Self::NotAllowed(what, None) => f.write_str(what),
            Self::NotAllowed(what, Some((low, high))) => write!(f, "{what} ({low} to {high})"),
            Self::Rocket(what) => f.write_str(what),
        }
    }
}
