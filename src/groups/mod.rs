//! Groups of staff: their members, and the permissions that they grant.
//!
//! Knows users only by their ids. Does not decide who may change a group; the use cases do.

mod store;

use thiserror::Error;
use time::Date;
use validator::ValidationError;

pub use store::{
    create, delete, find, granted_permissions, has_member_granted, list, list_of_user, lock, names,
    set_memberships, update,
};

use crate::db::{DbError, Transaction};
use crate::types::{FromText, GroupId, Permissions, text, text_error};

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
    pub id: GroupId,
    pub name: String,
    /// The permissions that it grants.
    pub permissions: Permissions,
    pub members: u64,
}

/// Returns these groups, locked until the transaction ends; `None` when one of them does not exist.
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
