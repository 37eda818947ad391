//! Reads the fields of a body, and collects everything that is wrong with them.
//!
//! Each type's own `parse` is the rule; the messages are those of Django REST framework. Fields
//! that no endpoint reads are ignored.

use std::borrow::Cow;

use serde_json::Value;
use time::Date;
use validator::ValidationError;

use super::body::Body;
use super::field_errors::FieldErrors;
use crate::accounts::MAX_PASSWORD;
use crate::i18n::Sentence;
use crate::types::{BirthDate, Email, FromText, Gender, GroupId, Name, Password};

/// The day for types whose rules do not depend on it.
const ANY_DAY: Date = Date::MIN;

/// The field with the address of an account.
const EMAIL: &str = "email";

/// The field in which clients of Django may send it.
const USERNAME: &str = "username";

/// A field that may be left out, as in a PATCH request.
#[derive(Debug)]
pub(crate) enum Patch<T> {
    /// It was left out, or is invalid.
    Keep,
    /// It was sent.
    Set(T),
}

impl<T> Patch<T> {
    /// Replaces the old value, if the field was sent.
    pub(crate) fn replace(self, before: &mut T) {
        if let Self::Set(value) = self {
            *before = value;
        }
    }

    /// Returns the value that was sent, or the old one.
    pub(crate) fn or(self, before: T) -> T {
        match self {
            Self::Keep => before,
            Self::Set(value) => value,
        }
    }
}

/// Reads the fields of a body.
pub(crate) struct FieldReader<'b> {
    body: &'b Body,
    errors: FieldErrors,
}

impl<'b> FieldReader<'b> {
    pub(crate) fn of(body: &'b Body) -> Self {
        Self { body, errors: FieldErrors::default() }
    }

    /// Returns what is wrong with the fields that were read.
    pub(crate) fn into_errors(self) -> FieldErrors {
        self.errors
    }

