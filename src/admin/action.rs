//! What can be done to one account as to many.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{ActError, Acting, Held, hold, record};
use crate::accounts;
use crate::accounts::{Account, Inactive};
use crate::audit::Action;
use crate::db::Transaction;
use crate::sessions;
use crate::sessions::EndReason;
use crate::types::{Permission, SessionId, UserId};

/// How long a deletion by staff can be undone.
const UNDO: Duration = Duration::from_hours(24);

/// A deed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// Lets an account be used again; also takes back a deletion that staff began.
    Activate,
    /// Forbids the use of an account and ends its sessions.
    Deactivate {
        /// Why, for staff; may be empty.
        reason: String,
        /// When the account may be used again by itself.
        until: Option<OffsetDateTime>,
    },
    /// Takes the address for proved, because whoever acts knows that it is.
    Verify,
    /// Ends every session of a person.
    EndSessions,
    /// Forbids the use of an account at once and deletes it after a day, within which
    /// [`Activate`](Self::Activate) brings it back.
    Delete,
}

impl Deed {
    /// What whoever does it must be allowed.
    #[must_use]
    pub fn permission(&self) -> Permission {
        match self {
            Self::Activate | Self::Deactivate { .. } | Self::Verify => Permission::UsersChange,
            Self::EndSessions => Permission::SessionsEnd,
            Self::Delete => Permission::UsersDelete,
        }
    }

    /// Whether it takes an account away from its person.
    #[must_use]
    pub fn is_dangerous(&self) -> bool {
        matches!(self, Self::Deactivate { .. } | Self::Delete)
    }

    /// What the trail calls it.
    fn action(&self) -> Action {
        match self {
            Self::Activate => Action::Activated,
            Self::Deactivate { .. } => Action::Deactivated,
            Self::Verify => Action::VerifiedByStaff,
            Self::EndSessions => Action::SessionsEndedByStaff,
            Self::Delete => Action::DeletionByStaff,
        }
    }

    /// Whether the account is already as the deed would have it.
    #[must_use]
    pub fn is_moot(&self, account: &Account, now: OffsetDateTime) -> bool {
        match self {
            Self::Activate => account.is_active && account.deletes_at.is_none(),
            Self::Verify => account.person.email_verified_at.is_some(),
            Self::Delete => {
                !account.is_active && account.deletes_at.is_some_and(|at| at <= now + UNDO)
            }
            Self::Deactivate { .. } | Self::EndSessions => false,
        }
    }
}

/// What was done; to be told with [`done`](super::done) after the commit.
#[derive(Debug)]
pub struct Done {
    /// The account as it was before.
    pub before: Account,
    /// What the trail calls it.
    pub action: Action,
    /// The sessions that are over.
    pub over: Vec<SessionId>,
}

/// Does a deed to an account, and writes it into the trail with these further facts; `None` means
/// that there was nothing to be done.
///
/// # Errors
/// [`ActError`] says why it was not done.
pub async fn carry_out(
    transaction: &Transaction,
    acting: Acting<'_>,
    whom: UserId,
    (deed, facts): (&Deed, Value),
    now: OffsetDateTime,
) -> Result<Option<Done>, ActError> {
    if deed.is_dangerous() {
        if acting.by.id == whom {
            return Err(ActError::Oneself);
        }
        accounts::lock_to_remove(transaction).await?;
    }
    let held = hold(transaction, acting, whom).await?;
    if deed.is_dangerous() {
        held.must_be_within_reach(transaction).await?;
    }
    let Held { actor, account } = held;
    if !actor.may(deed.permission()) {
        return Err(ActError::AboveOneself);
    }
    if deed.is_moot(&account, now) {
        return Ok(None);
    }
    let (mut details, over) = change(transaction, &account, deed, now).await?;
    if let (Some(details), Value::Object(facts)) = (details.as_object_mut(), facts) {
        details.extend(facts);
    }
    record(transaction, acting, whom, (deed.action(), details), now).await?;
    Ok(Some(Done { before: account, action: deed.action(), over }))
}

/// Changes the account; tells the facts for the trail, and the sessions that are over.
async fn change(
    transaction: &Transaction,
    account: &Account,
    deed: &Deed,
    now: OffsetDateTime,
) -> Result<(Value, Vec<SessionId>), ActError> {
    let (whom, was_active) = (account.person.id, account.is_active);
    match deed {
        Deed::Activate => {
            accounts::activate(transaction, whom, now).await?;
            Ok((json!({ "changes": { "is_active": [was_active, true] } }), Vec::new()))
        }
        Deed::Deactivate { reason, until } => {
            // Whoever is leaving still leaves.
            let why = Inactive { reason, until: *until, deletes_at: account.deletes_at };
            let over = suspend(transaction, whom, why, now).await?;
            let details = json!({
                "changes": { "is_active": [was_active, false] },
                "reason": reason,
                "until": until.map(OffsetDateTime::unix_timestamp),
            });
            Ok((details, over))
        }
        Deed::Verify => {
            accounts::set_verified(transaction, whom, now).await?;
            Ok((json!({ "changes": { "email_verified": [false, true] } }), Vec::new()))
        }
        Deed::EndSessions => {
            let why = EndReason::EndedByStaff;
            let over = sessions::end_all(transaction, whom, None, why, now).await?;
            Ok((json!({ "count": over.len() }), over))
        }
        Deed::Delete => {
            let due = now + UNDO;
            let why = Inactive { reason: "", until: None, deletes_at: Some(due) };
            let over = suspend(transaction, whom, why, now).await?;
            let details = json!({
                "changes": { "is_active": [was_active, false] },
                "due_at": due.unix_timestamp(),
            });
            Ok((details, over))
        }
    }
}

async fn suspend(
    transaction: &Transaction,
    whom: UserId,
    why: Inactive<'_>,
    now: OffsetDateTime,
) -> Result<Vec<SessionId>, ActError> {
    if !accounts::deactivate(transaction, whom, why, now).await? {
        return Err(ActError::LastSuperuser);
    }
    let why = EndReason::Deactivated;
    Ok(sessions::end_all(transaction, whom, None, why, now).await?)
}
