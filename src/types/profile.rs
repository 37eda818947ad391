//! What users say about themselves: name, gender and date of birth.
//!
//! Each value is parsed once, where it enters, by the same rules for pages, API and import.

use std::fmt;

use thiserror::Error;
use time::Date;
use time::macros::format_description;
use validator::ValidationError;

use super::{FromText, text};

/// The highest age that is accepted, in years. The longest documented life lasted 122.
const MAX_AGE_YEARS: i32 = 130;

/// The name of a user; may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name(String);

/// Why a text is not a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// More than 150 code points.
    #[error("name too long")]
    TooLong,
    /// Holds control characters such as line breaks.
    #[error("name with control characters")]
    Unprintable,
}

impl Name {
    /// Longest name, in code points; as long as Django's first name.
    pub const MAX: usize = 150;

    /// Parses a name: composes it (NFC), and drops white space and invisible characters around it.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let typed = text::normalized(typed);
        if typed.chars().count() > Self::MAX {
            return Err(NameError::TooLong);
        }
        if typed.chars().any(char::is_control) {
            return Err(NameError::Unprintable);
        }
        Ok(Self(typed.into_owned()))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The gender of a user who gave one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// `male`
    Male,
    /// `female`
    Female,
}

/// The text is not one of the choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not one of the choices")]
pub struct GenderError;

impl Gender {
    /// Parses a form value; an empty one means that the user gave no gender.
    ///
    /// # Errors
    /// [`GenderError`] for anything but `male`, `female` and the empty string.
    pub fn parse(typed: &str) -> Result<Option<Self>, GenderError> {
        match typed {
            "" => Ok(None),
            "male" => Ok(Some(Self::Male)),
            "female" => Ok(Some(Self::Female)),
            _ => Err(GenderError),
        }
    }

    /// Returns the form value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

/// A date on which a living user can have been born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BirthDate(Date);

/// Why a text is not a [`BirthDate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BirthDateError {
    /// Not a date in the form YYYY-MM-DD.
    #[error("not a date")]
    Malformed,
    /// After today.
    #[error("date in the future")]
    Future,
    /// Longer ago than anyone lives.
    #[error("date too long ago")]
    TooLongAgo,
}

impl BirthDate {
    /// Parses a form value; an empty one means that the user gave no date.
    pub fn parse(typed: &str, today: Date) -> Result<Option<Self>, BirthDateError> {
        if typed.is_empty() {
            return Ok(None);
        }
        let date = Self::from_iso(typed).ok_or(BirthDateError::Malformed)?;
        if date.0 > today {
            return Err(BirthDateError::Future);
        }
        if date.0.year() < today.year() - MAX_AGE_YEARS {
            return Err(BirthDateError::TooLongAgo);
        }
        Ok(Some(date))
    }

    /// Parses what [`Display`](fmt::Display) writes.
    #[must_use]
    pub fn from_iso(text: &str) -> Option<Self> {
        let is_iso = text.len() == 10 && text.as_bytes()[0].is_ascii_digit();
        let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
        is_iso.then_some(Self(date))
    }
}

/// Writes YYYY-MM-DD.
impl fmt::Display for BirthDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

/// How one field of a profile is written as text.
trait FieldValue: Sized {
    /// Reads a column.
    fn from_stored(stored: Option<&str>) -> Option<Self>;
    /// Returns the value of the column.
    fn to_stored(&self) -> Option<String>;
}

impl FieldValue for Name {
    fn from_stored(stored: Option<&str>) -> Option<Self> {
        Self::parse(stored?).ok()
    }

