//! Randomness, handed in through `Context` like the time.

use crate::types::{Secret, SessionId};

/// The source of random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Random;

impl Random {
    /// `N` unpredictable bytes.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for bytes")]
    #[expect(clippy::unused_self, reason = "only the holder of a `Random` can draw")]
    pub fn bytes<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system's random generator answers");
        bytes
    }

    /// A new secret of 256 bits, fit for a URL: one-time links (ASVS 5.0, 6.5 asks for 128).
    #[must_use]
    pub fn secret(self) -> Secret {
        Secret::new(super::base64url(&self.bytes::<32>()))
    }

    /// The name of a new session.
    #[must_use]
    pub fn session_id(self) -> SessionId {
        SessionId::from_random(self.bytes())
    }

    /// A token id, 32 hexadecimal digits as SimpleJWT writes them.
    #[must_use]
    pub fn token_id(self) -> String {
        super::hex(&self.bytes::<16>())
    }

    /// A request id, short enough to be read out on the telephone.
    #[must_use]
    pub fn request_id(self) -> String {
        super::hex(&self.bytes::<8>())
    }
}
