//! The door that nobody comes in by: work that the program gives itself.
//!
//! Two rounds, each in a task of its own, so that a slow mail server never keeps the sweeper waiting.

use std::future::Future;
use std::time::Duration;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::tokio::select;
use rocket::tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use rocket::{Orbit, Rocket, Shutdown};

use crate::ctx::Ctx;
use crate::db::DbError;
use crate::flows::{deletion, delivery, keeping};

/// How soon a letter leaves that was just written. Looking costs one cheap query.
const MAIL_EVERY: Duration = Duration::from_secs(1);

/// How often there is something to throw away.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// Room for requests between two batches.
const BREATH: Duration = Duration::from_millis(50);

/// Accounts that leave in one go.
const LEAVING: u64 = 50;

/// Sends letters and sweeps while the application runs.
#[derive(Debug)]
pub struct Worker;

#[rocket::async_trait]
impl Fairing for Worker {
    fn info(&self) -> Info {
        Info { name: "Worker", kind: Kind::Liftoff }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let Some(ctx) = rocket.state::<Ctx>() else { return };
        let (mailing, sweeping) = (ctx.clone(), ctx.clone());
        let mail = rounds(rocket.shutdown(), MAIL_EVERY, move || mail(mailing.clone()));
        let sweep = rounds(rocket.shutdown(), SWEEP_EVERY, move || sweep(sweeping.clone()));
        rocket::tokio::spawn(mail);
        rocket::tokio::spawn(sweep);
    }
}

/// Works every so often until the server stops; a round that has begun is finished.
async fn rounds<F: Future<Output = ()>>(
    mut shutdown: Shutdown,
    every: Duration,
    work: impl Fn() -> F,
) {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        select! {
            () = &mut shutdown => return,
            _ = ticks.tick() => work().await,
        }
    }
}

/// Every letter that is due, batch by batch.
async fn mail(ctx: Ctx) {
    loop {
        match delivery::deliver(&ctx).await {
            Ok(delivered) if delivered.is_more => {}
            Ok(_) => return,
            Err(error) => {
                tracing::error!(%error, "letters could not be sent; they are tried again");
                return;
            }
        }
    }
}

async fn sweep(ctx: Ctx) {
    let swept: Result<(), DbError> = async {
        while keeping::sweep(&ctx).await? {
            sleep(BREATH).await;
        }
        while keeping::end_suspensions(&ctx).await? {
            sleep(BREATH).await;
        }
        while deletion::carry_out(&ctx, LEAVING).await? >= LEAVING {
            sleep(BREATH).await;
        }
        Ok(())
    }
    .await;
    if let Err(error) = swept {
        tracing::error!(%error, "sweeping failed; it goes on at the next turn");
    }
    loop {
        match keeping::sweep_letters(&ctx).await {
            Ok(true) => sleep(BREATH).await,
            Ok(false) => return,
            Err(error) => {
                tracing::error!(%error, "old letters could not be deleted");
                return;
            }
        }
    }
}
