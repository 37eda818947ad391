//! The door that nobody comes in by: work that the program gives itself.
//!
//! Four rounds, each in a task of its own, so that a slow mail server never keeps the others waiting.

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
use crate::flows::system::email_delivery::Courier;
use crate::types::BulkJobId;

/// How soon a letter leaves that was just written. Looking costs one cheap query.
const MAIL_EVERY: Duration = Duration::from_secs(1);

/// How soon a bulk job goes on that was just ordered, or that another node has left.
const BULK_EVERY: Duration = Duration::from_secs(1);

/// How long one of which a batch has failed is left alone at most; others are done meanwhile.
const BULK_LONGEST: Duration = Duration::from_mins(1);

/// How often there is something to throw away.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// How soon this node knows a key that another one has made. Looking costs one cheap query.
const KEYS_EVERY: Duration = Duration::from_secs(10);

/// Room for requests between two batches.
const BREATH: Duration = Duration::from_millis(50);

/// Accounts that leave in one go.
const LEAVING: u64 = 50;

/// How long a server that stops waits for letters that are on the wire. Most take less; one that is
/// cut off is sent once its claim is over.
const LAST_LETTERS: Duration = Duration::from_secs(3);

/// Sends letters and sweeps while the application runs. When it stops, the last letters are waited for
/// before requests are: Rocket leaves no later moment.
#[derive(Debug, Clone, Default)]
pub struct Worker {
    at_work: Arc<Mutex<Option<AtWork>>>,
    is_waited_for: bool,
}

/// What is running.
#[derive(Debug)]
struct AtWork {
    courier: Arc<Courier>,
    mail: JoinHandle<()>,
}

impl Worker {
    /// A worker for whoever calls [`ends`](Self::ends) when the application has stopped; then nobody
    /// who comes while it stops waits for a letter.
    #[must_use]
    pub fn waited_for() -> Self {
        Self { is_waited_for: true, ..Self::default() }
    }

    /// Begins no more letters.
    pub fn stops(&self) {
        if let Some(at_work) = &*self.at_work() {
            at_work.courier.stop();
        }
    }

    /// Waits for the letters that are on the wire, not for long.
    pub async fn ends(&self) {
        let Some(AtWork { mut mail, courier }) = self.at_work().take() else { return };
        courier.stop();
        if timeout(LAST_LETTERS, &mut mail).await.is_err() {
            tracing::warn!("letters were cut off on their way; they are sent later");
            mail.abort();
        }
    }

    fn at_work(&self) -> MutexGuard<'_, Option<AtWork>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[rocket::async_trait]
impl Fairing for Worker {
    fn info(&self) -> Info {
        Info { name: "Worker", kind: Kind::Liftoff | Kind::Shutdown }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let Some(ctx) = rocket.state::<Context>() else { return };
        let courier = Arc::new(Courier::new(ctx.clone()));
        let mail = rocket::tokio::spawn(mail(courier.clone(), rocket.shutdown()));
        rocket::tokio::spawn(sweep(ctx.clone(), rocket.shutdown()));
        rocket::tokio::spawn(do_in_bulk(ctx.clone(), rocket.shutdown()));
        rocket::tokio::spawn(keep_keys(ctx.clone(), rocket.shutdown()));
        *self.at_work() = Some(AtWork { courier, mail });
    }

    async fn on_shutdown(&self, _: &Rocket<Orbit>) {
        self.stops();
        if !self.is_waited_for {
            self.ends().await;
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Sends letters until the server stops; what is on the wire then is finished.
async fn mail(courier: Arc<Courier>, mut shutdown: Shutdown) {
    let mut ticks = every(MAIL_EVERY);
    loop {
        select! {
            () = &mut shutdown => return,
            _ = ticks.tick() => send(&courier).await,
        }
    }
}

/// Every letter that is due, batch by batch.
async fn send(courier: &Courier) {
    loop {
        match courier.deliver().await {
            Ok(delivered) if delivered.is_more => {}
            Ok(_) => return,
            Err(error) => {
                tracing::error!(%error, "letters could not be sent; they are tried again");
                return;
            }
        }
    }
}

/// Does what staff ordered to be done to many accounts, until the server stops. A batch that is cut off
/// has not happened.
async fn do_in_bulk(ctx: Context, mut shutdown: Shutdown) {
    let mut ticks = every(BULK_EVERY);
    let mut postponed = Postponed::default();
    let working = async {
        loop {
            ticks.tick().await;
            do_in_turn(&ctx, &mut postponed).await;
        }
    };
    select! {
        () = &mut shutdown => {}
        () = working => {}
    }
}

/// Does everything that staff ordered to be done to many accounts, batch by batch.
pub async fn run_bulk_jobs(ctx: &Context) {
    do_in_turn(ctx, &mut Postponed::default()).await;
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
        self.0.retain(|_, (until, _)| until.elapsed() < BULK_LONGEST);
        let (_, wait) = self.0.remove(&id).unwrap_or((Instant::now(), BULK_EVERY));
        self.0.insert(id, (Instant::now() + wait, (wait * 2).min(BULK_LONGEST)));
    }
}

/// Does batches until there is nothing left to be done but what has failed a moment ago. A batch that
/// fails is done again later, and what others have ordered is done meanwhile.
async fn do_in_turn(ctx: &Context, postponed: &mut Postponed) {
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
async fn keep_keys(ctx: Context, mut shutdown: Shutdown) {
    let mut ticks = every(KEYS_EVERY);
    loop {
        select! {
            () = &mut shutdown => return,
            _ = ticks.tick() => {
                if let Err(error) = flows::system::key_rotation::keep_young(&ctx).await {
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
            sleep(BREATH).await;
        }
        while flows::system::cleanup::end_suspensions(ctx).await? {
            sleep(BREATH).await;
        }
        // Some of those whose time has come may have to stay, so a short batch is not the last.
        while flows::account::account_deletion::delete_due(ctx, LEAVING).await? > 0 {
            sleep(BREATH).await;
        }
        Ok(())
    }
    .await;
    if let Err(error) = swept {
        tracing::error!(%error, "sweeping failed; it goes on at the next turn");
    }
    loop {
        match flows::system::cleanup::sweep_letters(ctx).await {
            Ok(true) => sleep(BREATH).await,
            Ok(false) => return,
            Err(error) => {
                tracing::error!(%error, "old letters could not be deleted");
                return;
            }
        }
    }
}
