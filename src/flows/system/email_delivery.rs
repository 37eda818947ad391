//! Sending the letters that are due.
//!
//! A letter is claimed, sent and struck off, one by one, so that a crash repeats at most the letters
//! that were with the mail server at that very moment. A request for a link becomes a letter only
//! here, where nobody can time how long it takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::select;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use crate::accounts;
use crate::accounts::Account;
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::clock::to_micros;
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::links;
use crate::links::Purpose;
use crate::mail::{Envelope, Kind, Letter, SendError};
use crate::outbox;
use crate::outbox::{Addressee, Claim, Claimed};
use crate::throttle::ThrottleError;
use crate::types::{RequestInfo, UserId};

/// Letters that are claimed at once.
const BATCH: u64 = 40;

/// Letters that are on the wire at once: a small mail server takes no more connections from one
/// client gladly.
const LANES: usize = 4;

/// How long a mail server that is away is left alone at first, and how long at most. The pause
/// doubles, and after each of them one letter finds out.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How soon a letter is struck off again when the database is away at that moment; doubled until it
/// is longer than the last one. A letter that was sent and is not struck off is sent twice.
const FIRST_AGAIN: Duration = Duration::from_millis(100);
const LAST_AGAIN: Duration = Duration::from_secs(5);

/// How a batch went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Letters that the mail server has now.
    pub sent: usize,
    /// Whether there may be more that are due.
    pub is_more: bool,
}

/// Whoever sends a node's letters. Remembers that the mail server is away, and does not hammer it.
#[derive(Debug)]
pub struct Courier {
    ctx: Context,
    pause: Mutex<Option<Pause>>,
    is_stopped: Arc<AtomicBool>,
    renew_every: Duration,
}

/// While the mail server is away.
#[derive(Debug, Clone, Copy)]
struct Pause {
    until: OffsetDateTime,
    length: Duration,
}

impl Pause {
    /// Whether it is still going on. A clock that was set back does not prolong it.
    fn lasts(self, now: OffsetDateTime) -> bool {
        now < self.until && self.until <= now + self.length
    }
}

/// Sends one batch of the letters that are due.
///
/// # Errors
/// [`DbError`] when the database cannot; letters that were claimed are due again later.
pub async fn deliver(ctx: &Context) -> Result<Delivered, DbError> {
    Courier::new(ctx.clone()).deliver().await
}

impl Courier {
    /// A courier who knows nothing of the mail server yet.
    #[must_use]
    pub fn new(ctx: Context) -> Self {
        Self {
            ctx,
            pause: Mutex::default(),
            is_stopped: Arc::default(),
            renew_every: outbox::RENEW_EVERY,
        }
    }

    /// The same one, who renews the claims more often or less often.
    #[must_use]
    pub fn renewing_every(self, period: Duration) -> Self {
        Self { renew_every: period, ..self }
    }

    /// Begins no more letters; those that are on the wire are finished.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Sends one batch of the letters that are due, or a single one to find out whether a mail server
    /// that was away is back, or none while it is left alone.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot; letters that were claimed are due again later.
    pub async fn deliver(&self) -> Result<Delivered, DbError> {
        let now = self.ctx.clock.now();
        let pause = *self.pause();
        if self.is_stopped.load(Ordering::Relaxed) || pause.is_some_and(|pause| pause.lasts(now)) {
            return Ok(Delivered::default());
        }
        let at_most = if pause.is_some() { 1 } else { BATCH };
        let letters = outbox::claim(&self.ctx.db, &self.ctx.keys, at_most, now).await?;
        if letters.is_empty() {
            return Ok(Delivered::default());
        }
        let is_full = u64::try_from(letters.len()).is_ok_and(|count| count >= at_most);
        let is_away = Arc::new(AtomicBool::new(false));
        let sent = self.send(letters, &is_away).await;
        let is_away = is_away.load(Ordering::Relaxed);
        *self.pause() = is_away.then(|| {
            let length = pause.map_or(FIRST_PAUSE, |pause| LONGEST_PAUSE.min(pause.length * 2));
            Pause { until: self.ctx.clock.now() + length, length }
        });
        let may_go_on = !is_away && !self.is_stopped.load(Ordering::Relaxed);
        Ok(Delivered { sent: sent?, is_more: is_full && may_go_on })
    }

