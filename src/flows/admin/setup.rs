//! Creates the first superuser, by the link that is printed at every start or at the terminal.
//!
//! Does not print the link; the entry point does.

use thiserror::Error;

use crate::accounts;
use crate::accounts::{NewAccount, NewPasswordError, UserAttributes, Weakness};
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::Purpose;
use crate::sessions;
use crate::sessions::{AuthMethod, IssuedTokens};
use crate::types::{Email, Language, Password, Profile, RequestInfo, Secret, UserId};

/// Why no superuser was created.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The link was used, is too old, or never existed.
    #[error("the link does not work")]
    BadLink,
    /// The address has an account.
    #[error("the address is taken")]
    EmailTaken,
    /// The address is local, and the settings do not allow that.
    #[error("a local address")]
    LocalEmail,
    /// The password was rejected.
    #[error(transparent)]
    PasswordRejected(#[from] NewPasswordError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Creates a setup link; `None` when a superuser exists.
pub async fn create_link(ctx: &Context) -> Result<Option<Secret>, DbError> {
    let transaction = ctx.db.begin().await?;
    if accounts::has_superuser(&transaction).await? {
        return Ok(None);
    }
    // Every start has a link of its own: only hashes are stored, so no earlier one can be printed.
    let token = ctx.random.secret();
    links::insert(&transaction, &token, Purpose::Setup, ctx.clock.now()).await?;
    transaction.commit().await?;
    Ok(Some(token))
}

/// Returns whether a link would work.
pub async fn is_link_valid(ctx: &Context, token: &Secret) -> Result<bool, DbError> {
    let is_good = links::is_valid(&ctx.db, token, Purpose::Setup, ctx.clock.now()).await?;
    Ok(is_good && !accounts::has_superuser(&ctx.db).await?)
}

/// Returns whether a link was a setup link and the site has its superuser.
pub async fn is_finished(ctx: &Context, token: &Secret) -> Result<bool, DbError> {
    let link = links::find_past(&ctx.db, token).await?;
    let is_ours = link.is_some_and(|link| link.purpose == Purpose::Setup);
    Ok(is_ours && accounts::has_superuser(&ctx.db).await?)
}

/// Returns every weakness of a password, for a valid link and a form that has other errors.
///
/// # Errors
/// [`SetupError`] when there is no answer.
pub async fn check_password_strength(
    ctx: &Context,
    token: &Secret,
    password: &Password,
    attributes: UserAttributes,
) -> Result<Vec<Weakness>, SetupError> {
    if !is_link_valid(ctx, token).await? {
        return Err(SetupError::BadLink);
    }
    let found = accounts::check_password_strength(ctx, password, attributes).await;
    Ok(found.map_err(NewPasswordError::from)?)
}

/// Creates the first superuser with a link and logs them in. Of any number of attempts with any
/// number of links, one succeeds.
pub async fn create_superuser_by_link(
    ctx: &Context,
    token: &Secret,
    email: Email,
    language: Language,
    password: Password,
    info: &RequestInfo,
) -> Result<IssuedTokens, SetupError> {
    if !is_link_valid(ctx, token).await? {
        return Err(SetupError::BadLink);
    }
    ensure_address_allowed(ctx, &email)?;
    let account = prepare(ctx, email.clone(), language, password).await?;
    let transaction = ctx.db.begin().await?;
    // All setup links are used up at once, so that of two attempts with two links one succeeds.
    let is_first = links::consume_all(&transaction, token, Purpose::Setup, ctx.clock.now()).await?
        && !accounts::has_superuser(&transaction).await?;
    if !is_first {
        return Err(SetupError::BadLink);
    }
    let user = insert(ctx, &transaction, account, info).await?;
    let tokens =
        sessions::create(ctx, &transaction, user, &email, AuthMethod::SetupLink, info).await?;
    transaction.commit().await?;
    tracing::info!(user.id = user.0, request.id = info.request_id, "superuser created by link");
    Ok(tokens.expect("a new account is active"))
}

/// Creates a superuser at the terminal, without a link.
pub async fn create_superuser(
    ctx: &Context,
    email: Email,
    language: Language,
    password: Password,
    info: &RequestInfo,
) -> Result<UserId, SetupError> {
    ensure_address_allowed(ctx, &email)?;
    let account = prepare(ctx, email, language, password).await?;
    let transaction = ctx.db.begin().await?;
    let user = insert(ctx, &transaction, account, info).await?;
    transaction.commit().await?;
    tracing::info!(user.id = user.0, "superuser created at the terminal");
    Ok(user)
}

fn ensure_address_allowed(ctx: &Context, email: &Email) -> Result<(), SetupError> {
    let is_accepted = ctx.settings.accepts_superuser_email(email);
    if is_accepted { Ok(()) } else { Err(SetupError::LocalEmail) }
}

async fn prepare(
    ctx: &Context,
    email: Email,
    language: Language,
    password: Password,
) -> Result<NewAccount, NewPasswordError> {
    let attributes = UserAttributes { email: Some(email.clone()), profile: Profile::default() };
    let password_hash = accounts::hash_new_password(ctx, password, attributes).await?;
    Ok(NewAccount {
        password_hash: Some(password_hash),
        is_staff: true,
        is_superuser: true,
        is_verified: true,
        ..NewAccount::new(email, language)
    })
}

async fn insert(
    ctx: &Context,
    transaction: &Transaction,
    account: NewAccount,
    info: &RequestInfo,
) -> Result<UserId, SetupError> {
    let now = ctx.clock.now();
    let user = accounts::create(transaction, account, now).await?.ok_or(SetupError::EmailTaken)?;
    audit::record(
        transaction,
        AuditEvent::on_user(user, AuditEventKind::SuperuserCreated, info),
        now,
    )
    .await?;
    Ok(user)
}
