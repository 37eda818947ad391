//! Sentences, in Korean and in English.
//!
//! They stand side by side in the `.toml` files of this folder, one key with both languages, and are
//! compiled in. A test fails when one is missing, unused, or differs in its placeholders. Only doors
//! and letters speak; everything below them answers in facts.

use std::borrow::Cow;

pub use crate::types::Language;

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
}
