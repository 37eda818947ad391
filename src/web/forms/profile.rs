//! The profile's part of a form: one for the user's own page and the admin pages.

use super::{Field, form};
use crate::types::{BirthDate, Gender, Name, Profile, ProfileField, User};

form! {
    /// What a user says about themselves. A page that does not show a field does not send it, and
    /// an unsent field is empty.
    #[derive(Debug)]
    pub(crate) struct ProfileFields {
        pub name: Field<Name>,
        pub gender: Field<Option<Gender>>,
        pub date_of_birth: Field<Option<BirthDate>>,
    }
}

/// Returns the translation key of a field's label.
pub(in crate::web) fn label(field: ProfileField) -> &'static str {
    match field {
        ProfileField::Name => "field.name",
        ProfileField::Gender => "field.gender",
        ProfileField::DateOfBirth => "field.date_of_birth",
    }
}

/// Returns the translation key of a value that is a choice, and not a text of the user's own.
pub(in crate::web) fn choice(profile: &Profile, field: ProfileField) -> Option<&'static str> {
    match field {
        ProfileField::Gender => profile.gender.map(|gender| match gender {
            Gender::Male => "gender.male",
            Gender::Female => "gender.female",
        }),
        ProfileField::Name | ProfileField::DateOfBirth => None,
    }
}

impl ProfileFields {
    /// Returns the profile.
    pub(crate) fn profile(&self) -> Option<Profile> {
        Some(Profile {
            name: self.name.value()?,
            gender: self.gender.value()?,
            date_of_birth: self.date_of_birth.value()?,
        })
    }

    /// Returns the profile as far as it could be read, with the rest empty.
    pub(crate) fn readable(&self) -> Profile {
        Profile {
            name: self.name.value().unwrap_or_default(),
            gender: self.gender.value().flatten(),
            date_of_birth: self.date_of_birth.value().flatten(),
        }
    }

    /// Returns the values of the fields for a user.
    pub(crate) fn values_of(user: &User) -> Vec<(&'static str, String)> {
        let fields = ProfileField::ALL.iter();
        fields.map(|field| (field.as_str(), user.profile.text(*field))).collect()
    }
}
