//! The form of an account, and its merge with an account that was saved meanwhile.
//!
//! It does not save anything: the use case decides whether the account has changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts::{Account, AccountUpdate};
use crate::flows::admin::user_update::{UserUpdate, UserWithGroups};
use crate::types::{Email, GroupId};
use crate::web::forms::profile::ProfileFields;
use crate::web::forms::{Choices, Field, Form as _, FormError, FormErrors, Hidden, form};
use crate::web::page::PageContext;

form! {
    pub(crate) struct UserForm {
        email: Field<Email>,
        email_verified: Field<bool>,
        profile: ProfileFields,
        is_active: Field<bool>,
        is_staff: Field<bool>,
        is_superuser: Field<bool>,
        groups: Choices<GroupId>,
        /// The version of the account from which the form was made.
        version: Hidden,
        /// The fields of the account at that time, to distinguish a later change of the account
        /// from a change in the form.
        seen: Hidden,
    }
}

/// The values of a form's fields, as a page renders them.
pub(crate) type FieldValues = Vec<(&'static str, String)>;

/// Checkboxes whose values are compared as yes or no.
const CHECKBOXES: [&str; 3] = ["is_active", "is_staff", "is_superuser"];

impl UserForm {
    /// Returns the values of the form for an account.
    pub(crate) fn values_of(account: &Account, groups: &[(GroupId, String)]) -> FieldValues {
        let user = &account.user;
        let is = |is: bool| if is { "true".to_owned() } else { String::new() };
        let mut values = vec![("email", user.email.as_typed().to_owned())];
        values.extend(ProfileFields::values_of(user));
        values.push(("is_active", is(account.is_active)));
        values.push(("is_staff", is(user.is_staff)));
        values.push(("is_superuser", is(user.is_superuser)));
        values.extend(groups.iter().map(|(id, _)| ("groups", id.to_string())));
        let seen = serde_json::to_string(&comparable(&values)).unwrap_or_default();
        values.push(("version", account.version.to_string()));
        values.push(("seen", seen));
        values
    }

    /// Returns the values of a form without errors.
    pub(crate) fn update(&self, has_reauthenticated: bool) -> Option<UserUpdate> {
        let edited = AccountUpdate {
            email: self.email.value()?,
            profile: self.profile.profile()?,
            is_active: self.is_active.value()?,
            is_staff: self.is_staff.value()?,
            is_superuser: self.is_superuser.value()?,
        };
        // An unreadable version equals no account's.
        let version = self.version.parse().unwrap_or(-1);
        let (is_verified, groups) = (self.email_verified.value()?, unique_ids(&self.groups)?);
        Some(UserUpdate { version, edited, groups, is_verified, has_reauthenticated })
    }
}

/// Returns one text for each field that another administrator can change meanwhile.
fn comparable(values: &FieldValues) -> BTreeMap<String, String> {
    let mut fields: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::from([("groups", BTreeSet::new())]);
    for (name, value) in values {
        let value = match value.as_str() {
            "on" if CHECKBOXES.contains(name) => "true",
            "false" if CHECKBOXES.contains(name) => "",
            value => value,
        };
        if !["email_verified", "version", "seen"].contains(name) {
            fields.entry(name).or_default().insert(value);
        }
    }
    let joined = fields
        .into_iter()
        .map(|(name, values)| (name.to_owned(), values.into_iter().collect::<Vec<_>>().join(",")));
    joined.collect()
}

/// Returns the ids of the ticked groups without duplicates.
pub(crate) fn unique_ids(groups: &Choices<GroupId>) -> Option<Vec<GroupId>> {
    let mut ids = groups.values()?;
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}

/// Merges a form with an account that was saved meanwhile: fields that the reader did not touch get
/// their current value, and each field that changed says to what.
pub(crate) fn merge(
    form: &UserForm,
    current: &UserWithGroups,
    page: &PageContext,
) -> (FieldValues, FormErrors) {
    let mut values = form.retained_values();
    let current_values = UserForm::values_of(&current.account, &current.groups);
    let (now, typed) = (comparable(&current_values), comparable(&values));
    let seen: Option<BTreeMap<String, String>> = serde_json::from_str(&form.seen).ok();
    // If it is unreadable, every field counts as untouched, so that no change is overwritten.
    let seen = seen.unwrap_or_else(|| typed.clone());
    let mut replace = |field: &str| {
        values.retain(|(name, _)| *name != field);
        let of_field = current_values.iter().filter(|(name, _)| *name == field);
        values.extend(of_field.cloned());
    };
    let mut errors = FormErrors::on_form(FormError::new("admin.user.stale"));
    for spec in UserForm::fields() {
        let field = spec.name;
        let (Some(value), before) = (now.get(field), seen.get(field)) else { continue };
        if before == Some(value) {
            continue;
        }
        if typed.get(field) == before {
            replace(field);
        }
        let text = display_value(field, value, current, page);
        errors.push(Some(field), FormError::with("admin.user.changed_meanwhile", "value", text));
    }
    replace("version");
    replace("seen");
    (values, errors)
}

/// Returns a field's value in the reader's language.
fn display_value(field: &str, value: &str, current: &UserWithGroups, page: &PageContext) -> String {
    let key = match (field, value) {
        ("is_active" | "is_staff" | "is_superuser", "") => "admin.user.no",
        ("is_active" | "is_staff" | "is_superuser", _) => "admin.user.yes",
        ("gender", "male") => "gender.male",
        ("gender", "female") => "gender.female",
        (_, "") => "admin.user.nothing",
        ("groups", _) => {
            let names: Vec<_> = current.groups.iter().map(|(_, name)| name.as_str()).collect();
            return names.join(", ");
        }
        _ => return value.to_owned(),
    };
    page.t(key).into_owned()
}
