//! Sending the e-mails that are due.
//!
//! An e-mail is claimed, sent and struck off, one by one, so that a crash repeats at most the e-mails
//! that were with the mail server at that very moment. A request for a link becomes an e-mail only
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
use crate::mail::{EmailContent, EmailKind, Envelope, SendError};
use crate::outbox;
use crate::outbox::{Claim, ClaimedEmail, Recipient};
use crate::throttle::ThrottleError;
use crate::types::{RequestInfo, UserId};

/// E-mails that are claimed at once.
const BATCH: u64 = 40;

/// E-mails that are on the wire at once: a small mail server takes no more connections from one
/// client gladly.
const CONCURRENT_SENDS: usize = 4;

/// How long a mail server that is away is left alone at first, and how long at most. The pause
/// doubles, and after each of them one e-mail finds out.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How soon an e-mail is struck off again when the database is away at that moment; doubled until it
/// is longer than the last one. An e-mail that was sent and is not struck off is sent twice.
const FIRST_MARK_RETRY: Duration = Duration::from_millis(100);
const LAST_MARK_RETRY: Duration = Duration::from_secs(5);

/// How a batch went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SentBatch {
    /// E-mails that the mail server has now.
    pub sent: usize,
    /// Whether there may be more that are due.
    pub is_more: bool,
}

/// Whoever sends a node's e-mails. Remembers that the mail server is away, and does not hammer it.
#[derive(Debug)]
pub struct EmailSender {
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

/// Sends one batch of the e-mails that are due.
///
/// # Errors
/// [`DbError`] when the database cannot; e-mails that were claimed are due again later.
#[cfg(feature = "testing")]
pub async fn send_batch(ctx: &Context) -> Result<SentBatch, DbError> {
    EmailSender::new(ctx.clone()).send_batch().await
}

impl EmailSender {
    /// A sender who knows nothing of the mail server yet.
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
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn renewing_every(self, period: Duration) -> Self {
        Self { renew_every: period, ..self }
    }

    /// Begins no more e-mails; those that are on the wire are finished.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Sends one batch of the e-mails that are due, or a single one to find out whether a mail server
    /// that was away is back, or none while it is left alone.
    ///
    /// # Errors
    /// [`DbError`] when the database cannot; e-mails that were claimed are due again later.
    pub async fn send_batch(&self) -> Result<SentBatch, DbError> {
        let now = self.ctx.clock.now();
        let pause = *self.pause();
        if self.is_stopped.load(Ordering::Relaxed) || pause.is_some_and(|pause| pause.lasts(now)) {
            return Ok(SentBatch::default());
        }
        let at_most = if pause.is_some() { 1 } else { BATCH };
        let emails = outbox::claim(&self.ctx.db, &self.ctx.keys, at_most, now).await?;
        if emails.is_empty() {
            return Ok(SentBatch::default());
        }
        let is_full = u64::try_from(emails.len()).is_ok_and(|count| count >= at_most);
        let is_unreachable = Arc::new(AtomicBool::new(false));
        let sent = self.send(emails, &is_unreachable).await;
        let is_unreachable = is_unreachable.load(Ordering::Relaxed);
        *self.pause() = is_unreachable.then(|| {
            let length = pause.map_or(FIRST_PAUSE, |pause| LONGEST_PAUSE.min(pause.length * 2));
            Pause { until: self.ctx.clock.now() + length, length }
        });
        let may_go_on = !is_unreachable && !self.is_stopped.load(Ordering::Relaxed);
        Ok(SentBatch { sent: sent?, is_more: is_full && may_go_on })
    }

    /// Sends e-mails on a few tasks at once, and waits for all of them: a task that fails cuts off no
    /// e-mail of another. The claim on the e-mails is renewed meanwhile, so that they stay ours however
    /// slow the mail server is.
    async fn send(
        &self,
        emails: Vec<ClaimedEmail>,
        is_unreachable: &Arc<AtomicBool>,
    ) -> Result<usize, DbError> {
        let Some(claim) = Claim::on(&emails).map(Arc::new) else { return Ok(0) };
        let mut tasks = JoinSet::new();
        for emails in distribute(emails, |email| email.to.email.canonical()) {
            tasks.spawn(send_in_order(SendTask {
                ctx: self.ctx.clone(),
                emails,
                claim: claim.clone(),
                is_unreachable: is_unreachable.clone(),
                is_stopped: self.is_stopped.clone(),
            }));
        }
        let mut sent = Ok(0);
        let mut renewals = interval_at(Instant::now() + self.renew_every, self.renew_every);
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
                Ok(Err(error)) => sent = Err(error),
                Err(error) => tracing::error!(%error, "an e-mail could not be sent"),
            }
        }
        sent
    }

    fn pause(&self) -> std::sync::MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What goes on each task. What is for one address goes on one task, in the order in which it was
