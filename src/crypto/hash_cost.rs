//! What computing a stored hash may cost.
//!
//! An imported hash names its own cost, and anyone who knows the address can have it computed by a
//! wrong guess: two hashes that take minutes would occupy both hashing threads for good. So each hash is
//! held to a limit when it is imported and once more before it is computed. The limit is a time; how
//! much work fits into it is measured on this machine (docs/decisions/0020).

use std::num::NonZeroU32;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};

use super::memory::Memory;
use super::password_hash::{HashCost, PasswordHash, Readable};
use crate::types::Password;

/// Computing an imported hash takes at most this long: Django's own take a quarter of it.
const AT_IMPORT: Duration = Duration::from_secs(1);

/// The limit before a hash is computed. Twice that of the import, because a measurement varies and nodes
/// differ: a hash that one node imported must be computed on all.
const WHEN_COMPUTED: Duration = Duration::from_secs(2);

/// However fast the machine is: five times what Django 5.2 makes.
const MOST_ITERATIONS: u64 = 5_000_000;

/// However fast the machine is, argon2's memory (KiB) times its passes: ten times Django's 100 MiB and
/// two passes.
const MOST_BLOCKS: u64 = 2 * 1024 * 1024;

/// How often a sample of work is done.
const SAMPLES: usize = 3;

/// The sample of PBKDF2: about 5 ms.
const SAMPLE_ITERATIONS: NonZeroU32 = NonZeroU32::new(20_000).expect("not zero");

/// The sample of argon2: about 8 ms, in as much memory as a usual hash takes.
const SAMPLE_COST: HashCost = HashCost { memory: 19_456, passes: 1, lanes: 1 };

/// The most expensive hashes that are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCostLimit {
    /// Iterations of PBKDF2.
    pub(super) iterations: u64,
    /// Memory in KiB times passes of argon2.
    pub(super) blocks: u64,
}

impl HashCostLimit {
    /// The limit on any machine, however fast.
    pub const CEILING: Self = Self { iterations: MOST_ITERATIONS, blocks: MOST_BLOCKS };

    #[must_use]
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// Returns whether a hash costs no more than this.
    #[must_use]
    pub fn allows(&self, hash: &PasswordHash) -> bool {
        // A hash that cannot be read is never computed, so it costs nothing.
        Readable::of(hash).is_none_or(|hash| self.allows_readable(&hash))
    }

    pub(super) fn allows_readable(&self, hash: &Readable) -> bool {
        match hash {
            Readable::Django(hash) => u64::from(hash.iterations()) <= self.iterations,
            Readable::Argon2id(cost, ..) => self.allows_cost(*cost),
        }
    }

    pub(super) fn allows_cost(&self, cost: HashCost) -> bool {
        cost.blocks() <= self.blocks
    }
}

/// PBKDF2 iterations that are computed however slow the machine seemed when it was measured, perhaps beside
/// other work: more than any version of Django has asked for (1,200,000 in 6.0), so that no user who came from
/// there is locked out.
const ALWAYS_COMPUTED: u64 = 2_000_000;

/// How fast this machine is, measured when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Speed(OnceLock<[Sample; 2]>);

/// An amount of work and the time that it took.
#[derive(Debug, Clone, Copy)]
struct Sample {
    work: u64,
    taken: Duration,
}

impl Sample {
    fn of(work: u64, mut once: impl FnMut()) -> Self {
        let taken = (0..SAMPLES).map(|_| {
            let begun = Instant::now();
            once();
            begun.elapsed()
        });
        // The fastest counts: another program had the core during the others.
        Self { work, taken: taken.min().unwrap_or_default() }
    }

    /// Returns how much work is done in a time, at most `ceiling`.
    fn done_in(self, time: Duration, ceiling: u64) -> u64 {
        let done = u128::from(self.work) * time.as_nanos() / self.taken.as_nanos().max(1);
        u64::try_from(done).unwrap_or(u64::MAX).min(ceiling)
    }
}

impl Speed {
    /// Returns the limit before a hash is computed.
    pub(super) fn limit_when_computed(&self, memory: &mut Memory) -> HashCostLimit {
        let limit = self.limit(memory, WHEN_COMPUTED);
        HashCostLimit { iterations: limit.iterations.max(ALWAYS_COMPUTED), ..limit }
    }

