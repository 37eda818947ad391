//! Changing what users say about themselves, and the language of e-mails to them.

use serde_json::json;

use crate::accounts;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::DbError;
use crate::types::{Language, Profile, ProfileField, RequestInfo, User, UserId};

/// Changes a profile, and returns the user as they are then; `None` when there is no such account any more.
pub async fn update(
    ctx: &Context,
    id: UserId,
    change: impl FnOnce(&mut Profile, &mut Language),
    info: &RequestInfo,
) -> Result<Option<User>, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let Some(account) = accounts::lock(&transaction, id).await? else { return Ok(None) };
    let mut user = account.user;
    let (before, language) = (user.profile.clone(), user.language);
    // On the profile of the locked account, so that two updates of different fields both succeed.
    change(&mut user.profile, &mut user.language);
    let fields = user.profile.changed_fields(&before).into_iter();
    let mut changed: Vec<_> = fields.map(ProfileField::as_str).collect();
    changed.extend((user.language != language).then_some("language"));
    if changed.is_empty() {
        return Ok(Some(user));
    }
    accounts::set_profile(&transaction, id, &user.profile, user.language, now).await?;
    // The names of the fields and not their values: the audit log outlives the profile.
    let details = json!({ "fields": changed });
    let event =
        AuditEvent::by_owner(id, AuditEventKind::ProfileChanged, info).with_details(details);
    audit::record(&transaction, event, now).await?;
    transaction.commit().await?;
    Ok(Some(user))
}

/// Makes the language of the pages the language of e-mails too.
pub async fn set_language(ctx: &Context, user: &User, language: Language) -> Result<(), DbError> {
    if user.language == language {
        return Ok(());
    }
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    // Both are written by one statement, so the profile must be the one of the locked account.
    let Some(account) = accounts::lock(&transaction, user.id).await? else { return Ok(()) };
    accounts::set_profile(&transaction, user.id, &account.user.profile, language, now).await?;
    transaction.commit().await?;
    Ok(())
}
