//! Joining: an account and its first session, or neither.

use std::time::Duration;

use thiserror::Error;

use crate::accounts::{self, NewAccount, NewPasswordError, OwnData, Weakness};
use crate::audit::{self, Action, Event};
use crate::config::SignUp;
use crate::crypto::QueueFull;
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::sessions::{self, EndReason, Opened, Proof};
use crate::throttle::{self, Limit, ThrottleError, Try};
use crate::types::{BirthDate, Caller, Email, Gender, Name, Password, SessionId};

/// A school or an office joins from one address within an hour; a robot goes on all night.
const BY_PLACE: Limit = Limit {
    name: "signup-place",
    free: 200,
    forgets_one_in: Duration::from_mins(1),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(10),
};

/// Whether an address is taken is told to whoever asks; this bounds how often about one address.
const BY_EMAIL: Limit = Limit {
    name: "signup-email",
    free: 20,
    forgets_one_in: Duration::from_mins(10),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_hours(1),
};

/// What a person joins with.
#[derive(Debug, Clone)]
pub struct Application {
    /// The address.
    pub email: Email,
    /// The password.
    pub password: Password,
    /// The name, may be empty.
    pub name: Name,
    /// The gender, where given.
    pub gender: Option<Gender>,
    /// The date of birth, where given.
    pub date_of_birth: Option<BirthDate>,
}

/// Why somebody could not join.
#[derive(Debug, Error)]
pub enum SignUpError {
    /// Nobody may.
    #[error("sign-up is closed")]
    Closed,
    /// The address has an account.
    #[error("the address is taken")]
    EmailTaken,
    /// The password is too weak, for all these reasons.
    #[error("the password is too weak")]
    Weak(Vec<Weakness>),
    /// Too many tries from there.
    #[error("too many tries")]
    TooSoon(Duration),
    /// Too many people at once.
    #[error(transparent)]
    Busy(#[from] QueueFull),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

impl From<ThrottleError> for SignUpError {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::TooSoon(wait) => Self::TooSoon(wait),
            ThrottleError::Broken(error) => Self::Broken(error),
        }
    }
}

impl From<NewPasswordError> for SignUpError {
    fn from(error: NewPasswordError) -> Self {
        match error {
            NewPasswordError::Weak(found) => Self::Weak(found),
            NewPasswordError::Busy(full) => Self::Busy(full),
        }
    }
}

/// Makes an account and signs it in. A session that the browser had before ends.
///
/// # Errors
/// [`SignUpError`] says why not; nothing is written then but a count.
pub async fn join(
    ctx: &Ctx,
    applicant: Application,
    before: Option<SessionId>,
    caller: &Caller,
) -> Result<Opened, SignUpError> {
    if ctx.settings.signup == SignUp::Closed {
        return Err(SignUpError::Closed);
    }
    let now = ctx.clock.now();
    throttle::admit(&ctx.db, &tries(ctx, &applicant.email, caller), now).await.inspect_err(
        |_| {
            tracing::info!(request.id = caller.request_id, "sign-up refused: too many tries");
        },
    )?;
    let own = OwnData {
        email: Some(applicant.email.clone()),
        name: applicant.name.clone(),
        date_of_birth: applicant.date_of_birth,
    };
    let password_hash = accounts::hash_new_password(ctx, applicant.password, own).await?;
    let email = applicant.email.clone();
    let account = NewAccount {
        email: applicant.email,
        password_hash,
        name: applicant.name,
        gender: applicant.gender,
        date_of_birth: applicant.date_of_birth,
        is_superuser: false,
    };

    let transaction = ctx.db.begin().await?;
    let Some(user) = accounts::open(&transaction, account, now).await? else {
        tracing::info!(request.id = caller.request_id, "sign-up refused: the address is taken");
        return Err(SignUpError::EmailTaken);
    };
    audit::record(&transaction, Event::by(user, Action::SignedUp, caller), now).await?;
    let opened =
        sessions::start(ctx, &transaction, (user, &email), Proof::NewAccount, caller).await?;
    let opened = opened.expect("an account is active when it is made");
    if let Some(before) = before {
        sessions::end(&transaction, before, EndReason::Replaced, now).await?;
    }
    transaction.commit().await?;
    before.inspect(|session| sessions::ended(ctx, *session));
    tracing::info!(
        user.id = user.0, session.id = %opened.session, request.id = caller.request_id,
        "signed up"
    );
    Ok(opened)
}

/// Everything that is wrong with a password, for somebody whose form cannot be taken anyway. Counted
/// like joining: weighing is work too.
///
/// # Errors
/// [`SignUpError`] when there is no answer.
pub async fn weigh(
    ctx: &Ctx,
    password: &Password,
    own: OwnData,
    caller: &Caller,
) -> Result<Vec<Weakness>, SignUpError> {
    if ctx.settings.signup == SignUp::Closed {
        return Err(SignUpError::Closed);
    }
    let place = BY_PLACE.on(&ctx.keys.pseudonym(&caller.place()));
    throttle::admit(&ctx.db, &[place], ctx.clock.now()).await?;
    Ok(accounts::weigh_password(ctx, password, own).await?)
}

fn tries(ctx: &Ctx, email: &Email, caller: &Caller) -> [Try; 2] {
    [
        BY_EMAIL.on(&ctx.keys.pseudonym(email.canonical())),
        BY_PLACE.on(&ctx.keys.pseudonym(&caller.place())),
    ]
}
