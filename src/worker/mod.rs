//! The door that nobody comes in by: work that the program gives itself.

use std::time::Duration;

use rocket::fairing::{Fairing, Info, Kind};
use rocket::tokio::select;
use rocket::tokio::time::{Instant, MissedTickBehavior, interval_at};
use rocket::{Orbit, Rocket};

use crate::ctx::Ctx;
use crate::flows::keeping;

/// How often there is something to throw away.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// Sweeps while the application runs.
#[derive(Debug)]
pub struct Worker;

#[rocket::async_trait]
impl Fairing for Worker {
    fn info(&self) -> Info {
        Info { name: "Worker", kind: Kind::Liftoff }
    }

    async fn on_liftoff(&self, rocket: &Rocket<Orbit>) {
        let Some(ctx) = rocket.state::<Ctx>().cloned() else { return };
        let mut shutdown = rocket.shutdown();
        rocket::tokio::spawn(async move {
            let mut ticks = interval_at(Instant::now() + SWEEP_EVERY, SWEEP_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                select! {
                    () = &mut shutdown => return,
                    _ = ticks.tick() => sweep(&ctx).await,
                }
            }
        });
    }
}

/// Batch by batch, with room for requests in between.
async fn sweep(ctx: &Ctx) {
    loop {
        match keeping::sweep(ctx).await {
            Ok(true) => rocket::tokio::time::sleep(Duration::from_millis(50)).await,
            Ok(false) => return,
            Err(error) => {
                tracing::error!(%error, "sweeping failed; it goes on at the next turn");
                return;
            }
        }
    }
}
