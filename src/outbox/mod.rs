//! Letters on their way: written in the transaction of what caused them, sent by the worker.
//!
//! A node that sends claims letters first, for a minute, and renews the claim while it sends; if it dies,
//! they are due again when the claim is over. A letter that fails is tried again after a wait that doubles, for a day
//! at most, and then given up. What a letter says is sealed while it waits and gone when it is
//! finished. Knows neither accounts nor mail servers.

mod store;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::clock::to_micros;
use crate::crypto::{Keys, Unsealable};
use crate::db::{Db, DbError, Transaction};
use crate::mail::{Facts, Kind, Letter};
use crate::types::{Email, Language, Secret, UserId};

pub use store::{Fate, Logged};

/// How long a claimed letter is left alone: what a letter is late at most when the node that claimed it
/// dies. A claim is renewed three times before it ends, so that neither a slow database nor one renewal
/// that fails lets two nodes send one letter.
const CLAIM: Duration = Duration::from_mins(1);

/// How often a node renews the claim on the letters that it sends.
pub const RENEW_EVERY: Duration = Duration::from_secs(15);

/// The wait after the first failure; it doubles from there.
const FIRST_WAIT: Duration = Duration::from_mins(1);

/// No wait is longer, so that a server that is back is found within hours.
const LONGEST_WAIT: Duration = Duration::from_hours(4);

/// A letter is tried for a day: later it tells nobody anything new.
const WORTH: Duration = Duration::from_hours(24);

/// A reset link works for an hour, and a letter that comes after it is only confusing.
const WORTH_OF_RESET: Duration = Duration::from_hours(1);

/// How long a finished letter's row is kept, to see what became of it.
const KEEP_FINISHED: Duration = Duration::from_hours(30 * 24);

/// Who a letter is for.
#[derive(Debug, Clone)]
pub struct Addressee {
    /// The account, where it is known.
    pub user: Option<UserId>,
    /// The address.
    pub email: Email,
    /// The language in which the person reads.
    pub language: Language,
}

/// A letter that this process may send, and no other for the time being.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "it is named as its column is")]
pub struct Claimed {
    /// Number of the letter.
    pub id: i64,
    /// Who it is for.
    pub to: Addressee,
    /// What it says.
    pub letter: Letter,
    /// When it was written.
    pub written_at: OffsetDateTime,
    /// How often it has been tried, this time included.
    pub tries: u32,
    /// When it comes too late to be of any worth.
    pub worthless_at: OffsetDateTime,
    /// Why it could not be sent the last time, empty if it was not tried.
    pub reason: String,
    /// Since when it is claimed, which is the name of the claim: after another node has claimed it, the
    /// first one changes nothing any more.
    claimed_at: OffsetDateTime,
}

/// Why a claimed row is no letter that can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum Unreadable {
    #[error("sealed under another secret_key")]
    Sealed,
    #[error("to no address")]
    Address,
    #[error("of no known kind")]
    Kind,
}

/// What is sealed of a letter.
#[derive(Serialize, Deserialize)]
struct Sealed {
    link: Option<Zeroizing<String>>,
    not_me: Option<Zeroizing<String>>,
    facts: Facts,
}

/// What letters are sealed as.
const LABEL: &str = "letter";

fn seal(keys: &Keys, letter: &Letter) -> String {
    let text = |secret: &Option<Secret>| {
        secret.as_ref().map(|secret| Zeroizing::new(secret.expose().to_owned()))
    };
    let sealed = Sealed {
        link: text(&letter.link),
        not_me: text(&letter.not_me),
        facts: letter.facts.clone(),
    };
    let json = serde_json::to_vec(&sealed).expect("texts and numbers are JSON");
    keys.seal(LABEL, &Zeroizing::new(json))
}

fn unseal(keys: &Keys, kind: Kind, sealed: &str) -> Result<Letter, Unsealable> {
    let json = keys.unseal(LABEL, sealed)?;
    let Sealed { link, not_me, facts } = serde_json::from_slice(&json).map_err(|_| Unsealable)?;
    let secret = |text: Option<Zeroizing<String>>| text.map(|text| Secret::new((*text).clone()));
    Ok(Letter { kind, link: secret(link), not_me: secret(not_me), facts })
}

/// Puts a letter into the box, to go out once the transaction is committed.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn put(
    transaction: &Transaction,
    keys: &Keys,
    to: &Addressee,
    letter: &Letter,
    now: OffsetDateTime,
) -> Result<(), DbError> {
    let worth = match letter.kind {
        Kind::ResetPassword | Kind::AccountLocked => WORTH_OF_RESET,
        _ => WORTH,
    };
    store::insert(transaction, to, letter.kind, &seal(keys, letter), now, now + worth).await
}

/// The claim on the letters of one batch.
#[derive(Debug)]
pub struct Claim {
    ids: Vec<i64>,
    claimed_at: OffsetDateTime,
    until: AtomicI64,
}

impl Claim {
    /// The claim on letters that were claimed together; `None` without letters.
    #[must_use]
    pub fn on(letters: &[Claimed]) -> Option<Self> {
        let claimed_at = letters.first()?.claimed_at;
        let ids = letters.iter().map(|letter| letter.id).collect();
        Some(Self { ids, claimed_at, until: AtomicI64::new(to_micros(claimed_at + CLAIM)) })
    }

    /// Whether it still holds. When it does not, another node may have claimed the letters, and none of
    /// them may be begun any more.
    #[must_use]
    pub fn holds(&self, now: OffsetDateTime) -> bool {
        to_micros(now) < self.until.load(Ordering::Relaxed)
    }

