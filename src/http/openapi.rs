//! The OpenAPI documents: `api` publishes them, `web` shows them as a page.

use serde_json::Value;

use crate::i18n::Language;

/// The `OpenAPI` document in each language.
#[derive(Debug, Clone)]
pub struct OpenApiDocuments {
    korean: Value,
    english: Value,
}

impl OpenApiDocuments {
    /// Generates the documents once. `app` calls it, because only `app` knows every entry point.
    #[must_use]
    pub fn generate(generate: impl Fn(Language) -> Value) -> Self {
        Self { korean: generate(Language::Korean), english: generate(Language::English) }
    }

    /// Returns the document in a language.
    #[must_use]
    pub fn in_language(&self, language: Language) -> &Value {
        match language {
            Language::Korean => &self.korean,
            Language::English => &self.english,
        }
    }
}
