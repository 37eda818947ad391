//! Sends the e-mails that are due.
//!
//! An e-mail is claimed, sent and marked, one by one, so that a crash repeats at most the e-mails
//! that were with the mail server at that very moment. Does not decide when a failed e-mail is due
//! again: that is decided by `outbox`.

mod attempt;
mod distribution;
mod pause;
mod requested_links;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::select;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use self::attempt::Outcome;
use self::pause::Pause;
use crate::context::Context;
use crate::db::DbError;
use crate::outbox;
use crate::outbox::{Claim, ClaimedEmail};

/// How many e-mails are claimed at once.
const BATCH: u64 = 40;

/// The result of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SentBatch {
    /// How many e-mails the mail server has accepted.
    pub sent: usize,
    /// Whether there may be more that are due.
    pub is_more: bool,
}

/// Sends the e-mails of a node, with pauses while the mail server cannot be reached.
#[derive(Debug)]
pub struct EmailSender {
    ctx: Context,
    pause: Mutex<Option<Pause>>,
    is_stopped: Arc<AtomicBool>,
    renew_every: Duration,
}

/// Sends one batch of the e-mails that are due.
///
/// # Errors
/// [`DbError`] when the database cannot; e-mails that were claimed are due again later.
#[cfg(feature = "testing")]
pub async fn send_batch(ctx: &Context) -> Result<SentBatch, DbError> {
    EmailSender::new(ctx.clone()).send_batch().await
}

impl EmailSender {
    /// Creates a sender that knows nothing of the mail server yet.
    #[must_use]
    pub fn new(ctx: Context) -> Self {
        Self {
            ctx,
            pause: Mutex::default(),
            is_stopped: Arc::default(),
            renew_every: outbox::RENEW_EVERY,
        }
    }

    /// Sets how often the claims are renewed.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn renewing_every(self, period: Duration) -> Self {
        Self { renew_every: period, ..self }
    }

    /// Begins no more e-mails; those that are being sent are finished.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Sends one batch of the e-mails that are due, or a single one to find out whether the mail
    /// server can be reached again, or none during a pause.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot; e-mails that were claimed are due again later.
    pub async fn send_batch(&self) -> Result<SentBatch, DbError> {
        let now = self.ctx.clock.now();
        let pause = *self.pause();
        if self.is_stopped.load(Ordering::Relaxed) || pause.is_some_and(|pause| pause.lasts(now)) {
            return Ok(SentBatch::default());
        }
        // After a pause one e-mail finds out whether the mail server can be reached again.
        let at_most = if pause.is_some() { 1 } else { BATCH };
        let emails = outbox::claim(&self.ctx.db, &self.ctx.keys, at_most, now).await?;
        if emails.is_empty() {
            return Ok(SentBatch::default());
        }
        let is_full = u64::try_from(emails.len()).is_ok_and(|count| count >= at_most);
        let is_unreachable = Arc::new(AtomicBool::new(false));
        let sent = self.send(emails, &is_unreachable).await;
        let is_unreachable = is_unreachable.load(Ordering::Relaxed);
        *self.pause() = is_unreachable.then(|| Pause::begin(pause, self.ctx.clock.now()));
        let may_go_on = !is_unreachable && !self.is_stopped.load(Ordering::Relaxed);
        Ok(SentBatch { sent: sent?, is_more: is_full && may_go_on })
    }

    /// Sends e-mails on a few tasks at once, and waits for all of them.
    async fn send(
        &self,
        emails: Vec<ClaimedEmail>,
        is_unreachable: &Arc<AtomicBool>,
    ) -> Result<usize, DbError> {
        let Some(claim) = Claim::on(&emails).map(Arc::new) else { return Ok(0) };
        let mut tasks = JoinSet::new();
        for emails in distribution::distribute(emails, |email| email.to.email.canonical()) {
            tasks.spawn(send_in_order(SendTask {
                ctx: self.ctx.clone(),
                emails,
                claim: claim.clone(),
                is_unreachable: is_unreachable.clone(),
                is_stopped: self.is_stopped.clone(),
            }));
        }
        let mut sent = Ok(0);
        // The claim is renewed meanwhile, so that it lasts however slow the mail server is.
        let mut renewals = interval_at(Instant::now() + self.renew_every, self.renew_every);
        // One renewal after a time in which the node was suspended, not a burst of them.
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = select! {
                done = tasks.join_next() => done,
                _ = renewals.tick() => {
                    if let Err(error) = claim.renew(&self.ctx.db, self.ctx.clock.now()).await {
                        tracing::warn!(%error, "a claim on e-mails could not be renewed");
                    }
                    continue;
                }
            };
            let Some(done) = done else { break };
            match done {
                Ok(Ok(count)) => sent = sent.map(|before| before + count),
                // The others go on: a task that fails cuts off no e-mail of another.
                Ok(Err(error)) => sent = Err(error),
                Err(error) => tracing::error!(%error, "an e-mail could not be sent"),
            }
        }
        sent
    }

    fn pause(&self) -> MutexGuard<'_, Option<Pause>> {
        // The value is replaced as a whole, so a panic leaves no half of it.
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a batch.
struct SendTask {
    ctx: Context,
    emails: Vec<ClaimedEmail>,
    claim: Arc<Claim>,
    is_unreachable: Arc<AtomicBool>,
    is_stopped: Arc<AtomicBool>,
}

/// Sends e-mails one after the other until the mail server cannot be reached or the sender is
/// stopped. E-mails that were not tried are released.
async fn send_in_order(task: SendTask) -> Result<usize, DbError> {
    let SendTask { ctx, emails, claim, is_unreachable, is_stopped } = task;
    let mut sent = 0;
    for (number, email) in emails.iter().enumerate() {
        // If this node was suspended for longer than its claim lasts, another one has claimed the
        // e-mails.
        if !claim.holds(ctx.clock.now()) {
            tracing::warn!("a claim on e-mails ended before they were sent; they are sent later");
            outbox::release(&ctx.db, &emails[number..], ctx.clock.now()).await?;
            break;
        }
        if is_unreachable.load(Ordering::Relaxed) || is_stopped.load(Ordering::Relaxed) {
            outbox::release(&ctx.db, &emails[number..], ctx.clock.now()).await?;
            break;
        }
        let Some(email) = requested_links::prepare(&ctx, email.clone()).await? else { continue };
        match attempt::send(&ctx, &email).await? {
            Outcome::Sent => sent += 1,
            Outcome::NotSent => {}
            Outcome::Unreachable => is_unreachable.store(true, Ordering::Relaxed),
        }
    }
    Ok(sent)
}
