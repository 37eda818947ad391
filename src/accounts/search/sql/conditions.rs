//! The conditions of a search on a row of `users u`.
//!
//! Leaves out those that the candidates already meet.

use super::candidates::{CandidateSource, candidate_source};
use super::signup_days::joined;
use super::terms::has_word;
use crate::accounts::search::filter::UserFilter;
use crate::db::QueryBuilder;

/// Returns all conditions on a row of `users u`. With `but_start`, leaves out those that already
/// hold for the candidates.
pub(in crate::accounts::search) fn conditions(
    filter: &UserFilter,
    but_start: bool,
    query: &mut QueryBuilder,
) -> Vec<String> {
    let mut all = Vec::new();
    let mut flag = |is: Option<bool>, column: &str, is_known: bool| {
        if let Some(is) = is
            && !is_known
        {
            all.push(format!("{}u.{column}", if is { "" } else { "NOT " }));
        }
    };
    let started = |from: fn(&CandidateSource) -> bool| but_start && from(&candidate_source(filter));
    flag(filter.is_active, "is_active", started(|it| matches!(it, CandidateSource::Inactive)));
    flag(filter.is_staff, "is_staff", started(|it| matches!(it, CandidateSource::Staff)));
    flag(
        filter.is_superuser,
        "is_superuser",
        started(|it| matches!(it, CandidateSource::Superusers)),
    );
    if let Some(only) = filter.only
        && !started(|it| matches!(it, CandidateSource::OneUser))
    {
        let only = query.bind(only.0);
        all.push(format!("u.id = {only}"));
    }
    if let Some(is) = filter.is_verified
        && !started(|it| matches!(it, CandidateSource::Unverified))
    {
        all.push(format!("u.email_verified_at IS {}NULL", if is { "NOT " } else { "" }));
    }
    if let Some(group) = filter.group
        && !started(|it| matches!(it, CandidateSource::Group))
    {
        let group = query.bind(group.0);
        all.push(format!(
            "EXISTS (SELECT 1 FROM group_members m WHERE m.group_id = {group} AND m.user_id = u.id)"
        ));
    }
    if !started(|it| matches!(it, CandidateSource::SignupOutcome)) {
        all.extend(joined(filter, query));
    }
    let are_indexed_known = started(|it| matches!(it, CandidateSource::Terms));
    let indexed = filter.terms.indexed();
    for word in &filter.terms.0 {
        if !(are_indexed_known && indexed.contains(&word.as_str())) {
            all.push(has_word(word, query));
        }
    }
    all
}
