//! Groups of staff: who is in them, and what that lets them do.
//!
//! Knows people by their numbers only. Whether somebody may change a group is the flows' business.

mod store;

use thiserror::Error;
use time::OffsetDateTime;

use crate::db::{Db, DbError, Transaction};
use crate::types::{GroupId, Permissions, UserId, text};

/// Longest name, in code points; as long as Django's.
const MAX_NAME: usize = 150;

/// What a group is called: one line, not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName(String);

/// Why something typed is not a [`GroupName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GroupNameError {
    /// Nothing was typed.
    #[error("no name given")]
    Missing,
    /// More than 150 code points.
    #[error("name too long")]
    TooLong,
    /// Holds control characters such as line breaks.
    #[error("name with control characters")]
    Unprintable,
}

impl GroupName {
    /// Parses what a person typed: it is composed (NFC), and white space and invisible characters around
    /// it are dropped.
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

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A group with what it grants.
#[derive(Debug, Clone)]
pub struct Group {
    /// Number of the group.
    pub id: GroupId,
    /// What it is called.
    pub name: String,
    /// What it grants.
    pub permissions: Permissions,
    /// How many are in it.
    pub members: u64,
}

/// All groups by name. A site has a handful; at most `at_most` are read.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list(db: &Db, at_most: u64) -> Result<Vec<Group>, DbError> {
    store::list(db, at_most).await
}

/// The names of all groups, at most `at_most` of them. One statement.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn names(db: &Db, at_most: u64) -> Result<Vec<(GroupId, String)>, DbError> {
    store::list_names(db, at_most).await
}

/// One group.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find(db: &Db, id: GroupId) -> Result<Option<Group>, DbError> {
    store::find(db.reader(), id).await
}

/// The group as it is now, kept as it is until the transaction ends.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn lock(transaction: &Transaction, id: GroupId) -> Result<Option<Group>, DbError> {
    store::lock(transaction, id).await
}

/// Makes a group; `None` means that the name is taken.
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

/// Writes a locked group; `false` means that the name is taken, and that the transaction is not to be
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

/// Whether a member of a group, who is on the staff and no superuser, is granted any of these by any
/// group.
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

/// What the groups of a person grant together.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn granted_permissions(db: &Db, user: UserId) -> Result<Permissions, DbError> {
    store::granted_permissions(db.reader(), user).await
}

/// The same question inside of a transaction.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn granted_permissions_in(
    transaction: &Transaction,
    user: UserId,
) -> Result<Permissions, DbError> {
    store::granted_permissions(transaction.connection(), user).await
}

/// The groups of a person, with their names.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_of_user(db: &Db, user: UserId) -> Result<Vec<(GroupId, String)>, DbError> {
    store::list_of_user(db.reader(), user).await
}

/// The same question inside of a transaction.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_of_user_in(
    transaction: &Transaction,
    user: UserId,
) -> Result<Vec<(GroupId, String)>, DbError> {
    store::list_of_user(transaction.connection(), user).await
}

/// These groups and what each grants, kept so until the transaction ends; `None` when one of them does
/// not exist.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn lock_all(
    transaction: &Transaction,
    ids: &[GroupId],
) -> Result<Option<Vec<Group>>, DbError> {
    let mut ids = ids.to_vec();
    // In one order, so that two who do it take turns.
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

/// Puts a locked account into exactly these groups.
///
/// # Errors
/// [`DbError`] when the database cannot; also when there is no such group.
pub async fn set_memberships(
    transaction: &Transaction,
    user: UserId,
    groups: &[GroupId],
) -> Result<(), DbError> {
    store::replace_memberships(transaction, user, groups).await
}
