//! Hashing passwords with argon2id, on threads of its own.
//!
//! A hash takes 15 ms of one core and 19 MiB of memory, so hashing is rationed: one thread and one
//! buffer per core, behind a [`WorkQueue`] that is bounded in length and in time.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use argon2::password_hash::phc;
use argon2::{Argon2, Block, Params, Version};
use aws_lc_rs::constant_time;
use thiserror::Error;

use super::Random;
use super::django_hashes;
use super::django_hashes::{Pbkdf2, UnsupportedHash};
use super::dummy_work::WorkDone;
use super::hash_cost::Speed;
use super::work_queue::{QueueFull, QueueLimits, WorkQueue};
use crate::types::Password;

/// How many may wait: at 60 hashes a second and core, two cores serve them in about 4 seconds,
/// which is about as long as a person waits.
const QUEUE: usize = 512;

/// How long a log-in waits for a thread: twice what a full queue takes two cores, and a quarter of the
/// minute after which browsers and proxies give up. A job that was answered so is not done.
const DEADLINE: Duration = Duration::from_secs(10);

/// Room that the allocator surely gives back to the system when it is freed, in blocks of 1 KiB: glibc
/// keeps pieces of up to 32 MiB once one of them was freed (`M_MMAP_THRESHOLD`). Room that is not
/// touched costs nothing.
const GIVEN_BACK: usize = 33 * 1024;

/// The most that a stored hash may cost, in KiB: Django's argon2 takes 100 MiB.
const MOST_MEMORY: u32 = 256 * 1024;

/// Length of a hash in bytes (RFC 9106, 4 recommends 256 bits).
const OUTPUT: usize = 32;

/// A stored password hash in PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes a string out of the database.
    #[must_use]
    pub fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// Takes over a hash that Django made; `None` for an account whose password it had turned off.
    ///
    /// # Errors
    /// [`UnsupportedHash`] when it is of a kind that is not computed here, or damaged.
    pub fn from_django(hash: &str) -> Result<Option<Self>, UnsupportedHash> {
        // A salt may be any text to the reader of a hash, and PostgreSQL refuses text with a NUL.
        if hash.chars().any(char::is_control) {
            return Err(UnsupportedHash);
        }
        let Some(hash) = django_hashes::import(hash)? else { return Ok(None) };
        let hash = Self(hash.to_owned());
        let is_known = Readable::of(&hash).is_some();
        if is_known { Ok(Some(hash)) } else { Err(UnsupportedHash) }
    }

    /// The string to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// What a hash costs: argon2id's memory (KiB), passes and lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

/// OWASP's recommendation for argon2id: 19 MiB, two passes, one lane.
impl Default for HashCost {
    fn default() -> Self {
        Self { memory: 19_456, passes: 2, lanes: 1 }
    }
}

/// `m=19456,t=2,p=1`
impl fmt::Display for HashCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={},t={},p={}", self.memory, self.passes, self.lanes)
    }
}

/// A text that is not a [`HashCost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not argon2id parameters")]
pub struct HashCostError;

impl FromStr for HashCost {
    type Err = HashCostError;

    fn from_str(text: &str) -> Result<Self, HashCostError> {
        let params: phc::ParamsString = text.parse().map_err(|_| HashCostError)?;
        let number = |name| params.get_decimal(name).ok_or(HashCostError);
        let cost = Self { memory: number("m")?, passes: number("t")?, lanes: number("p")? };
        cost.params().map(|_| cost)
    }
}

impl HashCost {
    fn params(self) -> Result<Params, HashCostError> {
        Params::new(self.memory, self.passes, self.lanes, Some(OUTPUT)).map_err(|_| HashCostError)
    }

    /// What it costs in all: blocks of 1 KiB that are computed.
    pub(super) fn blocks(self) -> u64 {
        u64::from(self.memory) * u64::from(self.passes)
    }

    fn is_below(self, other: Self) -> bool {
        self.memory < other.memory || self.passes < other.passes
    }
}

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
    pub(super) cost: HashCost,
    random: Random,
    dummy_hash: Arc<PasswordHash>,
    pub(super) speed: Arc<Speed>,
    pub(super) done: Arc<WorkDone>,
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

    /// Compares a password with a stored hash. `None` means an account that does not exist or
    /// has no password: the same work is done, and the result is `false`.
    ///
    /// # Errors
    /// [`QueueFull`] when too many are waiting, or no thread got to it in time.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<PasswordCheck, QueueFull> {
        let has_hash = stored.is_some();
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

    /// Does another piece of work on a hashing thread. Nothing in the server does, so that hashing is
    /// delayed by hashing alone; tests keep the threads busy with it.
    ///
    /// # Errors
    /// [`QueueFull`] when too many are waiting, or no thread got to it in time.
    pub async fn run_on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueueFull> {
        self.queue.run(|_| work()).await
    }

    /// How many jobs wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, QueueFull> {
        self.queue.run(work).await
    }
}

