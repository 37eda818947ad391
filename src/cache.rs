//! What this process may take for granted for a moment: signatures that it has verified, and
//! sessions that it has just seen alive.
//!
//! Bounded in number and in time. A write of this process is seen at once, because it takes the
//! session out and because an answer that was read before the write is not put in after it.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use quick_cache::unsync::Cache;
use time::OffsetDateTime;

use crate::types::{SessionId, User, UserId};

/// How many sessions and tokens are remembered: those of everybody who is active within a few
/// seconds on a large site, in a few megabytes.
const CAPACITY: usize = 10_000;

/// A session that is alive, and whose.
#[derive(Debug, Clone)]
pub struct ActiveSession {
    /// The session.
    pub session: SessionId,
    /// Its owner.
    pub user: Arc<User>,
    /// When it ends at the latest; unused it may end before.
    pub expires_at: OffsetDateTime,
    /// When it was last seen, in microseconds; moved on when that is noted again.
    pub last_seen_at: Arc<AtomicI64>,
    /// When its owner last proved to be it.
    pub authenticated_at: OffsetDateTime,
    /// The names of its owner's groups, once somebody has asked for them; forgotten with the rest.
    pub groups: Arc<OnceLock<Vec<String>>>,
}

/// How long stats of the overview are remembered: counting what there are millions of takes a while,
/// and nobody reads them twice within this.
const KEEP_STATS: time::Duration = time::Duration::seconds(30);

/// What there is how many of. Counts are bounded; one that is at its bound means "at least".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DashboardStats {
    /// Accounts.
    pub users: u64,
    /// Accounts that may be used.
    pub active: u64,
    /// Accounts whose address is proved.
    pub verified: u64,
    /// Accounts made today.
    pub new_today: u64,
    /// Sessions that are alive.
    pub sessions: u64,
    /// Failed log-ins of the last 24 hours.
    pub failures: u64,
    /// The last days, the latest last: day since 1970 in UTC, sign-ups, log-ins.
    pub days: Vec<(i64, u64, u64)>,
}

/// The stats of a moment ago, one set per process.
#[derive(Debug, Default)]
pub struct DashboardStatsCache(Mutex<Option<(DashboardStats, OffsetDateTime)>>);

impl DashboardStatsCache {
    /// The stats, if they are fresh.
    pub fn find(&self, now: OffsetDateTime) -> Option<DashboardStats> {
        let memo = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stats, counted_at) = memo.as_ref()?;
        (now - *counted_at < KEEP_STATS && now >= *counted_at).then(|| stats.clone())
    }

    /// The days before this one, which do not change any more, if they were counted on this day.
    pub fn past(&self, today: i64) -> Option<Vec<(i64, u64, u64)>> {
        let memo = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (stats, _) = memo.as_ref()?;
        let (last, past) = stats.days.split_last()?;
        (last.0 == today).then(|| past.to_vec())
    }

    /// Remembers stats.
    pub fn remember(&self, stats: &DashboardStats, now: OffsetDateTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((stats.clone(), now));
    }
}

/// How long what changes seldom is remembered: as long as the signing keys are.
const TTL: time::Duration = time::Duration::seconds(10);

/// Something that every visitor's page needs and that staff change seldom, as it was a moment ago.
#[derive(Debug)]
pub struct TtlCell<T>(Mutex<Option<(T, OffsetDateTime)>>);

impl<T> Default for TtlCell<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> TtlCell<T> {
    /// What is remembered, if it is fresh.
    pub fn find(&self, now: OffsetDateTime) -> Option<T> {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, since) = memory.as_ref()?;
        (now - *since < TTL && now >= *since).then(|| known.clone())
    }

    /// Remembers it.
    pub fn remember(&self, known: T, now: OffsetDateTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((known, now));
    }

    /// Forgets it, because it has changed.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// What a token proved when its signature was verified.
#[derive(Debug, Clone)]
pub struct VerifiedToken {
    /// The session that the token names.
    pub session: SessionId,
    /// Whose it says the session is.
    pub user: UserId,
    /// The rotation that gave the token, where showing the token confirms it.
    pub rotation: Option<Arc<str>>,
    /// When the token expires.
    pub expires_at: OffsetDateTime,
}