    /// Returns the limit when a hash is imported.
    pub(super) fn limit_at_import(&self, memory: &mut Memory) -> HashCostLimit {
        self.limit(memory, AT_IMPORT)
    }

    fn limit(&self, memory: &mut Memory, time: Duration) -> HashCostLimit {
        let [iterations, blocks] = self.0.get_or_init(|| measure(memory));
        HashCostLimit {
            iterations: iterations.done_in(time, MOST_ITERATIONS),
            blocks: blocks.done_in(time, MOST_BLOCKS),
        }
    }
}

fn measure(memory: &mut Memory) -> [Sample; 2] {
    let password = Password::parse("a sample of work").expect("a password");
    let mut output = [0; 32];
    let iterations = Sample::of(u64::from(SAMPLE_ITERATIONS.get()), || {
        let typed = password.expose().as_bytes();
        derive(PBKDF2_HMAC_SHA256, SAMPLE_ITERATIONS, b"salt", typed, &mut output);
    });
    let blocks = Sample::of(SAMPLE_COST.blocks(), || {
        memory.compute(SAMPLE_COST, &password, b"salt and salt");
    });
    [iterations, blocks]
}

impl Readable {
    /// Reads a stored hash, if this machine computes it in time.
    pub(super) fn within(
        stored: &PasswordHash,
        today: HashCost,
        speed: &Speed,
        memory: &mut Memory,
    ) -> Option<Self> {
        let hash = Self::of(stored)?;
        // The site's own cost is always computed, also on a slow machine: the owner chose it.
        let is_todays = matches!(&hash, Self::Argon2id(cost, ..) if *cost == today);
        let is_within = is_todays || speed.limit_when_computed(memory).allows_readable(&hash);
        is_within.then_some(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(text: &str) -> PasswordHash {
        PasswordHash::from_django(text).expect("known").expect("a password")
    }

    fn pbkdf2(iterations: u32) -> PasswordHash {
        let output = "Ek2QO5qELLB40lx4TGA79E6mJXY3qcCl681dtttCRg4=";
        hash(&format!("pbkdf2_sha256${iterations}$Q3mZ8vT1kLpRs0${output}"))
    }

    fn argon2(cost: &str) -> PasswordHash {
        let rest = "UTNtWjh2VDFrTHBSczA$pdTVaPGjgr8qr9m9AWFsNpaDv4QIuQ77+xlzZ3eS96M";
        hash(&format!("argon2$argon2id$v=19${cost}${rest}"))
    }

    /// Returns the speed of a machine that does so much in a second.
    fn machine(iterations: u64, blocks: u64) -> Speed {
        let taken = Duration::from_secs(1);
        let samples = [iterations, blocks].map(|work| Sample { work, taken });
        Speed(OnceLock::from(samples))
    }

    #[test]
    fn a_hash_may_cost_what_the_machine_does_in_a_second() {
        let slow = machine(1_000_000, 204_800).limit(&mut Memory::default(), AT_IMPORT);

        assert!(slow.allows(&pbkdf2(1_000_000)) && !slow.allows(&pbkdf2(1_000_001)));
        assert!(
            slow.allows(&argon2("m=102400,t=2,p=8")) && !slow.allows(&argon2("m=102400,t=3,p=8"))
        );
    }

    #[test]
    fn however_fast_the_machine_is_there_is_a_ceiling() {
        let fast = machine(u64::MAX, u64::MAX).limit(&mut Memory::default(), WHEN_COMPUTED);

        assert!(fast.allows(&pbkdf2(5_000_000)) && !fast.allows(&pbkdf2(10_000_000)));
        assert!(
            fast.allows(&argon2("m=262144,t=8,p=1")) && !fast.allows(&argon2("m=8,t=4000000,p=1"))
        );
    }

    #[test]
    fn what_was_imported_is_still_computed_when_the_next_measurement_is_slower() {
        let at_import = machine(2_000_000, 400_000).limit(&mut Memory::default(), AT_IMPORT);
        let later = machine(1_100_000, 210_000).limit(&mut Memory::default(), WHEN_COMPUTED);

        for hash in [pbkdf2(2_000_000), argon2("m=200000,t=2,p=1")] {
            assert!(at_import.allows(&hash) && later.allows(&hash));
        }
    }
}