    /// Makes the claim on those letters that are not finished last for another while.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot; the claim then lasts as long as it did.
    pub async fn renew(&self, db: &Db, now: OffsetDateTime) -> Result<(), DbError> {
        let until = now + CLAIM;
        store::update_renewed(db, &self.ids, self.claimed_at, until).await?;
        self.until.store(to_micros(until), Ordering::Relaxed);
        Ok(())
    }
}

/// Claims up to `at_most` letters that are due. One statement decides which node sends a letter. Of
/// kinds and languages that this version does not know it claims none: while nodes are replaced one
/// by one, a newer one may have written them, and sends them.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn claim(
    db: &Db,
    keys: &Keys,
    at_most: u64,
    now: OffsetDateTime,
) -> Result<Vec<Claimed>, DbError> {
    // Looking costs no lock; most of the time there is nothing to send.
    if !store::is_any_due(db, now).await? {
        return Ok(Vec::new());
    }
    let mut claimed = Vec::new();
    for row in store::update_claimed(db, now, now + CLAIM, at_most).await? {
        let id = row.id;
        match store::claimed(row, |kind, sealed| unseal(keys, kind, sealed)) {
            Ok(letter) => claimed.push(letter),
            Err(why) => {
                let reason = why.to_string();
                store::update_failed(db, id, now, &reason, now).await?;
                tracing::error!(letter.id = id, reason, "a letter was given up");
            }
        }
    }
    Ok(claimed)
}

/// Gives a letter that asked for an answer its addressee and its words; `false` means that the claim
/// is over, and changes nothing.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn answer(
    transaction: &Transaction,
    keys: &Keys,
    request: &Claimed,
    to: &Addressee,
    letter: &Letter,
) -> Result<bool, DbError> {
    store::update_words(transaction, request, to, &seal(keys, letter)).await
}

/// Drops a letter that asked for an answer where there is nobody to answer.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn dismiss(db: &Db, request: &Claimed) -> Result<(), DbError> {
    store::delete(db, request).await
}

/// The letter is with the mail server: it is finished, and what it said is gone. That is so whoever
/// has claimed it by now. Of the last letter to a person who is gone nothing is kept, not even the
/// address.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn sent(db: &Db, letter: &Claimed, now: OffsetDateTime) -> Result<(), DbError> {
    if letter.letter.kind == Kind::Deleted {
        return store::delete(db, letter).await;
    }
    store::update_sent(db, letter.id, now).await
}

/// The letter could not be sent: it is due again later, or given up when it would come too late or
/// `is_final`. Tells whether it was given up.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn failed(
    db: &Db,
    letter: &Claimed,
    reason: &str,
    is_final: bool,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    let again_at = next_try(letter, now).filter(|_| !is_final);
    match again_at {
        Some(at) => store::update_due(db, letter, at, reason).await?,
        None => store::update_failed(db, letter.id, letter.claimed_at, reason, now).await?,
    }
    Ok(again_at.is_none())
}

/// Whether a letter comes too late to be of any worth.
#[must_use]
pub fn is_worthless(letter: &Claimed, now: OffsetDateTime) -> bool {
    letter.worthless_at <= now
}

/// Lets go of letters that were claimed and not tried; they are due again at `at`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn release(db: &Db, letters: &[Claimed], at: OffsetDateTime) -> Result<(), DbError> {
    // Letters of one batch are claimed at the same instant.
    let Some(first) = letters.first() else { return Ok(()) };
    let ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
    store::update_released(db, &ids, first.claimed_at, at).await
}

/// What became of the letters to a person: the newest first, at most `at_most`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_of(db: &Db, user: UserId, at_most: u64) -> Result<Vec<Logged>, DbError> {
    store::list_of(db, user, at_most).await
}

/// All letters, newest first: at most `at_most` of a fate, older than the letter `before`.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list(
    db: &Db,
    fate: Option<Fate>,
    before: Option<i64>,
    at_most: u64,
) -> Result<Vec<Logged>, DbError> {
    store::list(db, fate, before, at_most).await
}

/// Makes a letter due now that has failed and waits; `false` for every other. A letter that somebody
/// is sending is left alone, or it would go out twice.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn hasten(
    transaction: &Transaction,
    id: i64,
    now: OffsetDateTime,
) -> Result<bool, DbError> {
    store::update_hastened(transaction, id, now).await
}

/// Forgets every letter to a person, sent or not.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn forget(transaction: &Transaction, user: UserId) -> Result<(), DbError> {
    store::delete_of(transaction, user).await
}

/// Deletes up to `at_most` letters that have been finished for a while, or that nobody could finish;
/// tells how many.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn sweep(
    transaction: &Transaction,
    now: OffsetDateTime,
    at_most: u64,
) -> Result<u64, DbError> {
    store::delete_finished(transaction, now - KEEP_FINISHED, at_most).await
}

/// When a letter that failed is tried again; `None` when it would come too late. The last try is as
/// late as it is of any worth.
fn next_try(letter: &Claimed, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let again_at = now + wait(letter.tries);
    if again_at < letter.worthless_at {
        return Some(again_at);
    }
    let last_at = letter.worthless_at - FIRST_WAIT;
    (last_at >= now + FIRST_WAIT).then_some(last_at)
}

fn wait(tries: u32) -> Duration {
    let doublings = tries.saturating_sub(1).min(16);
    (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let minutes: Vec<_> = (1..=10).map(|tries| wait(tries).as_secs() / 60).collect();

        assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]);
        assert_eq!(wait(u32::MAX), LONGEST_WAIT);
    }
}
