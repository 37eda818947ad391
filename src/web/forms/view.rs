//! A form as a template renders it.

use super::{Form, FormErrors};
use crate::http::next::SafeNext;
use crate::i18n::Language;

/// The retained values and the sentences about errors.
#[derive(Debug, Default)]
pub(crate) struct FormView {
    pub(super) values: Vec<(&'static str, String)>,
    errors: Vec<(&'static str, Vec<String>)>,
    field_errors: Vec<(String, String)>,
    form_errors: Vec<String>,
    next: String,
}

impl FormView {
    /// Returns an empty form that goes on to `next`.
    pub(crate) fn empty(next: &str) -> Self {
        Self { next: safe(next), ..Self::default() }
    }

    /// Returns a form that is filled in with these values.
    pub(crate) fn with_values(values: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self { values: values.into_iter().collect(), ..Self::default() }
    }

    /// Returns a submitted form with its retained values and its errors, in the order of its
    /// fields.
    pub(crate) fn of<F: Form>(form: &F, errors: &FormErrors, language: Language) -> Self {
        let values = form.retained_values();
        let next = values.iter().find(|(name, _)| *name == "next");
        let next = next.map(|(_, next)| safe(next)).unwrap_or_default();
        Self { values, next, ..Self::default() }.with_errors::<F>(errors, language)
    }

    /// Returns the same form with errors, in the order of the fields of `F`.
    pub(crate) fn with_errors<F: Form>(mut self, errors: &FormErrors, language: Language) -> Self {
        let fields = F::fields();
        let order = |field: Option<&str>| fields.iter().position(|it| Some(it.name) == field);
        self.add_errors(errors, order, language);
        self
    }

    /// Adds errors in this order of fields.
    pub(super) fn add_errors(
        &mut self,
        errors: &FormErrors,
        order: impl Fn(Option<&str>) -> Option<usize>,
        language: Language,
    ) {
        let mut in_order: Vec<_> = errors.iter().collect();
        in_order.sort_by_key(|(field, _)| order(*field));
        for (field, error) in in_order {
            let sentence = error.in_language(language);
            let Some(field) = field else {
                self.form_errors.push(sentence);
                continue;
            };
            self.field_errors.push(((*field).to_owned(), sentence.clone()));
            match self.errors.iter_mut().find(|(name, _)| name == field) {
                Some((_, sentences)) => sentences.push(sentence),
                None => self.errors.push((field, vec![sentence])),
            }
        }
    }

    /// Returns the retained value of a field.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(field, _)| *field == name).map_or("", |(_, value)| value)
    }

    /// Returns whether this is one of the values of a field with several.
    pub(crate) fn has(&self, name: &str, value: impl ToString) -> bool {
        let value = value.to_string();
        self.values.iter().any(|(field, retained)| *field == name && *retained == value)
    }

    /// Returns the errors of a field.
    pub(crate) fn errors(&self, name: &str) -> &[String] {
        self.errors.iter().find(|(field, _)| *field == name).map_or(&[], |(_, errors)| errors)
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.field_errors.is_empty() || !self.form_errors.is_empty()
    }

    /// Returns the errors of the form as a whole.
    pub(crate) fn form_errors(&self) -> &[String] {
        &self.form_errors
    }

    /// Returns the errors of all fields, in the order of the page.
    pub(crate) fn field_errors(&self) -> &[(String, String)] {
        &self.field_errors
    }

    /// Returns the path to go on to.
    pub(crate) fn next(&self) -> &str {
        &self.next
    }
}

/// Returns the path to go on to, if it is a safe one.
fn safe(next: &str) -> String {
    SafeNext::parse(next).map_or_else(String::new, |next| next.as_str().to_owned())
}
