//! People for target accounts are made from a list.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use super::{Actor, invite, record_event};
use crate::accounts;
use crate::accounts::NewAccount;
use crate::audit::AuditEventKind;
use crate::context::Ctx;
use crate::crypto::PasswordHash;
use crate::db::{DbError, Transaction};
use crate::outbox::Addressee;
use crate::types::{BirthDate, BulkJobId, Email, Gender, Language, Name, UserId};

/// Somebody on a list, as texts that the words have been proved of.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedUser {
    /// The address.
    pub email: String,
    /// The name, may be empty.
    pub name: String,
    /// The gender, may be empty.
    pub gender: String,
    /// The date of birth, may be empty.
    pub date_of_birth: String,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether whoever imports vouches for the address.
    pub is_verified: bool,
    /// The language of letters; empty for that of whoever imports.
    pub language: String,
    /// The hash of the password as it is stored, may be empty.
    pub password_hash: String,
}

/// Nothing of the person.
impl fmt::Debug for ImportedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportedUser(..)")
    }
}

impl ImportedUser {
    /// The account that is made; `None` when the texts are not what they were proved to be, as after a
    /// rule has changed.
    fn account(&self) -> Option<NewAccount> {
        let hash = Some(&self.password_hash).filter(|hash| !hash.is_empty());
        Some(NewAccount {
            email: Email::parse(&self.email).ok()?,
            password_hash: hash.map(|hash| PasswordHash::from_stored(hash.clone())),
            name: Name::parse(&self.name).ok()?,
            gender: Gender::parse(&self.gender).ok()?,
            date_of_birth: match self.date_of_birth.as_str() {
                "" => None,
                date => Some(BirthDate::from_iso(date)?),
            },
            language: Language::from_tag(&self.language)?,
            is_active: self.is_active,
            is_staff: false,
            is_superuser: false,
            is_verified: self.is_verified,
        })
    }
}

/// Makes an account for a user on a list; `None` when the address has one meanwhile. What fails
/// leaves nothing behind, and the transaction can go on.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn create_imported(
    ctx: &Ctx,
    transaction: &Transaction,
    actor: Actor<'_>,
    person: (BulkJobId, &ImportedUser, bool),
    now: OffsetDateTime,
) -> Result<Option<UserId>, DbError> {
    let part = transaction.begin_part().await?;
    match make(ctx, &part, actor, person, now).await {
        Ok(Some(user)) => {
            part.commit().await?;
            Ok(Some(user))
        }
        outcome => {
            part.roll_back().await?;
            outcome
        }
    }
}

async fn make(
    ctx: &Ctx,
    part: &Transaction,
    actor: Actor<'_>,
    (job, person, is_invited): (BulkJobId, &ImportedUser, bool),
    now: OffsetDateTime,
) -> Result<Option<UserId>, DbError> {
    let Some(account) = person.account() else { return Ok(None) };
    let (email, language) = (account.email.clone(), account.language);
    let is_invited = is_invited && account.is_active && account.password_hash.is_none();
    let Some(user) = accounts::open(part, account, now).await? else { return Ok(None) };
    if is_invited {
        let to = Addressee { user: Some(user), email, language };
        invite(ctx, part, user, &to).await?;
    }
    let details = json!({
        "changes": {
            "email": [null, person.email],
            "name": [null, person.name],
            "is_active": [null, person.is_active],
            "email_verified": [null, person.is_verified],
        },
        "invited": is_invited,
        "bulk": job,
    });
    record_event(part, actor, user, (AuditEventKind::CreatedByStaff, details), now).await?;
    Ok(Some(user))
}
