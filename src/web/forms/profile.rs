//! The profile's part of a form: one for the user's own page and the admin pages.

use super::{Field, form};
use crate::accounts::Profile;
use crate::types::{BirthDate, Gender, Language, Name, User};

form! {
    /// What a user says about themselves. A page that does not show a field does not send it, and an
    /// unsent field is empty.
    #[derive(Debug)]
    pub(crate) struct ProfileFields {
        pub name: Field<Name>,
        pub gender: Field<Option<Gender>>,
        pub date_of_birth: Field<Option<BirthDate>>,
    }
}

impl ProfileFields {
    /// Returns the profile of a user who reads this language.
    pub(crate) fn profile(&self, language: Language) -> Option<Profile> {
        Some(Profile {
            name: self.name.value()?,
            gender: self.gender.value()?,
            date_of_birth: self.date_of_birth.value()?,
            language,
        })
    }

    /// Returns the values of the fields for a user.
    pub(crate) fn values_of(user: &User) -> Vec<(&'static str, String)> {
        let born = user.date_of_birth.map(|date| date.to_string());
        vec![
            ("name", user.name.as_str().to_owned()),
            ("gender", user.gender.map_or("", Gender::as_str).to_owned()),
            ("date_of_birth", born.unwrap_or_default()),
        ]
    }
}
