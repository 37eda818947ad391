//! The background worker: e-mails, bulk jobs, signing keys and clean-up.
//!
//! Each has a loop in a task of its own, so that a slow mail server does not delay the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::tokio::select;
use rocket::tokio::task::JoinHandle;
use rocket::tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, timeout};
use rocket::{Orbit, Rocket, Shutdown};

use crate::context::Context;
use crate::db::DbError;
use crate::flows;
use crate::flows::admin::bulk_jobs::BatchFailed;
use crate::flows::system::email_delivery::EmailSender;
use crate::types::BulkJobId;

/// How often the outbox is checked; each check is one cheap query.
const MAIL_EVERY: Duration = Duration::from_secs(1);

/// How often bulk jobs are checked: for a new one, and for one whose node has stopped.
const BULK_EVERY: Duration = Duration::from_secs(1);

/// How long a job of which a batch failed is postponed at most; other jobs run meanwhile.
const MAX_BULK_DELAY: Duration = Duration::from_mins(1);

/// How often expired data is deleted.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// How soon this node knows a key that another one has created; each check is one cheap query.
const KEYS_EVERY: Duration = Duration::from_secs(10);

/// The pause between two batches, in which requests can write: SQLite has one writer.
const PAUSE: Duration = Duration::from_millis(50);

/// The number of accounts that are deleted between two pauses.
const DELETION_BATCH: u64 = 50;

/// How long a stopping server waits for e-mails that are on the wire. Most take less; one that is
/// cut off is sent again once its claim has expired.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// Sends e-mails, runs bulk jobs and sweeps while the application runs.
#[derive(Debug, Clone, Default)]
pub struct Worker {
    mail_task: Arc<Mutex<Option<MailTask>>>,
    is_waited_for: bool,
}

/// The running mail loop and its sender.
#[derive(Debug)]
struct MailTask {
    sender: Arc<EmailSender>,
    mail: JoinHandle<()>,
}

impl Worker {
    /// Returns a worker whose last e-mails are awaited by [`finish`](Self::finish) after the
    /// application has stopped, instead of before.
    #[must_use]
    pub fn awaited() -> Self {
        Self { is_waited_for: true, ..Self::default() }
    }

    /// Stops sending; e-mails on the wire are finished.
    pub fn stop_sending(&self) {
        if let Some(mail_task) = &*self.mail_task() {
            mail_task.sender.stop();
        }
    }

    /// Waits for the e-mails that are on the wire, for a few seconds at most.
    pub async fn finish(&self) {
        let Some(MailTask { mut mail, sender }) = self.mail_task().take() else { return };
        sender.stop();
        if timeout(SHUTDOWN_GRACE, &mut mail).await.is_err() {
            tracing::warn!("e-mails were cut off on their way; they are sent later");
            mail.abort();
        }
    }

    fn mail_task(&self) -> MutexGuard<'_, Option<MailTask>> {
        self.mail_task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[rocket::async_trait]
impl Fairing for Worker {
    fn info(&self) -> Info {
        Info { name: "Worker", kind: Kind::Liftoff | Kind::Shutdown }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let Some(ctx) = rocket.state::<Context>() else { return };
        let sender = Arc::new(EmailSender::new(ctx.clone()));
        let mail = rocket::tokio::spawn(mail(sender.clone(), rocket.shutdown()));
        rocket::tokio::spawn(sweep(ctx.clone(), rocket.shutdown()));
        rocket::tokio::spawn(process_bulk_jobs(ctx.clone(), rocket.shutdown()));
        rocket::tokio::spawn(maintain_keys(ctx.clone(), rocket.shutdown()));
        *self.mail_task() = Some(MailTask { sender, mail });
    }

