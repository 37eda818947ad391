//! E-mails on their way: written in the transaction of what caused them, sent by the worker.
//!
//! A node claims e-mails for a minute before it sends them, and renews the claim while it sends; if
//! the node dies, they are due again when the claim is over. An e-mail that fails is tried again
//! after a wait that doubles, for a day at most, and then given up. The content of an e-mail is
//! sealed while it waits and deleted when it is finished. Knows neither accounts nor mail servers.

mod store;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::clock::to_micros;
use crate::crypto::{DerivedKeys, UnsealError};
use crate::db::{Db, DbError, Transaction};
use crate::mail::{EmailContent, EmailKind, TemplateData};
use crate::types::{Email, Language, Secret, UserId};

pub use store::{
    DeliveryStatus, OutboxEntry, delete_for_user, discard, list, list_for_user, retry_now,
};

/// How long a claim lasts, and so how late an e-mail is at most when its node dies.
const CLAIM_DURATION: Duration = Duration::from_mins(1);

/// How often a node renews the claim on the e-mails that it sends: three times before it ends, so
/// that neither a slow database nor one renewal that fails lets two nodes send one e-mail.
pub const RENEW_EVERY: Duration = Duration::from_secs(15);

/// The wait after the first failure; it doubles from there.
const FIRST_RETRY_AFTER: Duration = Duration::from_mins(1);

/// No wait is longer, so that a server that is back is found within hours.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(4);

/// An e-mail is tried for a day: later it is no news to its reader.
const LIFETIME: Duration = Duration::from_hours(24);

/// A reset link works for an hour, and an e-mail that comes after it is only confusing.
const LIFETIME_OF_RESET: Duration = Duration::from_hours(1);

/// How long a finished e-mail's row is kept, to see what became of it.
const KEEP_FINISHED: Duration = Duration::from_hours(30 * 24);

/// Who an e-mail is for.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// The account, where it is known.
    pub user: Option<UserId>,
    /// The address.
    pub email: Email,
    /// The language of the e-mail.
    pub language: Language,
}

/// An e-mail that this process may send, and no other for the time being.
#[derive(Debug, Clone)]
pub struct ClaimedEmail {
    /// Number of the e-mail.
    pub id: i64,
    /// Who it is for.
    pub to: Recipient,
    /// What it says.
    pub content: EmailContent,
    /// When it was written.
    pub created_at: OffsetDateTime,
    /// How often it has been tried, this time included.
    pub attempts: u32,
    /// When it would come too late.
    pub expires_at: OffsetDateTime,
    /// Why it could not be sent the last time, empty if it was not tried.
    pub reason: String,
    /// Since when it is claimed, which identifies the claim: after another node has claimed it, the
    /// first one changes nothing any more.
    claimed_at: OffsetDateTime,
}

/// Why a claimed row is no e-mail that can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum Unreadable {
    #[error("sealed under another secret_key")]
    Sealed,
    #[error("to no address")]
    Address,
    #[error("of no known kind")]
    EmailKind,
}

/// The part of an e-mail that is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    link: Option<Zeroizing<String>>,
    not_me: Option<Zeroizing<String>>,
    // The stored name: e-mails of an older version wait under it.
    #[serde(rename = "facts")]
    data: TemplateData,
}

/// The label under which e-mails are sealed. Another one would not open the e-mails that wait.
const LABEL: &str = "letter";

fn seal(keys: &DerivedKeys, email: &EmailContent) -> String {
    let text = |secret: &Option<Secret>| {
        secret.as_ref().map(|secret| Zeroizing::new(secret.expose().to_owned()))
    };
    let sealed =
        Sealed { link: text(&email.link), not_me: text(&email.not_me), data: email.data.clone() };
    let json = serde_json::to_vec(&sealed).expect("texts and numbers are JSON");
    keys.seal(LABEL, &Zeroizing::new(json))
}

fn unseal(keys: &DerivedKeys, kind: EmailKind, sealed: &str) -> Result<EmailContent, UnsealError> {
    let json = keys.unseal(LABEL, sealed)?;
    let Sealed { link, not_me, data } = serde_json::from_slice(&json).map_err(|_| UnsealError)?;
    let secret = |text: Option<Zeroizing<String>>| text.map(|text| Secret::new((*text).clone()));
    Ok(EmailContent { kind, link: secret(link), not_me: secret(not_me), data })
}

/// Enqueues an e-mail, which is sent once the transaction is committed.
pub async fn enqueue(
    transaction: &Transaction,
    keys: &DerivedKeys,
    to: &Recipient,
    email: &EmailContent,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let worth = match email.kind {
        EmailKind::ResetPassword | EmailKind::AccountLocked => LIFETIME_OF_RESET,
        _ => LIFETIME,
    };
    store::insert(transaction, to, email.kind, &seal(keys, email), now, now + worth).await
}

/// The claim on the e-mails of one batch.
#[derive(Debug)]
pub struct Claim {
    ids: Vec<i64>,
    claimed_at: OffsetDateTime,
    until: AtomicI64,
}