    fn to_stored(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

impl FieldValue for Option<Gender> {
    fn from_stored(stored: Option<&str>) -> Option<Self> {
        Gender::parse(stored.unwrap_or_default()).ok()
    }

    fn to_stored(&self) -> Option<String> {
        self.map(|gender| gender.as_str().to_owned())
    }
}

impl FieldValue for Option<BirthDate> {
    fn from_stored(stored: Option<&str>) -> Option<Self> {
        match stored {
            None | Some("") => Some(None),
            Some(date) => BirthDate::from_iso(date).map(Some),
        }
    }

    fn to_stored(&self) -> Option<String> {
        self.map(|date| date.to_string())
    }
}

/// Defines the profile, and what stores, forms, the API, imports and the audit log need to know about its
/// fields. A new built-in field is one line of this table.
macro_rules! profile_fields {
    ($($(#[$doc:meta])+ $variant:ident, $field:ident: $type:ty;)+) => {
        /// What users say about themselves.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Profile {
            $($(#[$doc])+ pub $field: $type,)+
        }

        /// A field of a [`Profile`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProfileField {
            $($(#[$doc])+ $variant,)+
        }

        impl ProfileField {
            /// Every field, in the order of forms.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the name of the field in forms, in JSON and in the database.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($field),)+
                }
            }
        }

        impl Profile {
            /// Returns the value of a field as its column stores it.
            #[must_use]
            pub fn to_stored(&self, field: ProfileField) -> Option<String> {
                match field {
                    $(ProfileField::$variant => self.$field.to_stored(),)+
                }
            }

            /// Sets a field to the value of its column. Returns `false` when the value is malformed.
            #[must_use]
            pub fn set_stored(&mut self, field: ProfileField, stored: Option<&str>) -> bool {
                match field {
                    $(ProfileField::$variant => {
                        FieldValue::from_stored(stored).map(|value| self.$field = value).is_some()
                    })+
                }
            }

            /// Sets a field to what a person typed.
            ///
            /// # Errors
            /// [`ValidationError`] as [`FromText`] gives it.
            pub fn set_typed(
                &mut self,
                field: ProfileField,
                typed: &str,
                today: Date,
            ) -> Result<(), ValidationError> {
                match field {
                    $(ProfileField::$variant => {
                        FromText::from_text(typed, today).map(|value| self.$field = value)
                    })+
                }
            }
        }
    };
}

profile_fields! {
    /// The name, may be empty.
    Name, name: Name;
    /// The gender, if the user gave one.
    Gender, gender: Option<Gender>;
    /// The date of birth, if the user gave one.
    DateOfBirth, date_of_birth: Option<BirthDate>;
}

impl Profile {
    /// Returns the value of a field as text, empty when the user gave none.
    #[must_use]
    pub fn text(&self, field: ProfileField) -> String {
        self.to_stored(field).unwrap_or_default()
    }

    /// Returns the fields that differ from another profile.
    #[must_use]
    pub fn changed_fields(&self, other: &Self) -> Vec<ProfileField> {
        let fields = ProfileField::ALL.iter().copied();
        fields.filter(|field| self.to_stored(*field) != other.to_stored(*field)).collect()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 03 - 01);

    #[test]
    fn a_calendar_date_is_a_date_of_birth() {
        let born = BirthDate::parse("1990-02-28", TODAY).expect("a date").expect("given");

        assert_eq!(born.to_string(), "1990-02-28");
    }

    #[test]
    fn an_impossible_date_of_birth_is_refused() {
        assert_eq!(BirthDate::parse("2026-03-02", TODAY), Err(BirthDateError::Future));
        assert_eq!(BirthDate::parse("1895-12-31", TODAY), Err(BirthDateError::TooLongAgo));
        for typed in
            ["1990-02-30", "1990/02/28", "28.02.1990", "+990-02-28", "1990-2-8", "x", "1990-02-28 "]
        {
            assert_eq!(BirthDate::parse(typed, TODAY), Err(BirthDateError::Malformed), "{typed:?}");
        }
    }

    #[test]
    fn a_name_is_printable_and_of_limited_length() {
        assert_eq!(Name::parse(" 홍길동 ").expect("a name").as_str(), "홍길동");
        let decomposed = "\u{1112}\u{1169}\u{11bc}\u{1100}\u{1175}\u{11af}\u{1103}\u{1169}\u{11bc}";
        assert_eq!(Name::parse(decomposed).expect("a name").as_str(), "홍길동");
        assert!(Name::parse(&"\u{1112}\u{1169}\u{11bc}".repeat(150)).is_ok(), "counted composed");
        assert_eq!(Name::parse("a\nb"), Err(NameError::Unprintable));
        assert_eq!(Name::parse(&"가".repeat(151)), Err(NameError::TooLong));
    }

    #[test]
    fn a_gender_is_one_of_the_choices() {
        assert_eq!(Gender::parse(""), Ok(None));
        assert_eq!(Gender::parse("female"), Ok(Some(Gender::Female)));
        assert_eq!(Gender::parse("other"), Err(GenderError));
    }

    #[test]
    fn each_field_reads_back_as_it_is_stored() {
        let mut profile = Profile::default();
        for (field, typed) in
            [("name", "홍길동"), ("gender", "female"), ("date_of_birth", "1990-02-28")]
        {
            let field = ProfileField::ALL.iter().find(|it| it.as_str() == field).expect("a field");
            assert!(profile.set_stored(*field, Some(typed)));
            assert_eq!(profile.text(*field), typed);
        }

        let mut read = Profile::default();
        assert_eq!(read.changed_fields(&profile), ProfileField::ALL);
        for field in ProfileField::ALL {
            assert!(read.set_stored(*field, profile.to_stored(*field).as_deref()));
        }
        assert_eq!(read, profile);
        assert!(!read.set_stored(ProfileField::DateOfBirth, Some("yesterday")));
        assert_eq!(read, profile);
    }
}