/// written: of two reset links the one that works is in the e-mail that comes last.
fn distribute<T>(emails: Vec<T>, address: impl Fn(&T) -> &str) -> Vec<Vec<T>> {
    let mut tasks: Vec<Vec<T>> = (0..CONCURRENT_SENDS).map(|_| Vec::new()).collect();
    for email in emails {
        let is_to_the_same =
            |task: &Vec<T>| task.iter().any(|other| address(other) == address(&email));
        let shortest =
            || (0..CONCURRENT_SENDS).min_by_key(|number| tasks[*number].len()).unwrap_or_default();
        let number = tasks.iter().position(is_to_the_same).unwrap_or_else(shortest);
        tasks[number].push(email);
    }
    tasks.retain(|task| !task.is_empty());
    tasks
}

/// A part of a batch.
struct SendTask {
    ctx: Context,
    emails: Vec<ClaimedEmail>,
    claim: Arc<Claim>,
    is_unreachable: Arc<AtomicBool>,
    is_stopped: Arc<AtomicBool>,
}

/// Sends e-mails one after the other until the mail server is away or nobody wants any more sent. What
/// was not tried is given back as it was.
async fn send_in_order(task: SendTask) -> Result<usize, DbError> {
    let SendTask { ctx, emails, claim, is_unreachable, is_stopped } = task;
    let mut sent = 0;
    for (number, email) in emails.iter().enumerate() {
        // A node that stood still for longer than its claim lasts finds its e-mails with another.
        if !claim.holds(ctx.clock.now()) {
            tracing::warn!("a claim on e-mails ended before they were sent; they are sent later");
            outbox::release(&ctx.db, &emails[number..], ctx.clock.now()).await?;
            break;
        }
        if is_unreachable.load(Ordering::Relaxed) || is_stopped.load(Ordering::Relaxed) {
            outbox::release(&ctx.db, &emails[number..], ctx.clock.now()).await?;
            break;
        }
        match send_one(&ctx, email.clone()).await? {
            Outcome::Sent => sent += 1,
            Outcome::NotSent => {}
            Outcome::Unreachable => is_unreachable.store(true, Ordering::Relaxed),
        }
    }
    Ok(sent)
}

enum Outcome {
    Sent,
    NotSent,
    Unreachable,
}

async fn send_one(ctx: &Context, email: ClaimedEmail) -> Result<Outcome, DbError> {
    let Some(email) = prepare(ctx, email).await? else { return Ok(Outcome::NotSent) };
    if outbox::is_expired(&email, ctx.clock.now()) {
        mark_expired(ctx, &email).await?;
        return Ok(Outcome::NotSent);
    }
    // Numbers begin anew with a new database; together with the instant they are the e-mail's own.
    let id = format!("{:x}-{}", to_micros(email.created_at), email.id);
    let envelope = Envelope {
        id: &id,
        to: &email.to.email,
        language: email.to.language,
        written_at: email.created_at,
    };
    match ctx.mailer.send(&envelope, &email.content).await {
        Ok(()) => mark_sent(ctx, &email).await.map(|()| Outcome::Sent),
        Err(SendError::Permanent(why)) => {
            mark_failed(ctx, &email, &why, true).await.map(|()| Outcome::NotSent)
        }
        Err(SendError::Transient(why)) => {
            mark_failed(ctx, &email, &why, false).await.map(|()| Outcome::NotSent)
        }
        Err(SendError::Unreachable(why)) => {
            mark_failed(ctx, &email, &why, false).await.map(|()| Outcome::Unreachable)
        }
    }
}

/// The mail server has the e-mail: nobody is to send it again, also if the database is away just now.
async fn mark_sent(ctx: &Context, email: &ClaimedEmail) -> Result<(), DbError> {
    let mut again = FIRST_MARK_RETRY;
    loop {
        match outbox::mark_sent(&ctx.db, email, ctx.clock.now()).await {
            Err(error) if error.is_unavailable() && again <= LAST_MARK_RETRY => {
                sleep(again).await;
                again *= 2;
            }
            outcome => return outcome,
        }
    }
}

async fn mark_expired(ctx: &Context, email: &ClaimedEmail) -> Result<(), DbError> {
    let reason = match email.reason.as_str() {
        "" => "too late".to_owned(),
        reason => format!("too late: {reason}"),
    };
    mark_failed(ctx, email, &reason, true).await
}

/// Notes a failure, for good when it is final or would come too late.
async fn mark_failed(
    ctx: &Context,
    email: &ClaimedEmail,
    reason: &str,
    is_final: bool,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    let is_over = outbox::mark_failed(&ctx.db, email, reason, is_final, now).await?;
    let (id, kind) = (email.id, email.content.kind.as_str());
    if is_over {
        tracing::error!(email.id = id, email.kind = kind, reason, "an e-mail was given up");
    } else {
        tracing::warn!(email.id = id, email.kind = kind, reason, "an e-mail could not be sent yet");
    }
    Ok(())
}

