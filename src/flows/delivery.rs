//! Sending the letters that are due.
//!
//! A letter is claimed, sent and struck off, one by one, so that a crash repeats at most the letters
//! that were with the mail server at that very moment. A request for a reset link becomes a letter
//! only here, where nobody can time how long it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::accounts;
use crate::audit::{self, Action, Event};
use crate::clock::to_micros;
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::links::{self, Purpose};
use crate::mail::{Envelope, Kind, Letter, SendError};
use crate::outbox::{self, Addressee, Claimed};
use crate::types::{Caller, UserId};

/// Letters that are claimed at once.
const BATCH: u64 = 40;

/// Letters that are on the wire at once: a small mail server takes no more connections from one
/// client gladly.
const LANES: usize = 4;

/// When letters are due again that were not tried because the mail server is away.
const AWAY: Duration = Duration::from_mins(1);

/// How a batch went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Letters that the mail server has now.
    pub sent: usize,
    /// Whether there may be more that are due.
    pub is_more: bool,
}

/// Sends one batch of the letters that are due.
///
/// # Errors
/// [`DbError`] when the database cannot; letters that were claimed are due again later.
pub async fn deliver(ctx: &Ctx) -> Result<Delivered, DbError> {
    let claimed = outbox::claim(&ctx.db, &ctx.keys, BATCH, ctx.clock.now()).await?;
    let is_full = u64::try_from(claimed.len()).is_ok_and(|count| count == BATCH);
    let is_away = Arc::new(AtomicBool::new(false));
    let mut lanes = JoinSet::new();
    for letters in laned(claimed) {
        lanes.spawn(lane(ctx.clone(), letters, is_away.clone()));
    }
    let mut sent = 0;
    while let Some(done) = lanes.join_next().await {
        match done {
            Ok(count) => sent += count?,
            Err(error) => tracing::error!(%error, "a letter could not be sent"),
        }
    }
    Ok(Delivered { sent, is_more: is_full && !is_away.load(Ordering::Relaxed) })
}

/// The letters of each lane. Those to one address go on one lane, in the order in which they were
/// written: of two reset links the one that works is in the letter that comes last.
fn laned(letters: Vec<Claimed>) -> Vec<Vec<Claimed>> {
    let mut lanes: Vec<Vec<Claimed>> = (0..LANES).map(|_| Vec::new()).collect();
    for letter in letters {
        let is_to_the_same = |lane: &Vec<Claimed>| {
            lane.iter().any(|other| other.to.email.canonical() == letter.to.email.canonical())
        };
        let shortest = || (0..LANES).min_by_key(|number| lanes[*number].len()).unwrap_or_default();
        let number = lanes.iter().position(is_to_the_same).unwrap_or_else(shortest);
        lanes[number].push(letter);
    }
    lanes.retain(|lane| !lane.is_empty());
    lanes
}

/// Sends letters one after the other until the mail server is away.
async fn lane(ctx: Ctx, letters: Vec<Claimed>, is_away: Arc<AtomicBool>) -> Result<usize, DbError> {
    let mut sent = 0;
    let mut letters = letters.into_iter();
    for letter in letters.by_ref() {
        if is_away.load(Ordering::Relaxed) {
            let rest: Vec<_> = letters.map(|letter| letter.id).chain([letter.id]).collect();
            outbox::release(&ctx.db, &rest, ctx.clock.now() + AWAY).await?;
            break;
        }
        match deliver_one(&ctx, letter).await? {
            Outcome::Sent => sent += 1,
            Outcome::NotSent => {}
            Outcome::Away => is_away.store(true, Ordering::Relaxed),
        }
    }
    Ok(sent)
}

enum Outcome {
    Sent,
    NotSent,
    Away,
}

async fn deliver_one(ctx: &Ctx, letter: Claimed) -> Result<Outcome, DbError> {
    let Some(letter) = worded(ctx, letter).await? else { return Ok(Outcome::NotSent) };
    let now = ctx.clock.now();
    if outbox::is_worthless(&letter, now) {
        give_up(ctx, &letter, "too late", true).await?;
        return Ok(Outcome::NotSent);
    }
    // Numbers begin anew with a new database; together with the instant they are the letter's own.
    let id = format!("{:x}-{}", to_micros(letter.written_at), letter.id);
    let envelope = Envelope {
        id: &id,
        to: &letter.to.email,
        language: letter.to.language,
        written_at: letter.written_at,
    };
    match ctx.mailer.send(&envelope, &letter.letter).await {
        Ok(()) => {
            outbox::sent(&ctx.db, letter.id, ctx.clock.now()).await?;
            Ok(Outcome::Sent)
        }
        Err(SendError::Refused(why)) => {
            give_up(ctx, &letter, &why, true).await.map(|()| Outcome::NotSent)
        }
        Err(SendError::NotNow(why)) => {
            give_up(ctx, &letter, &why, false).await.map(|()| Outcome::NotSent)
        }
        Err(SendError::Unreachable(why)) => {
            give_up(ctx, &letter, &why, false).await.map(|()| Outcome::Away)
        }
    }
}

