//! Data export: everything that is stored about a user, for that user.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::accounts::Account;
use crate::context::Context;
use crate::db::DbError;
use crate::types::{ProfileField, UserId};
use crate::{accounts, audit, links, outbox, sessions, social};

/// More e-mails and sessions than a user has within the time that they are kept.
const MAX_ROWS: u64 = 10_000;

/// Collects the data as one JSON document. Returns `None` when there is no such account.
pub async fn export(ctx: &Context, id: UserId) -> Result<Option<Value>, DbError> {
    let now = ctx.clock.now();
    let Some(account) = accounts::find_by_id(&ctx.db, id).await? else { return Ok(None) };
    let sessions = sessions::list_all(&ctx.db, id, MAX_ROWS).await?;
    let events = audit::list_of_user(&ctx.db, id, None, MAX_ROWS).await?;
    let emails = outbox::list_for_user(&ctx.db, id, MAX_ROWS).await?;
    let identities = social::list_identities(&ctx.db, id).await?;
    let links = links::list_pending(&ctx.db, id, now, MAX_ROWS).await?;
    Ok(Some(json!({
        "exported_at": instant(now),
        "site": ctx.settings.public_url.as_str(),
        "account": account_data(&account),
        "sessions": sessions.iter().map(|session| json!({
            "id": session.id,
            "created_at": instant(session.created_at),
            "last_seen_at": instant(session.last_seen_at),
            "expires_at": instant(session.expires_at),
            "ended_at": session.ended_at.map(instant),
            "ended_because": session.ended_because,
            "proved_by": session.auth_method,
            "user_agent": session.user_agent,
            "ip": session.ip,
        })).collect::<Vec<_>>(),
        "identities": identities.iter().map(|identity| json!({
            "provider": identity.provider,
            "issuer": identity.issuer,
            "subject": identity.subject,
            "label": identity.label,
            "connected_at": instant(identity.connected_at),
            "used_at": instant(identity.used_at),
        })).collect::<Vec<_>>(),
        "activity": events.iter().map(|event| json!({
            "at": instant(event.at),
            "action": event.name,
            "ip": event.ip,
            "user_agent": event.user_agent,
            "session": event.session,
            "request": event.request_id,
            "details": event.details,
        })).collect::<Vec<_>>(),
        "letters": emails.iter().map(|email| json!({
            "kind": email.kind,
            "recipient": email.recipient,
            "written_at": instant(email.created_at),
        })).collect::<Vec<_>>(),
        "links": links.iter().map(|link| json!({
            "purpose": link.purpose,
            "email": link.email,
            "created_at": instant(link.created_at),
            "expires_at": instant(link.expires_at),
        })).collect::<Vec<_>>(),
    })))
}

fn account_data(account: &Account) -> Map<String, Value> {
    let user = &account.user;
    let mut data = Map::new();
    let mut add = |name: &str, value: Value| {
        data.insert(name.to_owned(), value);
    };
    add("id", json!(user.id.0));
    add("email", json!(user.email.as_typed()));
    add("email_verified_at", json!(user.email_verified_at.map(instant)));
    // From the list of fields, so that a new one cannot be forgotten.
    for field in ProfileField::ALL {
        add(field.as_str(), json!(user.profile.to_stored(*field)));
    }
    add("language", json!(user.language.tag()));
    add("has_password", json!(account.password_hash.is_some()));
    add("is_active", json!(account.is_active));
    add("is_staff", json!(user.is_staff));
    add("is_superuser", json!(user.is_superuser));
    add("created_at", json!(instant(user.created_at)));
    add("last_login_at", json!(account.last_login_at.map(instant)));
    add("deletes_at", json!(account.deletes_at.map(instant)));
    data
}

/// Writes an instant as RFC 3339.
fn instant(instant: OffsetDateTime) -> String {
    instant.format(&Rfc3339).unwrap_or_default()
}
