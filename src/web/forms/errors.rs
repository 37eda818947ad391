//! What is wrong with a form, field by field.

use std::borrow::Cow;

use validator::ValidationError;

use crate::accounts::Weakness;

/// One error: a translation key with its values.
pub(crate) use crate::i18n::Sentence as FormError;

/// The codes of our own rules are translation keys; any other code is a rule of `validator` itself.
impl From<&ValidationError> for FormError {
    fn from(error: &ValidationError) -> Self {
        let Cow::Borrowed(key) = error.code else { return Self::new("form.unreadable") };
        // Only this value belongs to a sentence. What was typed must not be repeated.
        match error.params.get("sign").and_then(serde_json::Value::as_str) {
            Some(sign) => Self::with(key, "sign", sign),
            None => Self::new(key),
        }
    }
}

impl From<Weakness> for FormError {
    fn from(weakness: Weakness) -> Self {
        match weakness.bound() {
            Some((name, number)) => Self::with(weakness.key(), name, number),
            None => Self::new(weakness.key()),
        }
    }
}

/// The errors of a form; `None` means the form as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FormErrors(Vec<(Option<&'static str>, FormError)>);

impl FormErrors {
    pub(crate) fn on_field(
        field: &'static str,
        errors: impl IntoIterator<Item = FormError>,
    ) -> Self {
        Self(errors.into_iter().map(|error| (Some(field), error)).collect())
    }

    pub(crate) fn on_form(error: FormError) -> Self {
        Self(vec![(None, error)])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Option<&'static str>, FormError)> {
        self.0.iter()
    }

    /// Returns whether something is wrong with this field.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.iter().any(|(about, _)| *about == Some(field))
    }

    /// Returns the errors that are not about this field.
    pub(crate) fn without(&self, field: &str) -> Self {
        Self(self.0.iter().filter(|(about, _)| *about != Some(field)).cloned().collect())
    }

    /// Adds the weaknesses of a password.
    pub(crate) fn with_weaknesses(mut self, field: &'static str, found: Vec<Weakness>) -> Self {
        for weakness in found {
            self.push(Some(field), FormError::from(weakness));
        }
        self
    }

    /// Adds an error about a field.
    pub(crate) fn add(&mut self, field: &'static str, key: &'static str) {
        self.push(Some(field), FormError::new(key));
    }

    /// Adds an error, once.
    pub(crate) fn push(&mut self, field: Option<&'static str>, error: FormError) {
        // A field that is sent a thousand times is one mistake and one sentence.
        if !self.0.contains(&(field, error.clone())) {
            self.0.push((field, error));
        }
    }
}
