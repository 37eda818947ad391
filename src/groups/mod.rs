//! Groups of staff: their members, and the permissions that they grant.
//!
//! Knows users only by their ids. Does not decide who may change a group; the use cases do.

mod store;

use thiserror::Error;
use time::{Date, OffsetDateTime};
use validator::ValidationError;

use crate::db::{Db, DbError, Transaction};
use crate::types::{FromText, GroupId, Permissions, UserId, text, text_error};

/// The longest name in code points, as in Django.
const MAX_NAME: usize = 150;

/// The name of a group: one line, not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName(String);

/// Why a text is not a [`GroupName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GroupNameError {
    /// The text is empty.
    #[error("no name given")]
    Missing,
    /// The text has more than 150 code points.
    #[error("name too long")]
    TooLong,
    /// The text has control characters, such as line breaks.
    #[error("name with control characters")]
    Unprintable,
}

impl GroupName {
    /// Parses a name: composes it (NFC) and drops white space and invisible characters around it.
    ///
    /// # Errors
    /// [`GroupNameError`] says what is wrong.
    pub fn parse(typed: &str) -> Result<Self, GroupNameError> {
        let typed = text::normalized(typed);
        if typed.is_empty() {
            return Err(GroupNameError::Missing);
        }
        if typed.chars().count() > MAX_NAME {
            return Err(GroupNameError::TooLong);
        }
        if typed.chars().any(char::is_control) {
            return Err(GroupNameError::Unprintable);
        }
        Ok(Self(typed.into_owned()))
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromText for GroupName {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        Self::parse(text).map_err(|error| {
            text_error(match error {
                GroupNameError::Missing => "name.missing",
                GroupNameError::TooLong => "name.too_long",
                GroupNameError::Unprintable => "name.unprintable",
            })
        })
    }
}

/// A group with its permissions.
#[derive(Debug, Clone)]
pub struct Group {
    /// The id.
    pub id: GroupId,
    /// The name.
    pub name: String,
    /// The permissions that it grants.
    pub permissions: Permissions,
    /// The number of members.
    pub members: u64,
}

/// Lists up to `at_most` groups by name.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list(db: &Db, at_most: u64) -> Result<Vec<Group>, DbError> {
    store::list(db, at_most).await
}

/// Lists the names of up to `at_most` groups, by one statement.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn names(db: &Db, at_most: u64) -> Result<Vec<(GroupId, String)>, DbError> {
    store::list_names(db, at_most).await
}

/// Returns the group with this id.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find(db: &Db, id: GroupId) -> Result<Option<Group>, DbError> {
    store::find(db.reader(), id).await
}

/// Returns the group, locked until the transaction ends.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn lock(transaction: &Transaction, id: GroupId) -> Result<Option<Group>, DbError> {
    store::lock(transaction, id).await
}

/// Creates a group. Returns `None` when the name is taken.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn create(
    transaction: &Transaction,
    name: &GroupName,
    permissions: Permissions,
    now: OffsetDateTime,
) -> Result<Option<GroupId>, DbError> {
    store::insert(transaction, name, permissions, now).await
}

/// Writes a locked group. Returns `false` when the name is taken; then the transaction must not be
/// committed.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn update(
    transaction: &Transaction,
    id: GroupId,
    name: &GroupName,
    permissions: Permissions,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update(transaction, id, name, permissions, now).await
}

/// Deletes a group; its members stay.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn delete(transaction: &Transaction, id: GroupId) -> Result<bool, DbError> {
    store::delete(transaction, id).await
}

/// Tells whether any group grants one of the permissions `any` to a member of this group who is
/// staff and no superuser.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn has_member_granted(
    transaction: &Transaction,
    group: GroupId,
    any: Permissions,
) -> Result<bool, DbError> {
    store::exists_member_granted(transaction, group, any).await
}

/// Returns the permissions that the groups of a user grant together.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn granted_permissions(db: &Db, user: UserId) -> Result<Permissions, DbError> {
    store::granted_permissions(db.reader(), user).await
}

/// Does the same inside a transaction.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn granted_permissions_in(
    transaction: &Transaction,
    user: UserId,
) -> Result<Permissions, DbError> {
    store::granted_permissions(transaction.connection(), user).await
}

/// Lists the groups of a user with their names.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_of_user(db: &Db, user: UserId) -> Result<Vec<(GroupId, String)>, DbError> {
    store::list_of_user(db.reader(), user).await
}

/// Does the same inside a transaction.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_of_user_in(
    transaction: &Transaction,
    user: UserId,
) -> Result<Vec<(GroupId, String)>, DbError> {
    store::list_of_user(transaction.connection(), user).await
}

/// Returns these groups, locked until the transaction ends; `None` when one of them does not exist.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn lock_all(
    transaction: &Transaction,
    ids: &[GroupId],
) -> Result<Option<Vec<Group>>, DbError> {
    let mut ids = ids.to_vec();
    // In one order, so that two transactions wait for each other instead of deadlocking.
    ids.sort_unstable();
    ids.dedup();
    let mut groups = Vec::new();
    for id in ids {
        match store::lock(transaction, id).await? {
            Some(group) => groups.push(group),
            None => return Ok(None),
        }
    }
    Ok(Some(groups))
}

/// Replaces the groups of a locked account.
///
/// # Errors
/// [`DbError`] when the database cannot, and when a group does not exist.
pub async fn set_memberships(
    transaction: &Transaction,
    user: UserId,
    groups: &[GroupId],
) -> Result<(), DbError> {
    store::replace_memberships(transaction, user, groups).await
}
