//! Staff make an account for somebody else, who is invited to choose a password or has one already.

use serde_json::{Value, json};
use thiserror::Error;

use crate::accounts;
use crate::accounts::{NewAccount, NewPasswordError, OwnData};
use crate::admin;
use crate::admin::{ActError, Acting};
use crate::audit::Action;
use crate::context::Ctx;
use crate::crypto::PasswordHash;
use crate::db::DbError;
use crate::groups;
use crate::groups::Group;
use crate::outbox::Addressee;
use crate::types::{
    BirthDate, Email, Gender, GroupId, Language, Name, Password, Permission, Secret, UserId,
};

/// Why an account was not made.
#[derive(Debug, Error)]
pub enum AddError {
    /// The rules of every act.
    #[error(transparent)]
    NotDone(#[from] ActError),
    /// It is dangerous, and the password was given too long ago.
    #[error("the password is to be given again")]
    ProveFirst,
    /// The address has another account.
    #[error("the address is taken")]
    EmailTaken,
    /// No mail leaves this machine or network for the address, and the settings take no such one.
    #[error("a local address")]
    LocalEmail,
    /// There is no such group.
    #[error("no such group")]
    NoSuchGroup,
    /// The password was not taken.
    #[error(transparent)]
    NotTaken(#[from] NewPasswordError),
}

impl From<DbError> for AddError {
    fn from(error: DbError) -> Self {
        Self::NotDone(ActError::Broken(error))
    }
}

/// An account that staff make.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct Addition {
    /// The address.
    pub email: Email,
    /// The name, may be empty.
    pub name: Name,
    /// The gender, where given.
    pub gender: Option<Gender>,
    /// The date of birth, where given.
    pub date_of_birth: Option<BirthDate>,
    /// The password; without one the person is invited to choose it.
    pub password: Option<Password>,
    /// The language in which the person reads letters.
    pub language: Language,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether its person may enter the admin pages.
    pub is_staff: bool,
    /// Whether it may do everything.
    pub is_superuser: bool,
    /// The groups it is in.
    pub groups: Vec<GroupId>,
    /// Whether whoever adds it has just given their password again.
    pub has_just_proved: bool,
}

/// An account that was made, and the link of the invitation where there is one.
#[derive(Debug, Clone)]
pub struct Added {
    /// The account.
    pub user: UserId,
    /// Where its person chooses a password; it also went out by letter.
    pub invitation: Option<Secret>,
}

/// Makes an account for somebody else.
///
/// # Errors
/// [`AddError`] says why not; nothing is written then.
pub async fn add(ctx: &Ctx, acting: Acting<'_>, addition: Addition) -> Result<Added, AddError> {
    if !ctx.settings.takes(&addition.email) {
        return Err(AddError::LocalEmail);
    }
    let has_roles = addition.is_staff || addition.is_superuser || !addition.groups.is_empty();
    if has_roles && !addition.has_just_proved {
        return Err(AddError::ProveFirst);
    }
    let hash = match addition.password.clone() {
        Some(password) => {
            let (email, name) = (Some(addition.email.clone()), addition.name.clone());
            let own = OwnData { email, name, date_of_birth: addition.date_of_birth };
            Some(accounts::hash_new_password(ctx, password, own).await?)
        }
        None => None,
    };
    let now = ctx.clock.now();
    let is_invited = hash.is_none() && addition.is_active;
    let transaction = ctx.db.begin().await?;
    let actor = admin::actor(&transaction, acting.by.id).await?;
    let wanted = groups::lock_all(&transaction, &addition.groups).await?;
    let wanted = wanted.ok_or(AddError::NoSuchGroup)?;
    let grants: Vec<&Group> = wanted.iter().collect();
    if !actor.may(Permission::UsersAdd)
        || (addition.is_staff && !actor.may(Permission::UsersChange))
        || !admin::may_grant(&actor, addition.is_superuser, &grants)
    {
        return Err(ActError::AboveOneself.into());
    }
    let account = new_account(&addition, hash);
    let user = accounts::open(&transaction, account, now).await?.ok_or(AddError::EmailTaken)?;
    let ids: Vec<GroupId> = wanted.iter().map(|group| group.id).collect();
    groups::set_groups(&transaction, user, &ids).await?;
    let invitation = if is_invited {
        let (email, language) = (addition.email.clone(), addition.language);
        let to = Addressee { user: Some(user), email, language };
        Some(admin::invite(ctx, &transaction, user, &to).await?)
    } else {
        None
    };
    let details = json!({ "changes": changes(&addition, &wanted), "invited": is_invited });
    let what = (Action::AddedByStaff, details);
    admin::record(&transaction, acting, user, what, now).await?;
    transaction.commit().await?;
    admin::done(ctx, acting, (user, Action::AddedByStaff), Vec::new());
    Ok(Added { user, invitation })
}

/// What the account starts with, for the trail; what was not given is not told.
fn changes(addition: &Addition, groups: &[Group]) -> Value {
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let mut changes = json!({
        "email": [null, addition.email.as_typed()],
        "name": [null, addition.name.as_str()],
        "is_active": [null, addition.is_active],
        "is_staff": [null, addition.is_staff],
        "is_superuser": [null, addition.is_superuser],
        "groups": [null, names],
    });
    if let Some(gender) = addition.gender {
        changes["gender"] = json!([null, gender.as_str()]);
    }
    if let Some(born) = addition.date_of_birth {
        changes["date_of_birth"] = json!([null, born.to_string()]);
    }
    changes
}

fn new_account(addition: &Addition, password_hash: Option<PasswordHash>) -> NewAccount {
    NewAccount {
        email: addition.email.clone(),
        password_hash,
        name: addition.name.clone(),
        gender: addition.gender,
        date_of_birth: addition.date_of_birth,
        language: addition.language,
        is_active: addition.is_active,
        is_staff: addition.is_staff,
        is_superuser: addition.is_superuser,
        is_verified: false,
    }
}
