//! The changes and details of an audit event in the reader's language.
//!
//! A field or value that only another version knows is shown as it is stored.

use serde_json::Value;
use time::OffsetDateTime;

use crate::types::{Permission, ProfileField};
use crate::web::admin::groups::permission_label;
use crate::web::forms::profile;
use crate::web::page::{PageContext, Timestamp};

/// A field before and after.
pub(crate) struct FieldChange {
    pub field: String,
    /// `None` where there was nothing, or where the value is not stored.
    pub old: Option<String>,
    pub new: String,
}

/// Another detail of an event, such as a reason or an instant.
pub(crate) struct EventDetail {
    pub name: String,
    pub value: String,
    /// The value, if it is an instant.
    pub at: Option<Timestamp>,
}

/// Shown for a missing value.
const NONE: &str = "–";

pub(crate) fn changes(page: &PageContext, details: &Value) -> Vec<FieldChange> {
    let fields = details.get("changes").and_then(Value::as_object).into_iter().flatten();
    let changes = fields.map(|(field, both)| {
        // Of a secret only the new value's existence is stored.
        let (old, new) = match both.as_array().map(Vec::as_slice) {
            Some([old, new]) => {
                (Some(display_value(page, field, old)), display_value(page, field, new))
            }
            _ => (None, display_value(page, field, both)),
        };
        let old = old.filter(|old| old != NONE);
        FieldChange { field: field_label(page, field), old, new }
    });
    changes.collect()
}

pub(crate) fn details(page: &PageContext, details: &Value) -> Vec<EventDetail> {
    let others = details.as_object().into_iter().flatten();
    let others = others.filter(|(name, value)| {
        let is_shown_elsewhere = ["changes", "count"].contains(&name.as_str());
        let is_empty = value.is_null() || value.as_str() == Some("");
        !is_shown_elsewhere && !is_empty
    });
    let others = others.map(|(name, value)| {
        let is_instant = name == "until" || name.ends_with("_at");
        let instant = value.as_i64().filter(|_| is_instant);
        let instant = instant.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        EventDetail {
            name: field_label(page, name),
            value: display_value(page, name, value),
            at: instant.map(|at| Timestamp::new(page, at)),
        }
    });
    others.collect()
}

fn display_value(page: &PageContext, field: &str, value: &Value) -> String {
    match value {
        Value::Null => NONE.into(),
        Value::Bool(true) => page.t("choice.yes").into_owned(),
        Value::Bool(false) => page.t("choice.no").into_owned(),
        Value::String(text) if text.is_empty() => NONE.into(),
        Value::Array(items) if items.is_empty() => NONE.into(),
        Value::String(text) => match (field, text.as_str()) {
            ("gender", "female") => page.t("gender.female").into_owned(),
            ("gender", "male") => page.t("gender.male").into_owned(),
            ("fields", name) => field_label(page, name),
            ("permissions", name) => Permission::from_stored(name)
                .map_or_else(|| text.clone(), |known| page.t(permission_label(known)).into_owned()),
            _ => text.clone(),
        },
        Value::Array(items) => {
            items.iter().map(|item| display_value(page, field, item)).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn profile_field(stored: &str) -> Option<ProfileField> {
    ProfileField::ALL.iter().copied().find(|field| field.as_str() == stored)
}

fn field_label(page: &PageContext, stored: &str) -> String {
    let key = match stored {
        "algorithm" => "admin.audit.detail.algorithm",
        "bulk" => "admin.audit.detail.bulk_job",
        "by_email" => "admin.audit.detail.sent_by_email",
        "client_id" => "admin.social.client_id",
        "client_secret" => "admin.social.client_secret",
        "due_at" => "admin.audit.detail.due_at",
        "email" => "field.email",
        "email_verified" => "admin.users.verified",
        "fields" => "admin.audit.detail.fields",
        "from" => "admin.audit.detail.from",
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
        "permissions" => "admin.groups.permissions",
        "provider" => "admin.social.provider",
        "reason" => "admin.user_action.reason",
        "signs_at" => "admin.audit.detail.signs_at",
        "slug" => "admin.social.slug",
        "to" => "admin.audit.detail.to",
        "undone" => "admin.audit.detail.undone_bulk_job",
        "until" => "admin.audit.detail.until",
        other => match profile_field(other) {
            Some(field) => profile::label(field),
            None => return other.to_owned(),
        },
    };
    page.t(key).into_owned()
}
