//! What is noted of a session after the answer to a request has been found: that the last rotation has
//! arrived, and that the session was used.
//!
//! Neither is needed for the answer, so no request waits for it; a note that could not be written is tried
//! again by the next request.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::store;
use crate::clock::to_micros;
use crate::context::Context;
use crate::types::SessionId;

/// How often it is noted at most that a session was used: a twentieth of the time after which an unused
/// session is over, and once a minute where that is longer.
const RECORDS_PER_IDLE_LIFETIME: i32 = 20;
const LONGEST_BETWEEN_RECORDS: time::Duration = time::Duration::MINUTE;

/// Confirms a rotation: something that was issued with this refresh token has been shown. Of all
/// requests that come to this node with it, one writes.
pub(super) fn confirm_rotation(ctx: &Context, session: SessionId, rotation: &Arc<str>) {
    if !ctx.cache.is_first_to_confirm(session, rotation) {
        return;
    }
    let (ctx, rotation) = (ctx.clone(), rotation.clone());
    tokio::spawn(async move {
        if let Err(error) = store::confirm(&ctx.db, session, &rotation).await {
            ctx.cache.forget_confirmed(session);
            tracing::warn!(%error, session.id = %session, "a rotation could not be confirmed");
        }
    });
}

/// Notes that a session was used, where that matters: if an unused session is over after a while, and
/// the last note is no longer fresh. `last_seen_at` is in microseconds and is moved on, so that of many
/// requests one writes.
pub(super) fn record_use(ctx: &Context, session: SessionId, last_seen_at: &Arc<AtomicI64>) {
    let Some(idle) = super::idle_lifetime(ctx) else { return };
    let now = ctx.clock.now();
    let between = (idle / RECORDS_PER_IDLE_LIFETIME).min(LONGEST_BETWEEN_RECORDS);
    let before = last_seen_at.load(Ordering::Relaxed);
    if to_micros(now - between) < before {
        return;
    }
    let is_ours =
        last_seen_at.compare_exchange(before, to_micros(now), Ordering::Relaxed, Ordering::Relaxed);
    if is_ours.is_err() {
        return;
    }
    let (ctx, last_seen_at) = (ctx.clone(), last_seen_at.clone());
    tokio::spawn(async move {
        if let Err(error) = store::touch(&ctx.db, session, now).await {
            last_seen_at.store(before, Ordering::Relaxed);
            tracing::warn!(%error, session.id = %session, "the use of a session was not noted");
        }
    });
}
