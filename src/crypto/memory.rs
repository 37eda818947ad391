//! The memory that argon2 fills, kept between hashes.

use argon2::{Argon2, Block, Version};

use super::password_hash::{HashCost, OUTPUT};
use crate::types::Password;

/// Smallest allocation that surely goes back to the system when it is freed, in blocks of 1 KiB: glibc
/// keeps pieces of up to 32 MiB once one of them was freed (`M_MMAP_THRESHOLD`).
const GIVEN_BACK: usize = 33 * 1024;

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
            // Pages that are not touched cost nothing, so more capacity than blocks is free.
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
