//! What staff do to accounts: one act, one transaction, one event in the trail.
//!
//! The rules stand here and nowhere else. Only a superuser touches a superuser; nobody deactivates,
//! demotes or deletes themselves; nobody grants what they do not have; and the last superuser whose
//! account may be used stays, which the database decides. Whether somebody may do the kind of act at
//! all, the door has asked; what their roles are is read again beside the act.

use std::time::Duration;

use serde_json::{Map, Value, json};
use thiserror::Error;
use time::OffsetDateTime;

use crate::accounts::{self, Account, Edited, NewAccount, NewPasswordError, OwnData};
use crate::audit::{self, Action, Event};
use crate::clock::to_micros;
use crate::config::EmailVerification;
use crate::crypto::PasswordHash;
use crate::ctx::Ctx;
use crate::db::{DbError, Transaction};
use crate::groups::{self, Group};
use crate::links::{self, Purpose};
use crate::mail::{Kind, Letter};
use crate::outbox::{self, Addressee};
use crate::sessions::{self, EndReason};
use crate::types::{
    Caller, Email, Gender, GroupId, Language, Name, Password, Permission, Person, Secret,
    SessionId, UserId,
};

/// How long a deletion by staff can be undone.
const UNDO: Duration = Duration::from_hours(24);

/// How long an invitation works: over a weekend.
const INVITATION_LASTS: Duration = Duration::from_hours(3 * 24);

/// Why an act was not done.
#[derive(Debug, Error)]
pub enum ModerationError {
    /// There is no such account.
    #[error("no such account")]
    Unknown,
    /// The account is a superuser's, and whoever acts is none.
    #[error("a superuser is touched by superusers only")]
    AboveOneself,
    /// Nobody does this to themselves.
    #[error("nobody does this to themselves")]
    Oneself,
    /// Nobody else could do everything then.
    #[error("the last superuser stays")]
    LastSuperuser,
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Who acts, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Acting<'a> {
    /// The member of staff.
    pub by: &'a Person,
    /// The request.
    pub caller: &'a Caller,
}

/// Lets an account be used again; also takes back a deletion that staff began.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn activate(ctx: &Ctx, acting: Acting<'_>, whom: UserId) -> Result<(), ModerationError> {
    let act = begin(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    if act.account.is_active && act.account.deletes_at.is_none() {
        return Ok(());
    }
    accounts::activate(&act.transaction, whom, now).await?;
    let changes = json!({ "is_active": [act.account.is_active, true] });
    finish(ctx, acting, act, Action::Activated, json!({ "changes": changes }), Vec::new()).await
}

/// Forbids the use of an account, for a reason and perhaps until an instant, and ends its sessions.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn deactivate(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
    (reason, until): (&str, Option<OffsetDateTime>),
) -> Result<(), ModerationError> {
    let act = begin_against(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    let why = accounts::Inactive { reason, until, deletes_at: None };
    let over = suspend(&act, whom, why, now).await?;
    let details = json!({
        "changes": { "is_active": [act.account.is_active, false] },
        "reason": reason,
        "until": until.map(OffsetDateTime::unix_timestamp),
    });
    finish(ctx, acting, act, Action::Deactivated, details, over).await
}

/// Forbids the use of an account at once and deletes it after a day, within which
/// [`activate`] brings it back.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn delete(ctx: &Ctx, acting: Acting<'_>, whom: UserId) -> Result<(), ModerationError> {
    let act = begin_against(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    let deletes_at = now + UNDO;
    let why = accounts::Inactive { reason: "", until: None, deletes_at: Some(deletes_at) };
    let over = suspend(&act, whom, why, now).await?;
    let details = json!({
        "changes": { "is_active": [act.account.is_active, false] },
        "due_at": deletes_at.unix_timestamp(),
    });
    finish(ctx, acting, act, Action::DeletionByStaff, details, over).await
}

/// Takes the address for proved, because whoever acts knows that it is.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn verify(ctx: &Ctx, acting: Acting<'_>, whom: UserId) -> Result<(), ModerationError> {
    let act = begin(ctx, acting, whom).await?;
    if act.account.person.email_verified_at.is_some() {
        return Ok(());
    }
    accounts::set_verified(&act.transaction, whom, ctx.clock.now()).await?;
    let changes = json!({ "email_verified": [false, true] });
    let details = json!({ "changes": changes });
    finish(ctx, acting, act, Action::VerifiedByStaff, details, Vec::new()).await
}

