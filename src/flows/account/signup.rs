//! Joining: an account and its first session, or neither.
//!
//! Where addresses must be proved first there is no session yet, and a taken address is answered like
//! a free one: its owner alone learns of it, by e-mail.

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

/// A school or an office joins from one address within an hour; a robot goes on all night.
const BY_PLACE: Limit = Limit {
    name: "signup-place",
    free: 200,
    forgets_one_in: Duration::from_mins(1),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(10),
};

/// Whether an address is taken is told to whoever asks, or its owner by e-mail; this bounds how often
/// about one address.
const BY_EMAIL: Limit = Limit {
    name: "signup-email",
    free: 20,
    forgets_one_in: Duration::from_mins(10),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_hours(1),
};

/// What a person joins with.
#[derive(Debug, Clone)]
pub struct SignupRequest {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
    /// What the user says about themselves.
    pub profile: Profile,
    /// The language in which the person reads.
    pub language: Language,
}

/// What became of an application.
#[derive(Debug, Clone)]
pub enum SignupOutcome {
    /// The account is made and signed in.
    SignedIn(IssuedTokens),
    /// An e-mail is on its way, and says how to go on; nobody else learns whether the address was free.
    EmailSent,
}

/// Why somebody could not join.
#[derive(Debug, Error)]
pub enum SignupError {
    /// Nobody may.
    #[error("sign-up is closed")]
    Closed,
    /// The address has an account.
    #[error("the address is taken")]
    EmailTaken,
    /// The address has an account with the same password, which may not be used.
    #[error("the address is taken, and its account may not be used")]
    Inactive(Inactive),
    /// The address has an account with the same password, which is deleted then unless its owner logs in.
    #[error("the address is taken, and its account is about to be deleted")]
    DeletionPending(OffsetDateTime),
    /// No mail leaves this machine or network for the address, and the settings take no such one.
    #[error("a local address")]
    LocalEmail,
    /// The password was not taken.
    #[error(transparent)]
    NotTaken(#[from] NewPasswordError),
    /// Too many tries from there.
    #[error(transparent)]
    NotNow(#[from] ThrottleError),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Makes an account, and signs it in unless its address must be proved first. A session that the
/// browser had before ends.
///
/// # Errors
/// [`SignUpError`] says why not; nothing is written then but a count.
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
    let account = account(ctx, request).await?;

    let transaction = ctx.db.begin().await?;
    let Some(user) = accounts::create(&transaction, account, now).await? else {
        tracing::info!(request.id = info.request_id, "sign-up refused: the address is taken");
        drop(transaction);
        if !must_verify {
            return Err(explain_taken(ctx, &email, password, info).await?);
        }
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
        sessions::create(ctx, &transaction, (user, &to.email), AuthMethod::NewAccount, info)
            .await?;
    let tokens = tokens.expect("an account is active when it is made");
    sessions::commit_replacing_session(ctx, transaction, before).await?;
    tracing::info!(
        user.id = user.0, session.id = %tokens.session, request.id = info.request_id,
        "signed up"
    );
    Ok(SignupOutcome::SignedIn(tokens))
}

/// Tells its owner more of an account that is in the way: a visitor who signs up with the password of the account
/// is its owner, who may have forgotten that it was suspended or is about to be deleted. The password is
/// compared and counted as at a log-in, whatever the state of the account, so a stranger learns that the
/// address is taken and nothing else. Where an address must be proved first not even that is told, and
/// the owner reads it at the log-in, to which the e-mail leads.
async fn explain_taken(
    ctx: &Context,
    email: &Email,
    password: Password,
    info: &RequestInfo,
) -> Result<SignupError, DbError> {
    let proved = match sessions::verify_password(ctx, email, password, info).await {
        Ok(proved) => proved,
        Err(AuthError::Broken(error)) => return Err(error),
        Err(_) => return Ok(SignupError::EmailTaken),
    };
    proved.refund_attempt(ctx).await?;
    Ok(match (Inactive::of(&proved.account, ctx.clock.now()), proved.account.deletes_at) {
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

/// Everything that is wrong with a password, for somebody whose form cannot be taken anyway. Counted
/// like joining: weighing is work too.
///
/// # Errors
/// [`SignUpError`] when there is no answer.
pub async fn check_password_strength(
    ctx: &Context,
    password: &Password,
    attributes: UserAttributes,
    info: &RequestInfo,
) -> Result<Vec<Weakness>, SignupError> {
    if ctx.settings.signup == SignupMode::Closed {
        return Err(SignupError::Closed);
    }
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
