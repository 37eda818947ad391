//! Proving once more: what is dangerous is done only by somebody who has just given the password.

use std::time::Duration;

use thiserror::Error;

use crate::accounts;
use crate::audit::{self, Action, Event};
use crate::crypto::QueueFull;
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::sessions::{self, ProveError};
use crate::types::{Caller, Email, Password, SessionId};

/// Why somebody has not proved to be it.
#[derive(Debug, Error)]
pub enum SudoError {
    /// The password is not right.
    #[error("wrong password")]
    Wrong,
    /// Too many tries.
    #[error("too many tries")]
    TooSoon(Duration),
    /// Too many people at once.
    #[error(transparent)]
    Busy(#[from] QueueFull),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

impl From<ProveError> for SudoError {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Wrong => Self::Wrong,
            ProveError::TooSoon(wait) => Self::TooSoon(wait),
            ProveError::Busy(full) => Self::Busy(full),
            ProveError::Broken(error) => Self::Broken(error),
        }
    }
}

/// Notes in the session that its owner has just given the password.
///
/// # Errors
/// [`SudoError`] says why not.
pub async fn prove(
    ctx: &Ctx,
    (email, session): (&Email, SessionId),
    password: Password,
    caller: &Caller,
) -> Result<(), SudoError> {
    let proved = sessions::prove(ctx, email, password, caller).await?;
    let now = ctx.clock.now();
    let user = proved.account.person.id;
    let transaction = ctx.db.begin().await?;
    let account = accounts::lock(&transaction, user).await?;
    if !account.is_some_and(|account| proved.stands_in(&account)) {
        return Err(SudoError::Wrong);
    }
    proved.give_back(&transaction).await?;
    sessions::set_proved(&transaction, session, now).await?;
    let event = Event::by(user, Action::ProvedAgain, caller).in_session(session);
    audit::record(&transaction, event, now).await?;
    transaction.commit().await?;
    sessions::ended(ctx, session);
    Ok(())
}