/// Ends every session of a person.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn end_sessions(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
) -> Result<(), ModerationError> {
    let act = begin(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    let why = EndReason::EndedByStaff;
    let over = sessions::end_all(&act.transaction, whom, None, why, now).await?;
    let details = json!({ "count": over.len() });
    finish(ctx, acting, act, Action::SessionsEndedByStaff, details, over).await
}

/// Makes a link for a new password, to be handed over or, if `by_letter`, sent to the person. The
/// person's older links for this stop working.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn reset_link(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
    by_letter: bool,
) -> Result<Secret, ModerationError> {
    let act = begin(ctx, acting, whom).await?;
    // Whoever has the link can be the person.
    if !act.is_within_reach().await? {
        return Err(ModerationError::AboveOneself);
    }
    let now = ctx.clock.now();
    let reset = Purpose::ResetPassword;
    let every = OffsetDateTime::UNIX_EPOCH;
    links::end(&act.transaction, whom, &[reset], every, now).await?;
    let link = links::mint(&act.transaction, ctx.random, reset, (whom, None), now).await?;
    if by_letter {
        let letter = Letter::new(Kind::ResetPassword).with_link(link.clone());
        let to = act.account.addressee();
        outbox::put(&act.transaction, &ctx.keys, &to, &letter, now).await?;
    }
    let details = json!({ "by_letter": by_letter });
    finish(ctx, acting, act, Action::ResetLinkMade, details, Vec::new()).await?;
    Ok(link)
}

/// Makes the password stop working, and ends every session.
///
/// # Errors
/// [`ModerationError`] says why not.
pub async fn lock_password(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
) -> Result<(), ModerationError> {
    let act = begin(ctx, acting, whom).await?;
    let now = ctx.clock.now();
    accounts::set_password(&act.transaction, whom, None, now).await?;
    let why = EndReason::PasswordChanged;
    let over = sessions::end_all(&act.transaction, whom, None, why, now).await?;
    finish(ctx, acting, act, Action::PasswordLocked, json!({}), over).await
}

/// What staff write of an account.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The version of the account that they saw.
    pub version: i64,
    /// What it is to say and may do.
    pub edited: Edited,
    /// The groups it is to be in, and no other.
    pub groups: Vec<GroupId>,
    /// Whether another address is taken for proved.
    pub is_verified: bool,
    /// Whether they have just given their password again.
    pub has_just_proved: bool,
}

/// An account as it stands, with its groups.
#[derive(Debug, Clone)]
pub struct Current {
    /// The account.
    pub account: Account,
    /// Its groups.
    pub groups: Vec<(GroupId, String)>,
}

