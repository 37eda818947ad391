//! Password strength while a password is being typed, by the rule that the forms apply.
//!
//! Writes nothing but the attempt, and keeps nothing of the password.

use thiserror::Error;

use crate::accounts;
use crate::accounts::{UserAttributes, Weakness};
use crate::context::Context;
use crate::crypto::QueueFull;
use crate::db::DbError;
use crate::links;
use crate::links::Purpose;
use crate::throttle;
use crate::throttle::{Limit, ThrottleError};
use crate::types::{Password, Profile, RequestInfo, Secret, User};

/// Limits checks from one client network.
const BY_PLACE: Limit = Limit {
    name: "strength-place",
    // A page asks at each pause of typing, a dozen times per sign-up, and a class signs up from one
    // network.
    free: 600,
    // At one check a second, one network keeps a core busy for 8 ms of each second.
    forgets_one_in: std::time::Duration::from_secs(1),
    first_wait: std::time::Duration::from_secs(2),
    longest_wait: std::time::Duration::from_mins(1),
};

/// The user whose password it will be.
#[derive(Debug)]
pub enum PasswordOwner<'a> {
    /// A new user, described by a form.
    Described(UserAttributes),
    /// A signed-in user.
    SignedIn(&'a User),
    /// The owner of a reset link.
    ResetLink(&'a Secret),
}

/// Why a password was not checked.
#[derive(Debug, Error)]
pub enum StrengthError {
    /// There were too many attempts.
    #[error(transparent)]
    NotNow(#[from] ThrottleError),
    /// Too many passwords are waiting to be checked.
    #[error(transparent)]
    Busy(#[from] QueueFull),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Returns everything that is wrong with a password, or nothing: what the form would answer.
///
/// # Errors
/// [`StrengthError`] when there is no answer.
pub async fn check(
    ctx: &Context,
    password: &Password,
    owner: PasswordOwner<'_>,
    info: &RequestInfo,
) -> Result<Vec<Weakness>, StrengthError> {
    let place = BY_PLACE.on(&ctx.keys.pseudonym(&info.client_network()));
    throttle::check_rate_limit(&ctx.db, &[place], ctx.clock.now()).await?;
    let attributes = match owner {
        PasswordOwner::Described(attributes) => attributes,
        PasswordOwner::SignedIn(user) => UserAttributes::of(user),
        PasswordOwner::ResetLink(token) => attributes_of_link(ctx, token).await?,
    };
    Ok(accounts::check_password_strength(ctx, password, attributes).await?)
}

/// Returns the attributes of the owner of a reset link; none when the link is invalid.
async fn attributes_of_link(ctx: &Context, token: &Secret) -> Result<UserAttributes, DbError> {
    let unknown = UserAttributes { email: None, profile: Profile::default() };
    let link = links::find(&ctx.db, token, ctx.clock.now()).await?;
    let Some(link) = link.filter(|link| link.purpose == Purpose::ResetPassword) else {
        // The form reports an invalid link; the meter has no place for it.
        return Ok(unknown);
    };
    let account = accounts::find_by_id(&ctx.db, link.user).await?;
    Ok(account.map_or(unknown, |account| account.user_attributes()))
}
