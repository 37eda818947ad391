//! Heavy work on threads of its own, behind a queue that is bounded in length and in time.
//!
//! A job whose client has gone away, or that waited past the deadline, is dropped without being done:
//! under overload the threads do only work that a client still waits for. Does not know what the work
//! is.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Too many jobs are waiting, or this one waited too long; try again in a few seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the queue is full, or the wait was too long")]
pub struct QueueFull;

/// After this long without work a thread drops its state, so that large buffers go back to the system.
const KEEP_STATE: Duration = Duration::from_secs(2);

/// By how much the threads lower their priority, of 19. Pages are answered first, and beside other
/// programs the work still gets its share of a core; docs/decisions/0019 has the measurements.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 1;

/// The bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub struct QueueLimits {
    /// The name of its threads.
    pub name: &'static str,
    /// How many threads work.
    pub threads: usize,
    /// How many jobs may wait for a thread.
    pub length: usize,
    /// How long a job may wait for a thread.
    pub deadline: Duration,
}

struct Job<S> {
    expires_at: Instant,
    work: Box<dyn FnOnce(&mut S) + Send>,
}

/// The threads and their queue; each thread has a state of its own. Clones share them; the threads end
/// with the last clone.
pub struct WorkQueue<S> {
    queue: Sender<Job<S>>,
    deadline: Duration,
}

impl<S> Clone for WorkQueue<S> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), deadline: self.deadline }
    }
}

impl<S> std::fmt::Debug for WorkQueue<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WorkQueue").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl<S: Default + 'static> WorkQueue<S> {
    /// Starts the threads.
    #[must_use]
    pub fn start(limits: QueueLimits) -> Self {
        let (queue, jobs) = crossbeam_channel::bounded(limits.length);
        for _ in 0..limits.threads {
            let jobs = jobs.clone();
            thread::Builder::new()
                .name(limits.name.into())
                .spawn(move || {
                    lower_priority();
                    work(&jobs);
                })
                .expect("the system gives a handful of threads");
        }
        Self { queue, deadline: limits.deadline }
    }

    /// Does a piece of work on one of the threads. When the future is dropped before the work has
    /// begun, it is not done.
    ///
    /// # Errors
    /// [`QueueFull`] at once when the queue is full, and at the deadline when no thread got to it.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut S) -> T + Send + 'static,
    ) -> Result<T, QueueFull> {
        let (give, mut take) = oneshot::channel();
        let has_begun = Arc::new(AtomicBool::new(false));
        let begins = Arc::clone(&has_begun);
        let work = Box::new(move |state: &mut S| {
            begins.store(true, Ordering::Release);
            // Closed: the client went away, or was already told to come back later.
            if !give.is_closed() {
                let _ = give.send(work(state));
            }
        });
        let expires_at = Instant::now() + self.deadline;
        // `try_send` never waits: a full queue is answered at once.
        self.queue.try_send(Job { expires_at, work }).map_err(|_| QueueFull)?;
        // A thread drops a late job when it gets to it. The deadline is watched here as well, because
        // a thread that gets no processor time gets to nothing.
        match timeout(self.deadline, &mut take).await {
            Ok(done) => done.map_err(|_| QueueFull),
            // What has begun is nearly done: one hash takes milliseconds.
            Err(_) if has_begun.load(Ordering::Acquire) => take.await.map_err(|_| QueueFull),
            Err(_) => Err(QueueFull),
        }
    }

    /// Returns how many jobs wait for a thread.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }
}

