//! The description of the JSON door, for it to publish and for a page to show.

use serde_json::Value;

use crate::i18n::Language;

/// The `OpenAPI` document in each language. Whoever opens the doors makes it, because only they know all
/// of them.
#[derive(Debug, Clone)]
pub struct OpenApiDocuments {
    korean: Value,
    english: Value,
}

impl OpenApiDocuments {
    /// Writes it down once.
    #[must_use]
    pub fn generate(generate: impl Fn(Language) -> Value) -> Self {
        Self { korean: generate(Language::Korean), english: generate(Language::English) }
    }

    /// The document for readers of a language.
    #[must_use]
    pub fn in_language(&self, language: Language) -> &Value {
        match language {
            Language::Korean => &self.korean,
            Language::English => &self.english,
        }
    }
}
