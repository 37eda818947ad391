//! The candidates of a search: the users who meet one condition that an index answers.
//!
//! Not all of them match; the other conditions are checked on their rows.

use super::signup_days::joined;
use super::terms::by_index;
use crate::accounts::search::SearchBounds;
use crate::accounts::search::filter::UserFilter;
use crate::db::QueryBuilder;

/// The condition from which a search starts: one that an index answers, the narrowest first.
pub(in crate::accounts::search) enum CandidateSource {
    OneUser,
    Terms,
    Group,
    Superusers,
    Staff,
    Inactive,
    Unverified,
    SignupOutcome,
    AllUsers,
}

pub(in crate::accounts::search) fn candidate_source(filter: &UserFilter) -> CandidateSource {
    if filter.only.is_some() {
        CandidateSource::OneUser
    } else if !filter.terms.indexed().is_empty() {
        CandidateSource::Terms
    } else if filter.group.is_some() {
        CandidateSource::Group
    } else if filter.is_superuser == Some(true) {
        CandidateSource::Superusers
    } else if filter.is_staff == Some(true) {
        CandidateSource::Staff
    } else if filter.is_active == Some(false) {
        CandidateSource::Inactive
    } else if filter.is_verified == Some(false) {
        CandidateSource::Unverified
    } else if filter.joined_from.is_some() || filter.joined_to.is_some() {
        CandidateSource::SignupOutcome
    } else {
        CandidateSource::AllUsers
    }
}

/// Selects the IDs of the candidates: the users who meet the first condition. Not all of them
/// match.
pub(in crate::accounts::search) fn candidates(
    filter: &UserFilter,
    bounds: SearchBounds,
    query: &mut QueryBuilder,
) -> String {
    let from = match candidate_source(filter) {
        CandidateSource::OneUser => {
            let only = query.bind(filter.only.map(|only| only.0));
            format!("SELECT id FROM users WHERE id = {only}")
        }
        CandidateSource::Terms => by_index(&filter.terms.indexed(), query),
        CandidateSource::Group => {
            let group = query.bind(filter.group.map(|group| group.0));
            format!("SELECT user_id AS id FROM group_members WHERE group_id = {group}")
        }
        CandidateSource::Superusers => "SELECT id FROM users WHERE is_superuser".to_owned(),
        CandidateSource::Staff => "SELECT id FROM users WHERE is_staff".to_owned(),
        CandidateSource::Inactive => "SELECT id FROM users WHERE NOT is_active".to_owned(),
        CandidateSource::Unverified => {
            "SELECT id FROM users WHERE email_verified_at IS NULL".to_owned()
        }
        CandidateSource::SignupOutcome => {
            format!("SELECT u.id FROM users u WHERE {}", joined(filter, query).join(" AND "))
        }
        CandidateSource::AllUsers => "SELECT id FROM users".to_owned(),
    };
    // One more than the bound shows that there are more.
    let one_more = query.bind(number(bounds.candidates + 1));
    format!("WITH c AS MATERIALIZED ({from} LIMIT {one_more})")
}

/// Joins the candidates with their rows, looked up one by one.
pub(in crate::accounts::search) fn lookup_of_candidates(query: &QueryBuilder) -> &'static str {
    // A planner that expects few matches among the other users would read all of them instead. A
    // subquery that cannot be flattened (`OFFSET 0`) makes PostgreSQL start from the candidates,
    // CROSS JOIN makes SQLite do so.
    if query.is_postgres() {
        "c CROSS JOIN LATERAL (SELECT * FROM users WHERE users.id = c.id OFFSET 0) AS u"
    } else {
        "c CROSS JOIN users u"
    }
}

pub(in crate::accounts::search) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
