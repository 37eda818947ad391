//! Logs in a provider's user: to the account that is connected, to the account with the same
//! verified address, or to a new account.
//!
//! Does not ask the provider: the user has been identified by then.

use serde_json::json;

use super::error::SocialLoginError;
use super::rate_limit;
use crate::accounts;
use crate::accounts::{Account, NewAccount};
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::config::{EmailVerification, SignupMode};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::oauth::ProviderUser;
use crate::outbox::Recipient;
use crate::sessions;
use crate::sessions::{AuthMethod, IssuedTokens};
use crate::social;
use crate::social::Provider;
use crate::types::{Email, Language, Profile, RequestInfo, SessionId};

/// The user of a provider who logs in.
#[derive(Debug, Clone)]
pub struct SocialLogin<'a> {
    /// The provider.
    pub provider: &'a Provider,
    /// The user as the provider knows them.
    pub provider_user: &'a ProviderUser,
    /// The address that the user typed because the provider shares none.
    pub typed_email: Option<&'a Email>,
    /// The language of e-mails to a new user.
    pub language: Language,
    /// The session that the browser had before.
    pub before: Option<SessionId>,
}

/// What a social log-in led to.
#[derive(Debug, Clone)]
pub enum SocialLoginOutcome {
    /// The user is logged in; `true` when that cancelled a pending deletion.
    SignedIn(Box<IssuedTokens>, bool),
    /// The address must be verified first; an e-mail says how to continue.
    EmailSent,
}

/// Logs in a provider's user: to the account that is connected, to the account with the same
/// verified address, or to a new account.
pub async fn login_or_signup(
    ctx: &Context,
    login: SocialLogin<'_>,
    info: &RequestInfo,
) -> Result<SocialLoginOutcome, SocialLoginError> {
    if login.typed_email.is_some() {
        // Without this, one callback would allow any number of addresses to be tried.
        rate_limit::check(ctx, info).await?;
    }
    let transaction = ctx.db.begin().await?;
    let now = ctx.clock.now();
    if let Some(user) = social::find_user(&transaction, login.provider_user).await? {
        let account = accounts::lock(&transaction, user).await?.ok_or(SocialLoginError::Refused)?;
        // The owner may have disconnected it since.
        if !social::record_use(&transaction, user, login.provider_user, now).await? {
            return Err(SocialLoginError::Refused);
        }
        return log_in(ctx, transaction, &account, &login, info).await;
    }
    let Some(email) = login.provider_user.email.as_ref().or(login.typed_email) else {
        return Err(SocialLoginError::NoEmail);
    };
    let Some(owner) = accounts::find_by_email(&transaction, email).await? else {
        return register(ctx, transaction, email, &login, info).await;
    };
    // Checked again under the lock: the address may belong to another account by now.
    let owner = accounts::lock(&transaction, owner.user.id).await?;
    let owner = owner.filter(|owner| {
        let is_still_theirs = owner.user.email.canonical() == email.canonical();
        is_still_theirs && owner.user.email_verified_at.is_some()
    });
    match owner.filter(|_| is_email_verified(&login)) {
        Some(owner) if owner.is_active => {
            let (slug, user) = (login.provider.slug(), login.provider_user);
            if !social::connect_and_notify(ctx, &transaction, &owner, slug, user, info).await? {
                return Err(SocialLoginError::Refused);
            }
            log_in(ctx, transaction, &owner, &login, info).await
        }
        Some(_) => Err(SocialLoginError::Refused),
        None => {
            // The e-mail is written in a transaction of its own, and SQLite has one writer.
            drop(transaction);
            email_taken(ctx, email, info).await
        }
    }
}

/// Returns whether the provider has verified the address of its user.
fn is_email_verified(login: &SocialLogin<'_>) -> bool {
    // An address that the user typed is not the provider's.
    login.provider_user.email.is_some() && login.provider_user.is_email_verified
}

