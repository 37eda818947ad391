//! Parses a row of a list as a user, by the rules of the domain types.
//!
//! Does not compare it with other rows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use validator::ValidationError;

use super::options::ImportOptions;
use crate::admin::imported_user::ImportedUser;
use crate::crypto::PasswordHash;
use crate::types::{Email, FromText as _, Language, Profile, ProfileField};

/// Returns the user of a row, and adds what is wrong with it to `faults`: columns with keys of
/// messages.
pub(super) fn user<'c>(
    cell: impl Fn(&'static str) -> &'c str,
    options: &ImportOptions,
    faults: &mut Vec<(&'static str, &'static str)>,
) -> ImportedUser {
    let mut check = |column, result: Result<(), ValidationError>| {
        if let Err(error) = result {
            // A file has no list to choose from.
            let key = match key(&error) {
                "gender.unknown" => "admin.import.unknown_gender",
                "language.unknown" => "admin.import.unknown_language",
                key => key,
            };
            faults.push((column, key));
        }
    };
    let (email, tag) = (cell("email"), cell("language"));
    check("email", Email::from_text(email, options.today).map(drop));
    let mut profile = BTreeMap::new();
    for field in ProfileField::ALL {
        let (name, text) = (field.as_str(), cell(field.as_str()));
        check(name, Profile::default().set_typed(*field, text, options.today));
        profile.insert(name.to_owned(), text.to_owned());
    }
    check("language", Option::<Language>::from_text(tag, options.today).map(drop));
    let mut flag = |column, default| match cell(column).to_lowercase().as_str() {
        "" => default,
        "true" | "t" | "yes" | "1" => true,
        "false" | "f" | "no" | "0" => false,
        _ => {
            faults.push((column, "admin.import.not_a_boolean"));
            default
        }
    };
    let (is_active, is_verified) = (flag("is_active", true), flag("verified", false));
    let password_hash = match cell("password") {
        "" => None,
        hash => PasswordHash::from_django(hash).unwrap_or_else(|_| {
            faults.push(("password", "admin.import.unsupported_hash"));
            None
        }),
    };
    ImportedUser {
        email: email.to_owned(),
        profile,
        is_active,
        is_verified,
        language: if tag.is_empty() { options.language.tag().to_owned() } else { tag.to_owned() },
        password_hash: password_hash.map(|hash| hash.as_str().to_owned()).unwrap_or_default(),
    }
}

/// Returns the code of a rule, which is a key.
fn key(error: &ValidationError) -> &'static str {
    match error.code {
        Cow::Borrowed(key) => key,
        Cow::Owned(_) => "form.unreadable",
    }
}
