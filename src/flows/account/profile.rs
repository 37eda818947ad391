//! What a person says about themselves.

use serde_json::json;

use crate::accounts;
use crate::accounts::Profile;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::DbError;
use crate::types::{Language, RequestInfo, User, UserId};

/// Changes a profile, and gives the person as they are then; `None` when the account is gone. What
/// the change leaves alone stays as it is at that very moment. The trail tells which fields changed,
/// and not to what.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn update(
    ctx: &Context,
    user: UserId,
    change: impl FnOnce(&mut Profile),
    info: &RequestInfo,
) -> Result<Option<User>, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let Some(account) = accounts::lock(&transaction, user).await? else { return Ok(None) };
    let before = account.user;
    let mut profile = profile_of(&before);
    change(&mut profile);
    let changed = changed(&before, &profile);
    if changed.is_empty() {
        return Ok(Some(before));
    }
    accounts::set_profile(&transaction, user, &profile, now).await?;
    let details = json!({ "fields": changed });
    let event =
        AuditEvent::by_owner(user, AuditEventKind::ProfileChanged, info).with_details(details);
    audit::record(&transaction, event, now).await?;
    transaction.commit().await?;
    let Profile { name, gender, date_of_birth, language } = profile;
    Ok(Some(User { name, gender, date_of_birth, language, ..before }))
}

/// E-mails to a person come in the language that the person chose for the pages.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn set_language(ctx: &Context, user: &User, language: Language) -> Result<(), DbError> {
    if user.language == language {
        return Ok(());
    }
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    let Some(account) = accounts::lock(&transaction, user.id).await? else { return Ok(()) };
    let profile = Profile { language, ..profile_of(&account.user) };
    accounts::set_profile(&transaction, user.id, &profile, now).await?;
    transaction.commit().await?;
    Ok(())
}

fn profile_of(user: &User) -> Profile {
    Profile {
        name: user.name.clone(),
        gender: user.gender,
        date_of_birth: user.date_of_birth,
        language: user.language,
    }
}

fn changed(before: &User, profile: &Profile) -> Vec<&'static str> {
    let fields = [
        ("name", before.name != profile.name),
        ("gender", before.gender != profile.gender),
        ("date_of_birth", before.date_of_birth != profile.date_of_birth),
        ("language", before.language != profile.language),
    ];
    fields.into_iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| name).collect()
}