    /// Sends letters on a few lanes at once, and waits for all of them: a lane that fails cuts off no
    /// letter of another. The claim on the letters is renewed meanwhile, so that they stay ours however
    /// slow the mail server is.
    async fn send(
        &self,
        letters: Vec<Claimed>,
        is_away: &Arc<AtomicBool>,
    ) -> Result<usize, DbError> {
        let Some(claim) = Claim::on(&letters).map(Arc::new) else { return Ok(0) };
        let mut lanes = JoinSet::new();
        for letters in laned(letters, |letter| letter.to.email.canonical()) {
            lanes.spawn(lane(Lane {
                ctx: self.ctx.clone(),
                letters,
                claim: claim.clone(),
                is_away: is_away.clone(),
                is_stopped: self.is_stopped.clone(),
            }));
        }
        let mut sent = Ok(0);
        let mut renewals = interval_at(Instant::now() + self.renew_every, self.renew_every);
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = select! {
                done = lanes.join_next() => done,
                _ = renewals.tick() => {
                    if let Err(error) = claim.renew(&self.ctx.db, self.ctx.clock.now()).await {
                        tracing::warn!(%error, "a claim on letters could not be renewed");
                    }
                    continue;
                }
            };
            let Some(done) = done else { break };
            match done {
                Ok(Ok(count)) => sent = sent.map(|before| before + count),
                Ok(Err(error)) => sent = Err(error),
                Err(error) => tracing::error!(%error, "a letter could not be sent"),
            }
        }
        sent
    }

    fn pause(&self) -> std::sync::MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What goes on each lane. What is for one address goes on one lane, in the order in which it was
/// written: of two reset links the one that works is in the letter that comes last.
fn laned<T>(letters: Vec<T>, address: impl Fn(&T) -> &str) -> Vec<Vec<T>> {
    let mut lanes: Vec<Vec<T>> = (0..LANES).map(|_| Vec::new()).collect();
    for letter in letters {
        let is_to_the_same =
            |lane: &Vec<T>| lane.iter().any(|other| address(other) == address(&letter));
        let shortest = || (0..LANES).min_by_key(|number| lanes[*number].len()).unwrap_or_default();
        let number = lanes.iter().position(is_to_the_same).unwrap_or_else(shortest);
        lanes[number].push(letter);
    }
    lanes.retain(|lane| !lane.is_empty());
    lanes
}

/// A part of a batch.
struct Lane {
    ctx: Context,
    letters: Vec<Claimed>,
    claim: Arc<Claim>,
    is_away: Arc<AtomicBool>,
    is_stopped: Arc<AtomicBool>,
}

