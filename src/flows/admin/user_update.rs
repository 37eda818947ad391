//! Changes the profile, the roles and the groups of an account, all at once.
//!
//! The rules are those of [`crate::admin`], and one more: of two administrators who edit an account
//! at once, the later one is shown what the earlier one changed. The JSON API names only the fields
//! that change and needs no such check: the others stay as they are in the database.

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::accounts;
use crate::accounts::{Account, AccountUpdate};
use crate::admin;
use crate::admin::{Actor, AdminError, LockedTarget, lock_target};
use crate::audit::AuditEventKind;
use crate::clock::to_micros;
use crate::config::EmailVerification;
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::groups;
use crate::groups::Group;
use crate::links;
use crate::links::Purpose;
use crate::mail::{EmailContent, EmailKind};
use crate::outbox;
use crate::outbox::Recipient;
use crate::sessions;
use crate::sessions::EndReason;
use crate::types::{Email, GroupId, Permission, ProfileField, UserId};

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
        Self::Admin(AdminError::Broken(error))
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
        let mut edited = edited_of(account);
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
    let (before, after) = (edited_of(&locked.account), &edit.edited);
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
    let saved = without_new_email(&before, after);
    if !accounts::update(&transaction, target, edit.version, &saved, now).await? {
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
        move_to_email(ctx, &transaction, &locked.account, &after.email, edit.is_verified).await?;
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

/// Checks the rules of saving.
async fn ensure_may_save(
    transaction: &Transaction,
    locked: &LockedTarget,
    after: &AccountUpdate,
    wanted: &[Group],
    added: &[&Group],
    has_left: bool,
) -> Result<(), UpdateUserError> {
    let (actor, before) = (&locked.actor, edited_of(&locked.account));
    if !actor.may(Permission::UsersChange) {
        return Err(AdminError::Forbidden.into());
    }
    let is_oneself = actor.id == locked.account.user.id;
    let is_less = (before.is_active && !after.is_active)
        || (before.is_staff && !after.is_staff)
        || (before.is_superuser && !after.is_superuser)
        || (has_left && !actor.is_superuser);
    if is_oneself && is_less {
        return Err(AdminError::OwnAccount.into());
    }
    // A colleague with permissions that the actor lacks is neither suspended, demoted nor taken over.
    let takes_away = is_less || has_left;
    let becomes_staff = after.is_staff && !before.is_staff;
    let gained: Vec<&Group> = if becomes_staff { wanted.iter().collect() } else { added.to_vec() };
    let has_moved = before.email.canonical() != after.email.canonical();
    if !admin::may_grant(actor, after.is_superuser && !before.is_superuser, &gained)
        || ((has_moved || takes_away)
            && !is_oneself
            && !locked.may_be_taken_over(transaction).await?)
    {
        return Err(AdminError::Forbidden.into());
    }
    Ok(())
}

fn edited_of(account: &Account) -> AccountUpdate {
    let user = &account.user;
    AccountUpdate {
        email: user.email.clone(),
        profile: user.profile.clone(),
        is_active: account.is_active,
        is_staff: user.is_staff,
        is_superuser: user.is_superuser,
    }
}

/// Leaves out a new address, which is written by a statement of its own.
fn without_new_email(before: &AccountUpdate, after: &AccountUpdate) -> AccountUpdate {
    let is_same = before.email.canonical() == after.email.canonical();
    let email = if is_same { after.email.clone() } else { before.email.clone() };
    AccountUpdate { email, ..after.clone() }
}

/// Lists every changed field with its old and its new value.
fn changes(before: &AccountUpdate, after: &AccountUpdate) -> Map<String, Value> {
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

/// Moves the account to another address. The old address is notified and can undo it; the new one
/// gets a link to verify it, unless it counts as verified.
async fn move_to_email(
    ctx: &Context,
    transaction: &Transaction,
    account: &Account,
    new: &Email,
    is_verified: bool,
) -> Result<(), UpdateUserError> {
    let (user, now) = (account.user.id, ctx.clock.now());
    if !accounts::change_email(transaction, user, new, is_verified, now).await? {
        return Err(UpdateUserError::EmailTaken);
    }
    let old = Some(&account.user.email);
    let undo = links::create(ctx, transaction, Purpose::UndoEmailChange, user, old).await?;
    let mut content = EmailContent::new(EmailKind::EmailChanged).with_link(undo);
    content.data.email = Some(new.as_typed().to_owned());
    content.data.at = Some(to_micros(now));
    outbox::enqueue(transaction, &ctx.keys, &account.recipient(), &content, now).await?;
    if !is_verified && ctx.settings.email_verification != EmailVerification::None {
        let to = Recipient { email: new.clone(), ..account.recipient() };
        let link = links::create(ctx, transaction, Purpose::VerifyEmail, user, Some(new)).await?;
        let content = EmailContent::new(EmailKind::VerifyEmail).with_link(link);
        outbox::enqueue(transaction, &ctx.keys, &to, &content, now).await?;
    }
    Ok(())
}
