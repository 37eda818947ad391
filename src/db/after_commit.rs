//! Invalidates caches after a commit.
//!
//! Code that writes registers the effect with the transaction: the commit runs it, a roll-back drops
//! it. Does not know the caches themselves.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::types::{SessionId, UserId};

/// What a committed transaction makes stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalidate {
    /// A session that ended or changed.
    Session(SessionId),
    /// A user who changed, with all sessions.
    User(UserId),
    /// Something that concerns the sessions of many users, such as what a group grants.
    AllSessions,
    /// The social log-in providers.
    LoginProviders,
}

/// Drops what is stale.
pub trait Invalidator: Debug + Send + Sync {
    /// Drops what is stale now. May be called without need, when the outcome of a commit is unknown.
    fn invalidate(&self, stale: Invalidate);
}

/// No caches, as in tests of the database alone.
#[derive(Debug)]
pub(super) struct NoCaches;

impl Invalidator for NoCaches {
    fn invalidate(&self, _: Invalidate) {}
}

/// The effects of a transaction; those of a nested one go to the outer one when it commits.
#[derive(Debug)]
pub(super) struct AfterCommit {
    invalidator: Arc<dyn Invalidator>,
    registered: Registered,
    outer: Option<Registered>,
}

type Registered = Arc<Mutex<Vec<Invalidate>>>;

impl AfterCommit {
    pub(super) fn new(invalidator: Arc<dyn Invalidator>) -> Self {
        Self { invalidator, registered: Arc::default(), outer: None }
    }

    pub(super) fn nested(&self) -> Self {
        let (invalidator, outer) = (self.invalidator.clone(), Some(self.registered.clone()));
        Self { invalidator, registered: Arc::default(), outer }
    }

    pub(super) fn register(&self, stale: Invalidate) {
        let mut registered = lock(&self.registered);
        if !registered.contains(&stale) {
            registered.push(stale);
        }
    }

    /// Runs the effects when the guard is dropped. Take it before the commit is sent.
    pub(super) fn run_on_drop(self) -> RunOnDrop {
        RunOnDrop(self)
    }
}

/// See [`AfterCommit::run_on_drop`].
pub(super) struct RunOnDrop(AfterCommit);

impl Drop for RunOnDrop {
    fn drop(&mut self) {
        let registered = std::mem::take(&mut *lock(&self.0.registered));
        match &self.0.outer {
            // A nested commit may still be taken back with the outer transaction.
            Some(outer) => lock(outer).extend(registered),
            None => registered.into_iter().for_each(|stale| self.0.invalidator.invalidate(stale)),
        }
    }
}

fn lock(registered: &Registered) -> MutexGuard<'_, Vec<Invalidate>> {
    // A panic elsewhere must not keep stale sessions in the cache.
    registered.lock().unwrap_or_else(PoisonError::into_inner)
}