/// Logs in to a locked account.
async fn log_in(
    ctx: &Context,
    transaction: Transaction,
    account: &Account,
    login: &SocialLogin<'_>,
    info: &RequestInfo,
) -> Result<SocialLoginOutcome, SocialLoginError> {
    let (user, email, now) = (account.user.id, &account.user.email, ctx.clock.now());
    let method = AuthMethod::Social(login.provider.slug());
    let tokens = sessions::create(ctx, &transaction, user, email, method, info).await?;
    let Some(tokens) = tokens else {
        tracing::info!(user.id = user.0, request.id = info.request_id, "log-in refused");
        return Err(SocialLoginError::Refused);
    };
    let deletion_cancelled =
        accounts::record_deletion_cancelled(&transaction, account, info, now).await?;
    finish(ctx, transaction, &tokens, login, info).await?;
    Ok(SocialLoginOutcome::SignedIn(Box::new(tokens), deletion_cancelled))
}

async fn finish(
    ctx: &Context,
    transaction: Transaction,
    tokens: &IssuedTokens,
    login: &SocialLogin<'_>,
    info: &RequestInfo,
) -> Result<(), DbError> {
    rate_limit::refund(ctx, &transaction, info).await?;
    sessions::commit_replacing_session(ctx, transaction, tokens.user, login.before).await?;
    tracing::info!(
        user.id = tokens.user.0, session.id = %tokens.session, provider = login.provider.slug(),
        request.id = info.request_id, "logged in by a provider"
    );
    Ok(())
}

/// Creates an account without a password.
async fn register(
    ctx: &Context,
    transaction: Transaction,
    email: &Email,
    login: &SocialLogin<'_>,
    info: &RequestInfo,
) -> Result<SocialLoginOutcome, SocialLoginError> {
    if ctx.settings.signup == SignupMode::Closed {
        return Err(SocialLoginError::Closed);
    }
    if !ctx.settings.accepts_email(email) {
        return Err(SocialLoginError::LocalEmail);
    }
    let now = ctx.clock.now();
    let account = new_account(email, login);
    let Some(user) = accounts::create(&transaction, account, now).await? else {
        // The e-mail is written in a transaction of its own, and SQLite has one writer.
        drop(transaction);
        return email_taken(ctx, email, info).await;
    };
    let slug = login.provider.slug();
    // Of two callbacks at once for the same user, the database lets one connect it.
    if !social::connect(&transaction, user, slug, login.provider_user, now).await? {
        return Err(SocialLoginError::Refused);
    }
    let event = AuditEvent::by_owner(user, AuditEventKind::SignedUp, info)
        .with_details(json!({ "provider": slug }));
    audit::record(&transaction, event, now).await?;
    let verification = ctx.settings.email_verification;
    let is_proved = is_email_verified(login) || verification == EmailVerification::None;
    if !is_proved {
        let (email, language) = (email.clone(), login.language);
        let to = Recipient { user: Some(user), email, language };
        accounts::send_verification_email(ctx, &transaction, user, &to, info).await?;
    }
    if !is_proved && verification == EmailVerification::Mandatory {
        transaction.commit().await?;
        tracing::info!(user.id = user.0, request.id = info.request_id, "signed up");
        return Ok(SocialLoginOutcome::EmailSent);
    }
    let method = AuthMethod::Social(slug);
    let tokens = sessions::create(ctx, &transaction, user, email, method, info).await?;
    let tokens = tokens.ok_or(SocialLoginError::Refused)?;
    finish(ctx, transaction, &tokens, login, info).await?;
    Ok(SocialLoginOutcome::SignedIn(Box::new(tokens), false))
}

fn new_account(email: &Email, login: &SocialLogin<'_>) -> NewAccount {
    NewAccount {
        profile: Profile { name: login.provider_user.name.clone(), ..Profile::default() },
        is_verified: is_email_verified(login),
        ..NewAccount::new(email.clone(), login.language)
    }
}

/// Returns the outcome for an address that has an account.
async fn email_taken(
    ctx: &Context,
    email: &Email,
    info: &RequestInfo,
) -> Result<SocialLoginOutcome, SocialLoginError> {
    tracing::info!(request.id = info.request_id, "sign-up refused: the address is taken");
    if ctx.settings.email_verification != EmailVerification::Mandatory {
        return Err(SocialLoginError::EmailTaken);
    }
    // Where verification is mandatory, only the owner learns that the address has an account.
    accounts::notify_existing_owner(ctx, email, info).await?;
    Ok(SocialLoginOutcome::EmailSent)
}
