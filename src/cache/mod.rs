//! Caches verified token signatures, active sessions, and single values that are expensive to compute.
//!
//! Bounded in size and in time. A write of this process takes effect at once; other nodes follow after
//! the time of the setting `session_cache`.

mod ttl_cell;

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use quick_cache::unsync::Cache;
use time::OffsetDateTime;

pub use ttl_cell::TtlCell;

use crate::types::{SessionId, User, UserId};

/// How many sessions and tokens are cached: all users who are active within a few seconds on a
/// large site, in a few megabytes.
const CAPACITY: usize = 10_000;

/// An active session with its user.
#[derive(Debug, Clone)]
pub struct ActiveSession {
    pub session: SessionId,
    pub user: Arc<User>,
    /// When it ends at the latest; unused, it may end earlier.
    pub expires_at: OffsetDateTime,
    /// When it was last used, in microseconds; moved on when a use is recorded.
    pub last_seen_at: Arc<AtomicI64>,
    /// When the user last authenticated in it.
    pub authenticated_at: OffsetDateTime,
    /// The names of the user's groups, once they have been read.
    pub groups: Arc<OnceLock<Vec<String>>>,
}

/// The result of verifying a token's signature.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    /// The session that the token names.
    pub session: SessionId,
    /// The user that the token names.
    pub user: UserId,
    /// The rotation that issued the token, if using the token confirms it.
    pub rotation: Option<Arc<str>>,
    pub expires_at: OffsetDateTime,
}

/// When a query was sent, counted in this process's writes. A result that was read before a write is
/// not stored after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(u64);

/// The cache; one per process.
#[derive(Debug)]
pub struct SessionCache {
    inner: Mutex<Inner>,
    keep: time::Duration,
}

struct Inner {
    sessions: Cache<SessionId, (ActiveSession, OffsetDateTime)>,
    tokens: Cache<[u8; 32], VerifiedToken>,
    confirmed: Cache<SessionId, Arc<str>>,
    epoch: u64,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("living", &self.sessions.len()).finish_non_exhaustive()
    }
}

impl SessionCache {
    /// Creates a cache that keeps active sessions for `keep`; zero keeps none.
    #[must_use]
    pub fn new(keep: Duration) -> Self {
        let inner = Inner {
            sessions: Cache::new(CAPACITY),
            tokens: Cache::new(CAPACITY),
            confirmed: Cache::new(CAPACITY),
            epoch: 0,
        };
        let keep = time::Duration::try_from(keep).unwrap_or(time::Duration::ZERO);
        Self { inner: Mutex::new(inner), keep }
    }

    /// Returns a session that was seen active a moment ago.
    pub fn find(&self, session: SessionId, now: OffsetDateTime) -> Option<ActiveSession> {
        let inner = self.lock();
        let (active, seen_at) = inner.sessions.get(&session)?;
        // A clock that was set back would make an old entry look fresh for as long as the step.
        let is_fresh = now - *seen_at < self.keep && now >= *seen_at && active.expires_at > now;
        is_fresh.then(|| active.clone())
    }

