//! Sign-up: creates an account and its first session, or neither.
//!
//! Where verification is mandatory there is no session yet, and a taken address gets the same
//! answer as a free one.

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

use crate::accounts;
use crate::accounts::{NewAccount, NewPasswordError, UserAttributes, Weakness};
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::config::{EmailVerification, SignupMode};
use crate::context::Context;
use crate::db::DbError;
use crate::outbox::Recipient;
use crate::sessions;
use crate::sessions::{AuthError, AuthMethod, Inactive, IssuedTokens};
use crate::throttle;
use crate::throttle::{Attempt, Limit, ThrottleError};
use crate::types::{Email, Language, Password, Profile, RequestInfo, SessionId};

/// Limits sign-ups from one client network.
const BY_PLACE: Limit = Limit {
    name: "signup-place",
    // A school or an office may sign up from one network within an hour; a robot continues all
    // night.
    free: 200,
    forgets_one_in: Duration::from_mins(1),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(10),
};

/// Limits how often a sign-up reveals that one address is taken, to the visitor or by e-mail to its
/// owner.
const BY_EMAIL: Limit = Limit {
    name: "signup-email",
    free: 20,
    forgets_one_in: Duration::from_mins(10),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_hours(1),
};

/// What a user signs up with.
#[derive(Debug, Clone)]
pub struct SignupRequest {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
    /// What the user says about themselves.
    pub profile: Profile,
    /// The language of e-mails to the user.
    pub language: Language,
}

/// What a sign-up led to.
#[derive(Debug, Clone)]
pub enum SignupOutcome {
    /// The account was created and logged in.
    SignedIn(IssuedTokens),
    /// An e-mail was sent and says how to continue. It does not reveal whether the address was free.
    EmailSent,
}

/// Why a sign-up failed.
#[derive(Debug, Error)]
pub enum SignupError {
    /// Sign-up is closed.
    #[error("sign-up is closed")]
    Closed,
    /// The address has an account.
    #[error("the address is taken")]
    EmailTaken,
    /// The address has an account with the same password, which is inactive.
    #[error("the address is taken, and its account may not be used")]
    Inactive(Inactive),
    /// The address has an account with the same password, which will be deleted then unless its owner
    /// logs in.
    #[error("the address is taken, and its account is about to be deleted")]
    DeletionPending(OffsetDateTime),
    /// The address is local, so no mail leaves this network for it, and the settings do not allow that.
    #[error("a local address")]
    LocalEmail,
    /// The new password was rejected.
    #[error(transparent)]
    NotTaken(#[from] NewPasswordError),
    /// There were too many attempts.
    #[error(transparent)]
    NotNow(#[from] ThrottleError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Creates an account, and logs it in unless its address must be verified first. Ends the session that
/// the browser had before.
pub async fn sign_up(
    ctx: &Context,
    request: SignupRequest,
    before: Option<SessionId>,
    info: &RequestInfo,
) -> Result<SignupOutcome, SignupError> {
    if ctx.settings.signup == SignupMode::Closed {
        return Err(SignupError::Closed);
    }
    if !ctx.settings.accepts_email(&request.email) {
        return Err(SignupError::LocalEmail);
    }
    let now = ctx.clock.now();
    throttle::check_rate_limit(&ctx.db, &signup_attempts(ctx, &request.email, info), now).await?;
    let must_verify = ctx.settings.email_verification == EmailVerification::Mandatory;
    let (email, language) = (request.email.clone(), request.language);
    let password = request.password.clone();
    // Hashed also for a taken address, so that both cost the same.
    let account = account(ctx, request).await?;

    let transaction = ctx.db.begin().await?;
    // The database decides whether the address is free: a query before the insert could be
    // outdated.
    let Some(user) = accounts::create(&transaction, account, now).await? else {
        tracing::info!(request.id = info.request_id, "sign-up refused: the address is taken");
        drop(transaction);
        if !must_verify {
            return Err(explain_taken(ctx, &email, password, info).await?);
        }
        // Only the owner of the address learns of the attempt.
        accounts::notify_existing_owner(ctx, &email, info).await?;
        return Ok(SignupOutcome::EmailSent);
    };
    audit::record(&transaction, AuditEvent::by_owner(user, AuditEventKind::SignedUp, info), now)
        .await?;
    let to = Recipient { user: Some(user), email, language };
    if ctx.settings.email_verification != EmailVerification::None {
        accounts::send_verification_email(ctx, &transaction, user, &to, info).await?;
    }
    if must_verify {
        transaction.commit().await?;
        tracing::info!(user.id = user.0, request.id = info.request_id, "signed up");
        return Ok(SignupOutcome::EmailSent);
    }
    let tokens =
        sessions::create(ctx, &transaction, user, &to.email, AuthMethod::NewAccount, info).await?;
    let tokens = tokens.expect("an account is active when it is made");
    sessions::commit_replacing_session(ctx, transaction, tokens.user, before).await?;
    tracing::info!(
        user.id = user.0, session.id = %tokens.session, request.id = info.request_id,
        "signed up"
    );
    Ok(SignupOutcome::SignedIn(tokens))
}

/// Explains a taken address to its owner, who may have forgotten that the account was suspended or
/// is about to be deleted.
async fn explain_taken(
    ctx: &Context,
    email: &Email,
    password: Password,
    info: &RequestInfo,
) -> Result<SignupError, DbError> {
    // A visitor who gives the account's password is its owner. It is compared and counted as at a
    // log-in, whatever the state of the account, so a stranger learns only that the address is
    // taken.
    let verified = match sessions::verify_password(ctx, email, password, info).await {
        Ok(verified) => verified,
        Err(AuthError::Database(error)) => return Err(error),
        Err(_) => return Ok(SignupError::EmailTaken),
    };
    verified.refund_attempt(ctx).await?;
    Ok(match (Inactive::of(&verified.account, ctx.clock.now()), verified.account.deletes_at) {
        (Some(inactive), _) => SignupError::Inactive(inactive),
        (None, Some(at)) => SignupError::DeletionPending(at),
        (None, None) => SignupError::EmailTaken,
    })
}

async fn account(ctx: &Context, request: SignupRequest) -> Result<NewAccount, NewPasswordError> {
    let (email, profile) = (Some(request.email.clone()), request.profile.clone());
    let attributes = UserAttributes { email, profile };
    Ok(NewAccount {
        password_hash: Some(accounts::hash_new_password(ctx, request.password, attributes).await?),
        profile: request.profile,
        ..NewAccount::new(request.email, request.language)
    })
}

/// Returns everything that is wrong with a password whose form is rejected anyway.
///
/// # Errors
/// [`SignupError`] when the password was not checked.
pub async fn check_password_strength(
    ctx: &Context,
    password: &Password,
    attributes: UserAttributes,
    info: &RequestInfo,
) -> Result<Vec<Weakness>, SignupError> {
    if ctx.settings.signup == SignupMode::Closed {
        return Err(SignupError::Closed);
    }
    // It counts as an attempt, because the check costs work.
    let place = BY_PLACE.on(&ctx.keys.pseudonym(&info.client_network()));
    throttle::check_rate_limit(&ctx.db, &[place], ctx.clock.now()).await?;
    let found = accounts::check_password_strength(ctx, password, attributes).await;
    Ok(found.map_err(NewPasswordError::from)?)
}

fn signup_attempts(ctx: &Context, email: &Email, info: &RequestInfo) -> [Attempt; 2] {
    [
        BY_EMAIL.on(&ctx.keys.pseudonym(email.canonical())),
        BY_PLACE.on(&ctx.keys.pseudonym(&info.client_network())),
    ]
}
