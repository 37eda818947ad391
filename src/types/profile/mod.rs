//! What users say about themselves: name, gender and date of birth.
//!
//! Each value is parsed once, where it enters, by the same rules for pages, API and import.

mod birth_date;
mod gender;
mod name;

use time::Date;
use validator::ValidationError;

pub use self::birth_date::{BirthDate, BirthDateError};
pub use self::gender::Gender;
pub use self::name::{Name, NameError};
use crate::types::FromText;

/// The text form of one field of a profile.
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
        Some(self.as_str().to_owned())
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

/// Defines the profile, and what stores, forms, the API, imports and the audit log need to know
/// about its fields. A new built-in field is one line of this table.
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

            /// Sets a field to the value of its column. Returns `false` when the value is
            /// malformed.
            #[must_use]
            pub fn set_stored(&mut self, field: ProfileField, stored: Option<&str>) -> bool {
                match field {
                    $(ProfileField::$variant => {
                        FieldValue::from_stored(stored).map(|value| self.$field = value).is_some()
                    })+
                }
            }

            /// Sets a field to what a user typed.
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
    use super::*;

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
