//! A hashing queue that is full.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use daemun::testing::crypto::QueueFull;
use futures::FutureExt as _;

use super::App;

/// Every hashing thread is at work and the queue is full, until it is let go.
pub(crate) struct FullHashingQueue {
    gate: Arc<Barrier>,
    _held: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl FullHashingQueue {
    pub(crate) async fn on(app: &App) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let gate = Arc::new(Barrier::new(cores + 1));
        let started = Arc::new(AtomicUsize::new(0));
        let busy = |_| {
            let (gate, started, ctx) = (gate.clone(), started.clone(), app.ctx.clone());
            let job = move || {
                started.fetch_add(1, Ordering::SeqCst);
                gate.wait();
            };
            async move { ctx.hasher.run_on_thread(job).await.unwrap_or(()) }.boxed()
        };
        let mut held: Vec<_> = (0..cores).map(busy).collect();
        assert!(held.iter_mut().all(|job| job.as_mut().now_or_never().is_none()));
        while started.load(Ordering::SeqCst) < cores {
            rocket::tokio::task::yield_now().await;
        }
        while app.ctx.hasher.run_on_thread(|| ()).now_or_never() != Some(Err(QueueFull)) {}
        Self { gate, _held: held }
    }

    pub(crate) async fn release(self) {
        let gate = self.gate.clone();
        rocket::tokio::task::spawn_blocking(move || gate.wait()).await.expect("the gate opens");
    }
}