/// The buffer that argon2 fills: allocated at first use, used again and again.
#[derive(Default)]
pub(super) struct Memory(Vec<Block>);

impl Memory {
    pub(super) fn compute(
        &mut self,
        cost: HashCost,
        password: &Password,
        salt: &[u8],
    ) -> [u8; OUTPUT] {
        let params = cost.params().expect("a cost is checked when it is read");
        let blocks = params.block_count();
        if self.0.len() < blocks {
            self.0 = Vec::with_capacity(blocks.max(GIVEN_BACK));
            self.0.resize(blocks, Block::default());
        }
        let mut output = [0; OUTPUT];
        Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                password.expose().as_bytes(),
                salt,
                &mut output,
                &mut self.0[..],
            )
            .expect("salt and output have lengths that argon2 takes");
        output
    }
}

fn write_phc(cost: HashCost, salt: &[u8], output: &[u8]) -> PasswordHash {
    let hash = phc::PasswordHash {
        algorithm: argon2::Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: cost.to_string().parse().expect("a cost is written as PHC parameters"),
        salt: Some(phc::Salt::new(salt).expect("16 bytes are a salt")),
        hash: Some(phc::Output::new(output).expect("32 bytes are an output")),
    };
    PasswordHash(hash.to_string())
}

/// A hash that passwords can be compared with.
pub(super) enum Readable {
    /// Cost, salt and output.
    Argon2id(HashCost, Vec<u8>, [u8; OUTPUT]),
    /// One that was taken over.
    Django(Pbkdf2),
}

impl Readable {
    /// `None` for whatever we did not write or take over: other algorithms, other lengths, damage.
    pub(super) fn of(stored: &PasswordHash) -> Option<Self> {
        if let Some(hash) = Pbkdf2::read(&stored.0) {
            return Some(Self::Django(hash));
        }
        let hash = phc::PasswordHash::new(&stored.0).ok()?;
        let is_argon2id = hash.algorithm == argon2::Algorithm::Argon2id.ident()
            && hash.version == Some(Version::V0x13.into());
        let cost: HashCost = hash.params.to_string().parse().ok()?;
        let salt = hash.salt.filter(|salt| salt.len() >= 8)?.to_vec();
        let output = hash.hash?.as_bytes().try_into().ok()?;
        (is_argon2id && cost.memory <= MOST_MEMORY).then_some(Self::Argon2id(cost, salt, output))
    }

