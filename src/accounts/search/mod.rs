//! Finding users among many: filters, an order, and a page from a cursor on.
//!
//! A search starts from its narrowest condition, which has an index, and examines at most
//! [`SearchBounds::candidates`] of the users that the index names. If there are fewer, they are all
//! examined, counted exactly and sorted. If there are more, users are read in the requested order
//! until a page is full, through a window of [`SearchBounds::window`] rows; the next page continues
//! at the end of the window. So no search costs more than its bounds, however many users there are.
//!
//! Terms are compared without regard to case, as far as the engine can. SQLite knows the pairs of
//! upper and lower case of all scripts, one character to one; PostgreSQL what `lower()` knows under
//! the database's locale: with locale `C` only A to Z, and its index then holds only A to Z and
//! digits too, so that other scripts are found, but slowly. "strasse" does not find a name with
//! "ß", nor "e" one with "é". Terms of one or two characters have no index.

mod filter;
mod order;
mod sql;
mod store;
mod summary;

pub use filter::{ConditionError, MAX_QUERY, SearchTerms, UserFilter};
pub use order::{Cursor, CursorPosition, SortOrder};
pub use summary::UserSummary;

use crate::db::{Db, DbError};
use crate::types::UserId;

/// How many matches are counted at most; beyond that, an exact number helps no reader.
pub const MAX_COUNT: u64 = 10_000;

/// Limits of what one search may cost.
#[derive(Debug, Clone, Copy)]
pub struct SearchBounds {
    /// The highest number of candidates that are all examined.
    pub candidates: u64,
    /// How many rows are read in order before the page ends, full or not.
    pub window: u64,
}

impl Default for SearchBounds {
    fn default() -> Self {
        // Some ten milliseconds of SQLite among a million users, with everything in memory; and as
        // many candidates as are counted, so that the count is exact wherever the index alone
        // answers.
        Self { candidates: MAX_COUNT, window: 10_000 }
    }
}

/// How many users match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchCount {
    /// This many.
    Exactly(u64),
    /// More than [`MAX_COUNT`].
    Many,
    /// At least this many; counting all would have cost more than the bounds allow.
    AtLeast(u64),
}

#[derive(Debug, Clone)]
pub struct SearchPage {
    /// The users, in order.
    pub users: Vec<UserSummary>,
    /// How many users match on all pages.
    pub count: MatchCount,
    /// The end of the page before, if there may be one.
    pub before: Option<Cursor>,
    /// The beginning of the page after, if there may be one.
    pub after: Option<Cursor>,
    /// Whether the page ended with the window, so that more users may match beyond it.
    pub is_window_exhausted: bool,
}

/// How users are read. Counting decides it, once per search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchPlan {
    /// All candidates are examined and sorted.
    SortCandidates,
    /// Rows are read in order, through a window.
    ScanWindow,
}

/// Some consecutive users.
#[derive(Debug, Clone)]
pub struct SearchBatch {
    /// The users, in the order in which they were read.
    pub users: Vec<UserSummary>,
    /// Where to continue, if there may be more.
    pub end: Option<Cursor>,
    /// Whether the window ended before the batch was full.
    pub is_window_exhausted: bool,
}

/// Counts the users that match, and decides how to read them, by one statement.
pub async fn count(
    db: &Db,
    filter: &UserFilter,
    bounds: SearchBounds,
) -> Result<(MatchCount, SearchPlan), DbError> {
    let (count, plan, _) = count_and_plan(db, filter, bounds).await?;
    Ok((count, plan))
}

/// Does the same as [`count`], and returns the number of candidates too.
async fn count_and_plan(
    db: &Db,
    filter: &UserFilter,
    bounds: SearchBounds,
) -> Result<(MatchCount, SearchPlan, u64), DbError> {
    let (candidates, matches) = store::count(db, filter, bounds).await?;
    let plan = if candidates > bounds.candidates {
        SearchPlan::ScanWindow
    } else {
        SearchPlan::SortCandidates
    };
    let count = match plan {
        _ if matches > MAX_COUNT => MatchCount::Many,
        SearchPlan::SortCandidates => MatchCount::Exactly(matches),
        // Without a filter, every row is a match, so the count is exact.
        SearchPlan::ScanWindow if filter.is_empty() => MatchCount::Exactly(matches),
        SearchPlan::ScanWindow => MatchCount::AtLeast(matches),
    };
    Ok((count, plan, candidates))
}