/// Notes a failure, for good when it is final or would come too late.
async fn give_up(ctx: &Ctx, letter: &Claimed, reason: &str, is_final: bool) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let is_over = outbox::failed(&ctx.db, letter, reason, is_final, now).await?;
    let (id, kind) = (letter.id, letter.letter.kind.as_str());
    if is_over {
        tracing::error!(letter.id = id, letter.kind = kind, reason, "a letter was given up");
    } else {
        tracing::warn!(
            letter.id = id,
            letter.kind = kind,
            reason,
            "a letter could not be sent yet"
        );
    }
    Ok(())
}

/// The letter with its words: a request for a reset link gets its link now, once; if there is nobody
/// to answer, or if it waited for so long that a link would come too late, it is dropped.
async fn worded(ctx: &Ctx, letter: Claimed) -> Result<Option<Claimed>, DbError> {
    let is_request = letter.letter.kind == Kind::ResetPassword && letter.letter.link.is_none();
    if !is_request {
        return Ok(Some(letter));
    }
    let account = if outbox::is_worthless(&letter, ctx.clock.now()) {
        None
    } else {
        accounts::find(&ctx.db, &letter.to.email).await?
    };
    let Some(user) = account.filter(|it| it.is_active).map(|account| account.person.id) else {
        let transaction = ctx.db.begin().await?;
        outbox::answer(&transaction, &ctx.keys, letter.id, None).await?;
        transaction.commit().await?;
        return Ok(None);
    };
    answer(ctx, user, letter).await
}

async fn answer(ctx: &Ctx, user: UserId, letter: Claimed) -> Result<Option<Claimed>, DbError> {
    let now = ctx.clock.now();
    let transaction = ctx.db.begin().await?;
    // The account is locked, so of several requests the last link is the one that works.
    let Some(account) = accounts::lock(&transaction, user).await? else { return Ok(None) };
    let reset = Purpose::ResetPassword;
    links::end(&transaction, user, &[reset], time::OffsetDateTime::UNIX_EPOCH, now).await?;
    let link = links::mint(&transaction, ctx.random, reset, (user, None), now).await?;
    let to: Addressee = account.addressee();
    let words = Letter { link: Some(link), ..letter.letter.clone() };
    outbox::answer(&transaction, &ctx.keys, letter.id, Some((&to, &words))).await?;
    let caller = asker(ctx, &words);
    audit::record(&transaction, Event::on(user, Action::ResetAsked, &caller), now).await?;
    transaction.commit().await?;
    Ok(Some(Claimed { to, letter: words, ..letter }))
}

/// Whoever asked, as the request remembers them.
fn asker(ctx: &Ctx, letter: &Letter) -> Caller {
    let address = letter.facts.ip.as_deref().and_then(|ip| ip.parse().ok());
    let user_agent = letter.facts.user_agent.as_deref().unwrap_or_default();
    Caller::new(address, user_agent, ctx.random.request_id(), None)
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::types::{Email, Language};

    fn letter(id: i64, name: &str) -> Claimed {
        let email = Email::parse(&format!("{name}@example.com")).expect("an address");
        Claimed {
            id,
            to: Addressee { user: None, email, language: Language::English },
            letter: Letter::new(Kind::Test),
            written_at: OffsetDateTime::UNIX_EPOCH,
            tries: 1,
            worthless_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn every_letter_is_on_one_lane() {
        for count in 0..50 {
            let lanes = laned((0..count).map(|id| letter(id, &format!("p{id}"))).collect());

            let mut ids: Vec<_> = lanes.iter().flatten().map(|letter| letter.id).collect();
            ids.sort_unstable();
            assert_eq!(ids, (0..count).collect::<Vec<_>>());
            let length = |lane: &Vec<Claimed>| lane.len();
            let (short, long) = (lanes.iter().map(length).min(), lanes.iter().map(length).max());
            assert!(lanes.len() <= LANES && long <= short.map(|it| it + 1));
        }
    }

    #[test]
    fn letters_to_one_address_stay_in_order() {
        let lanes =
            laned((0..20).map(|id| letter(id, if id % 3 == 0 { "eve" } else { "ada" })).collect());

        assert_eq!(lanes.len(), 2);
        for lane in lanes {
            assert!(lane.is_sorted_by_key(|letter| letter.id));
        }
    }
}
