//! A field of a URL's query as text, for searches and filters: one that is missing is empty.
//!
//! What the text means is decided by the page or endpoint, which also says what it cannot read.

use std::fmt;
use std::ops::{Deref, DerefMut};

use rocket::form;
use rocket::form::{FromFormField, ValueField};

/// The text of a field, empty when the query does not have it.
#[derive(Debug, Clone, Default)]
pub(crate) struct QueryText(String);

impl<'v> FromFormField<'v> for QueryText {
    fn from_value(field: ValueField<'v>) -> form::Result<'v, Self> {
        Ok(Self(field.value.to_owned()))
    }

    fn default() -> Option<Self> {
        Some(Self(String::new()))
    }
}

impl Deref for QueryText {
    type Target = String;

    fn deref(&self) -> &String {
        &self.0
    }
}

impl DerefMut for QueryText {
    fn deref_mut(&mut self) -> &mut String {
        &mut self.0
    }
}

impl fmt::Display for QueryText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<String> for QueryText {
    fn eq(&self, other: &String) -> bool {
        self.0 == *other
    }
}

impl PartialEq<str> for QueryText {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for QueryText {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}
