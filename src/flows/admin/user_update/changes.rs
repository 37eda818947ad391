//! What an update changes: the fields for the audit log, and the columns without a new address.

use serde_json::{Map, Value, json};

use crate::accounts::AccountUpdate;
use crate::types::ProfileField;

/// Lists every changed field with its old and its new value.
pub(super) fn changes(before: &AccountUpdate, after: &AccountUpdate) -> Map<String, Value> {
    let fields = |edited: &AccountUpdate| {
        let mut fields = vec![("email", json!(edited.email.as_typed()))];
        let profile = ProfileField::ALL.iter();
        fields.extend(profile.map(|it| (it.as_str(), json!(edited.profile.to_stored(*it)))));
        fields.extend([
            ("is_active", json!(edited.is_active)),
            ("is_staff", json!(edited.is_staff)),
            ("is_superuser", json!(edited.is_superuser)),
        ]);
        fields
    };
    let pairs = fields(before).into_iter().zip(fields(after));
    let changed = pairs.filter(|((_, old), (_, new))| old != new);
    changed.map(|((name, old), (_, new))| (name.to_owned(), json!([old, new]))).collect()
}

/// Leaves out a new address, which is written by a statement of its own.
pub(super) fn without_new_email(before: &AccountUpdate, after: &AccountUpdate) -> AccountUpdate {
    let is_same = before.email.canonical() == after.email.canonical();
    let email = if is_same { after.email.clone() } else { before.email.clone() };
    AccountUpdate { email, ..after.clone() }
}
