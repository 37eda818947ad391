//! The background worker: e-mails, bulk jobs, signing keys and clean-up.
//!
//! Four loops, each in a task of its own, so that a slow mail server does not delay the others.

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

/// How soon an e-mail leaves that was just written. Looking costs one cheap query.
const MAIL_EVERY: Duration = Duration::from_secs(1);

/// How soon a bulk job goes on that was just ordered, or that another node has left.
const BULK_EVERY: Duration = Duration::from_secs(1);

/// How long one of which a batch has failed is left alone at most; others are done meanwhile.
const MAX_BULK_DELAY: Duration = Duration::from_mins(1);

/// How often there is something to throw away.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// How soon this node knows a key that another one has made. Looking costs one cheap query.
const KEYS_EVERY: Duration = Duration::from_secs(10);

/// Room for requests between two batches.
const PAUSE: Duration = Duration::from_millis(50);

/// Accounts that leave in one go.
const DELETION_BATCH: u64 = 50;

/// How long a server that stops waits for e-mails that are on the wire. Most take less; one that is
/// cut off is sent once its claim is over.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(3);

/// Sends e-mails and sweeps while the application runs. When it stops, the last e-mails are waited for
/// before requests are: Rocket leaves no later moment.
#[derive(Debug, Clone, Default)]
pub struct Worker {
    mail_task: Arc<Mutex<Option<MailTask>>>,
    is_waited_for: bool,
}

/// What is running.
#[derive(Debug)]
struct MailTask {
    sender: Arc<EmailSender>,
    mail: JoinHandle<()>,
}

impl Worker {
    /// A worker for whoever calls [`finish`](Self::finish) when the application has stopped; then nobody
    /// who comes while it stops waits for an e-mail.
    #[must_use]
    pub fn awaited() -> Self {
        Self { is_waited_for: true, ..Self::default() }
    }

    /// Begins no more e-mails.
    pub fn stop_sending(&self) {
        if let Some(mail_task) = &*self.mail_task() {
            mail_task.sender.stop();
        }
    }

    /// Waits for the e-mails that are on the wire, not for long.
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
        if !self.is_waited_for {
            self.finish().await;
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
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

/// Every e-mail that is due, batch by batch.
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

/// Does what staff ordered to be done to many accounts, until the server stops. A batch that is cut off
/// has not happened.
async fn process_bulk_jobs(ctx: Context, mut shutdown: Shutdown) {
    let mut ticks = every(BULK_EVERY);
    let mut postponed = Postponed::default();
    let working = async {
        loop {
            ticks.tick().await;
            run_due_jobs(&ctx, &mut postponed).await;
        }
    };
    select! {
        () = &mut shutdown => {}
        () = working => {}
    }
}

/// Does everything that staff ordered to be done to many accounts, batch by batch.
#[cfg(feature = "testing")]
pub async fn run_bulk_jobs(ctx: &Context) {
    run_due_jobs(ctx, &mut Postponed::default()).await;
}

/// Those of which a batch has failed, until when each waits, and how long it waits the next time.
#[derive(Default)]
struct Postponed(HashMap<BulkJobId, (Instant, Duration)>);

impl Postponed {
    /// Those that are not tried yet.
    fn waiting(&self) -> Vec<BulkJobId> {
        let now = Instant::now();
        let waiting = self.0.iter().filter(|(_, (until, _))| *until > now);
        waiting.map(|(id, _)| *id).collect()
    }

    fn postpone(&mut self, id: BulkJobId) {
        // Who has done well for so long begins anew.
        self.0.retain(|_, (until, _)| until.elapsed() < MAX_BULK_DELAY);
        let (_, wait) = self.0.remove(&id).unwrap_or((Instant::now(), BULK_EVERY));
        self.0.insert(id, (Instant::now() + wait, (wait * 2).min(MAX_BULK_DELAY)));
    }
}

/// Does batches until there is nothing left to be done but what has failed a moment ago. A batch that
/// fails is done again later, and what others have ordered is done meanwhile.
async fn run_due_jobs(ctx: &Context, postponed: &mut Postponed) {
    loop {
        match flows::admin::bulk_jobs::run_next_batch(ctx, &postponed.waiting()).await {
            Ok(true) => tokio::task::yield_now().await,
            Ok(false) => return,
            Err(BatchFailed { of: Some(id), error }) => {
                tracing::error!(%error, bulk_job.id = id.0, "a batch failed; it is done again later");
                postponed.postpone(id);
            }
            Err(BatchFailed { of: None, error }) => {
                tracing::error!(%error, "nothing could be done in bulk; it is tried again");
                return;
            }
        }
    }
}

/// Sweeps until the server stops. A batch that is cut off has not happened.
async fn sweep(ctx: Context, mut shutdown: Shutdown) {
    let mut ticks = every(SWEEP_EVERY);
    let sweeping = async {
        loop {
            ticks.tick().await;
            sweep_all(&ctx).await;
        }
    };
    select! {
        () = &mut shutdown => {}
        () = sweeping => {}
    }
}

/// Looks after the signing keys until the server stops.
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

/// Throws away everything that nobody needs any more, batch by batch.
pub async fn sweep_all(ctx: &Context) {
    let swept: Result<(), DbError> = async {
        while flows::system::cleanup::sweep(ctx).await? {
            sleep(PAUSE).await;
        }
        while flows::system::cleanup::end_suspensions(ctx).await? {
            sleep(PAUSE).await;
        }
        // Some of those whose time has come may have to stay, so a short batch is not the last.
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