/// The moment at which a question was put to the database, in the order of this process's writes.
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
    /// A cache that remembers living sessions for `keep`; zero remembers none.
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

    /// The session, if it was seen alive a moment ago.
    pub fn find(&self, session: SessionId, now: OffsetDateTime) -> Option<ActiveSession> {
        let inner = self.lock();
        let (active, seen_at) = inner.sessions.get(&session)?;
        let is_fresh = now - *seen_at < self.keep && now >= *seen_at && active.expires_at > now;
        is_fresh.then(|| active.clone())
    }

    /// To be taken before the database is asked.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.lock().epoch)
    }

    /// Remembers a session that the database called alive in answer to a question of `asked`.
    pub fn remember(&self, active: &ActiveSession, asked: Epoch, now: OffsetDateTime) {
        let mut inner = self.lock();
        if inner.epoch == asked.0 && !self.keep.is_zero() {
            inner.sessions.insert(active.session, (active.clone(), now));
        }
    }

    /// To be called after a session has ended in the database.
    pub fn invalidate(&self, session: SessionId) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.sessions.remove(&session);
    }

    /// To be called after something about a person has changed in the database.
    pub fn invalidate_user(&self, user: UserId) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.sessions.retain(|_, (active, _)| active.user.id != user);
    }

    /// To be called after something has changed that may concern many.
    pub fn invalidate_all(&self) {
        let mut inner = self.lock();
        inner.epoch += 1;
        inner.sessions.clear();
    }

    /// What the token with this digest proved, unless it has expired since.
    pub fn find_token(&self, token: &[u8; 32], now: OffsetDateTime) -> Option<VerifiedToken> {
        self.lock().tokens.get(token).filter(|verified| verified.expires_at > now).cloned()
    }

    /// Notes that a rotation of a session is confirmed, and tells whether that is news to this process:
    /// of all requests that show what the rotation gave, one has to write it down.
    pub fn is_first_to_confirm(&self, session: SessionId, rotation: &Arc<str>) -> bool {
        let mut inner = self.lock();
        if inner.confirmed.get(&session).is_some_and(|known| known == rotation) {
            return false;
        }
        inner.confirmed.insert(session, rotation.clone());
        true
    }

    /// To be called when that could not be written down: the next request tries again.
    pub fn forget_confirmed(&self, session: SessionId) {
        self.lock().confirmed.remove(&session);
    }

    /// Remembers what a verified token proved.
    pub fn remember_token(&self, token: [u8; 32], verified: VerifiedToken) {
        self.lock().tokens.insert(token, verified);
    }

    /// To be called when keys have changed.
    pub fn forget_tokens(&self) {
        self.lock().tokens.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::types::{Email, Language, Name, Permissions};

    const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);
    const KEEP: Duration = Duration::from_secs(2);

    fn active(number: u8) -> ActiveSession {
        let user = User {
            id: UserId(i64::from(number)),
            email: Email::parse("ada@example.com").expect("parses"),
            name: Name::default(),
            gender: None,
            date_of_birth: None,
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
    fn a_session_is_remembered_for_a_moment() {
        let (cache, ada) = (SessionCache::new(KEEP), active(1));
        cache.remember(&ada, cache.epoch(), NOW);

        assert!(cache.find(ada.session, NOW + time::Duration::SECOND).is_some());
        assert!(cache.find(ada.session, NOW + 2 * time::Duration::SECOND).is_none());
    }

    #[test]
    fn nothing_is_remembered_when_the_bound_is_zero() {
        let (cache, ada) = (SessionCache::new(Duration::ZERO), active(1));
        cache.remember(&ada, cache.epoch(), NOW);

        assert!(cache.find(ada.session, NOW).is_none());
    }

    #[test]
    fn an_answer_from_before_a_write_is_not_remembered_after_it() {
        let (cache, ada) = (SessionCache::new(KEEP), active(1));
        let asked = cache.epoch();
        cache.invalidate(ada.session);

        cache.remember(&ada, asked, NOW);

        assert!(cache.find(ada.session, NOW).is_none());
    }

    #[test]
    fn a_change_to_a_person_forgets_that_person_only() {
        let (cache, ada, eve) = (SessionCache::new(KEEP), active(1), active(2));
        cache.remember(&ada, cache.epoch(), NOW);
        cache.remember(&eve, cache.epoch(), NOW);

        cache.invalidate_user(ada.user.id);

        assert!(cache.find(ada.session, NOW).is_none());
        assert!(cache.find(eve.session, NOW).is_some());
    }

    #[test]
    fn the_number_of_remembered_tokens_is_bounded() {
        let cache = SessionCache::new(KEEP);
        let session = active(1).session;
        for number in 0..3 * CAPACITY {
            let token = crate::crypto::sha256(&number.to_be_bytes());
            cache.remember_token(token, verified(session));
        }

        assert!(cache.lock().tokens.len() <= CAPACITY);
    }

    #[test]
    fn an_expired_token_proves_nothing() {
        let cache = SessionCache::new(KEEP);
        cache.remember_token([7; 32], verified(active(1).session));

        assert!(cache.find_token(&[7; 32], NOW).is_none());
    }
}
