//! Sentences, in Korean and in English.
//!
//! They stand side by side in the `.toml` files of this folder, one key with both languages, and are
//! compiled in. A test fails when one is missing, unused, or differs in its placeholders. Only doors
//! and e-mails speak; everything below them answers in facts.

mod undelivered;

use std::borrow::Cow;
use std::time::Duration;

pub use crate::types::Language;
pub use undelivered::of_mail;

/// A sentence before it is said: which one, and the values of its placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    key: &'static str,
    values: Vec<(&'static str, String)>,
}

impl Sentence {
    /// The sentence of this key.
    #[must_use]
    pub fn new(key: &'static str) -> Self {
        Self { key, values: Vec::new() }
    }

    /// The sentence of this key, with one placeholder filled in.
    #[must_use]
    pub fn with(key: &'static str, name: &'static str, value: impl ToString) -> Self {
        Self::new(key).and(name, value)
    }

    /// The same with one more placeholder filled in.
    #[must_use]
    pub fn and(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    /// The sentence as readers of a language have it.
    #[must_use]
    pub fn in_language(&self, language: Language) -> String {
        let values: Vec<_> =
            self.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        language.tell(self.key, &values)
    }
}

impl Language {
    /// The sentence of this key. A key that does not exist comes back itself, which a test forbids.
    #[must_use]
    pub fn say(self, key: &'static str) -> Cow<'static, str> {
        rust_i18n::t!(key, locale = self.tag())
    }

    /// The sentence of this key with its placeholders `%{name}` filled in.
    #[must_use]
    pub fn tell(self, key: &'static str, values: &[(&str, &str)]) -> String {
        let mut sentence = self.say(key).into_owned();
        for (name, value) in values {
            sentence = sentence.replace(&format!("%{{{name}}}"), value);
        }
        sentence
    }

    /// How long somebody has to wait, in words.
    #[must_use]
    pub fn wait(self, wait: Duration) -> String {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let (count, one, many) = match seconds {
            0..=90 => (seconds, "wait.second", "wait.seconds"),
            _ => (seconds.div_ceil(60), "wait.minute", "wait.minutes"),
        };
        self.tell(if count == 1 { one } else { many }, &[("count", &count.to_string())])
    }
}
