//! The condition on the day of sign-up, which is also what limits a window sorted by that day.

use time::{Date, Time};

use crate::accounts::search::filter::UserFilter;
use crate::clock::to_micros;
use crate::db::QueryBuilder;

pub(super) fn joined(filter: &UserFilter, query: &mut QueryBuilder) -> Vec<String> {
    let midnight = |date: Date| to_micros(date.with_time(Time::MIDNIGHT).assume_utc());
    let mut all = Vec::new();
    if let Some(from) = filter.joined_from {
        let from = query.bind(midnight(from));
        all.push(format!("u.created_at >= {from}"));
    }
    // No user has signed up after the last day that the calendar knows.
    if let Some(after) = filter.joined_to.and_then(Date::next_day) {
        let after = query.bind(midnight(after));
        all.push(format!("u.created_at < {after}"));
    }
    // Every row matches; the candidates still need a condition after their WHERE.
    if all.is_empty() && filter.joined_to.is_some() {
        all.push("u.id IS NOT NULL".to_owned());
    }
    all
}
