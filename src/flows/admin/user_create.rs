//! Creates an account for another user, who is invited to choose a password or gets one right away.

use serde_json::{Value, json};
use thiserror::Error;

use crate::accounts;
use crate::accounts::{NewAccount, NewPasswordError, UserAttributes};
use crate::admin;
use crate::admin::{Actor, AdminError};
use crate::audit::AuditEventKind;
use crate::context::Context;
use crate::crypto::PasswordHash;
use crate::db::DbError;
use crate::groups;
use crate::groups::Group;
use crate::outbox::Recipient;
use crate::types::{
    Email, GroupId, Language, Password, Permission, Profile, ProfileField, Secret, UserId,
};

/// Why an account was not created.
#[derive(Debug, Error)]
pub enum CreateUserError {
    /// A rule of every action refused it.
    #[error(transparent)]
    Admin(#[from] AdminError),
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
    /// The password was rejected.
    #[error(transparent)]
    PasswordRejected(#[from] NewPasswordError),
}

impl From<DbError> for CreateUserError {
    fn from(error: DbError) -> Self {
        Self::Admin(AdminError::Database(error))
    }
}

/// The account to create.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct NewUser {
    /// The address.
    pub email: Email,
    /// What the user says about themselves.
    pub profile: Profile,
    /// The password; without one the user is invited to choose it.
    pub password: Option<Password>,
    /// The language of e-mails.
    pub language: Language,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether the user is staff.
    pub is_staff: bool,
    /// Whether the user is a superuser.
    pub is_superuser: bool,
    /// The groups.
    pub groups: Vec<GroupId>,
    /// Whether the actor has just authenticated again.
    pub has_reauthenticated: bool,
}

/// The created account.
#[derive(Debug, Clone)]
pub struct CreatedUser {
    /// The account.
    pub user: UserId,
    /// The link at which the user chooses a password, where there is an invitation; it is also sent
    /// by e-mail.
    pub invitation: Option<Secret>,
}

pub async fn create(
    ctx: &Context,
    actor: Actor<'_>,
    new_user: NewUser,
) -> Result<CreatedUser, CreateUserError> {
    if !ctx.settings.accepts_email(&new_user.email) {
        return Err(CreateUserError::LocalEmail);
    }
    // A browser that was left open must not be able to make an administrator.
    let has_roles = new_user.is_staff || new_user.is_superuser || !new_user.groups.is_empty();
    if has_roles && !new_user.has_reauthenticated {
        return Err(CreateUserError::ReauthenticationRequired);
    }
    // Before the transaction: SQLite has one writer, which must not wait for a hash.
    let hash = match new_user.password.clone() {
        Some(password) => {
            let (email, profile) = (Some(new_user.email.clone()), new_user.profile.clone());
            let attributes = UserAttributes { email, profile };
            Some(accounts::hash_new_password(ctx, password, attributes).await?)
        }
        None => None,
    };
    let now = ctx.clock.now();
    // A link to a new password does not work while the account is inactive.
    let is_invited = hash.is_none() && new_user.is_active;
    let transaction = ctx.db.begin().await?;
    // Roles and groups are read in the transaction: both may have changed since the request was
    // checked.
    let staff = admin::reload_actor(&transaction, actor.user.id).await?;
    let wanted = groups::lock_all(&transaction, &new_user.groups).await?;
    let wanted = wanted.ok_or(CreateUserError::GroupNotFound)?;
    let grants: Vec<&Group> = wanted.iter().collect();
    if !staff.may(Permission::UsersAdd)
        || (new_user.is_staff && !staff.may(Permission::UsersChange))
        || !admin::may_grant(&staff, new_user.is_superuser, &grants)
    {
        return Err(AdminError::Forbidden.into());
    }
    let account = new_account(&new_user, hash);
    let user =
        accounts::create(&transaction, account, now).await?.ok_or(CreateUserError::EmailTaken)?;
    let ids: Vec<GroupId> = wanted.iter().map(|group| group.id).collect();
    groups::set_memberships(&transaction, user, &ids).await?;
    let invitation = if is_invited {
        let (email, language) = (new_user.email.clone(), new_user.language);
        let to = Recipient { user: Some(user), email, language };
        Some(admin::invite(ctx, &transaction, user, &to).await?)
    } else {
        None
    };
    let details = json!({ "changes": changes(&new_user, &wanted), "invited": is_invited });
    admin::record_event(&transaction, actor, user, AuditEventKind::CreatedByStaff, details, now)
        .await?;
    transaction.commit().await?;
    admin::log_change(actor, user, AuditEventKind::CreatedByStaff);
    Ok(CreatedUser { user, invitation })
}

/// Lists what the account starts with, for the audit log, without empty profile fields.
fn changes(new_user: &NewUser, groups: &[Group]) -> Value {
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let mut changes = json!({
        "email": [null, new_user.email.as_typed()],
        "name": [null, new_user.profile.name.as_str()],
        "is_active": [null, new_user.is_active],
        "is_staff": [null, new_user.is_staff],
        "is_superuser": [null, new_user.is_superuser],
        "groups": [null, names],
    });
    for field in ProfileField::ALL {
        if let Some(value) = new_user.profile.to_stored(*field) {
            changes[field.as_str()] = json!([null, value]);
        }
    }
    changes
}

fn new_account(new_user: &NewUser, password_hash: Option<PasswordHash>) -> NewAccount {
    NewAccount {
        password_hash,
        profile: new_user.profile.clone(),
        is_active: new_user.is_active,
        is_staff: new_user.is_staff,
        is_superuser: new_user.is_superuser,
        ..NewAccount::new(new_user.email.clone(), new_user.language)
    }
}
