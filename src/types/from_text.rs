//! Reads what a user typed: the one way from a text in a form, a JSON body or a CSV file to a type.
//!
//! Each type's own `parse` is the rule. Here its error only gets a code, which is a translation key, so
//! that every entry point names the same error by the same code. Does not decide whether a field may be
//! missing.

use std::borrow::Cow;
use std::collections::HashMap;

use time::Date;
use validator::ValidationError;

use super::{
    BirthDate, BirthDateError, Email, EmailError, Gender, GroupId, Language, Name, NameError,
    Password, PasswordError, Permission, Secret, number,
};

/// A type that can be read from a typed text.
pub trait FromText: Sized {
    /// Whether the text is a secret, which is never rendered again.
    const IS_SECRET: bool = false;

    /// Parses a text. Dates are compared with `today`.
    ///
    /// # Errors
    /// [`ValidationError`] with a translation key as its code, and the values of that sentence.
    fn from_text(text: &str, today: Date) -> Result<Self, ValidationError>;
}

/// Returns an error with this translation key.
#[must_use]
pub fn text_error(code: &'static str) -> ValidationError {
    ValidationError { code: Cow::Borrowed(code), message: None, params: HashMap::default() }
}

impl FromText for String {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        Ok(text.to_owned())
    }
}

impl FromText for Email {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        Self::parse(text).map_err(|error| match error {
            EmailError::Missing => text_error("email.missing"),
            EmailError::TooLong => text_error("email.too_long"),
            EmailError::Malformed => text_error("email.malformed"),
            EmailError::Invisible(_) => {
                let mut invisible = text_error("email.invisible");
                invisible.add_param(Cow::Borrowed("sign"), &error.sign());
                invisible
            }
        })
    }
}

impl FromText for Password {
    const IS_SECRET: bool = true;

    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        Self::parse(text).map_err(|PasswordError::Missing| text_error("password.missing"))
    }
}

/// An optional password: an empty text is none.
impl FromText for Option<Password> {
    const IS_SECRET: bool = true;

    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        Ok(Password::parse(text).ok())
    }
}

impl FromText for Name {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        Self::parse(text).map_err(|error| {
            text_error(match error {
                NameError::TooLong => "name.too_long",
                NameError::Unprintable => "name.unprintable",
            })
        })
    }
}

impl FromText for Option<Gender> {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        Gender::parse(text).map_err(|_| text_error("gender.unknown"))
    }
}

impl FromText for Option<BirthDate> {
    fn from_text(text: &str, today: Date) -> Result<Self, ValidationError> {
        BirthDate::parse(text, today).map_err(|error| {
            text_error(match error {
                BirthDateError::Malformed => "date_of_birth.malformed",
                BirthDateError::Future => "date_of_birth.future",
                BirthDateError::TooLongAgo => "date_of_birth.too_long_ago",
            })
        })
    }
}

/// A language; an empty text is none, where the form or file does not have the field.
impl FromText for Option<Language> {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        match (text, Language::from_tag(text)) {
            ("", _) => Ok(None),
            (_, Some(language)) => Ok(Some(language)),
            (_, None) => Err(text_error("language.unknown")),
        }
    }
}

impl FromText for Permission {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        Self::from_stored(text).ok_or_else(|| text_error("permission.unknown"))
    }
}

/// A checkbox: browsers send its value or nothing.
impl FromText for bool {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        match text {
            "true" | "on" => Ok(true),
            "" | "false" => Ok(false),
            // The sentence of this key fits any field: "Choose one of the options."
            _ => Err(text_error("gender.unknown")),
        }
    }
}

impl FromText for GroupId {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        number(text).map(Self).ok_or_else(|| text_error("admin.user.groups_unknown"))
    }
}

impl FromText for Secret {
    const IS_SECRET: bool = true;

    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        Ok(Self::new(text.to_owned()))
    }
}