impl Claim {
    /// Returns the claim on e-mails that were claimed together; `None` without e-mails.
    #[must_use]
    pub fn on(emails: &[ClaimedEmail]) -> Option<Self> {
        let claimed_at = emails.first()?.claimed_at;
        let ids = emails.iter().map(|email| email.id).collect();
        Some(Self {
            ids,
            claimed_at,
            until: AtomicI64::new(to_micros(claimed_at + CLAIM_DURATION)),
        })
    }

    /// Returns whether it still holds. When it does not, another node may have claimed the e-mails,
    /// and none of them may be begun any more.
    #[must_use]
    pub fn holds(&self, now: OffsetDateTime) -> bool {
        to_micros(now) < self.until.load(Ordering::Relaxed)
    }

    /// Prolongs the claim on those e-mails that are not finished.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot; the claim then lasts as long as it did.
    pub async fn renew(&self, db: &Db, now: OffsetDateTime) -> Result<(), DbError> {
        let until = now + CLAIM_DURATION;
        store::update_renewed(db, &self.ids, self.claimed_at, until).await?;
        // Only after the statement: a claim that was not renewed ends when it would have ended.
        self.until.store(to_micros(until), Ordering::Relaxed);
        Ok(())
    }
}

/// Claims up to `at_most` e-mails that are due.
pub async fn claim(
    db: &Db,
    keys: &DerivedKeys,
    at_most: u64,
    now: OffsetDateTime,
) -> Result<Vec<ClaimedEmail>, DbError> {
    // Looking costs no lock; most of the time there is nothing to send.
    if !store::is_any_due(db, now).await? {
        return Ok(Vec::new());
    }
    let mut claimed = Vec::new();
    for row in store::update_claimed(db, now, now + CLAIM_DURATION, at_most).await? {
        let id = row.id;
        match store::claimed(row, |kind, sealed| unseal(keys, kind, sealed)) {
            Ok(email) => claimed.push(email),
            Err(why) => {
                // It would be unreadable each time. `now` is when it was claimed.
                let reason = why.to_string();
                store::update_failed(db, id, now, &reason, now).await?;
                tracing::error!(email.id = id, reason, "an e-mail was given up");
            }
        }
    }
    Ok(claimed)
}

/// Sets the recipient and the content of an e-mail that was only requested so far. Returns `false`,
/// and changes nothing, when the claim is over.
pub async fn set_content(
    transaction: &Transaction,
    keys: &DerivedKeys,
    request: &ClaimedEmail,
    to: &Recipient,
    email: &EmailContent,
) -> Result<bool, DbError> {
    store::update_content(transaction, request, to, &seal(keys, email)).await
}

/// Marks an e-mail as sent and deletes its content.
pub async fn mark_sent(db: &Db, email: &ClaimedEmail, now: OffsetDateTime) -> Result<(), DbError> {
    // Of a deleted account nothing is kept, not even the address of the last e-mail to it.
    if email.content.kind == EmailKind::Deleted {
        return store::discard(db, email).await;
    }
    // Even when another node has claimed it since: an accepted e-mail is not sent again.
    store::update_sent(db, email.id, now).await
}

/// Records that an e-mail could not be sent. It is due again later, or given up when it would come
/// too late or the failure `is_final`. Returns whether it was given up.
pub async fn mark_failed(
    db: &Db,
    email: &ClaimedEmail,
    reason: &str,
    is_final: bool,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let again_at = next_attempt(email, now).filter(|_| !is_final);
    match again_at {
        Some(at) => store::update_due(db, email, at, reason).await?,
        None => store::update_failed(db, email.id, email.claimed_at, reason, now).await?,
    }
    Ok(again_at.is_none())
}

/// Returns whether an e-mail would come too late.
#[must_use]
pub fn is_expired(email: &ClaimedEmail, now: OffsetDateTime) -> bool {
    email.expires_at <= now
}

/// Releases e-mails that were claimed and not tried; they are due again at `at`.
pub async fn release(db: &Db, emails: &[ClaimedEmail], at: OffsetDateTime) -> Result<(), DbError> {
    // E-mails of one batch are claimed at the same instant.
    let Some(first) = emails.first() else { return Ok(()) };
    let ids: Vec<_> = emails.iter().map(|email| email.id).collect();
    store::update_released(db, &ids, first.claimed_at, at).await
}

/// Deletes up to `at_most` e-mails that were finished a while ago, or that no node could finish;
/// returns how many.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::delete_finished(transaction, now - KEEP_FINISHED, at_most).await
}

/// Returns when an e-mail that failed is tried again; `None` when it would come too late.
fn next_attempt(email: &ClaimedEmail, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let again_at = now + retry_after(email.attempts);
    if again_at < email.expires_at {
        return Some(again_at);
    }
    // The last attempt is made shortly before the e-mail expires, not a full wait earlier.
    let last_at = email.expires_at - FIRST_RETRY_AFTER;
    (last_at >= now + FIRST_RETRY_AFTER).then_some(last_at)
}

fn retry_after(attempts: u32) -> Duration {
    // Far beyond the longest wait, and too few to overflow.
    let doublings = attempts.saturating_sub(1).min(16);
    (FIRST_RETRY_AFTER * 2_u32.pow(doublings)).min(MAX_RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let minutes: Vec<_> =
            (1..=10).map(|attempts| retry_after(attempts).as_secs() / 60).collect();

        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]);
        assert_eq!(retry_after(u32::MAX), MAX_RETRY_AFTER);
    }
}
