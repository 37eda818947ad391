//! Setting a password from the terminal, for a person who cannot do it alone.

use thiserror::Error;

use crate::accounts::{self, NewPasswordError, OwnData};
use crate::audit::{self, Action, Event};
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::sessions::{self, EndReason};
use crate::types::{Caller, Email, Password};

/// Why the password was not set.
#[derive(Debug, Error)]
pub enum SetPasswordError {
    /// There is no such account.
    #[error("no account has this address")]
    Unknown,
    /// The password was not taken.
    #[error(transparent)]
    NotTaken(#[from] NewPasswordError),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Gives an account another password and ends its sessions.
///
/// # Errors
/// [`SetPasswordError`] says why not.
pub async fn set(
    ctx: &Ctx,
    email: &Email,
    password: Password,
    caller: &Caller,
) -> Result<(), SetPasswordError> {
    let account = accounts::find(&ctx.db, email).await?.ok_or(SetPasswordError::Unknown)?;
    let person = account.person;
    let own = OwnData {
        email: Some(person.email),
        name: person.name,
        date_of_birth: person.date_of_birth,
    };
    let hash = accounts::hash_new_password(ctx, password, own).await?;

    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    if !accounts::set_password(&transaction, person.id, &hash, now).await? {
        return Err(SetPasswordError::Unknown);
    }
    let why = EndReason::PasswordChanged;
    let over = sessions::end_all(&transaction, person.id, why, now).await?;
    audit::record(&transaction, Event::on(person.id, Action::PasswordSet, caller), now).await?;
    transaction.commit().await?;
    for session in over {
        sessions::ended(ctx, session);
    }
    tracing::info!(user.id = person.id.0, "the password was set at the terminal");
    Ok(())
}