/// Returns up to `at_most` users from a position on, by one statement, and one more where the
/// window ended first.
pub async fn list_batch(
    db: &Db,
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    plan: SearchPlan,
    bounds: SearchBounds,
    at_most: u64,
) -> Result<SearchBatch, DbError> {
    // One more than wanted shows whether there are more.
    let mut users = store::list(db, filter, sort, position, plan, bounds, at_most + 1).await?;
    let end = truncate_page(at_most, &mut users, sort);
    if end.is_some() {
        return Ok(SearchBatch { users, end, is_window_exhausted: false });
    }
    let end = match plan {
        SearchPlan::ScanWindow if !filter.is_empty() => {
            store::find_end_of_window(db, filter, sort, position, bounds.window).await?
        }
        _ => None,
    };
    Ok(SearchBatch { users, is_window_exhausted: end.is_some(), end })
}

/// Up to this many candidates are sorted at once, which takes a millisecond.
const CHEAP_SORT: u64 = 1_000;

/// The window that is tried before sorting more. It costs less than sorting [`CHEAP_SORT`]
/// candidates.
const NEAR_WINDOW: u64 = 1_000;

/// Returns a page of users.
pub async fn list_page(
    db: &Db,
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    bounds: SearchBounds,
    at_most: u64,
) -> Result<SearchPage, DbError> {
    let (count, plan, candidates) = count_and_plan(db, filter, bounds).await?;
    // Sorting is possible but takes a while, and a page is probably full within the first rows.
    let near = match plan {
        SearchPlan::SortCandidates if candidates > CHEAP_SORT => {
            scan_near(db, filter, sort, position, bounds, at_most).await?
        }
        _ => None,
    };
    let SearchBatch { mut users, end, is_window_exhausted } = match near {
        Some(batch) => batch,
        None => list_batch(db, filter, sort, position, plan, bounds, at_most).await?,
    };
    let (before, after) = match position {
        // It was read backwards from the cursor.
        CursorPosition::Before(_) => {
            users.reverse();
            (end, users.last().map(|row| Cursor::of(row, sort)))
        }
        CursorPosition::After(_) => (users.first().map(|row| Cursor::of(row, sort)), end),
        CursorPosition::Start => (None, end),
    };
    Ok(SearchPage { users, count, before, after, is_window_exhausted })
}

/// Returns a full page from near a position, or `None` when there is none that near.
async fn scan_near(
    db: &Db,
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    bounds: SearchBounds,
    at_most: u64,
) -> Result<Option<SearchBatch>, DbError> {
    let near = SearchBounds { window: NEAR_WINDOW, ..bounds };
    let mut users =
        store::list(db, filter, sort, position, SearchPlan::ScanWindow, near, at_most + 1).await?;
    let end = truncate_page(at_most, &mut users, sort);
    Ok(end.map(|end| SearchBatch { users, end: Some(end), is_window_exhausted: false }))
}

/// Truncates a page to `at_most` users, and returns where to continue if there were more.
fn truncate_page(at_most: u64, users: &mut Vec<UserSummary>, sort: SortOrder) -> Option<Cursor> {
    let wanted = usize::try_from(at_most).unwrap_or(usize::MAX);
    let is_longer = users.len() > wanted;
    users.truncate(wanted);
    users.last().filter(|_| is_longer).map(|row| Cursor::of(row, sort))
}

pub async fn find(db: &Db, id: UserId) -> Result<Option<UserSummary>, DbError> {
    let filter = UserFilter { only: Some(id), ..UserFilter::default() };
    let (sort, bounds) = (SortOrder::default(), SearchBounds::default());
    let rows = store::list(
        db,
        &filter,
        sort,
        &CursorPosition::Start,
        SearchPlan::SortCandidates,
        bounds,
        1,
    )
    .await?;
    Ok(rows.into_iter().next())
}

/// How many accounts are examined before a list is returned that may be empty: some milliseconds.
const MAX_SCANNED: i64 = 10_000;

/// Returns up to `at_most` matching accounts by ID, after one and up to another, and the ID up to
/// which all were examined.
pub async fn list_ids(
    db: &Db,
    filter: &UserFilter,
    after: UserId,
    last: UserId,
    at_most: u64,
) -> Result<(Vec<UserId>, UserId), DbError> {
    let end = UserId(after.0.saturating_add(MAX_SCANNED).min(last.0));
    let ids = store::list_ids(db, filter, after, end, at_most).await?;
    // A list that is full may have stopped before `end`; a shorter one has examined all up to it.
    let is_full = ids.len() as u64 >= at_most;
    let position = ids.last().copied().filter(|_| is_full).unwrap_or(end);
    Ok((ids, position))
}