    async fn on_shutdown(&self, _: &Rocket<Orbit>) {
        self.stop_sending();
        // Under Rocket's own server there is no later moment to wait in. Requests wait meanwhile,
        // which an awaited worker spares them.
        if !self.is_waited_for {
            self.finish().await;
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    // After a slow turn the next one is a whole period away; missed turns are not made up for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Sends e-mails until the server stops; what is on the wire then is finished.
async fn mail(sender: Arc<EmailSender>, mut shutdown: Shutdown) {
    let mut ticks = every(MAIL_EVERY);
    loop {
        select! {
            () = &mut shutdown => return,
            _ = ticks.tick() => send(&sender).await,
        }
    }
}

/// Sends every e-mail that is due, batch by batch.
async fn send(sender: &EmailSender) {
    loop {
        match sender.send_batch().await {
            Ok(delivered) if delivered.is_more => {}
            Ok(_) => return,
            Err(error) => {
                tracing::error!(%error, "e-mails could not be sent; they are tried again");
                return;
            }
        }
    }
}

/// Runs bulk jobs until the server stops.
async fn process_bulk_jobs(ctx: Context, mut shutdown: Shutdown) {
    let mut ticks = every(BULK_EVERY);
    let mut postponed = Postponed::default();
    let working = async {
        loop {
            ticks.tick().await;
            run_due_jobs(&ctx, &mut postponed).await;
        }
    };
    // A batch is one transaction, so one that is cut off has not happened.
    select! {
        () = &mut shutdown => {}
        () = working => {}
    }
}

/// Runs every bulk job that is due, batch by batch.
#[cfg(feature = "testing")]
pub async fn run_bulk_jobs(ctx: &Context) {
    run_due_jobs(ctx, &mut Postponed::default()).await;
}

/// The jobs of which a batch failed: until when each is postponed, and for how long the next time.
#[derive(Default)]
struct Postponed(HashMap<BulkJobId, (Instant, Duration)>);

impl Postponed {
    /// Returns the jobs that are still postponed.
    fn waiting(&self) -> Vec<BulkJobId> {
        let now = Instant::now();
        let waiting = self.0.iter().filter(|(_, (until, _))| *until > now);
        waiting.map(|(id, _)| *id).collect()
    }

    fn postpone(&mut self, id: BulkJobId) {
        // A job that has not failed for so long begins with the shortest delay again.
        self.0.retain(|_, (until, _)| until.elapsed() < MAX_BULK_DELAY);
        let (_, wait) = self.0.remove(&id).unwrap_or((Instant::now(), BULK_EVERY));
        self.0.insert(id, (Instant::now() + wait, (wait * 2).min(MAX_BULK_DELAY)));
    }
}

/// Runs batches until no job is left but those that have just failed. A job whose batch fails is
/// postponed, so that it does not block the others.
async fn run_due_jobs(ctx: &Context, postponed: &mut Postponed) {
    loop {
        match flows::admin::bulk_jobs::run_next_batch(ctx, &postponed.waiting()).await {
            // A long job must not keep this thread from requests.
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => return,
            Err(BatchFailed { of: Some(id), error }) => {
                tracing::error!(%error, bulk_job.id = id.0, "a batch failed; it is done again later");
                postponed.postpone(id);
            }
            // No job was claimed, so there is none to postpone: the database failed.
            Err(BatchFailed { of: None, error }) => {
                tracing::error!(%error, "nothing could be done in bulk; it is tried again");
                return;
            }
        }
    }
}

/// Sweeps until the server stops.
async fn sweep(ctx: Context, mut shutdown: Shutdown) {
    let mut ticks = every(SWEEP_EVERY);
    let sweeping = async {
        loop {
            ticks.tick().await;
            sweep_all(&ctx).await;
        }
    };
    // A batch is one transaction, so one that is cut off has not happened.
    select! {
        () = &mut shutdown => {}
        () = sweeping => {}
    }
}

/// Loads and replaces signing keys until the server stops.
async fn maintain_keys(ctx: Context, mut shutdown: Shutdown) {
    let mut ticks = every(KEYS_EVERY);
    loop {
        select! {
            () = &mut shutdown => return,
            _ = ticks.tick() => {
                if let Err(error) = flows::system::key_rotation::rotate_if_due(&ctx).await {
                    tracing::error!(%error, "the signing keys could not be looked after; they stay as they are");
                }
            }
        }
    }
}

/// Deletes all expired data, batch by batch.
pub async fn sweep_all(ctx: &Context) {
    let swept: Result<(), DbError> = async {
        while flows::system::cleanup::sweep(ctx).await? {
            sleep(PAUSE).await;
        }
        while flows::system::cleanup::end_suspensions(ctx).await? {
            sleep(PAUSE).await;
        }
        // Some of the accounts that are due may have to stay, so a short batch may not be the last.
        while flows::account::account_deletion::delete_due(ctx, DELETION_BATCH).await? > 0 {
            sleep(PAUSE).await;
        }
        Ok(())
    }
    .await;
    if let Err(error) = swept {
        tracing::error!(%error, "sweeping failed; it goes on at the next turn");
    }
    loop {
        match flows::system::cleanup::sweep_mail_folder(ctx).await {
            Ok(true) => sleep(PAUSE).await,
            Ok(false) => return,
            Err(error) => {
                tracing::error!(%error, "old e-mails could not be deleted");
                return;
            }
        }
    }
}