/// Sends letters one after the other until the mail server is away or nobody wants any more sent. What
/// was not tried is given back as it was.
async fn lane(lane: Lane) -> Result<usize, DbError> {
    let Lane { ctx, letters, claim, is_away, is_stopped } = lane;
    let mut sent = 0;
    for (number, letter) in letters.iter().enumerate() {
        // A node that stood still for longer than its claim lasts finds its letters with another.
        if !claim.holds(ctx.clock.now()) {
            tracing::warn!("a claim on letters ended before they were sent; they are sent later");
            outbox::release(&ctx.db, &letters[number..], ctx.clock.now()).await?;
            break;
        }
        if is_away.load(Ordering::Relaxed) || is_stopped.load(Ordering::Relaxed) {
            outbox::release(&ctx.db, &letters[number..], ctx.clock.now()).await?;
            break;
        }
        match deliver_one(&ctx, letter.clone()).await? {
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

async fn deliver_one(ctx: &Context, letter: Claimed) -> Result<Outcome, DbError> {
    let Some(letter) = worded(ctx, letter).await? else { return Ok(Outcome::NotSent) };
    if outbox::is_worthless(&letter, ctx.clock.now()) {
        too_late(ctx, &letter).await?;
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
        Ok(()) => strike_off(ctx, &letter).await.map(|()| Outcome::Sent),
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

/// The mail server has the letter: nobody is to send it again, also if the database is away just now.
async fn strike_off(ctx: &Context, letter: &Claimed) -> Result<(), DbError> {
    let mut again = FIRST_AGAIN;
    loop {
        match outbox::sent(&ctx.db, letter, ctx.clock.now()).await {
            Err(error) if error.is_unavailable() && again <= LAST_AGAIN => {
                sleep(again).await;
                again *= 2;
            }
            outcome => return outcome,
        }
    }
}

async fn too_late(ctx: &Context, letter: &Claimed) -> Result<(), DbError> {
    let reason = match letter.reason.as_str() {
        "" => "too late".to_owned(),
        reason => format!("too late: {reason}"),
    };
    give_up(ctx, letter, &reason, true).await
}

/// Notes a failure, for good when it is final or would come too late.
async fn give_up(
    ctx: &Context,
    letter: &Claimed,
    reason: &str,
    is_final: bool,
) -> Result<(), DbError> {
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

/// The letter with its words: a request for a link gets its link now, once; if there is nobody to
/// answer, it is dropped, and if it would come too late, it ends no link that works.
async fn worded(ctx: &Context, letter: Claimed) -> Result<Option<Claimed>, DbError> {
    let kind = letter.letter.kind;
    let is_asked_for = matches!(kind, Kind::ResetPassword | Kind::VerifyEmail);
    if letter.letter.link.is_some() || !is_asked_for {
        return Ok(Some(letter));
    }
    let account = accounts::find_by_email(&ctx.db, &letter.to.email).await?;
    let Some(account) = account.filter(|account| wants(account, kind)) else {
        outbox::dismiss(&ctx.db, &letter).await?;
        return Ok(None);
    };
    if outbox::is_worthless(&letter, ctx.clock.now()) {
        return Ok(Some(letter));
    }
    let user = account.user.id;
    if kind == Kind::VerifyEmail && !may_be_proved_again(ctx, user).await? {
        outbox::dismiss(&ctx.db, &letter).await?;
        return Ok(None);
    }
    answer(ctx, user, letter).await
}

/// Whether an account has a use for the link of such a letter.
fn wants(account: &Account, kind: Kind) -> bool {
    let is_proved = account.user.email_verified_at.is_some();
    account.is_active && !(kind == Kind::VerifyEmail && is_proved)
}

/// Counts a letter with the link that proves an address; `false` when there were enough.
async fn may_be_proved_again(ctx: &Context, user: UserId) -> Result<bool, DbError> {
    match accounts::count_verification_email(ctx, user).await {
        Ok(()) => Ok(true),
        Err(ThrottleError::TooSoon(_)) => {
            tracing::info!(user.id = user.0, "no letter: there were enough");
            Ok(false)
        }
        Err(ThrottleError::Broken(error)) => Err(error),
    }
}

async fn answer(
    ctx: &Context,
    user: UserId,
    mut letter: Claimed,
) -> Result<Option<Claimed>, DbError> {
    let now = ctx.clock.now();
    let kind = letter.letter.kind;
    let transaction = ctx.db.begin().await?;
    // The account is locked, so of several requests the last link is the one that works.
    let account = accounts::lock(&transaction, user).await?;
    let Some(account) = account.filter(|account| wants(account, kind)) else { return Ok(None) };
    let to: Addressee = account.addressee();
    let words = with_links(ctx, &transaction, (user, &to), letter.letter.clone()).await?;
    if !outbox::answer(&transaction, &ctx.keys, &letter, &to, &words).await? {
        return Ok(None);
    }
    if kind == Kind::ResetPassword {
        let info = asker(ctx, &words);
        audit::record(
            &transaction,
            AuditEvent::on_user(user, AuditEventKind::PasswordResetRequested, &info),
            now,
        )
        .await?;
    }
    transaction.commit().await?;
    (letter.to, letter.letter) = (to, words);
    Ok(Some(letter))
}

/// A request with the links that were asked for. Of reset links only the last one works.
async fn with_links(
    ctx: &Context,
    transaction: &Transaction,
    (user, to): (UserId, &Addressee),
    request: Letter,
) -> Result<Letter, DbError> {
    let now = ctx.clock.now();
    if request.kind == Kind::VerifyEmail {
        let purposes = [Purpose::VerifyEmail, Purpose::NotMe];
        let whose = (user, Some(&to.email));
        let [link, not_me] =
            links::create_each(transaction, ctx.random, purposes, whose, now).await?;
        return Ok(request.with_link(link).with_not_me(not_me));
    }
    let reset = Purpose::ResetPassword;
    links::revoke(transaction, user, &[reset], OffsetDateTime::UNIX_EPOCH, now).await?;
    let link = links::create(transaction, ctx.random, reset, (user, None), now).await?;
    Ok(request.with_link(link))
}

/// Whoever asked, as the request remembers them.
fn asker(ctx: &Context, letter: &Letter) -> RequestInfo {
    let address = letter.facts.ip.as_deref().and_then(|ip| ip.parse().ok());
    let user_agent = letter.facts.user_agent.as_deref().unwrap_or_default();
    RequestInfo::new(address, user_agent, ctx.random.request_id(), None)
}

#[cfg(test)]
mod tests {
    use super::{LANES, laned};

    #[test]
    fn every_letter_is_on_one_lane() {
        for count in 0..50 {
            let letters: Vec<_> = (0..count).map(|number| (number, number.to_string())).collect();

            let lanes = laned(letters.clone(), |(_, address)| address);

            let mut all = lanes.concat();
            all.sort_unstable();
            assert_eq!(all, letters);
            let length = |lane: &Vec<_>| lane.len();
            let (short, long) = (lanes.iter().map(length).min(), lanes.iter().map(length).max());
            assert!(lanes.len() <= LANES && long <= short.map(|it| it + 1));
        }
    }

    #[test]
    fn letters_to_one_address_stay_in_order() {
        let letters = (0..20).map(|number| (number, if number % 3 == 0 { "eve" } else { "ada" }));

        let lanes = laned(letters.collect(), |(_, address)| address);

        assert_eq!(lanes.len(), 2);
        for lane in lanes {
            assert!(lane.is_sorted());
        }
    }
}
