//! Work that makes every wrong password cost the same.
//!
//! An imported hash costs more or less than our own, so the time of an answer would tell which accounts
//! have one. After a wrong password, the rest of what the site's hashes cost together is computed: once
//! for each cost of argon2 in use, and PBKDF2 up to the most iterations in use (docs/decisions/0020).

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};

use super::hash_cost::HashCostLimit;
use super::memory::Memory;
use super::password_hash::{HashCost, Readable};
use crate::types::Password;

/// The kinds of hashes that accounts have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HashKinds {
    /// The most iterations of PBKDF2, 0 where no account has such a hash.
    pub iterations: u32,
    /// The costs of argon2, each once.
    pub costs: Vec<HashCost>,
}

impl HashKinds {
    /// Keeps the kinds that this machine computes. Together they cost no more than `limit` allows for
    /// one hash.
    #[must_use]
    pub fn within(mut self, limit: HashCostLimit) -> Self {
        // The most expensive first, so that they are the ones that fit into the limit.
        self.costs.sort_unstable_by_key(|cost| std::cmp::Reverse(cost.blocks()));
        let mut rest = limit.blocks;
        self.costs.retain(|cost| match rest.checked_sub(cost.blocks()) {
            Some(left) => {
                rest = left;
                true
            }
            None => false,
        });
        if u64::from(self.iterations) > limit.iterations {
            self.iterations = 0;
        }
        self
    }
}

impl HashCostLimit {
    /// Returns whether the iterations of PBKDF2 keep to the limit.
    #[must_use]
    pub fn allows_iterations(&self, kinds: &HashKinds) -> bool {
        u64::from(kinds.iterations) <= self.iterations
    }
}

/// An amount of hashing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Work {
    iterations: u32,
    costs: Vec<HashCost>,
}

impl Work {
    /// Returns what comparing a password with a hash has cost.
    pub(super) fn of(computed: Option<&Readable>, today: HashCost) -> Self {
        match computed {
            Some(Readable::Django(hash)) => {
                Self { iterations: hash.iterations(), costs: Vec::new() }
            }
            Some(Readable::Argon2id(cost, ..)) => Self { iterations: 0, costs: vec![*cost] },
            // `Hasher::verify` computes a dummy hash at today's cost then.
            None => Self { iterations: 0, costs: vec![today] },
        }
    }

    /// Returns what is left to do so that every wrong password costs the same.
    pub(super) fn up_to(&self, kinds: &HashKinds, today: HashCost) -> Self {
        // Kinds are added up, not compared by their time: a machine that computes one of them faster
        // than assumed would show the difference.
        let mut costs = kinds.costs.clone();
        if !costs.contains(&today) {
            costs.push(today);
        }
        costs.retain(|cost| !self.costs.contains(cost));
        Self { iterations: kinds.iterations.saturating_sub(self.iterations), costs }
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn perform(&self, memory: &mut Memory, password: &Password) {
        const SALT: &[u8] = &[0; 16];
        for cost in &self.costs {
            memory.compute(*cost, password, SALT);
        }
        if let Some(iterations) = NonZeroU32::new(self.iterations) {
            let mut output = [0; 32];
            let typed = password.expose().as_bytes();
            derive(PBKDF2_HMAC_SHA256, iterations, SALT, typed, &mut output);
        }
    }
}

/// How much hashing for wrong passwords was done so far. Tests compare it, because time varies.
#[derive(Debug, Default)]
pub(super) struct WorkDone {
    iterations: AtomicU64,
    blocks: AtomicU64,
    hashes: AtomicU64,
}

impl WorkDone {
    pub(super) fn add(&self, work: &Work) {
        let blocks = work.costs.iter().map(|cost| cost.blocks());
        self.iterations.fetch_add(work.iterations.into(), Ordering::Relaxed);
        self.blocks.fetch_add(blocks.sum(), Ordering::Relaxed);
        self.hashes.fetch_add(work.costs.len() as u64, Ordering::Relaxed);
    }

    /// Returns iterations of PBKDF2, blocks and hashes of argon2.
    #[cfg(feature = "testing")]
    pub(super) fn counts(&self) -> [u64; 3] {
        [&self.iterations, &self.blocks, &self.hashes].map(|count| count.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PasswordHash;

    const TODAY: HashCost = HashCost { memory: 64, passes: 1, lanes: 1 };
    const DJANGOS: HashCost = HashCost { memory: 1024, passes: 2, lanes: 8 };

    fn readable(text: &str) -> Readable {
        let stored = PasswordHash::from_django(text).expect("known").expect("a password");
        Readable::of(&stored).expect("readable")
    }

    fn pbkdf2(iterations: u32) -> Readable {
        let output = "Ek2QO5qELLB40lx4TGA79E6mJXY3qcCl681dtttCRg4=";
        readable(&format!("pbkdf2_sha256${iterations}$Q3mZ8vT1kLpRs0${output}"))
    }

    fn argon2(cost: HashCost) -> Readable {
        let rest = "UTNtWjh2VDFrTHBSczA$pdTVaPGjgr8qr9m9AWFsNpaDv4QIuQ77+xlzZ3eS96M";
        readable(&format!("argon2$argon2id$v=19${cost}${rest}"))
    }

    /// Returns everything that a wrong password costs, in a fixed order.
    fn whole(computed: Option<&Readable>, kinds: &HashKinds) -> (u32, Vec<String>) {
        let compared = Work::of(computed, TODAY);
        let rest = compared.up_to(kinds, TODAY);
        let costs = compared.costs.iter().chain(&rest.costs);
        let mut costs: Vec<_> = costs.map(ToString::to_string).collect();
        costs.sort();
        (compared.iterations + rest.iterations, costs)
    }

    #[test]
    fn every_wrong_password_costs_the_same_whatever_the_account_has() {
        let kinds = HashKinds { iterations: 1_000_000, costs: vec![DJANGOS, TODAY] };
        let unknown = whole(None, &kinds);

        assert_eq!(unknown, (1_000_000, vec![DJANGOS.to_string(), TODAY.to_string()]));
        for hash in [pbkdf2(1), pbkdf2(600_000), pbkdf2(1_000_000), argon2(TODAY), argon2(DJANGOS)]
        {
            assert_eq!(whole(Some(&hash), &kinds), unknown);
        }
    }

    #[test]
    fn where_nothing_was_imported_nothing_is_added() {
        for kinds in [HashKinds::default(), HashKinds { iterations: 0, costs: vec![TODAY] }] {
            assert!(Work::of(None, TODAY).up_to(&kinds, TODAY).is_nothing());
            assert!(Work::of(Some(&argon2(TODAY)), TODAY).up_to(&kinds, TODAY).is_nothing());
        }
    }

    #[test]
    fn the_added_work_keeps_to_the_limit_of_one_hash() {
        let limit = HashCostLimit { iterations: 1_000, blocks: 4_000 };
        let costs = (1..=8).map(|passes| HashCost { memory: 512, passes, lanes: 1 }).collect();

        let kinds = HashKinds { iterations: 1_001, costs }.within(limit);

        assert_eq!(kinds.iterations, 0);
        let blocks: u32 = kinds.costs.iter().map(|cost| cost.memory * cost.passes).sum();
        assert_eq!((blocks, kinds.costs[0].passes), (3_584, 7));
    }
}
