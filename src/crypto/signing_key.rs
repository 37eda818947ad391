//! One key that signs access tokens: generated, imported and published.
//!
//! Knows no database and no time: `keys` stores what this module generates, and a keyring says when
//! each key is used.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{Random, base64url, hex, sha256};

/// Length of the curve's coordinates in an uncompressed P-256 point (SEC 1, 2.3.3).
const P256_COORDINATE: usize = 32;

/// How access tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// HMAC with SHA-256; its key is a secret and is not published.
    Hs256,
}

impl Algorithm {
    /// Returns the name in a token's header (RFC 7518, 3.1; RFC 8037).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    pub(super) fn jwa(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
        }
    }
}

impl FromStr for Algorithm {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Self, KeyError> {
        [Self::Es256, Self::EdDsa, Self::Hs256]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
            .ok_or(KeyError)
    }
}

/// The bytes are damaged, or a key of another algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a signing key of this algorithm")]
pub struct KeyError;

/// One key, with the name by which tokens refer to it.
pub struct SigningKey {
    /// The `kid` of tokens and of the published key set.
    pub id: String,
    /// The one algorithm that this key is used with.
    pub algorithm: Algorithm,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    pub(super) public: Option<Value>,
    /// The secret that verifiers have to share (HS256).
    pub(super) shared: Option<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, {})", self.id, self.algorithm.name())
    }
}

impl SigningKey {
    /// Generates the private part of a new key: PKCS#8 for the asymmetric ones, raw bytes for HS256.
    ///
    /// # Errors
    /// [`KeyError`] if the generator fails.
    pub fn generate(algorithm: Algorithm, random: Random) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let bytes = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(|_| KeyError)?
                .as_ref()
                .to_vec(),
            Algorithm::EdDsa => Ed25519KeyPair::generate()
                .and_then(|pair| pair.to_pkcs8v1())
                .map_err(|_| KeyError)?
                .as_ref()
                .to_vec(),
            Algorithm::Hs256 => random.bytes::<32>().to_vec(),
        };
        Ok(Zeroizing::new(bytes))
    }

    /// Reads a private part back.
    ///
    /// # Errors
    /// [`KeyError`] when it is not a key of `algorithm`.
    pub fn import(algorithm: Algorithm, private: &[u8]) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::Es256 => Self::import_es256(private),
            Algorithm::EdDsa => Self::import_eddsa(private),
            Algorithm::Hs256 => Ok(Self {
                id: key_id(&sha256(private)),
                algorithm,
                encoding: EncodingKey::from_secret(private),
                decoding: DecodingKey::from_secret(private),
                public: None,
                shared: Some(Zeroizing::new(private.to_vec())),
            }),
        }
    }

    fn import_es256(private: &[u8]) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private)
            .map_err(|_| KeyError)?;
        let point = pair.public_key().as_ref();
        // 4 marks an uncompressed point (SEC 1, 2.3.3).
        let coordinates = point.strip_prefix(&[4]).ok_or(KeyError)?;
        let (x, y) = coordinates.split_at_checked(P256_COORDINATE).ok_or(KeyError)?;
        let (x, y) = (base64url(x), base64url(y));
        let id = key_id(point);
        Ok(Self {
            algorithm: Algorithm::Es256,
            encoding: EncodingKey::from_ec_der(private),
            decoding: DecodingKey::from_ec_components(&x, &y).map_err(|_| KeyError)?,
            public: Some(json!({
                "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id, "x": x, "y": y,
            })),
            shared: None,
            id,
        })
    }

    fn import_eddsa(private: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(private).map_err(|_| KeyError)?;
        let point = pair.public_key().as_ref();
        let x = base64url(point);
        let id = key_id(point);
        Ok(Self {
            algorithm: Algorithm::EdDsa,
            encoding: EncodingKey::from_ed_der(private),
            decoding: DecodingKey::from_ed_components(&x).map_err(|_| KeyError)?,
            public: Some(json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": id, "x": x,
            })),
            shared: None,
            id,
        })
    }
}

/// Returns the `kid` of a key.
fn key_id(public: &[u8]) -> String {
    // Computed from the key itself, so a key has the same `kid` on every node. 64 bits tell a handful
    // of keys apart.
    hex(&sha256(public)[..8])
}