/// Lets pages go first.
#[cfg(target_os = "linux")]
fn lower_priority() {
    // Linux has a niceness for each thread; elsewhere it would lower the whole process.
    let thread = Some(rustix::thread::gettid());
    let step = rustix::process::getpriority_process(thread)
        .and_then(|now| rustix::process::setpriority_process(thread, now + NICENESS));
    // Where the system refuses, the work only competes with pages as an equal.
    if let Err(error) = step {
        tracing::debug!(%error, "a working thread keeps its priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

fn work<S: Default>(jobs: &Receiver<Job<S>>) {
    let mut state = S::default();
    loop {
        let job = match jobs.recv_timeout(KEEP_STATE) {
            Ok(job) => job,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                // Large buffers go back to the system; nothing needs a time-out until the next job.
                state = S::default();
                match jobs.recv() {
                    Ok(job) => job,
                    Err(_) => return,
                }
            }
        };
        if Instant::now() >= job.expires_at {
            continue;
        }
        // A panic in one job must not take the thread away from all that follow.
        let outcome = catch_unwind(AssertUnwindSafe(|| (job.work)(&mut state)));
        if outcome.is_err() {
            tracing::error!("a job on a working thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};

    use super::*;

    const LENGTH: usize = 8;

    fn queue(deadline: Duration) -> WorkQueue<()> {
        WorkQueue::start(QueueLimits { name: "test", threads: 1, length: LENGTH, deadline })
    }

    /// Keeps the only thread busy until the sender is dropped; returns when the thread has begun.
    async fn hold(queue: &WorkQueue<()>) -> mpsc::Sender<()> {
        let (release, held) = mpsc::channel();
        let (tell, begun) = oneshot::channel();
        let queue = queue.clone();
        tokio::spawn(async move {
            queue
                .run(move |()| {
                    let _ = tell.send(());
                    let _ = held.recv();
                })
                .await
        });
        begun.await.expect("the thread begins");
        release
    }

    fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let queue = queue(Duration::from_mins(1));
        let release = hold(&queue).await;
        let mut waiting: Vec<_> = (0..LENGTH).map(|_| Box::pin(queue.run(|()| ()))).collect();
        for job in &mut waiting {
            assert!(poll_once(job).is_pending());
        }

        assert_eq!(queue.run(|()| ()).await, Err(QueueFull));

        drop(release);
        for job in waiting {
            assert_eq!(job.await, Ok(()));
        }
    }

    #[tokio::test]
    async fn a_job_that_no_thread_gets_to_is_answered_at_its_deadline_and_never_done() {
        let queue = queue(Duration::from_millis(20));
        let release = hold(&queue).await;
        let done = Arc::new(AtomicUsize::new(0));
        let counted = done.clone();

        let late = queue.run(move |()| counted.fetch_add(1, Ordering::SeqCst)).await;

        assert_eq!(late, Err(QueueFull), "while the thread is still busy");
        drop(release);
        assert_eq!(queue.run(|()| ()).await, Ok(()), "the thread is free again");
        assert_eq!(done.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_job_that_has_begun_is_finished_past_the_deadline() {
        let queue = queue(Duration::from_millis(20));
        let (release, held) = mpsc::channel::<()>();
        let (tell, begun) = oneshot::channel();
        let job = {
            let queue = queue.clone();
            tokio::spawn(async move {
                queue
                    .run(move |()| {
                        let _ = tell.send(());
                        let _ = held.recv();
                        7
                    })
                    .await
            })
        };
        begun.await.expect("the thread begins");

        // Another job of the same age has been refused: the deadline has passed.
        assert_eq!(queue.run(|()| ()).await, Err(QueueFull));
        drop(release);

        assert_eq!(job.await.expect("no panic"), Ok(7));
    }

    #[tokio::test]
    async fn a_job_whose_asker_has_gone_away_is_not_done() {
        let queue = queue(Duration::from_mins(1));
        let release = hold(&queue).await;
        let done = Arc::new(AtomicUsize::new(0));
        let counted = done.clone();
        let mut job = Box::pin(queue.run(move |()| counted.fetch_add(1, Ordering::SeqCst)));
        assert!(poll_once(&mut job).is_pending());
        assert_eq!(queue.waiting(), 1);

        drop(job);
        drop(release);

        assert_eq!(queue.run(|()| ()).await, Ok(()), "the thread has come past the dropped job");
        assert_eq!(done.load(Ordering::SeqCst), 0);
    }

    /// At nice 10, beside two busy programs, 6 hashes a second were left of 32.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_working_thread_steps_back_behind_pages_and_keeps_its_share() {
        let nice = || {
            let thread = Some(rustix::thread::gettid());
            rustix::process::getpriority_process(thread).expect("a thread has a priority")
        };
        let queue = queue(Duration::from_mins(1));

        let step = queue.run(move |()| nice()).await.expect("room") - nice();

        assert!((1..=2).contains(&step), "{step}");
    }

    #[tokio::test]
    async fn a_panic_refuses_its_own_job_and_no_other() {
        let queue = queue(Duration::from_mins(1));

        assert_eq!(queue.run(|()| panic!("a job fails")).await, Err::<(), _>(QueueFull));
        assert_eq!(queue.run(|()| 1).await, Ok(1));
    }
}