/// Why an account was not saved or not made.
#[derive(Debug, Error)]
pub enum SaveError {
    /// The rules of every act.
    #[error(transparent)]
    NotDone(#[from] ModerationError),
    /// Somebody else has saved the account since; this is what it says now.
    #[error("somebody else saved the account")]
    Stale(Box<Current>),
    /// It is dangerous, and the password was given too long ago.
    #[error("the password is to be given again")]
    ProveFirst,
    /// The address has another account.
    #[error("the address is taken")]
    EmailTaken,
    /// There is no such group.
    #[error("no such group")]
    NoSuchGroup,
    /// The password was not taken.
    #[error(transparent)]
    NotTaken(#[from] NewPasswordError),
}

impl From<DbError> for SaveError {
    fn from(error: DbError) -> Self {
        Self::NotDone(ModerationError::Broken(error))
    }
}

/// Saves an account; `false` means that nothing was to be changed. Roles take effect at once; another
/// address ends the sessions and the links, and its old owner is told.
///
/// # Errors
/// [`SaveError`] says why not; nothing is written then.
pub async fn save(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
    edit: &Edit,
) -> Result<bool, SaveError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    accounts::lock_to_remove(&transaction).await?;
    let act = begin_in(transaction, acting, whom).await?;
    let held = groups::of_in(&act.transaction, whom).await?;
    if act.account.version != edit.version {
        let account = act.account.clone();
        return Err(SaveError::Stale(Box::new(Current { account, groups: held })));
    }
    let wanted = wanted(&act.transaction, &edit.groups).await?;
    let (before, after) = (edited_of(&act.account), &edit.edited);
    let has_moved = before.email.canonical() != after.email.canonical();
    let added: Vec<&Group> =
        wanted.iter().filter(|group| held.iter().all(|(id, _)| *id != group.id)).collect();
    let has_left = held.iter().any(|(id, _)| wanted.iter().all(|group| group.id != *id));

    may_save(&act, after, (&wanted, &added, has_left)).await?;
    let is_dangerous = has_moved
        || has_left
        || !added.is_empty()
        || before.is_staff != after.is_staff
        || before.is_superuser != after.is_superuser
        || (before.is_active && !after.is_active);
    if is_dangerous && !edit.has_just_proved {
        return Err(SaveError::ProveFirst);
    }

    let mut changes = changes(&before, after);
    if has_left || !added.is_empty() {
        let names = |names: Vec<&str>| json!(names);
        let old = names(held.iter().map(|(_, name)| name.as_str()).collect());
        let new = names(wanted.iter().map(|group| group.name.as_str()).collect());
        changes.insert("groups".to_owned(), json!([old, new]));
    }
    if changes.is_empty() {
        return Ok(false);
    }
    let was_verified = act.account.person.email_verified_at.is_some();
    if has_moved && was_verified != edit.is_verified {
        let verified = json!([was_verified, edit.is_verified]);
        changes.insert("email_verified".to_owned(), verified);
    }

    // First what depends on the version, which moving and activating change too.
    if !accounts::edit(&act.transaction, (whom, edit.version), &unmoved(&before, after), now)
        .await?
    {
        return Err(ModerationError::LastSuperuser.into());
    }
    if !before.is_active && after.is_active {
        accounts::activate(&act.transaction, whom, now).await?;
    }
    if has_left || !added.is_empty() {
        let ids: Vec<GroupId> = wanted.iter().map(|group| group.id).collect();
        groups::set_groups(&act.transaction, whom, &ids).await?;
    }
    if has_moved {
        relocate(ctx, &act, &after.email, edit.is_verified).await?;
    }
    let why = match (before.is_active && !after.is_active, has_moved) {
        (true, _) => Some(EndReason::Deactivated),
        (false, true) => Some(EndReason::EmailChanged),
        (false, false) => None,
    };
    let over = match why {
        Some(why) => sessions::end_all(&act.transaction, whom, None, why, now).await?,
        None => Vec::new(),
    };
    let details = json!({ "changes": changes });
    finish(ctx, acting, act, Action::ChangedByStaff, details, over).await?;
    Ok(true)
}

/// The rules of saving.
async fn may_save(
    act: &Act,
    after: &Edited,
    (wanted, added, has_left): (&[Group], &[&Group], bool),
) -> Result<(), SaveError> {
    let (actor, before) = (&act.actor, edited_of(&act.account));
    if !actor.may(Permission::UsersChange) {
        return Err(ModerationError::AboveOneself.into());
    }
    let is_oneself = actor.id == act.account.person.id;
    let is_less = (before.is_active && !after.is_active)
        || (before.is_staff && !after.is_staff)
        || (before.is_superuser && !after.is_superuser)
        || (has_left && !actor.is_superuser);
    if is_oneself && is_less {
        return Err(ModerationError::Oneself.into());
    }
    let becomes_staff = after.is_staff && !before.is_staff;
    let gained: Vec<&Group> = if becomes_staff { wanted.iter().collect() } else { added.to_vec() };
    let has_moved = before.email.canonical() != after.email.canonical();
    if !may_grant(actor, after.is_superuser && !before.is_superuser, &gained)
        || (has_moved && !is_oneself && !act.is_within_reach().await?)
    {
        return Err(ModerationError::AboveOneself.into());
    }
    Ok(())
}

/// Nobody grants what they do not have.
fn may_grant(actor: &Person, superuser: bool, groups: &[&Group]) -> bool {
    let own = actor.permissions();
    (actor.is_superuser || !superuser)
        && groups.iter().all(|group| group.permissions.are_within(own))
}

async fn wanted(transaction: &Transaction, ids: &[GroupId]) -> Result<Vec<Group>, SaveError> {
    let wanted = groups::lock_some(transaction, ids).await?;
    let is_there = |id: &GroupId| wanted.iter().any(|group| group.id == *id);
    if ids.iter().all(is_there) { Ok(wanted) } else { Err(SaveError::NoSuchGroup) }
}

fn edited_of(account: &Account) -> Edited {
    let person = &account.person;
    Edited {
        email: person.email.clone(),
        name: person.name.clone(),
        gender: person.gender,
        date_of_birth: person.date_of_birth,
        is_active: account.is_active,
        is_staff: person.is_staff,
        is_superuser: person.is_superuser,
    }
}

/// What is written at once; another address has a statement of its own.
fn unmoved(before: &Edited, after: &Edited) -> Edited {
    let is_same = before.email.canonical() == after.email.canonical();
    let email = if is_same { after.email.clone() } else { before.email.clone() };
    Edited { email, ..after.clone() }
}

/// Every changed field with its old and its new value.
fn changes(before: &Edited, after: &Edited) -> Map<String, Value> {
    let fields = |edited: &Edited| {
        [
            ("email", json!(edited.email.as_typed())),
            ("name", json!(edited.name.as_str())),
            ("gender", json!(edited.gender.map(Gender::as_str))),
            ("date_of_birth", json!(edited.date_of_birth.map(|date| date.to_string()))),
            ("is_active", json!(edited.is_active)),
            ("is_staff", json!(edited.is_staff)),
            ("is_superuser", json!(edited.is_superuser)),
        ]
    };
    let pairs = fields(before).into_iter().zip(fields(after));
    let changed = pairs.filter(|((_, old), (_, new))| old != new);
    changed.map(|((name, old), (_, new))| (name.to_owned(), json!([old, new]))).collect()
}

/// Moves the account to another address. The old one is told and can take it back; the new one gets
/// the link that proves it, unless it is taken for proved.
async fn relocate(ctx: &Ctx, act: &Act, new: &Email, is_verified: bool) -> Result<(), SaveError> {
    let now = ctx.clock.now();
    let (user, transaction) = (act.account.person.id, &act.transaction);
    if !accounts::change_email(transaction, user, new, is_verified, now).await? {
        return Err(SaveError::EmailTaken);
    }
    let undo = (user, Some(&act.account.person.email));
    let undo = links::mint(transaction, ctx.random, Purpose::UndoEmailChange, undo, now).await?;
    let mut letter = Letter::new(Kind::EmailChanged).with_link(undo);
    letter.facts.email = Some(new.as_typed().to_owned());
    letter.facts.at = Some(to_micros(now));
    outbox::put(transaction, &ctx.keys, &act.account.addressee(), &letter, now).await?;
    if !is_verified && ctx.settings.email_verification != EmailVerification::None {
        let to = Addressee { email: new.clone(), ..act.account.addressee() };
        let whose = (user, Some(new));
        let link = links::mint(transaction, ctx.random, Purpose::VerifyEmail, whose, now).await?;
        let letter = Letter::new(Kind::VerifyEmail).with_link(link);
        outbox::put(transaction, &ctx.keys, &to, &letter, now).await?;
    }
    Ok(())
}

/// An account that staff make.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct Addition {
    /// The address.
    pub email: Email,
    /// The name, may be empty.
    pub name: Name,
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
/// [`SaveError`] says why not; nothing is written then.
pub async fn add(ctx: &Ctx, acting: Acting<'_>, addition: Addition) -> Result<Added, SaveError> {
    let has_roles = addition.is_staff || addition.is_superuser || !addition.groups.is_empty();
    if has_roles && !addition.has_just_proved {
        return Err(SaveError::ProveFirst);
    }
    let hash = match addition.password.clone() {
        Some(password) => {
            let (email, name) = (Some(addition.email.clone()), addition.name.clone());
            let own = OwnData { email, name, date_of_birth: None };
            Some(accounts::hash_new_password(ctx, password, own).await?)
        }
        None => None,
    };
    let now = ctx.clock.now();
    let is_invited = hash.is_none() && addition.is_active;
    let transaction = ctx.db.begin().await?;
    let actor = actor(&transaction, acting).await?;
    let wanted = wanted(&transaction, &addition.groups).await?;
    let grants: Vec<&Group> = wanted.iter().collect();
    if !actor.may(Permission::UsersAdd)
        || (addition.is_staff && !actor.may(Permission::UsersChange))
        || !may_grant(&actor, addition.is_superuser, &grants)
    {
        return Err(ModerationError::AboveOneself.into());
    }
    let account = new_account(&addition, hash);
    let user = accounts::open(&transaction, account, now).await?.ok_or(SaveError::EmailTaken)?;
    let ids: Vec<GroupId> = wanted.iter().map(|group| group.id).collect();
    groups::set_groups(&transaction, user, &ids).await?;
    let invitation =
        if is_invited { Some(invite(ctx, &transaction, user, &addition).await?) } else { None };
    let account = accounts::lock(&transaction, user).await?.ok_or(ModerationError::Unknown)?;
    let names: Vec<&str> = wanted.iter().map(|group| group.name.as_str()).collect();
    let details = json!({
        "changes": {
            "email": [null, addition.email.as_typed()],
            "name": [null, addition.name.as_str()],
            "is_active": [null, addition.is_active],
            "is_staff": [null, addition.is_staff],
            "is_superuser": [null, addition.is_superuser],
            "groups": [null, names],
        },
        "invited": is_invited,
    });
    let act = Act { transaction, actor, account };
    finish(ctx, acting, act, Action::AddedByStaff, details, Vec::new()).await?;
    Ok(Added { user, invitation })
}

fn new_account(addition: &Addition, password_hash: Option<PasswordHash>) -> NewAccount {
    NewAccount {
        email: addition.email.clone(),
        password_hash,
        name: addition.name.clone(),
        gender: None,
        date_of_birth: None,
        language: addition.language,
        is_active: addition.is_active,
        is_staff: addition.is_staff,
        is_superuser: addition.is_superuser,
        is_verified: false,
    }
}

async fn invite(
    ctx: &Ctx,
    transaction: &Transaction,
    user: UserId,
    addition: &Addition,
) -> Result<Secret, DbError> {
    let now = ctx.clock.now();
    let (reset, lasts) = (Purpose::ResetPassword, (now, INVITATION_LASTS));
    let link = links::mint_for(transaction, ctx.random, reset, (user, None), lasts).await?;
    let letter = Letter::new(Kind::Invited).with_link(link.clone());
    let (email, language) = (addition.email.clone(), addition.language);
    let to = Addressee { user: Some(user), email, language };
    outbox::put(transaction, &ctx.keys, &to, &letter, now).await?;
    Ok(link)
}

/// An act that has begun: the account stands still until it is done.
struct Act {
    transaction: Transaction,
    /// Whoever acts, as the database has them now.
    actor: Person,
    account: Account,
}

impl Act {
    /// Whether the person may do nothing on these pages that whoever acts may not: being the person
    /// would otherwise be a way up.
    async fn is_within_reach(&self) -> Result<bool, DbError> {
        let person = as_granted(&self.transaction, self.account.person.clone()).await?;
        Ok(person.permissions().are_within(self.actor.permissions()))
    }
}

async fn begin(ctx: &Ctx, acting: Acting<'_>, whom: UserId) -> Result<Act, ModerationError> {
    let transaction = ctx.db.begin().await?;
    begin_in(transaction, acting, whom).await
}

async fn begin_in(
    transaction: Transaction,
    acting: Acting<'_>,
    whom: UserId,
) -> Result<Act, ModerationError> {
    let account = accounts::lock(&transaction, whom).await?.ok_or(ModerationError::Unknown)?;
    let actor = actor(&transaction, acting).await?;
    if account.person.is_superuser && !actor.is_superuser {
        return Err(ModerationError::AboveOneself);
    }
    Ok(Act { transaction, actor, account })
}

/// Whoever acts, as the database has them now: what the request knows of them may be older than the
/// act of somebody else that took their roles away.
async fn actor(transaction: &Transaction, acting: Acting<'_>) -> Result<Person, ModerationError> {
    let account = accounts::find_by_id_in(transaction, acting.by.id).await?;
    let person = account.filter(|account| account.is_active).map(|account| account.person);
    let person = person.ok_or(ModerationError::AboveOneself)?;
    if !person.is_staff && !person.is_superuser {
        return Err(ModerationError::AboveOneself);
    }
    Ok(as_granted(transaction, person).await?)
}

async fn as_granted(transaction: &Transaction, person: Person) -> Result<Person, DbError> {
    let granted = groups::granted_in(transaction, person.id).await?;
    Ok(Person { granted, ..person })
}

/// Begins an act after which the account may not be used.
async fn begin_against(
    ctx: &Ctx,
    acting: Acting<'_>,
    whom: UserId,
) -> Result<Act, ModerationError> {
    if acting.by.id == whom {
        return Err(ModerationError::Oneself);
    }
    let transaction = ctx.db.begin().await?;
    accounts::lock_to_remove(&transaction).await?;
    begin_in(transaction, acting, whom).await
}

async fn suspend(
    act: &Act,
    whom: UserId,
    why: accounts::Inactive<'_>,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, ModerationError> {
    if !accounts::deactivate(&act.transaction, whom, why, now).await? {
        return Err(ModerationError::LastSuperuser);
    }
    let why = EndReason::Deactivated;
    Ok(sessions::end_all(&act.transaction, whom, None, why, now).await?)
}

async fn finish(
    ctx: &Ctx,
    acting: Acting<'_>,
    act: Act,
    action: Action,
    details: Value,
    over: Vec<SessionId>,
) -> Result<(), ModerationError> {
    let whom = act.account.person.id;
    let event = Event::on(whom, action, acting.caller).by_staff(acting.by.id).with(details);
    audit::record(&act.transaction, event, ctx.clock.now()).await?;
    act.transaction.commit().await?;
    ctx.cache.forget_person(whom);
    for session in over {
        sessions::ended(ctx, session);
    }
    tracing::info!(
        user.id = whom.0,
        staff.id = acting.by.id.0,
        action = action.as_str(),
        request.id = acting.caller.request_id,
        "staff changed an account"
    );
    Ok(())
}
