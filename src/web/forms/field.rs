//! The fields of a form. Each is read once, and keeps what was typed beside what it means.

use time::Date;
use validator::{ValidationError, ValidationErrors};

use super::Form;
use crate::http::urlencoded;
use crate::types::FromText;

/// The body of a form while its fields are read.
pub(crate) struct FormData<'f> {
    pub(super) fields: &'f [urlencoded::FormField],
    pub(super) today: Date,
}

impl<'f> FormData<'f> {
    fn values(&self, name: &str) -> impl Iterator<Item = &'f str> {
        self.fields.iter().filter(move |field| field.name == name).map(|field| field.value.as_str())
    }

    /// Returns the first value; a field that was not sent is an empty one.
    fn first(&self, name: &str) -> &'f str {
        self.values(name).next().unwrap_or_default()
    }
}

/// Name and nature of a field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldSpec {
    pub name: &'static str,
    /// Whether the page shows it, so that an error can be shown beside it.
    pub is_visible: bool,
    /// Whether it may be sent more than once, as checkboxes of one name are.
    pub is_repeated: bool,
}

/// What a form is made of: a field, or a part with fields of its own.
pub(crate) trait FieldType: Sized {
    fn specs(name: &'static str) -> Vec<FieldSpec>;

    fn read(data: &FormData<'_>, name: &'static str) -> Self;

    /// Adds what is wrong with the value.
    fn add_errors(&self, name: &'static str, errors: &mut ValidationErrors);

    /// Adds the values that are rendered again. A secret has none.
    fn add_retained(&self, name: &'static str, values: &mut Vec<(&'static str, String)>);
}

/// A part of a form, which [`form!`](super::form) declares like a form. Its fields keep their own
/// names.
impl<F: Form> FieldType for F {
    fn specs(_: &'static str) -> Vec<FieldSpec> {
        F::fields()
    }

    fn read(data: &FormData<'_>, _: &'static str) -> Self {
        F::read_fields(data)
    }

    fn add_errors(&self, _: &'static str, errors: &mut ValidationErrors) {
        self.find_errors(errors);
    }

    fn add_retained(&self, _: &'static str, values: &mut Vec<(&'static str, String)>) {
        values.extend(self.retained_values());
    }
}

/// A field with one value: what was typed, and what it means or what is wrong with it.
#[derive(Debug, Clone)]
pub(crate) struct Field<T> {
    /// Empty for a secret.
    raw: String,
    parsed: Result<T, ValidationError>,
}

impl<T: FromText> FieldType for Field<T> {
    fn specs(name: &'static str) -> Vec<FieldSpec> {
        vec![FieldSpec { name, is_visible: true, is_repeated: false }]
    }

    fn read(data: &FormData<'_>, name: &'static str) -> Self {
        let raw = data.first(name);
        let parsed = T::from_text(raw, data.today);
        // A secret stays in its own type alone, which erases it.
        Self { raw: if T::IS_SECRET { String::new() } else { raw.to_owned() }, parsed }
    }

    fn add_errors(&self, name: &'static str, errors: &mut ValidationErrors) {
        if let Err(error) = &self.parsed {
            errors.add(name, error.clone());
        }
    }

    fn add_retained(&self, name: &'static str, values: &mut Vec<(&'static str, String)>) {
        if !T::IS_SECRET {
            values.push((name, self.raw.clone()));
        }
    }
}

impl<T: Clone> Field<T> {
    /// Returns the value, if nothing is wrong with it.
    pub(crate) fn value(&self) -> Option<T> {
        self.parsed.as_ref().ok().cloned()
    }
}

/// A field that may be sent more than once, such as checkboxes of one name: all values, or what is
/// wrong with one of them.
#[derive(Debug, Clone)]
pub(crate) struct Choices<T> {
    raw: Vec<String>,
    parsed: Result<Vec<T>, ValidationError>,
}

impl<T: FromText> FieldType for Choices<T> {
    fn specs(name: &'static str) -> Vec<FieldSpec> {
        vec![FieldSpec { name, is_visible: true, is_repeated: true }]
    }

    fn read(data: &FormData<'_>, name: &'static str) -> Self {
        let raw: Vec<_> = data.values(name).map(str::to_owned).collect();
        let parsed = raw.iter().map(|value| T::from_text(value, data.today)).collect();
        Self { raw, parsed }
    }

    fn add_errors(&self, name: &'static str, errors: &mut ValidationErrors) {
        if let Err(error) = &self.parsed {
            errors.add(name, error.clone());
        }
    }

    fn add_retained(&self, name: &'static str, values: &mut Vec<(&'static str, String)>) {
        values.extend(self.raw.iter().map(|value| (name, value.clone())));
    }
}

impl<T: Clone> Choices<T> {
    /// Returns the values, if nothing is wrong with any of them.
    pub(crate) fn values(&self) -> Option<Vec<T>> {
        self.parsed.as_ref().ok().cloned()
    }

    /// Returns the values as they were sent.
    pub(crate) fn raw(&self) -> &[String] {
        &self.raw
    }
}

/// A hidden field. What it holds comes from the page, so it is text until its handler looks at it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hidden(String);

impl std::ops::Deref for Hidden {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl FieldType for Hidden {
    fn specs(name: &'static str) -> Vec<FieldSpec> {
        vec![FieldSpec { name, is_visible: false, is_repeated: false }]
    }

    fn read(data: &FormData<'_>, name: &'static str) -> Self {
        Self(data.first(name).to_owned())
    }

    fn add_errors(&self, _: &'static str, _: &mut ValidationErrors) {}

    fn add_retained(&self, name: &'static str, values: &mut Vec<(&'static str, String)>) {
        values.push((name, self.0.clone()));
    }
}
