//! What an event changed and what else is known of it, in the reader's language. What a newer version
//! has written is shown as it stands.

use serde_json::Value;
use time::OffsetDateTime;

use crate::types::Permission;
use crate::web::admin::groups::label;
use crate::web::page::{PageContext, Timestamp};

/// What a field was, and what it became.
pub(crate) struct Change {
    pub field: String,
    /// `None` where there was nothing, or nothing that can be told.
    pub old: Option<String>,
    pub new: String,
}

/// What else is known of an event: a reason, an instant.
pub(crate) struct Fact {
    pub name: String,
    pub value: String,
    /// The value, if it is an instant.
    pub at: Option<Timestamp>,
}

/// Stands for a value that there is not.
const NOTHING: &str = "–";

pub(crate) fn changes(page: &PageContext, details: &Value) -> Vec<Change> {
    let fields = details.get("changes").and_then(Value::as_object).into_iter().flatten();
    let changes = fields.map(|(field, both)| {
        // What cannot be told, such as a secret, is only said to be another one.
        let (old, new) = match both.as_array().map(Vec::as_slice) {
            Some([old, new]) => (Some(words(page, field, old)), words(page, field, new)),
            _ => (None, words(page, field, both)),
        };
        let old = old.filter(|old| old != NOTHING);
        Change { field: name_of(page, field), old, new }
    });
    changes.collect()
}

pub(crate) fn facts(page: &PageContext, details: &Value) -> Vec<Fact> {
    let others = details.as_object().into_iter().flatten();
    let others = others.filter(|(name, value)| {
        let is_said = ["changes", "count"].contains(&name.as_str());
        let is_empty = value.is_null() || value.as_str() == Some("");
        !is_said && !is_empty
    });
    let others = others.map(|(name, value)| {
        let is_instant = name == "until" || name.ends_with("_at");
        let instant = value.as_i64().filter(|_| is_instant);
        let instant = instant.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        Fact {
            name: name_of(page, name),
            value: words(page, name, value),
            at: instant.map(|at| Timestamp::new(page, at)),
        }
    });
    others.collect()
}

fn words(page: &PageContext, field: &str, value: &Value) -> String {
    match value {
        Value::Null => NOTHING.into(),
        Value::Bool(true) => page.t("choice.yes").into_owned(),
        Value::Bool(false) => page.t("choice.no").into_owned(),
        Value::String(text) if text.is_empty() => NOTHING.into(),
        Value::Array(items) if items.is_empty() => NOTHING.into(),
        Value::String(text) => match (field, text.as_str()) {
            ("gender", "female") => page.t("gender.female").into_owned(),
            ("gender", "male") => page.t("gender.male").into_owned(),
            ("fields", name) => name_of(page, name),
            ("permissions", name) => Permission::from_stored(name)
                .map_or_else(|| text.clone(), |known| page.t(label(known)).into_owned()),
            _ => text.clone(),
        },
        Value::Array(items) => {
            items.iter().map(|item| words(page, field, item)).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn name_of(page: &PageContext, stored: &str) -> String {
    let key = match stored {
        "algorithm" => "admin.audit.detail.algorithm",
        "bulk" => "admin.audit.detail.bulk_job",
        "by_email" => "admin.audit.detail.sent_by_email",
        "client_id" => "admin.social.client_id",
        "client_secret" => "admin.social.client_secret",
        "date_of_birth" => "field.date_of_birth",
        "due_at" => "admin.audit.detail.due_at",
        "email" => "field.email",
        "email_verified" => "admin.users.verified",
        "fields" => "admin.audit.detail.fields",
        "from" => "admin.audit.detail.from",
        "gender" => "field.gender",
        "group" => "admin.users.group",
        "groups" => "admin.user.groups",
        "identities" => "social_accounts.title",
        "invited" => "admin.audit.detail.invited",
        "is_active" => "admin.users.active",
        "is_staff" => "admin.users.staff",
        "is_superuser" => "admin.users.superuser",
        "issuer" => "admin.social.issuer",
        "key" => "admin.audit.detail.key",
        "keys_gone" => "admin.audit.detail.keys_deleted",
        "language" => "field.language",
        "letter" => "admin.audit.detail.email",
        "name" => "field.name",
        "permissions" => "admin.groups.permissions",
        "provider" => "admin.social.provider",
        "reason" => "admin.user_action.reason",
        "signs_at" => "admin.audit.detail.signs_at",
        "slug" => "admin.social.slug",
        "to" => "admin.audit.detail.to",
        "undone" => "admin.audit.detail.undone_bulk_job",
        "until" => "admin.audit.detail.until",
        other => return other.to_owned(),
    };
    page.t(key).into_owned()
}
