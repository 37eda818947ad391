//! What is wrong with the fields of a body, in the shape of Django REST framework.
//!
//! Reads nothing; `fields` does.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use crate::accounts::{MAX_PASSWORD, UserAttribute, Weakness};
use crate::i18n::{Language, Sentence};

/// The name for errors that concern the body as a whole.
pub(crate) const NON_FIELD_ERRORS: &str = "non_field_errors";

/// Everything that is wrong with a body, by field.
#[derive(Debug, Default)]
pub(crate) struct FieldErrors(Vec<(&'static str, Sentence)>);

impl FieldErrors {
    /// Creates the errors with one message.
    pub(crate) fn on(field: &'static str, sentence: Sentence) -> Self {
        Self(vec![(field, sentence)])
    }

    /// Adds a message.
    pub(crate) fn add(&mut self, field: &'static str, sentence: Sentence) {
        self.0.push((field, sentence));
    }

    /// Adds a message for each weakness of a new password, at the field that `field` returns.
    pub(crate) fn add_weaknesses(
        &mut self,
        found: &[Weakness],
        field: impl Fn(Weakness) -> &'static str,
    ) {
        for weakness in found {
            self.add(field(*weakness), weakness_message(*weakness));
        }
    }

    pub(crate) fn has_error_on(&self, field: &str) -> bool {
        self.0.iter().any(|(about, _)| *about == field)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Translates the messages.
    pub(crate) fn in_language(&self, language: Language) -> FieldErrorsBody {
        let mut body = FieldErrorsBody(Vec::new());
        for (field, sentence) in &self.0 {
            let sentence = sentence.in_language(language);
            // A list and no map, so that errors come in the order of the fields.
            match body.0.iter_mut().find(|(about, _)| about == field) {
                Some((_, sentences)) => sentences.push(sentence),
                None => body.0.push((field, vec![sentence])),
            }
        }
        body
    }
}

/// The translated messages by field, in the order of the fields.
#[derive(Debug)]
pub(crate) struct FieldErrorsBody(Vec<(&'static str, Vec<String>)>);

impl Serialize for FieldErrorsBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, sentences) in &self.0 {
            map.serialize_entry(field, sentences)?;
        }
        map.end()
    }
}

/// Returns the error for an address that no e-mail from here reaches.
pub(crate) fn local_email_error() -> FieldErrors {
    FieldErrors::on("email", Sentence::new("email.local"))
}

/// Returns the message for a weak password, in the words of Django's validators.
fn weakness_message(weakness: Weakness) -> Sentence {
    match weakness {
        Weakness::TooShort(min) => Sentence::with("api.password.too_short", "min", min),
        Weakness::TooLong => Sentence::with("api.too_long", "max", MAX_PASSWORD),
        Weakness::TooSimilar(UserAttribute::Email) => Sentence::new("api.password.like_email"),
        Weakness::TooSimilar(UserAttribute::Name) => Sentence::new("api.password.like_name"),
        Weakness::TooSimilar(UserAttribute::DateOfBirth) => {
            Sentence::new("api.password.like_date_of_birth")
        }
        Weakness::TooCommon => Sentence::new("api.password.too_common"),
        Weakness::EntirelyNumeric => Sentence::new("api.password.entirely_numeric"),
        Weakness::TooGuessable => Sentence::new("password.too_guessable"),
    }
}
