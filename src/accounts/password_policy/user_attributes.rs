//! What the password of a user must not resemble: the address, the name and the date of birth.

use super::site_words::{MAX_WORDS, is_between_words};
use crate::accounts::similarity::is_similar;
use crate::types::{Email, Profile, User};

/// What a user's password must not resemble.
#[derive(Debug, Clone)]
pub struct UserAttributes {
    /// The address, if it is well-formed.
    pub email: Option<Email>,
    /// The profile.
    pub profile: Profile,
}

impl UserAttributes {
    /// Returns the attributes of a user.
    #[must_use]
    pub fn of(user: &User) -> Self {
        Self { email: Some(user.email.clone()), profile: user.profile.clone() }
    }

    fn email(&self) -> &str {
        self.email.as_ref().map_or("", Email::as_typed)
    }
}

/// The attribute that a password resembles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserAttribute {
    /// The address.
    Email,
    /// The name.
    Name,
    /// The date of birth.
    DateOfBirth,
}

/// Returns the first attribute that a password resembles.
pub(super) fn similar_attribute(
    password: &str,
    attributes: &UserAttributes,
) -> Option<UserAttribute> {
    let password = password.to_lowercase();
    let born = attributes.profile.date_of_birth.map(|date| date.to_string()).unwrap_or_default();
    // Users also type the date without hyphens.
    let born_digits = born.replace('-', "");
    let data = [
        (UserAttribute::Email, attributes.email()),
        (UserAttribute::Name, attributes.profile.name.as_str()),
        (UserAttribute::DateOfBirth, born.as_str()),
        (UserAttribute::DateOfBirth, born_digits.as_str()),
    ];
    data.into_iter().find(|(_, value)| is_similar(&password, value)).map(|(which, _)| which)
}

/// Returns a bounded number of the user's words for the estimate, the whole address and name first.
pub(super) fn user_words(attributes: &UserAttributes) -> Vec<&str> {
    let (email, name) = (attributes.email(), attributes.profile.name.as_str());
    let words = email.split(is_between_words).chain(name.split_whitespace());
    [email, name]
        .into_iter()
        .chain(words)
        .filter(|word| word.chars().nth(1).is_some())
        .take(MAX_WORDS)
        .collect()
}
