//! Records the use of sessions: that the tokens of the last rotation have arrived, and when a
//! session was last used. No request waits for these writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::session_rules::SessionRules;
use super::store;
use crate::clock::to_micros;
use crate::context::Context;
use crate::types::SessionId;

/// How often the use of a session is recorded: twenty times per idle lifetime, and at least once a
/// minute while it is used.
const RECORDS_PER_IDLE_LIFETIME: i32 = 20;
const LONGEST_BETWEEN_RECORDS: time::Duration = time::Duration::MINUTE;

/// Confirms a rotation: a token of it has been used.
pub(super) fn confirm_rotation(ctx: &Context, session: SessionId, rotation: &Arc<str>) {
    // Of all requests to this node with such a token, one writes.
    if !ctx.cache.is_first_to_confirm(session, rotation) {
        return;
    }
    let (ctx, rotation) = (ctx.clone(), rotation.clone());
    tokio::spawn(async move {
        if let Err(error) = store::confirm(&ctx.db, session, &rotation).await {
            // The next request tries again.
            ctx.cache.forget_confirmed(session);
            tracing::warn!(%error, session.id = %session, "a rotation could not be confirmed");
        }
    });
}

/// Records the use of a session, if unused sessions end after a while and the last record is old
/// enough. `last_seen_at` is in microseconds.
pub(super) fn record_use(ctx: &Context, session: SessionId, last_seen_at: &Arc<AtomicI64>) {
    let Some(idle) = SessionRules::of(ctx).idle else { return };
    let now = ctx.clock.now();
    let between = (idle / RECORDS_PER_IDLE_LIFETIME).min(LONGEST_BETWEEN_RECORDS);
    let before = last_seen_at.load(Ordering::Relaxed);
    if to_micros(now - between) < before {
        return;
    }
    // In memory first, so that one of many requests writes.
    let is_ours =
        last_seen_at.compare_exchange(before, to_micros(now), Ordering::Relaxed, Ordering::Relaxed);
    if is_ours.is_err() {
        return;
    }
    let (ctx, last_seen_at) = (ctx.clone(), last_seen_at.clone());
    tokio::spawn(async move {
        if let Err(error) = store::touch(&ctx.db, session, now).await {
            last_seen_at.store(before, Ordering::Relaxed);
            tracing::warn!(%error, session.id = %session, "the use of a session could not be recorded");
        }
    });
}
