//! Verifies the signatures of tokens that others signed: the ID tokens of OpenID providers.
//!
//! Nothing but the signature: fetching the keys and checking the claims is left to `oauth`.

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use thiserror::Error;

use super::jwt::Claims;

/// Asymmetric ones only: with a shared secret, a verifier could sign.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The public keys of a provider (RFC 7517, 5).
#[derive(Debug, Clone)]
pub struct IdTokenKeys(JwkSet);

/// Why an ID token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdTokenError {
    /// No key of the set is the one that the token names.
    #[error("signed with an unknown key")]
    UnknownKey,
    /// It is no token, or its signature is not that of the key.
    #[error("the signature does not fit")]
    Invalid,
}

impl IdTokenKeys {
    /// Reads a key set.
    #[must_use]
    pub fn read(set: &Value) -> Option<Self> {
        let keys = set["keys"].as_array()?;
        // Keys of unknown kinds are passed over (RFC 7517, 5): a provider may publish new ones any day.
        let known = keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok());
        Some(Self(JwkSet { keys: known.collect() }))
    }

    /// Returns the claims of a token that one of these keys signed.
    pub fn verify(&self, token: &str) -> Result<Claims, IdTokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| IdTokenError::Invalid)?;
        // No extension is understood here, so none may be critical (RFC 7515, 4.1.11).
        if header.crit.is_some() || !ALGORITHMS.contains(&header.alg) {
            return Err(IdTokenError::Invalid);
        }
        let key = self.find(header.kid.as_deref(), header.alg);
        let key = key.ok_or(IdTokenError::UnknownKey)?;
        let key = DecodingKey::from_jwk(key).map_err(|_| IdTokenError::Invalid)?;
        // The library's own checks read the machine's clock; `oauth` checks the claims by `Clock`.
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map(|data| data.claims)
            .map_err(|_| IdTokenError::Invalid)
    }

    /// Returns the key with this id that is for this algorithm.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Jwk> {
        let is_for = |key: &Jwk| {
            let said = key.common.key_algorithm.map(|said| said.to_string());
            let is_to_sign = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
            is_to_sign && said.is_none_or(|said| said == format!("{algorithm:?}"))
        };
        match id {
            Some(id) => self.0.find(id).filter(|key| is_for(key)),
            // A token that names no key is clear only where there is one key (OpenID Connect Core, 10.1).
            None => match self.0.keys.as_slice() {
                [only] if is_for(only) => Some(only),
                _ => None,
            },
        }
    }
}
