//! The statistics of the dashboard: how many accounts and sessions there are, and the sign-ups and
//! log-ins of the last days.
//!
//! Every count is bounded and reads only an index. All of them are cached for half a minute; the
//! counts of past days until the day ends.

use std::ops::Range;

use time::{Duration, OffsetDateTime};

use crate::context::Context;
use crate::db::DbError;
use crate::types::DashboardStats;
use crate::{accounts, audit, sessions};

/// Counts stop here: a larger number says nothing more and takes its time.
pub const AT_MOST: u64 = 1_000_000;

/// Days in the chart, today included.
const DAYS: i64 = 30;

/// Returns the statistics, at most half a minute old.
pub async fn stats(ctx: &Context) -> Result<DashboardStats, DbError> {
    let now = ctx.clock.now();
    if let Some(stats) = ctx.dashboard_stats.get(now) {
        return Ok(stats);
    }
    let midnight = now.date().midnight().assume_utc();
    let [users, inactive, unverified, new_today] =
        accounts::count(&ctx.db, midnight, AT_MOST).await?;
    let since = now - Duration::DAY;
    let failed = audit::AuditEventKind::LoginFailed;
    let today = midnight.unix_timestamp() / Duration::DAY.whole_seconds();
    // The counts of past days do not change any more; only today is counted again.
    let mut days = match ctx.dashboard_stats.get_stale().and_then(|it| it.past_days(today)) {
        Some(past) => past,
        None => count(ctx, today - DAYS + 1..today).await?,
    };
    days.extend(count(ctx, today..today + 1).await?);
    let stats = DashboardStats {
        users,
        active: users.saturating_sub(inactive),
        verified: users.saturating_sub(unverified),
        new_today,
        sessions: sessions::count_active(ctx, now, AT_MOST).await?,
        failures: audit::count_since(&ctx.db, failed, since, AT_MOST).await?,
        days,
    };
    ctx.dashboard_stats.set(stats.clone(), now);
    Ok(stats)
}

async fn count(ctx: &Context, days: Range<i64>) -> Result<Vec<(i64, u64, u64)>, DbError> {
    let start = |day: i64| OffsetDateTime::UNIX_EPOCH + Duration::days(day);
    let actions = [audit::AuditEventKind::SignedUp, audit::AuditEventKind::LoggedIn];
    let counted = audit::count_by_day(&ctx.db, actions, start(days.start), start(days.end)).await?;
    let times = |action, day| {
        let is_it = |(what, when, _): &&(_, i64, i64)| *what == Some(action) && *when == day;
        counted.iter().find(is_it).map_or(0, |(_, _, times)| times.unsigned_abs())
    };
    Ok(days.map(|day| (day, times(actions[0], day), times(actions[1], day))).collect())
}
