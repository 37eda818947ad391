//! E-mails on their way: written in the transaction of what caused them, sent by the worker.
//!
//! A node that sends claims e-mails first, for a minute, and renews the claim while it sends; if it dies,
//! they are due again when the claim is over. An e-mail that fails is tried again after a wait that doubles, for a day
//! at most, and then given up. What an e-mail says is sealed while it waits and gone when it is
//! finished. Knows neither accounts nor mail servers.

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

/// How long a claimed e-mail is left alone: what an e-mail is late at most when the node that claimed it
/// dies. A claim is renewed three times before it ends, so that neither a slow database nor one renewal
/// that fails lets two nodes send one e-mail.
const CLAIM_DURATION: Duration = Duration::from_mins(1);

/// How often a node renews the claim on the e-mails that it sends.
pub const RENEW_EVERY: Duration = Duration::from_secs(15);

/// The wait after the first failure; it doubles from there.
const FIRST_RETRY_AFTER: Duration = Duration::from_mins(1);

/// No wait is longer, so that a server that is back is found within hours.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(4);

/// An e-mail is tried for a day: later it tells nobody anything new.
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
    /// The language in which the person reads.
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
    /// When it comes too late to be of any worth.
    pub expires_at: OffsetDateTime,
    /// Why it could not be sent the last time, empty if it was not tried.
    pub reason: String,
    /// Since when it is claimed, which is the name of the claim: after another node has claimed it, the
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

/// What is sealed of an e-mail.
#[derive(Serialize, Deserialize)]
struct Sealed {
    link: Option<Zeroizing<String>>,
    not_me: Option<Zeroizing<String>>,
    #[serde(rename = "facts")]
    data: TemplateData,
}

/// What e-mails are sealed as.
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

/// Puts an e-mail into the box, to go out once the transaction is committed.
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
    /// The claim on e-mails that were claimed together; `None` without e-mails.
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

    /// Whether it still holds. When it does not, another node may have claimed the e-mails, and none of
    /// them may be begun any more.
    #[must_use]
    pub fn holds(&self, now: OffsetDateTime) -> bool {
        to_micros(now) < self.until.load(Ordering::Relaxed)
    }

    /// Makes the claim on those e-mails that are not finished last for another while.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot; the claim then lasts as long as it did.
    pub async fn renew(&self, db: &Db, now: OffsetDateTime) -> Result<(), DbError> {
        let until = now + CLAIM_DURATION;
        store::update_renewed(db, &self.ids, self.claimed_at, until).await?;
        self.until.store(to_micros(until), Ordering::Relaxed);
        Ok(())
    }
}

/// Claims up to `at_most` e-mails that are due. One statement decides which node sends an e-mail. Of
/// kinds and languages that this version does not know it claims none: while nodes are replaced one
/// by one, a newer one may have written them, and sends them.
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
                let reason = why.to_string();
                store::update_failed(db, id, now, &reason, now).await?;
                tracing::error!(email.id = id, reason, "an e-mail was given up");
            }
        }
    }
    Ok(claimed)
}

/// Gives an e-mail that asked for an answer its recipient and its words; `false` means that the claim
/// is over, and changes nothing.
pub async fn set_content(
    transaction: &Transaction,
    keys: &DerivedKeys,
    request: &ClaimedEmail,
    to: &Recipient,
    email: &EmailContent,
) -> Result<bool, DbError> {
    store::update_content(transaction, request, to, &seal(keys, email)).await
}

/// The e-mail is with the mail server: it is finished, and what it said is gone. That is so whoever
/// has claimed it by now. Of the last e-mail to a person who is gone nothing is kept, not even the
/// address.
pub async fn mark_sent(db: &Db, email: &ClaimedEmail, now: OffsetDateTime) -> Result<(), DbError> {
    if email.content.kind == EmailKind::Deleted {
        return store::discard(db, email).await;
    }
    store::update_sent(db, email.id, now).await
}

/// The e-mail could not be sent: it is due again later, or given up when it would come too late or
/// `is_final`. Tells whether it was given up.
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

/// Whether an e-mail comes too late to be of any worth.
#[must_use]
pub fn is_expired(email: &ClaimedEmail, now: OffsetDateTime) -> bool {
    email.expires_at <= now
}

/// Lets go of e-mails that were claimed and not tried; they are due again at `at`.
pub async fn release(db: &Db, emails: &[ClaimedEmail], at: OffsetDateTime) -> Result<(), DbError> {
    // E-mails of one batch are claimed at the same instant.
    let Some(first) = emails.first() else { return Ok(()) };
    let ids: Vec<_> = emails.iter().map(|email| email.id).collect();
    store::update_released(db, &ids, first.claimed_at, at).await
}

/// Deletes up to `at_most` e-mails that have been finished for a while, or that nobody could finish;
/// tells how many.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::delete_finished(transaction, now - KEEP_FINISHED, at_most).await
}

/// When an e-mail that failed is tried again; `None` when it would come too late. The last try is as
/// late as it is of any worth.
fn next_attempt(email: &ClaimedEmail, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let again_at = now + retry_after(email.attempts);
    if again_at < email.expires_at {
        return Some(again_at);
    }
    let last_at = email.expires_at - FIRST_RETRY_AFTER;
    (last_at >= now + FIRST_RETRY_AFTER).then_some(last_at)
}

fn retry_after(attempts: u32) -> Duration {
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
