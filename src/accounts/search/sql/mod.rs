//! The SQL of a search, spelled out because each engine needs its own form.
//!
//! Only builds statements; `store` runs them.

mod candidates;
mod columns;
mod conditions;
mod ordering;
mod signup_days;
mod terms;

pub(super) use self::candidates::{
    CandidateSource, candidate_source, candidates, lookup_of_candidates, number,
};
pub(super) use self::columns::{COLUMNS, FIRST_PROFILE_COLUMN};
pub(super) use self::conditions::conditions;
pub(super) use self::ordering::{in_order, key, order};
