//! The hash itself, without a server around it: what no log-in can be faster than.

use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// The server's own cost, OWASP's recommendation.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const OUTPUT: usize = 32;
const SALT: [u8; 16] = *b"a grain of salt.";

/// Hashes per second of so many threads at once, each in a buffer of its own.
pub(crate) fn rate(threads: usize, lasts: Duration) -> f64 {
    thread::scope(|scope| {
        let running: Vec<_> =
            (0..threads).map(|_| scope.spawn(move || rate_of_one(lasts))).collect();
        running.into_iter().map(|thread| thread.join().expect("hashing does not panic")).sum()
    })
}

/// What the database holds for an account with this password.
pub(crate) fn stored(password: &str) -> String {
    let output = hash(password, &mut buffer());
    let hash = phc::PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: params().try_into().expect("the cost is written as parameters"),
        salt: Some(phc::Salt::new(&SALT).expect("16 bytes are a salt")),
        hash: Some(phc::Output::new(&output).expect("32 bytes are an output")),
    };
    hash.to_string()
}

fn rate_of_one(lasts: Duration) -> f64 {
    let mut buffer = buffer();
    let mut hashes = 0_u32;
    let start = Instant::now();
    while start.elapsed() < lasts {
        black_box(hash(black_box("open sesame"), &mut buffer));
        hashes += 1;
    }
    f64::from(hashes) / start.elapsed().as_secs_f64()
}

fn hash(password: &str, buffer: &mut [Block]) -> [u8; OUTPUT] {
    let mut output = [0; OUTPUT];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params())
        .hash_password_into_with_memory(password.as_bytes(), &SALT, &mut output, buffer)
        .expect("the buffer is large enough");
    output
}

fn buffer() -> Vec<Block> {
    vec![Block::default(); params().block_count()]
}

fn params() -> Params {
    Params::new(MEMORY, PASSES, LANES, Some(OUTPUT)).expect("a cost that argon2 allows")
}
