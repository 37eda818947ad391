//! The fields of a profile in bodies and responses: one place for every route that reads or shows them.

use time::Date;

use super::fields::{FieldReader, Patch};
use super::openapi::{FieldSpec, FieldType, optional};
use crate::types::{BirthDate, Gender, Name, Profile};

/// Returns the profile fields of a request body, for the API reference.
pub(crate) fn field_specs() -> Vec<FieldSpec> {
    vec![
        optional("name", FieldType::Text),
        optional("gender", FieldType::Gender),
        optional("date_of_birth", FieldType::Day),
    ]
}

/// The profile fields of a body, each of which may be left out.
pub(crate) struct ProfilePatch {
    name: Patch<Name>,
    gender: Patch<Option<Gender>>,
    date_of_birth: Patch<Option<BirthDate>>,
}

impl ProfilePatch {
    pub(crate) fn read(fields: &mut FieldReader<'_>, today: Date) -> Self {
        Self {
            name: fields.name("name"),
            gender: fields.gender("gender"),
            date_of_birth: fields.date_of_birth("date_of_birth", today),
        }
    }

    /// Replaces the fields that were sent.
    pub(crate) fn apply(self, profile: &mut Profile) {
        self.name.replace(&mut profile.name);
        self.gender.replace(&mut profile.gender);
        self.date_of_birth.replace(&mut profile.date_of_birth);
    }

    /// Returns the profile of a new account.
    pub(crate) fn into_new(self) -> Profile {
        let mut profile = Profile::default();
        self.apply(&mut profile);
        profile
    }
}

/// Defines a response that shows a profile between other fields, in the order of the fields.
macro_rules! response_with_profile {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$meta_before:meta])* $before:ident: $type_before:ty,)*
            ..profile,
            $($(#[$meta_after:meta])* $after:ident: $type_after:ty,)*
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name {
            $($(#[$meta_before])* $before: $type_before,)*
            name: String,
            #[schema(pattern = "^(|male|female)$")]
            gender: &'static str,
            #[schema(required, format = Date)]
            date_of_birth: Option<String>,
            $($(#[$meta_after])* $after: $type_after,)*
        }

        impl $name {
            fn new(
                profile: &crate::types::Profile,
                ($($before,)*): ($($type_before,)*),
                ($($after,)*): ($($type_after,)*),
            ) -> Self {
                Self {
                    $($before,)*
                    name: profile.name.as_str().to_owned(),
                    gender: profile.gender.map_or("", crate::types::Gender::as_str),
                    date_of_birth: profile.date_of_birth.map(|date| date.to_string()),
                    $($after,)*
                }
            }
        }
    };
}

pub(crate) use response_with_profile;
