//! Every sentence for people, in Korean and English.
//!
//! The `.toml` files of this folder hold each key with both languages, and are compiled in: pages of
//! users in `account.toml`, of staff in `admin/`, then `api.toml`, `emails.toml`, `cli.toml`, and what
//! several of them share in `shared.toml`. Tests fail when a text is missing, unused, or differs in its
//! placeholders. Does not decide what is said: entry points and e-mails choose the keys.

mod undelivered;

use std::borrow::Cow;
use std::time::Duration;

pub use crate::types::Language;
pub use undelivered::of_mail;

/// A sentence in no language yet: its key and the values of its placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    key: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Sentence {
    /// Creates the sentence of this key, without placeholders.
    #[must_use]
    pub fn new(key: &'static str) -> Self {
        Self { key, values: Vec::new() }
    }

    /// Creates the sentence of this key with one placeholder.
    #[must_use]
    pub fn with(key: &'static str, name: &'static str, value: impl ToString) -> Self {
        Self::new(key).and(name, value)
    }

    /// Adds a placeholder.
    #[must_use]
    pub fn and(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// Returns the text in a language.
    #[must_use]
    pub fn in_language(&self, language: Language) -> String {
        let values: Vec<_> =
            self.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        language.tell(self.key, &values)
    }
}

impl Language {
    /// Returns the text of this key. An unknown key is returned itself, which a test forbids.
    #[must_use]
    pub fn say(self, key: &'static str) -> Cow<'static, str> {
        rust_i18n::t!(key, locale = self.tag())
    }

    /// Returns the text of this key with its placeholders `%{name}` replaced.
    #[must_use]
    pub fn tell(self, key: &'static str, values: &[(&str, &str)]) -> String {
        let mut sentence = self.say(key).into_owned();
        for (name, value) in values {
            sentence = sentence.replace(&format!("%{{{name}}}"), value);
        }
        sentence
    }

    /// Returns a waiting time in words: in seconds up to 90, then in minutes.
    #[must_use]
    pub fn wait(self, wait: Duration) -> String {
        // Rounded up, so that an attempt after the time that was told is not refused again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let (count, one, many) = match seconds {
            0..=90 => (seconds, "wait.second", "wait.seconds"),
            _ => (seconds.div_ceil(60), "wait.minute", "wait.minutes"),
        };
        self.tell(if count == 1 { one } else { many }, &[("count", &count.to_string())])
    }
}
