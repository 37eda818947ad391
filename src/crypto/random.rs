//! Randomness, handed in through `Context` like the time.

use crate::types::{Secret, SessionId};

/// The source of random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Random;

impl Random {
    /// Draws `N` unpredictable bytes.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for bytes")]
    #[expect(clippy::unused_self, reason = "only the holder of a `Random` can draw")]
    pub fn bytes<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system's random generator answers");
        bytes
    }

    /// Draws a new secret that is fit for a URL.
    #[must_use]
    pub fn secret(self) -> Secret {
        // 256 bits; ASVS 5.0, 6.5 asks for 128.
        Secret::new(super::base64url(&self.bytes::<32>()))
    }

    #[must_use]
    pub fn session_id(self) -> SessionId {
        SessionId::from_random(self.bytes())
    }

    /// Draws the `jti` of a new token.
    #[must_use]
    pub fn token_id(self) -> String {
        // 32 hexadecimal digits, as SimpleJWT writes them.
        super::hex(&self.bytes::<16>())
    }

    /// Draws the id of a request.
    #[must_use]
    pub fn request_id(self) -> String {
        // 16 digits are short enough to be read out on the telephone.
        super::hex(&self.bytes::<8>())
    }
}