    /// Reads a required text, trimmed.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.typed(name, true)?.trim().to_owned();
        self.not_blank(name, text)
    }

    /// Reads an optional text, trimmed; it must not be blank.
    pub(crate) fn optional_text(&mut self, name: &'static str) -> Option<String> {
        let text = self.typed(name, false)?.trim().to_owned();
        self.not_blank(name, text)
    }

    /// Reads a password as it was typed.
    pub(crate) fn password(&mut self, name: &'static str) -> Option<Password> {
        // Not trimmed: spaces may be part of a password.
        let typed = self.typed(name, true)?;
        let typed = self.not_blank(name, typed)?;
        self.parse(name, &typed, ANY_DAY)
    }

    /// Reads an optional password.
    pub(crate) fn optional_password(&mut self, name: &'static str) -> Option<Password> {
        let typed = self.typed(name, false)?;
        let typed = self.not_blank(name, typed)?;
        self.parse(name, &typed, ANY_DAY)
    }

    /// Reads a new password.
    pub(crate) fn new_password(&mut self, name: &'static str) -> Option<Password> {
        let password = self.password(name)?;
        if password.count() > MAX_PASSWORD {
            self.add_error(name, Sentence::with("api.too_long", "max", MAX_PASSWORD));
            return None;
        }
        Some(password)
    }

    /// Returns the name of the field that holds the account's address: `username` where a client sends
    /// the address in that one only, as SimpleJWT's do by default.
    pub(crate) fn address_field(&self) -> &'static str {
        let has_email = match self.body.get(EMAIL) {
            None => false,
            Some(Value::String(text)) => !text.trim().is_empty(),
            // An error of its own.
            Some(_) => true,
        };
        let is_address = match self.body.get(USERNAME) {
            Some(Value::String(text)) => Email::parse(text.trim()).is_ok(),
            _ => false,
        };
        if !has_email && is_address { USERNAME } else { EMAIL }
    }

    /// Reads an e-mail address.
    pub(crate) fn email(&mut self, name: &'static str) -> Option<Email> {
        let typed = self.text(name)?;
        self.parse(name, &typed, ANY_DAY)
    }

    /// Reads an e-mail address; a missing or blank one is `None` and no error here.
    pub(crate) fn optional_email(&mut self, name: &'static str) -> Option<Email> {
        let typed = self.typed(name, false)?;
        if typed.trim().is_empty() { None } else { self.parse(name, &typed, ANY_DAY) }
    }

    /// Reads a name.
    pub(crate) fn name(&mut self, name: &'static str) -> Patch<Name> {
        // A number is not a name: it may have lost digits on its way.
        if matches!(self.body.get(name), Some(Value::Number(_))) {
            return self.wrong(name, Sentence::new("api.not_a_string"));
        }
        let Some(typed) = self.typed(name, false) else { return Patch::Keep };
        self.parse(name, &typed, ANY_DAY).map_or(Patch::Keep, Patch::Set)
    }

    /// Reads a gender; the empty text means none.
    pub(crate) fn gender(&mut self, name: &'static str) -> Patch<Option<Gender>> {
        let typed = match self.body.get(name) {
            None => return Patch::Keep,
            Some(Value::Null) => return self.wrong(name, Sentence::new("api.null")),
            Some(Value::String(typed)) => typed.clone(),
            Some(other) => other.to_string(),
        };
        self.parse(name, &typed, ANY_DAY).map_or(Patch::Keep, Patch::Set)
    }

    /// Reads a date of birth; `null` means none.
    pub(crate) fn date_of_birth(
        &mut self,
        name: &'static str,
        today: Date,
    ) -> Patch<Option<BirthDate>> {
        let typed = match self.body.get(name) {
            None => return Patch::Keep,
            Some(Value::Null) => return Patch::Set(None),
            // A form has no `null`.
            Some(Value::String(typed)) if typed.is_empty() && self.body.is_form() => {
                return Patch::Set(None);
            }
            Some(Value::String(typed)) => typed.clone(),
            Some(other) => other.to_string(),
        };
        match self.parse(name, &typed, today) {
            Some(Some(date)) => Patch::Set(Some(date)),
            // As the OpenAPI document says: an empty text is no date, and `null` means none.
            Some(None) => self.wrong(name, Sentence::new("api.not_a_date")),
            None => Patch::Keep,
        }
    }

    /// Reads an e-mail address that may be left out, but not be blank.
    pub(crate) fn patched_email(&mut self, name: &'static str) -> Option<Email> {
        // Absent means "keep", blank is an error: `email` reports it.
        self.body.get(name)?;
        self.email(name)
    }

    /// Reads a new password that may be left out, but not be blank.
    pub(crate) fn optional_new_password(&mut self, name: &'static str) -> Option<Password> {
        self.body.get(name)?;
        self.new_password(name)
    }

    /// Reads a boolean.
    pub(crate) fn flag(&mut self, name: &'static str) -> Patch<bool> {
        let in_form = match self.body.get(name) {
            Some(Value::String(text)) if self.body.is_form() => flag_in_form(text),
            _ => None,
        };
        if let Some(is) = in_form {
            return Patch::Set(is);
        }
        match self.body.get(name) {
            None => Patch::Keep,
            Some(Value::Bool(is)) => Patch::Set(*is),
            Some(Value::Null) => self.wrong(name, Sentence::new("api.null")),
            // What a text such as "off" means would be a guess.
            Some(_) => self.wrong(name, Sentence::new("api.not_a_boolean")),
        }
    }

    /// Reads the ids of groups.
    pub(crate) fn groups(&mut self, name: &'static str) -> Patch<Vec<GroupId>> {
        let is_form = self.body.is_form();
        let values = match self.body.get(name) {
            None => return Patch::Keep,
            Some(Value::Array(values)) => values.as_slice(),
            // A form cannot say that a list has one item or none.
            Some(Value::String(text)) if is_form && text.is_empty() => &[],
            Some(only @ Value::String(_)) if is_form => std::slice::from_ref(only),
            Some(Value::Null) => return self.wrong(name, Sentence::new("api.null")),
            Some(_) => return self.wrong(name, Sentence::new("api.not_a_list")),
        };
        let number = |id: &Value| match id {
            Value::String(digits) if is_form => digits.trim().parse().ok(),
            id => id.as_i64(),
        };
        let ids: Option<Vec<_>> = values.iter().map(|id| number(id).map(GroupId)).collect();
        match ids {
            Some(ids) => Patch::Set(ids),
            None => self.wrong(name, Sentence::new("api.not_a_number")),
        }
    }

    /// Parses a text by the rule of its type.
    fn parse<T: FromText>(&mut self, name: &'static str, typed: &str, today: Date) -> Option<T> {
        match T::from_text(typed, today) {
            Ok(value) => Some(value),
            Err(error) => {
                self.add_error(name, message(&error, typed));
                None
            }
        }
    }

    /// Reads a field as text.
    fn typed(&mut self, name: &'static str, is_required: bool) -> Option<String> {
        let why = match self.body.get(name) {
            // The NUL was replaced when the body was read, so the text is not what was sent.
            Some(Value::String(_)) if self.body.had_nul(name) => "api.nul",
            Some(Value::String(text)) => return Some(text.clone()),
            // A whole number is taken as its digits, as in Django REST framework. One with a
            // fraction may have been rounded on its way.
            Some(Value::Number(number)) if !number.is_f64() => return Some(number.to_string()),
            Some(Value::Null) => "api.null",
            Some(_) => "api.not_a_string",
            None if is_required => "api.required",
            None => return None,
        };
        self.add_error(name, Sentence::new(why));
        None
    }

    fn not_blank(&mut self, name: &'static str, text: String) -> Option<String> {
        if text.is_empty() {
            self.add_error(name, Sentence::new("api.blank"));
            return None;
        }
        Some(text)
    }

    pub(crate) fn add_error(&mut self, name: &'static str, sentence: Sentence) {
        self.errors.add(name, sentence);
    }

    fn wrong<T>(&mut self, name: &'static str, sentence: Sentence) -> Patch<T> {
        self.add_error(name, sentence);
        Patch::Keep
    }
}

/// Parses a boolean of a form, by the texts that Django REST framework knows.
fn flag_in_form(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Returns what Django REST framework says about an error.
fn message(error: &ValidationError, typed: &str) -> Sentence {
    let Cow::Borrowed(code) = error.code else { return Sentence::new("api.malformed") };
    match code {
        "email.missing" | "email.malformed" => Sentence::new("api.not_an_email"),
        "email.too_long" => Sentence::with("api.too_long", "max", Email::MAX_BYTES),
        "name.too_long" => Sentence::with("api.too_long", "max", Name::MAX),
        "name.unprintable" => Sentence::new("api.unprintable"),
        "gender.unknown" => Sentence::with("api.not_a_choice", "value", typed),
        "date_of_birth.malformed" => Sentence::new("api.not_a_date"),
        "date_of_birth.future" => Sentence::new("api.future_date"),
        "date_of_birth.too_long_ago" => Sentence::new("api.old_date"),
        code => match error.params.get("sign").and_then(Value::as_str) {
            Some(sign) => Sentence::with(code, "sign", sign),
            None => Sentence::new(code),
        },
    }
}