    /// The same, if this machine computes it in time. What costs as much as today's is not asked.
    pub(super) fn within(
        stored: &PasswordHash,
        today: HashCost,
        speed: &Speed,
        memory: &mut Memory,
    ) -> Option<Self> {
        let hash = Self::of(stored)?;
        let is_todays = matches!(&hash, Self::Argon2id(cost, ..) if *cost == today);
        let is_within = is_todays || speed.limit_when_computed(memory).allows_readable(&hash);
        is_within.then_some(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashCost = HashCost { memory: 64, passes: 1, lanes: 1 };

    fn typed(text: &str) -> Password {
        Password::parse(text).expect("typed")
    }

    #[tokio::test]
    async fn the_right_password_is_recognised_and_no_other() {
        let hasher = Hasher::start(CHEAP, Random);
        let hash = hasher.hash(typed("open sesame")).await.expect("room");

        let right = hasher.verify(typed("open sesame"), Some(hash.clone())).await.expect("room");
        let wrong = hasher.verify(typed("open barley"), Some(hash)).await.expect("room");

        assert!(right.is_correct && !right.is_outdated);
        assert!(!wrong.is_correct);
    }

    #[tokio::test]
    async fn passwords_that_differ_after_72_bytes_differ() {
        let hasher = Hasher::start(CHEAP, Random);
        let long = "x".repeat(72);
        let hash = hasher.hash(typed(&format!("{long}a"))).await.expect("room");

        let other = hasher.verify(typed(&format!("{long}b")), Some(hash)).await.expect("room");

        assert!(!other.is_correct);
    }

    #[tokio::test]
    async fn nobody_has_no_password_and_costs_as_much_as_anybody() {
        let hasher = Hasher::start(CHEAP, Random);

        let verdict = hasher.verify(typed("anything"), None).await.expect("room");
        let somebody = hasher.hash(typed("anything")).await.expect("room");

        assert!(!verdict.is_correct);
        let cost = |hash: &PasswordHash| match Readable::of(hash) {
            Some(Readable::Argon2id(cost, ..)) => format!("{cost:?}"),
            _ => panic!("{hash:?}"),
        };
        assert_eq!(cost(&hasher.dummy_hash), cost(&somebody));
    }

    #[tokio::test]
    async fn a_hash_of_lower_cost_is_outdated() {
        let yesterday = Hasher::start(CHEAP, Random);
        let hash = yesterday.hash(typed("open sesame")).await.expect("room");
        let today = Hasher::start(HashCost { passes: 2, ..CHEAP }, Random);

        let verdict = today.verify(typed("open sesame"), Some(hash)).await.expect("room");

        assert!(verdict.is_correct && verdict.is_outdated);
    }

    #[tokio::test]
    async fn a_damaged_or_foreign_hash_matches_nothing() {
        let hasher = Hasher::start(CHEAP, Random);
        for stored in ["", "x", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ", "md5$a$b"] {
            let stored = PasswordHash::from_stored(stored.into());
            let verdict = hasher.verify(typed("x"), Some(stored)).await.expect("room");
            assert!(!verdict.is_correct);
        }
    }

    /// Made by Django 5.2 with `make_password("Correct-Horse-9", salt, hasher)`.
    const DJANGO: [&str; 2] = [
        "pbkdf2_sha256$1000000$Q3mZ8vT1kLpRs0$Ek2QO5qELLB40lx4TGA79E6mJXY3qcCl681dtttCRg4=",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$UTNtWjh2VDFrTHBSczA$pdTVaPGjgr8qr9m9AWFsNpaDv4QIuQ77+xlzZ3eS96M",
    ];

    #[tokio::test]
    async fn a_hash_of_djangos_opens_and_is_outdated() {
        let hasher = Hasher::start(CHEAP, Random);
        for hash in DJANGO {
            let hash = PasswordHash::from_django(hash).expect("known").expect("a password");

            let right = hasher.verify(typed("Correct-Horse-9"), Some(hash.clone())).await;
            let wrong = hasher.verify(typed("correct-horse-9"), Some(hash)).await;

            assert!(right.expect("room").is_correct && !wrong.expect("room").is_correct);
        }
        let hash = PasswordHash::from_django(DJANGO[0]).expect("known");
        let verdict = hasher.verify(typed("Correct-Horse-9"), hash).await.expect("room");
        assert!(verdict.is_outdated, "it is made anew at the next log-in");
    }

    #[test]
    fn what_cannot_be_compared_is_not_taken_over() {
        assert_eq!(PasswordHash::from_django("!kPq3unusable"), Ok(None));
        let good = DJANGO[0];
        for bad in [
            "",
            "plain text",
            "md5$salt$0123",
            "bcrypt_sha256$$2b$12$abc",
            "argon2$argon2i$v=19$m=512,t=2,p=2$c2FsdHNhbHQ$AAAA",
            "argon2$argon2id$v=19$m=999999999,t=2,p=1$c2FsdHNhbHQ$AAAA",
            "pbkdf2_sha256$0$salt$x",
            &good.replace("pbkdf2_sha256$", "pbkdf2_sha256$99999999"),
            &good[..good.len() - 5],
            &format!("{good}$"),
            &good.replace("Q3m", "Q3\0m"),
        ] {
            assert_eq!(PasswordHash::from_django(bad), Err(UnsupportedHash), "{bad}");
        }
    }

    #[tokio::test]
    async fn whoever_finds_the_queue_full_is_told_at_once() {
        let hasher = Hasher::start(CHEAP, Random);
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let gate = Arc::new(std::sync::Barrier::new(cores + 1));
        // Each thread is first known to be busy; only then is the queue filled to its end.
        let mut waiting = Vec::new();
        let started = Arc::new(std::sync::Barrier::new(cores + 1));
        for _ in 0..cores {
            let (gate, started, hasher) = (gate.clone(), started.clone(), hasher.clone());
            waiting.push(tokio::spawn(async move {
                hasher
                    .run_on_thread(move || {
                        started.wait();
                        gate.wait();
                    })
                    .await
            }));
            tokio::task::yield_now().await;
        }
        tokio::task::spawn_blocking(move || started.wait()).await.expect("all threads are busy");
        for _ in 0..QUEUE {
            let hasher = hasher.clone();
            waiting.push(tokio::spawn(async move { hasher.run_on_thread(|| ()).await }));
        }
        while hasher.waiting() < QUEUE {
            tokio::task::yield_now().await;
        }

        let refused = hasher.run_on_thread(|| ()).await;

        assert_eq!(refused, Err(QueueFull));
        tokio::task::spawn_blocking(move || gate.wait()).await.expect("the gate opens");
        for answer in waiting {
            assert_eq!(answer.await.expect("no panic"), Ok(()));
        }
    }
}
