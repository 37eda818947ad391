//! Users of an imported list, and how an account is created for one.
//!
//! Does not read files: the list was parsed and checked before it was stored.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;

use super::{Actor, invite, record_event};
use crate::accounts;
use crate::accounts::NewAccount;
use crate::audit::AuditEventKind;
use crate::context::Context;
use crate::crypto::PasswordHash;
use crate::db::{DbError, Transaction};
use crate::outbox::Recipient;
use crate::types::{BulkJobId, Email, Language, Profile, ProfileField, UserId};

/// A user of an imported list, as text that has been checked.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportedUser {
    /// The address.
    pub email: String,
    /// The fields of the profile by their names; a missing one is empty.
    #[serde(flatten)]
    pub profile: BTreeMap<String, String>,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether the address counts as verified.
    pub is_verified: bool,
    /// The language of e-mails; empty for that of the actor.
    pub language: String,
    /// The hash of the password in the stored form; may be empty.
    pub password_hash: String,
}

/// Shows no personal data.
impl fmt::Debug for ImportedUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImportedUser(..)")
    }
}

impl ImportedUser {
    fn profile_text(&self, field: ProfileField) -> &str {
        self.profile.get(field.as_str()).map_or("", String::as_str)
    }

    /// Builds the account; `None` when the text no longer passes the rules, because they changed
    /// since the list was read.
    fn new_account(&self) -> Option<NewAccount> {
        let mut profile = Profile::default();
        for field in ProfileField::ALL {
            profile.set_stored(*field, Some(self.profile_text(*field))).then_some(())?;
        }
        let hash = Some(&self.password_hash).filter(|hash| !hash.is_empty());
        Some(NewAccount {
            password_hash: hash.map(|hash| PasswordHash::from_stored(hash.clone())),
            profile,
            is_active: self.is_active,
            is_verified: self.is_verified,
            ..NewAccount::new(Email::parse(&self.email).ok()?, Language::from_tag(&self.language)?)
        })
    }
}

/// Creates an account for a user of a list. Returns `None` when the address already has one. A
/// failure leaves nothing behind, and the transaction can go on.
pub async fn create_imported(
    ctx: &Context,
    transaction: &Transaction,
    actor: Actor<'_>,
    job: BulkJobId,
    user: &ImportedUser,
    is_invited: bool,
    now: OffsetDateTime,
) -> Result<Option<UserId>, DbError> {
    let part = transaction.begin_nested().await?;
    match create(ctx, &part, actor, job, user, is_invited, now).await {
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

async fn create(
    ctx: &Context,
    part: &Transaction,
    actor: Actor<'_>,
    job: BulkJobId,
    user: &ImportedUser,
    is_invited: bool,
    now: OffsetDateTime,
) -> Result<Option<UserId>, DbError> {
    let Some(account) = user.new_account() else { return Ok(None) };
    let (email, language) = (account.email.clone(), account.language);
    let is_invited = is_invited && account.is_active && account.password_hash.is_none();
    let Some(id) = accounts::create(part, account, now).await? else { return Ok(None) };
    if is_invited {
        let to = Recipient { user: Some(id), email, language };
        invite(ctx, part, id, &to).await?;
    }
    let details = json!({
        "changes": {
            "email": [null, user.email],
            "name": [null, user.profile_text(ProfileField::Name)],
            "is_active": [null, user.is_active],
            "email_verified": [null, user.is_verified],
        },
        "invited": is_invited,
        "bulk": job,
    });
    record_event(part, actor, id, AuditEventKind::CreatedByStaff, details, now).await?;
    Ok(Some(id))
}
