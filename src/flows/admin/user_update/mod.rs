//! Changes the profile, the roles and the groups of an account, all at once.
//!
//! The rules are those of [`crate::admin`], and one more: of two administrators who edit an account
//! at once, the later one is shown what the earlier one changed. The JSON API names only the fields
//! that change and needs no such check: the others stay as they are in the database.

mod changes;
mod email_move;
mod permission;

use serde_json::json;
use thiserror::Error;

use self::changes::{changes, without_new_email};
use self::email_move::move_to_email;
use self::permission::ensure_may_save;
use crate::accounts;
use crate::accounts::{Account, AccountUpdate};
use crate::admin;
use crate::admin::{Actor, AdminError, lock_target};
use crate::audit::AuditEventKind;
use crate::context::Context;
use crate::db::DbError;
use crate::groups;
use crate::groups::Group;
use crate::sessions;
use crate::sessions::EndReason;
use crate::types::{GroupId, UserId};

/// What an administrator saves.
#[derive(Debug, Clone)]
pub struct UserUpdate {
    /// The version of the account that the administrator saw.
    pub version: i64,
    /// The profile and the roles.
    pub edited: AccountUpdate,
    /// The groups; the account leaves all others.
    pub groups: Vec<GroupId>,
    /// Whether a new address counts as verified.
    pub is_verified: bool,
    /// Whether the actor has just authenticated again.
    pub has_reauthenticated: bool,
}

/// An account with its groups.
#[derive(Debug, Clone)]
pub struct UserWithGroups {
    /// The account.
    pub account: Account,
    /// Its groups.
    pub groups: Vec<(GroupId, String)>,
}

/// Why an account was not saved.
#[derive(Debug, Error)]
pub enum UpdateUserError {
    /// A rule of every action refused it.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// Another administrator has saved the account since; this is what it is now.
    #[error("the account was saved meanwhile")]
    Stale(Box<UserWithGroups>),
    /// It is dangerous, and the actor authenticated too long ago.
    #[error("reauthentication required")]
    ReauthenticationRequired,
    /// The address has another account.
    #[error("the address is taken")]
    EmailTaken,
    /// The address is local, and the settings do not allow that.
    #[error("a local address")]
    LocalEmail,
    /// A group does not exist.
    #[error("no such group")]
    GroupNotFound,
}

impl From<DbError> for UpdateUserError {
    fn from(error: DbError) -> Self {
        Self::Admin(AdminError::Database(error))
    }
}

/// Saves an account; returns `false` when nothing was to change. Roles take effect at once. A new
/// address ends the sessions and the links, and the old address is notified.
pub async fn replace(
    ctx: &Context,
    actor: Actor<'_>,
    target: UserId,
    edit: &UserUpdate,
) -> Result<bool, UpdateUserError> {
    apply(ctx, actor, target, |_, _| edit.clone()).await
}

/// Changes some fields of an account and leaves the others as they are in the database; returns
/// `false` when nothing was to change. A new address must be verified.
pub async fn patch(
    ctx: &Context,
    actor: Actor<'_>,
    target: UserId,
    has_reauthenticated: bool,
    change: impl FnOnce(&mut AccountUpdate, &mut Vec<GroupId>),
) -> Result<bool, UpdateUserError> {
    let amended = |account: &Account, groups: &[(GroupId, String)]| {
        let mut edited = AccountUpdate::of(account);
        let mut groups: Vec<GroupId> = groups.iter().map(|(id, _)| *id).collect();
        change(&mut edited, &mut groups);
        groups.sort_unstable();
        groups.dedup();
        let version = account.version;
        UserUpdate { version, edited, groups, is_verified: false, has_reauthenticated }
    };
    apply(ctx, actor, target, amended).await
}

/// Saves what `edit` makes of the account, which is locked meanwhile.
async fn apply(
    ctx: &Context,
    actor: Actor<'_>,
    target: UserId,
    edit: impl FnOnce(&Account, &[(GroupId, String)]) -> UserUpdate,
) -> Result<bool, UpdateUserError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    // Before the account, as everywhere, or two transactions could wait for each other.
    accounts::lock_superusers(&transaction).await?;
    let locked = lock_target(&transaction, actor, target).await?;
    let groups = groups::list_of_user(&transaction, target).await?;
    let edit = edit(&locked.account, &groups);
    if locked.account.version != edit.version {
        return Err(UpdateUserError::Stale(Box::new(UserWithGroups {
            account: locked.account,
            groups,
        })));
    }
    let wanted = groups::lock_all(&transaction, &edit.groups).await?;
    let wanted = wanted.ok_or(UpdateUserError::GroupNotFound)?;
    let (before, after) = (AccountUpdate::of(&locked.account), &edit.edited);
    let has_moved = before.email.canonical() != after.email.canonical();
    if has_moved && !ctx.settings.accepts_email(&after.email) {
        return Err(UpdateUserError::LocalEmail);
    }
    let added: Vec<&Group> =
        wanted.iter().filter(|group| groups.iter().all(|(id, _)| *id != group.id)).collect();
    let has_left = groups.iter().any(|(id, _)| wanted.iter().all(|group| group.id != *id));

    ensure_may_save(&transaction, &locked, after, &wanted, &added, has_left).await?;
    let is_dangerous = has_moved
        || has_left
        || !added.is_empty()
        || before.is_staff != after.is_staff
        || before.is_superuser != after.is_superuser
        || (before.is_active && !after.is_active);
    if is_dangerous && !edit.has_reauthenticated {
        return Err(UpdateUserError::ReauthenticationRequired);
    }

    let mut changes = changes(&before, after);
    if has_left || !added.is_empty() {
        let names = |names: Vec<&str>| json!(names);
        let old = names(groups.iter().map(|(_, name)| name.as_str()).collect());
        let new = names(wanted.iter().map(|group| group.name.as_str()).collect());
        changes.insert("groups".to_owned(), json!([old, new]));
    }
    if changes.is_empty() {
        return Ok(false);
    }
    let was_verified = locked.account.user.email_verified_at.is_some();
    if has_moved && was_verified != edit.is_verified {
        let verified = json!([was_verified, edit.is_verified]);
        changes.insert("email_verified".to_owned(), verified);
    }

    // First what depends on the version, which moving and activating change too.
    if !accounts::update(
        &transaction,
        target,
        edit.version,
        &without_new_email(&before, after),
        now,
    )
    .await?
    {
        return Err(AdminError::LastSuperuser.into());
    }
    if !before.is_active && after.is_active {
        accounts::activate(&transaction, target, now).await?;
    }
    if has_left || !added.is_empty() {
        let ids: Vec<GroupId> = wanted.iter().map(|group| group.id).collect();
        groups::set_memberships(&transaction, target, &ids).await?;
    }
    if has_moved {
        let account = &locked.account;
        if !move_to_email(ctx, &transaction, account, &after.email, edit.is_verified).await? {
            return Err(UpdateUserError::EmailTaken);
        }
    }
    let why = match (before.is_active && !after.is_active, has_moved) {
        (true, _) => Some(EndReason::Deactivated),
        (false, true) => Some(EndReason::EmailChanged),
        (false, false) => None,
    };
    if let Some(why) = why {
        sessions::end_all(&transaction, target, None, why, now).await?;
    }
    let (kind, details) = (AuditEventKind::ChangedByStaff, json!({ "changes": changes }));
    admin::record_event(&transaction, actor, target, kind, details, now).await?;
    transaction.commit().await?;
    admin::log_change(actor, target, kind);
    Ok(true)
}
