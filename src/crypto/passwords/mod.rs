//! Hashing passwords with argon2id, on threads of its own.
//!
//! A hash takes 15 ms of one core and 19 MiB of memory, so hashing is rationed: one thread and one
//! buffer per core, behind a [`WorkQueue`] that is bounded in length and in time.

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use aws_lc_rs::constant_time;

use super::Random;
use super::dummy_work::{HashKinds, Work, WorkDone};
use super::hash_cost::{HashCostLimit, Speed};
use super::memory::Memory;
use super::password_hash::{HashCost, OUTPUT, PasswordHash, Readable, write_phc};
use super::work_queue::{QueueFull, QueueLimits, WorkQueue};
use crate::types::Password;

/// How many jobs may wait: at 60 hashes a second and core, two cores do them in about 4 seconds,
/// which is about as long as a user waits.
const QUEUE: usize = 512;

/// How long a log-in waits for a thread: twice what a full queue takes two cores, and a quarter of the
/// minute after which browsers and proxies give up.
const DEADLINE: Duration = Duration::from_secs(10);

/// What came of comparing a password with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCheck {
    /// The password is the one that was hashed.
    pub is_correct: bool,
    /// The hash was made at a lower cost than today's and should be made again.
    pub is_outdated: bool,
}

/// The hashing threads and their queue. Clones share them; the threads end with the last clone.
#[derive(Clone)]
pub struct Hasher {
    queue: WorkQueue<Memory>,
    cost: HashCost,
    random: Random,
    dummy_hash: Arc<PasswordHash>,
    speed: Arc<Speed>,
    done: Arc<WorkDone>,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("cost", &self.cost).finish_non_exhaustive()
    }
}

impl Hasher {
    /// Starts one thread per core.
    #[must_use]
    pub fn start(cost: HashCost, random: Random) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let limits = QueueLimits { name: "hasher", threads, length: QUEUE, deadline: DEADLINE };
        let queue = WorkQueue::start(limits);
        // The dummy hash is not computed: any random output that no password hashes to will do.
        let dummy_hash = write_phc(cost, &random.bytes::<16>(), &random.bytes::<OUTPUT>());
        let (dummy_hash, speed, done) = (Arc::new(dummy_hash), Arc::default(), Arc::default());
        Self { queue, cost, random, dummy_hash, speed, done }
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`QueueFull`] when too many are waiting, or no thread got to it in time.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, QueueFull> {
        let (cost, salt) = (self.cost, self.random.bytes::<16>());
        self.queue
            .run(move |memory| {
                let output = memory.compute(cost, &password, &salt);
                write_phc(cost, &salt, &output)
            })
            .await
    }

    /// Compares a password with a stored hash. `None`, for an account that does not exist or has no
    /// password, costs the same work and is never correct.
    ///
    /// # Errors
    /// [`QueueFull`] when too many are waiting, or no thread got to it in time.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<PasswordCheck, QueueFull> {
        let has_hash = stored.is_some();
        // Without this work, a fast answer would tell that the address has no account.
        let stored = stored.unwrap_or_else(|| PasswordHash::clone(&self.dummy_hash));
        let (today, speed) = (self.cost, self.speed.clone());
        self.run(move |memory| match Readable::within(&stored, today, &speed, memory) {
            // What is not computed costs as much as an account that does not exist.
            None => {
                memory.compute(today, &password, &[0; 16]);
                PasswordCheck { is_correct: false, is_outdated: false }
            }
            Some(Readable::Django(hash)) => {
                PasswordCheck { is_correct: hash.fits(&password), is_outdated: true }
            }
            Some(Readable::Argon2id(cost, salt, expected)) => {
                let output = memory.compute(cost, &password, &salt);
                let is_equal = constant_time::verify_slices_are_equal(&output, &expected);
                let is_correct = is_equal.is_ok() && has_hash;
                PasswordCheck { is_correct, is_outdated: cost.is_below(today) }
            }
        })
        .await
    }

    /// Does another piece of work on a hashing thread, for tests that keep the threads busy.
    ///
    /// # Errors
    /// [`QueueFull`] when too many are waiting, or no thread got to it in time.
    #[cfg(feature = "testing")]
    pub async fn run_on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueueFull> {
        self.queue.run(|_| work()).await
    }

    /// Returns how many jobs wait for a thread.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Returns the most expensive hashes that may be imported.
    pub async fn import_limit(&self) -> Result<HashCostLimit, QueueFull> {
        let speed = self.speed.clone();
        // On a hashing thread, because the first call measures how fast those are.
        self.run(move |memory| speed.limit_at_import(memory)).await
    }

    /// Returns the most expensive hashes that are computed here.
    pub async fn compute_limit(&self) -> Result<HashCostLimit, QueueFull> {
        let speed = self.speed.clone();
        self.run(move |memory| speed.limit_when_computed(memory)).await
    }

    /// Returns whether our own hashes are the only kind.
    #[must_use]
    pub fn has_only_own_cost(&self, kinds: &HashKinds) -> bool {
        kinds.iterations == 0 && kinds.costs.iter().all(|cost| *cost == self.cost)
    }

    /// Computes the rest of what a wrong password costs on this site, after it was compared with `stored`.
    pub async fn equalize_work(
        &self,
        password: Password,
        stored: Option<PasswordHash>,
        kinds: HashKinds,
    ) -> Result<(), QueueFull> {
        let (today, speed, done) = (self.cost, self.speed.clone(), self.done.clone());
        if self.has_only_own_cost(&kinds) {
            // Every hash costs the same, so nothing is left to do, and no thread is asked.
            done.add(&Work::of(None, today));
            return Ok(());
        }
        self.run(move |memory| {
            let computed = stored.and_then(|hash| Readable::within(&hash, today, &speed, memory));
            let compared = Work::of(computed.as_ref(), today);
            let rest = compared.up_to(&kinds, today);
            done.add(&compared);
            done.add(&rest);
            if !rest.is_nothing() {
                rest.perform(memory, &password);
            }
        })
        .await
    }

    /// Returns iterations of PBKDF2, blocks and hashes of argon2 that wrong passwords have cost so far.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn dummy_work_done(&self) -> [u64; 3] {
        self.done.counts()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, QueueFull> {
        self.queue.run(work).await
    }
}

#[cfg(test)]
mod tests;
