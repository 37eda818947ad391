//! Reads a row of `users` as an account.
//!
//! The names of the profile's columns are here, for those who write them.

use sea_orm::{ModelTrait as _, Value};

use crate::accounts::account::Account;
use crate::clock::from_micros;
use crate::crypto::PasswordHash;
use crate::db::DbError;
use crate::db::entity::user;
use crate::db::entity::user::Column;
use crate::types::{Email, Language, Permissions, Profile, ProfileField, User, UserId};

pub(super) fn column_of(field: ProfileField) -> Column {
    match field {
        ProfileField::Name => Column::Name,
        ProfileField::Gender => Column::Gender,
        ProfileField::DateOfBirth => Column::DateOfBirth,
    }
}

pub(super) fn account_from_row(row: user::Model) -> Result<Account, DbError> {
    let password_hash = row.password_hash.clone().map(PasswordHash::from_stored);
    Ok(Account {
        user: user_from_row(&row)?,
        password_hash,
        is_active: row.is_active,
        deletes_at: row.deletes_at.map(from_micros),
        inactive_until: row.inactive_until.map(from_micros),
        version: row.version,
        last_login_at: row.last_login_at.map(from_micros),
        inactive_reason: row.inactive_reason,
    })
}

/// Parses a row, without the permissions of the user's groups.
pub(crate) fn user_from_row(row: &user::Model) -> Result<User, DbError> {
    // Another program may have damaged a value: a database error, and no reason to panic.
    let malformed = |column: &str| sea_orm::DbErr::Type(format!("users.{column} of {}", row.id));
    let mut profile = Profile::default();
    for field in ProfileField::ALL {
        let Value::String(stored) = row.get(column_of(*field)) else {
            return Err(malformed(field.as_str()).into());
        };
        if !profile.set_stored(*field, stored.as_deref()) {
            return Err(malformed(field.as_str()).into());
        }
    }
    Ok(User {
        id: UserId(row.id),
        email: Email::from_stored(&row.email).map_err(|_| malformed("email"))?,
        profile,
        is_staff: row.is_staff,
        is_superuser: row.is_superuser,
        granted: Permissions::NONE,
        has_password: row.password_hash.is_some(),
        email_verified_at: row.email_verified_at.map(from_micros),
        language: Language::from_tag(&row.language).ok_or_else(|| malformed("language"))?,
        created_at: from_micros(row.created_at),
    })
}