/// The e-mail with its words: a request for a link gets its link now, once; if there is nobody to
/// answer, it is dropped, and if it would come too late, it ends no link that works.
async fn prepare(ctx: &Context, email: ClaimedEmail) -> Result<Option<ClaimedEmail>, DbError> {
    let kind = email.content.kind;
    let is_asked_for = matches!(kind, EmailKind::ResetPassword | EmailKind::VerifyEmail);
    if email.content.link.is_some() || !is_asked_for {
        return Ok(Some(email));
    }
    let account = accounts::find_by_email(&ctx.db, &email.to.email).await?;
    let Some(account) = account.filter(|account| wants(account, kind)) else {
        outbox::discard(&ctx.db, &email).await?;
        return Ok(None);
    };
    if outbox::is_expired(&email, ctx.clock.now()) {
        return Ok(Some(email));
    }
    let user = account.user.id;
    if kind == EmailKind::VerifyEmail && !may_send_verification(ctx, user).await? {
        outbox::discard(&ctx.db, &email).await?;
        return Ok(None);
    }
    make_links(ctx, user, email).await
}

/// Whether an account has a use for the link of such an e-mail.
fn wants(account: &Account, kind: EmailKind) -> bool {
    let is_proved = account.user.email_verified_at.is_some();
    account.is_active && !(kind == EmailKind::VerifyEmail && is_proved)
}

/// Counts an e-mail with the link that proves an address; `false` when there were enough.
async fn may_send_verification(ctx: &Context, user: UserId) -> Result<bool, DbError> {
    match accounts::count_verification_email(ctx, user).await {
        Ok(()) => Ok(true),
        Err(ThrottleError::TooSoon(_)) => {
            tracing::info!(user.id = user.0, "no e-mail: there were enough");
            Ok(false)
        }
        Err(ThrottleError::Broken(error)) => Err(error),
    }
}

async fn make_links(
    ctx: &Context,
    user: UserId,
    mut email: ClaimedEmail,
) -> Result<Option<ClaimedEmail>, DbError> {
    let now = ctx.clock.now();
    let kind = email.content.kind;
    let transaction = ctx.db.begin().await?;
    // The account is locked, so of several requests the last link is the one that works.
    let account = accounts::lock(&transaction, user).await?;
    let Some(account) = account.filter(|account| wants(account, kind)) else { return Ok(None) };
    let to: Recipient = account.recipient();
    let words = with_links(ctx, &transaction, user, &to, email.content.clone()).await?;
    if !outbox::set_content(&transaction, &ctx.keys, &email, &to, &words).await? {
        return Ok(None);
    }
    if kind == EmailKind::ResetPassword {
        let info = requester(ctx, &words);
        audit::record(
            &transaction,
            AuditEvent::on_user(user, AuditEventKind::PasswordResetRequested, &info),
            now,
        )
        .await?;
    }
    transaction.commit().await?;
    (email.to, email.content) = (to, words);
    Ok(Some(email))
}

/// A request with the links that were asked for. Of reset links only the last one works.
async fn with_links(
    ctx: &Context,
    transaction: &Transaction,
    user: UserId,
    to: &Recipient,
    request: EmailContent,
) -> Result<EmailContent, DbError> {
    let now = ctx.clock.now();
    if request.kind == EmailKind::VerifyEmail {
        let purposes = [Purpose::VerifyEmail, Purpose::NotMe];
        let [link, not_me] =
            links::create_each(ctx, transaction, purposes, user, Some(&to.email)).await?;
        return Ok(request.with_link(link).with_not_me(not_me));
    }
    let reset = Purpose::ResetPassword;
    links::revoke(transaction, user, &[reset], OffsetDateTime::UNIX_EPOCH, now).await?;
    let link = links::create(ctx, transaction, reset, user, None).await?;
    Ok(request.with_link(link))
}

/// Whoever asked, as the request remembers them.
fn requester(ctx: &Context, email: &EmailContent) -> RequestInfo {
    let address = email.data.ip.as_deref().and_then(|ip| ip.parse().ok());
    let user_agent = email.data.user_agent.as_deref().unwrap_or_default();
    RequestInfo::new(address, user_agent, ctx.random.request_id(), None)
}

#[cfg(test)]
mod tests {
    use super::{CONCURRENT_SENDS, distribute};

    #[test]
    fn every_email_is_on_one_lane() {
        for count in 0..50 {
            let emails: Vec<_> = (0..count).map(|number| (number, number.to_string())).collect();

            let tasks = distribute(emails.clone(), |(_, address)| address);

            let mut all = tasks.concat();
            all.sort_unstable();
            assert_eq!(all, emails);
            let length = |task: &Vec<_>| task.len();
            let (short, long) = (tasks.iter().map(length).min(), tasks.iter().map(length).max());
            assert!(tasks.len() <= CONCURRENT_SENDS && long <= short.map(|it| it + 1));
        }
    }

    #[test]
    fn emails_to_one_address_stay_in_order() {
        let emails = (0..20).map(|number| (number, if number % 3 == 0 { "eve" } else { "ada" }));

        let tasks = distribute(emails.collect(), |(_, address)| address);

        assert_eq!(tasks.len(), 2);
        for task in tasks {
            assert!(task.is_sorted());
        }
    }
}
