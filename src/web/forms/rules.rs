//! Rules of form fields for `validator`. Each calls the type's own `parse` and returns a
//! translation key; none holds a rule of its own.

use std::borrow::Cow;
use std::collections::HashMap;

use time::Date;
use validator::ValidationError;

use crate::groups::{GroupName, GroupNameError};
use crate::types::{
    BirthDate, BirthDateError, Email, EmailError, Gender, Language, Name, NameError, Permission,
};

type RuleResult = Result<(), ValidationError>;

/// Today, which rules about dates need.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Today(pub Date);

pub(in crate::web) fn email(typed: &str) -> RuleResult {
    Email::parse(typed).map(drop).map_err(|error| match error {
        EmailError::Missing => broken_rule("email.missing"),
        EmailError::TooLong => broken_rule("email.too_long"),
        EmailError::Malformed => broken_rule("email.malformed"),
        EmailError::Invisible(_) => {
            let mut broken = broken_rule("email.invisible");
            broken.add_param(Cow::Borrowed("sign"), &error.sign());
            broken
        }
    })
}

pub(in crate::web) fn group_name(typed: &str) -> RuleResult {
    GroupName::parse(typed).map(drop).map_err(|error| {
        broken_rule(match error {
            GroupNameError::Missing => "name.missing",
            GroupNameError::TooLong => "name.too_long",
            GroupNameError::Unprintable => "name.unprintable",
        })
    })
}

pub(in crate::web) fn permissions(ticked: &[String]) -> RuleResult {
    let are_known = ticked.iter().all(|name| Permission::from_stored(name).is_some());
    if are_known { Ok(()) } else { Err(broken_rule("permission.unknown")) }
}

pub(in crate::web) fn name(typed: &str) -> RuleResult {
    Name::parse(typed).map(drop).map_err(|error| {
        broken_rule(match error {
            NameError::TooLong => "name.too_long",
            NameError::Unprintable => "name.unprintable",
        })
    })
}

/// Accepts an empty language: the form does not have the field then.
pub(in crate::web) fn language(tag: &str) -> RuleResult {
    let is_known = tag.is_empty() || Language::from_tag(tag).is_some();
    if is_known { Ok(()) } else { Err(broken_rule("language.unknown")) }
}

pub(in crate::web) fn gender(typed: &str) -> RuleResult {
    Gender::parse(typed).map(drop).map_err(|_| broken_rule("gender.unknown"))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "validator hands contexts over by reference")]
pub(in crate::web) fn date_of_birth(typed: &str, today: &Today) -> RuleResult {
    BirthDate::parse(typed, today.0).map(drop).map_err(|error| {
        broken_rule(match error {
            BirthDateError::Malformed => "date_of_birth.malformed",
            BirthDateError::Future => "date_of_birth.future",
            BirthDateError::TooLongAgo => "date_of_birth.too_long_ago",
        })
    })
}

fn broken_rule(key: &'static str) -> ValidationError {
    ValidationError { code: Cow::Borrowed(key), message: None, params: HashMap::default() }
}
