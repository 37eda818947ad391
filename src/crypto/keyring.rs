//! The keys of a moment: which one signs, which ones are published, and which ones still verify.
//!
//! Each key carries the instants of its own life, so that a keyring is right until
//! another key is created.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::base64url;
use super::signing_key::SigningKey;
use crate::types::Secret;

/// A key with its times.
#[derive(Debug)]
pub struct TimedKey {
    pub key: SigningKey,
    /// Its place in the line of keys.
    pub generation: i64,
    /// From when on it signs; until then it is only published.
    pub signs_from: OffsetDateTime,
    /// From when on a younger key signs, if there is one.
    pub signs_until: Option<OffsetDateTime>,
    /// From when on nothing that it signed is accepted.
    pub refused_from: Option<OffsetDateTime>,
}

/// What a key is used for at some instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, so that every verifier knows it before it signs.
    Waiting,
    /// Signs new tokens.
    Signing,
    /// Signs no more; what it signed is accepted.
    Retired,
    /// What it signed is no longer accepted.
    Refused,
}

impl TimedKey {
    /// Returns what the key is used for at `now`.
    #[must_use]
    pub fn state(&self, now: OffsetDateTime) -> KeyState {
        let is_past = |instant: Option<OffsetDateTime>| instant.is_some_and(|at| at <= now);
        // From the end of its life backwards: the instants of earlier states are past as well then.
        if is_past(self.refused_from) {
            KeyState::Refused
        } else if is_past(self.signs_until) {
            KeyState::Retired
        } else if self.signs_from > now {
            KeyState::Waiting
        } else {
            KeyState::Signing
        }
    }
}

/// All keys, the youngest first.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: Vec<TimedKey>,
}

impl Keyring {
    /// Takes the keys in any order.
    #[must_use]
    pub fn new(mut keys: Vec<TimedKey>) -> Self {
        keys.sort_by_key(|timed| std::cmp::Reverse(timed.generation));
        Self { keys }
    }

    /// Returns the key that signs: the youngest whose time has come.
    #[must_use]
    pub fn current(&self, now: OffsetDateTime) -> Option<&SigningKey> {
        let begun = self.keys.iter().find(|timed| timed.signs_from <= now);
        // After a clock was set back, it may be that no key's time has come: the oldest signs then.
        begun.or(self.keys.last()).map(|timed| &timed.key)
    }

    /// Returns the key with this id, if what it signed is accepted.
    #[must_use]
    pub fn find(&self, id: &str, now: OffsetDateTime) -> Option<&SigningKey> {
        let named = self.keys.iter().find(|timed| timed.key.id == id)?;
        (named.state(now) != KeyState::Refused).then_some(&named.key)
    }

    /// Returns whether there is a key with this id, refused ones included.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        self.keys.iter().any(|timed| timed.key.id == id)
    }

    /// Returns all keys, the youngest first.
    #[must_use]
    pub fn keys(&self) -> &[TimedKey] {
        &self.keys
    }

    /// Returns the secret keys, which are never published, as a JSON Web Key Set (RFC 7518, 6.4);
    /// `None` if there are none.
    #[must_use]
    pub fn shared(&self, now: OffsetDateTime) -> Option<Secret> {
        let keys = self.accepted(now).filter_map(|key| {
            let shared = base64url(key.shared.as_ref()?);
            let (id, algorithm) = (&key.id, key.algorithm.name());
            Some(json!({ "kty": "oct", "use": "sig", "alg": algorithm, "kid": id, "k": shared }))
        });
        let keys: Vec<_> = keys.collect();
        (!keys.is_empty()).then(|| Secret::new(json!({ "keys": keys }).to_string()))
    }

    /// Returns the public keys as a JSON Web Key Set (RFC 7517, 5).
    #[must_use]
    pub fn jwks(&self, now: OffsetDateTime) -> Value {
        // Keys that wait are among them: verifiers cache the set and must have a key before it signs.
        let keys: Vec<_> = self.accepted(now).filter_map(|key| key.public.as_ref()).collect();
        json!({ "keys": keys })
    }

    fn accepted(&self, now: OffsetDateTime) -> impl Iterator<Item = &SigningKey> {
        let accepted = self.keys.iter().filter(move |it| it.state(now) != KeyState::Refused);
        accepted.map(|timed| &timed.key)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::super::{Algorithm, Random};
    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

    fn key(generation: i64, signs_from: OffsetDateTime) -> TimedKey {
        let private = SigningKey::generate(Algorithm::Es256, Random).expect("generated");
        let key = SigningKey::import(Algorithm::Es256, &private).expect("imported");
        TimedKey { key, generation, signs_from, signs_until: None, refused_from: None }
    }

    #[test]
    fn a_key_waits_signs_retires_and_is_refused() {
        let (takes_over, over) = (NOW + Duration::HOUR, NOW + Duration::DAY);
        let mut old = key(1, NOW);
        old.signs_until = Some(takes_over);
        old.refused_from = Some(over);

        for (at, state) in [
            (NOW - Duration::SECOND, KeyState::Waiting),
            (NOW, KeyState::Signing),
            (takes_over, KeyState::Retired),
            (over - Duration::SECOND, KeyState::Retired),
            (over, KeyState::Refused),
        ] {
            assert_eq!(old.state(at), state, "{at}");
        }
    }

    #[test]
    fn the_youngest_whose_time_has_come_signs() {
        let ring = Keyring::new(vec![key(1, NOW), key(2, NOW + Duration::HOUR)]);
        let (young, old) = (&ring.keys()[0].key.id, &ring.keys()[1].key.id);
        let signs = |at| ring.current(at).expect("a key").id.clone();

        assert_eq!(signs(NOW), *old);
        assert_eq!(signs(NOW + Duration::HOUR), *young);
        assert_eq!(signs(NOW - Duration::DAY), *old, "a clock was set back");
    }

    #[test]
    fn what_waits_is_published_and_what_is_refused_is_not() {
        let mut old = key(1, NOW);
        old.refused_from = Some(NOW + Duration::DAY);
        let ring = Keyring::new(vec![old, key(2, NOW + Duration::HOUR)]);
        let published = |at| ring.jwks(at)["keys"].as_array().map(Vec::len);

        assert_eq!(published(NOW), Some(2));
        assert_eq!(published(NOW + Duration::DAY), Some(1));
        let old = &ring.keys()[1].key.id;
        assert!(ring.find(old, NOW + Duration::DAY).is_none() && ring.knows(old));
    }
}