    /// Returns the current epoch. Call it before the database is queried.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.lock().epoch)
    }

    /// Stores a session that a query of the epoch `asked` found active, unless something was
    /// written since.
    pub fn remember(&self, active: &ActiveSession, asked: Epoch, now: OffsetDateTime) {
        let mut inner = self.lock();
        // A write since then may have ended this session, and the query did not see it.
        if inner.epoch == asked.0 && !self.keep.is_zero() {
            inner.sessions.insert(active.session, (active.clone(), now));
        }
    }

    /// Removes a session. Call it after the commit that changed or ended it.
    pub fn invalidate(&self, session: SessionId) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.sessions.remove(&session);
    }

    /// Removes every session of a user. Call it after the commit that changed the user.
    pub fn invalidate_user(&self, user: UserId) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.sessions.retain(|_, (active, _)| active.user.id != user);
    }

    /// Removes every session. Call it after a commit that may concern many users.
    pub fn invalidate_all(&self) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.sessions.clear();
    }

    /// Returns the result for the token with this digest, unless the token has expired.
    pub fn find_token(&self, token: &[u8; 32], now: OffsetDateTime) -> Option<VerifiedToken> {
        // Whatever `keep` is: a signature stays valid, and the session is looked up separately.
        self.lock().tokens.get(token).filter(|verified| verified.expires_at > now).cloned()
    }

    /// Records that a rotation is confirmed; returns whether that is new to this process.
    pub fn is_first_to_confirm(&self, session: SessionId, rotation: &Arc<str>) -> bool {
        let mut inner = self.lock();
        if inner.confirmed.get(&session).is_some_and(|known| known == rotation) {
            return false;
        }
        inner.confirmed.insert(session, rotation.clone());
        true
    }

    /// Undoes that after a failed write: the next request tries again.
    pub fn forget_confirmed(&self, session: SessionId) {
        self.lock().confirmed.remove(&session);
    }

    /// Stores the result of a verified token.
    pub fn remember_token(&self, token: [u8; 32], verified: VerifiedToken) {
        self.lock().tokens.insert(token, verified);
    }

    /// Removes all verified tokens. Call it when keys have changed.
    pub fn forget_tokens(&self) {
        self.lock().tokens.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic leaves nothing half changed here.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::types::{Email, Language, Permissions, Profile};

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);
    const KEEP: Duration = Duration::from_secs(2);

    fn active(number: u8) -> ActiveSession {
        let user = User {
            id: UserId(i64::from(number)),
            email: Email::parse("ada@example.com").expect("parses"),
            profile: Profile::default(),
            is_staff: false,
            is_superuser: false,
            granted: Permissions::NONE,
            has_password: true,
            email_verified_at: None,
            language: Language::English,
            created_at: NOW,
        };
        ActiveSession {
            session: SessionId::from_random([number; 16]),
            user: Arc::new(user),
            expires_at: NOW + time::Duration::DAY,
            last_seen_at: Arc::default(),
            authenticated_at: NOW,
            groups: Arc::default(),
        }
    }

    fn verified(session: SessionId) -> VerifiedToken {
        VerifiedToken { session, user: UserId(1), rotation: None, expires_at: NOW }
    }

    #[test]
    fn a_rotation_is_confirmed_once() {
        let (cache, session) = (SessionCache::new(Duration::ZERO), active(1).session);
        let (first, next): (Arc<str>, Arc<str>) = ("first".into(), "next".into());

        assert!(cache.is_first_to_confirm(session, &first));
        assert!(!cache.is_first_to_confirm(session, &first));
        assert!(cache.is_first_to_confirm(session, &next));
        cache.forget_confirmed(session);
        assert!(cache.is_first_to_confirm(session, &next), "it could not be written down");
    }

    #[test]
    fn a_session_is_cached_for_a_moment() {
        let (cache, ada) = (SessionCache::new(KEEP), active(1));
        cache.remember(&ada, cache.epoch(), NOW);

        assert!(cache.find(ada.session, NOW + time::Duration::SECOND).is_some());
        assert!(cache.find(ada.session, NOW + 2 * time::Duration::SECOND).is_none());
    }

    #[test]
    fn nothing_is_cached_when_the_setting_is_zero() {
        let (cache, ada) = (SessionCache::new(Duration::ZERO), active(1));
        cache.remember(&ada, cache.epoch(), NOW);

        assert!(cache.find(ada.session, NOW).is_none());
    }

    #[test]
    fn a_result_from_before_a_write_is_not_stored_after_it() {
        let (cache, ada) = (SessionCache::new(KEEP), active(1));
        let asked = cache.epoch();
        cache.invalidate(ada.session);

        cache.remember(&ada, asked, NOW);

        assert!(cache.find(ada.session, NOW).is_none());
    }

    #[test]
    fn a_change_to_a_user_invalidates_that_user_only() {
        let (cache, ada, eve) = (SessionCache::new(KEEP), active(1), active(2));
        cache.remember(&ada, cache.epoch(), NOW);
        cache.remember(&eve, cache.epoch(), NOW);

        cache.invalidate_user(ada.user.id);

        assert!(cache.find(ada.session, NOW).is_none());
        assert!(cache.find(eve.session, NOW).is_some());
    }

    #[test]
    fn the_number_of_cached_tokens_is_bounded() {
        let cache = SessionCache::new(KEEP);
        let session = active(1).session;
        for number in 0..3 * CAPACITY {
            let token = crate::crypto::sha256(&number.to_be_bytes());
            cache.remember_token(token, verified(session));
        }

        assert!(cache.lock().tokens.len() <= CAPACITY);
    }

    #[test]
    fn an_expired_token_is_not_returned() {
        let cache = SessionCache::new(KEEP);
        cache.remember_token([7; 32], verified(active(1).session));

        assert!(cache.find_token(&[7; 32], NOW).is_none());
    }
}
