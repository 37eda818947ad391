//! Everything that is held on a person, for that person.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::context::Context;
use crate::db::DbError;
use crate::types::{Gender, UserId};
use crate::{accounts, audit, links, outbox, sessions, social};

/// More e-mails and sessions than a person has within the time that they are kept.
const MAX_ROWS: u64 = 10_000;

/// Gathers it as one JSON document; `None` when there is no such account.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn export(ctx: &Context, id: UserId) -> Result<Option<Value>, DbError> {
    let now = ctx.clock.now();
    let Some(account) = accounts::find_by_id(&ctx.db, id).await? else { return Ok(None) };
    let user = account.user;
    let sessions = sessions::list_all(&ctx.db, id, MAX_ROWS).await?;
    let events = audit::list_of_user(&ctx.db, id, None, MAX_ROWS).await?;
    let emails = outbox::list_for_user(&ctx.db, id, MAX_ROWS).await?;
    let identities = social::list_identities(&ctx.db, id).await?;
    let links = links::list_pending(&ctx.db, id, now, MAX_ROWS).await?;
    Ok(Some(json!({
        "exported_at": instant(now),
        "site": ctx.settings.public_url.as_str(),
        "account": {
            "id": user.id.0,
            "email": user.email.as_typed(),
            "email_verified_at": user.email_verified_at.map(instant),
            "name": user.name.as_str(),
            "gender": user.gender.map(Gender::as_str),
            "date_of_birth": user.date_of_birth.map(|date| date.to_string()),
            "language": user.language.tag(),
            "has_password": account.password_hash.is_some(),
            "is_active": account.is_active,
            "is_staff": user.is_staff,
            "is_superuser": user.is_superuser,
            "created_at": instant(user.created_at),
            "last_login_at": account.last_login_at.map(instant),
            "deletes_at": account.deletes_at.map(instant),
        },
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

/// RFC 3339, as every program reads it.
fn instant(instant: OffsetDateTime) -> String {
    instant.format(&Rfc3339).unwrap_or_default()
}
