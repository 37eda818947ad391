//! Finding people among many: words, filters, an order, and a place in it.
//!
//! A search starts from its narrowest condition, for which there is an index, and looks at no more
//! than [`Bounds::candidates`] of those it points to. Are there fewer, then they are all the answer
//! can come from: they are counted exactly and sorted. Are there more, then people are read in the
//! order asked for until a page is full, through a window of [`Bounds::window`] rows; whoever wants
//! to look further goes on from the window's end. Between the two, where sorting is possible but takes
//! a while, a page is first tried the second way. So no search costs more than its bounds, however
//! many people there are. A search without any condition needs none of this: the order has an index.
//!
//! Words are compared regardless of case, as far as the engine can. SQLite knows the pairs of upper
//! and lower letters of all scripts, one letter to one; PostgreSQL what `lower()` knows under the
//! database's own locale: with locale `C` only A to Z, and its index then holds only A to Z and
//! digits too, so that other scripts are found, but slowly. Nobody is found by "strasse" whose name
//! has "ß", or by "e" whose name has "é". Words of one or two letters have no index.

mod store;
mod typed;

pub use typed::ConditionError;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime};

use crate::clock::to_micros;
use crate::db::{Db, DbError};
use crate::types::{Email, GroupId, Profile, UserId, text};

/// How many matches are counted; beyond them nobody reads a number anyway.
pub const MAX_COUNT: u64 = 10_000;

/// Longest search, in code points: an address has at most 254.
pub const MAX_QUERY: usize = 256;

/// What people must be like. The default is everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFilter {
    /// This account and no other.
    #[serde(default)]
    pub only: Option<UserId>,
    /// Every one of them is in the address or the name.
    // Stored in bulk jobs.
    #[serde(rename = "words")]
    pub terms: SearchTerms,
    /// Whether the account may be used.
    pub is_active: Option<bool>,
    /// Whether they are staff.
    pub is_staff: Option<bool>,
    /// Whether they may do everything.
    pub is_superuser: Option<bool>,
    /// Whether their address is proved.
    pub is_verified: Option<bool>,
    /// The group that they are in.
    pub group: Option<GroupId>,
    /// The day since which they have been here, in UTC.
    pub joined_from: Option<Date>,
    /// The last day on which they came, in UTC.
    pub joined_to: Option<Date>,
}

/// The words of a search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchTerms(Vec<String>);

impl SearchTerms {
    /// Takes what was typed apart; `None` when it is longer than [`MAX_QUERY`].
    #[must_use]
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.trim().chars().take(MAX_QUERY + 1).count() > MAX_QUERY {
            return None;
        }
        let mut terms: Vec<String> = Vec::new();
        for word in typed.split(|char: char| char.is_whitespace() || char.is_control()) {
            // In the form in which names and addresses are stored.
            let word = Email::stored_spelling(&text::normalized(word));
            if !word.is_empty() && !terms.contains(&word) {
                terms.push(word);
            }
        }
        Some(Self(terms))
    }

    /// Whether there is nothing to search for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The words that have an index: it is made of pieces of three letters.
    fn indexed(&self) -> Vec<&str> {
        let is_long = |word: &&str| word.chars().nth(2).is_some();
        self.0.iter().map(String::as_str).filter(is_long).collect()
    }
}

/// By what people are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SortKey {
    Email,
    CreatedAt,
    LastLoginAt,
}

/// An order of people. Whoever never logged in stands before everybody who did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortOrder {
    key: SortKey,
    is_descending: bool,
}

/// The newest first.
impl Default for SortOrder {
    fn default() -> Self {
        Self { key: SortKey::CreatedAt, is_descending: true }
    }
}

impl SortOrder {
    /// Every order and its name.
    pub const ALL: [(&'static str, Self); 6] = [
        ("email", Self { key: SortKey::Email, is_descending: false }),
        ("-email", Self { key: SortKey::Email, is_descending: true }),
        ("created_at", Self { key: SortKey::CreatedAt, is_descending: false }),
        ("-created_at", Self { key: SortKey::CreatedAt, is_descending: true }),
        ("last_login_at", Self { key: SortKey::LastLoginAt, is_descending: false }),
        ("-last_login_at", Self { key: SortKey::LastLoginAt, is_descending: true }),
    ];

    /// The order of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, sort)| sort)
    }

    /// The name of the order.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, sort)| *sort == self).map_or("", |(name, _)| name)
    }
}

/// What somebody is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SortValue {
    Text(String),
    Number(i64),
}

/// A place between two people in an order: right after somebody, or right before, whether or not
/// they are still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    value: SortValue,
    id: i64,
}

impl Cursor {
    /// Where somebody stands.
    #[must_use]
    pub fn of(row: &UserSummary, sort: SortOrder) -> Self {
        let value = match sort.key {
            SortKey::Email => SortValue::Text(row.email_canonical.clone()),
            SortKey::CreatedAt => SortValue::Number(to_micros(row.created_at)),
            SortKey::LastLoginAt => SortValue::Number(row.last_login_at.map_or(0, to_micros)),
        };
        Self { value, id: row.id.0 }
    }

    /// The place, for an address.
    #[must_use]
    pub fn encode(&self) -> String {
        let (kind, value) = match &self.value {
            SortValue::Text(text) => ('t', text.clone()),
            SortValue::Number(number) => ('n', number.to_string()),
        };
        URL_SAFE_NO_PAD.encode(format!("{kind} {} {value}", self.id))
    }

    /// Reads a place in an order; `None` when it is none, or of an order by something else.
    #[must_use]
    pub fn parse(text: &str, sort: SortOrder) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.splitn(3, ' ');
        let (kind, id, value) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?);
        let value = match (kind, sort.key) {
            ("t", SortKey::Email) if !value.contains('\0') => SortValue::Text(value.to_owned()),
            ("n", SortKey::CreatedAt | SortKey::LastLoginAt) => {
                SortValue::Number(value.parse().ok()?)
            }
            _ => return None,
        };
        Some(Self { value, id })
    }
}

/// From where in the order people are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CursorPosition {
    /// From its beginning.
    #[default]
    Start,
    /// On from a place.
    After(Cursor),
    /// Back from a place.
    Before(Cursor),
}

/// How much a search may cost.
#[derive(Debug, Clone, Copy)]
pub struct SearchBounds {
    /// How many people the narrowest condition may point to for all of them to be looked at.
    pub candidates: u64,
    /// How many are read in the order asked for before the page ends, full or not.
    pub window: u64,
}

/// Some ten milliseconds of SQLite among a million people, with everything in memory; and as many
/// candidates as are counted, so that the count is exact wherever the index alone answers.
impl Default for SearchBounds {
    fn default() -> Self {
        Self { candidates: MAX_COUNT, window: 10_000 }
    }
}

/// Somebody, as lists of people show them.
#[expect(clippy::struct_excessive_bools, reason = "four facts that do not hang together")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSummary {
    /// The number of the account.
    pub id: UserId,
    /// The address.
    pub email: String,
    email_canonical: String,
    /// What the user says about themselves.
    pub profile: Profile,
    /// Whether the account may be used.
    pub is_active: bool,
    /// Whether they are staff.
    pub is_staff: bool,
    /// Whether they may do everything.
    pub is_superuser: bool,
    /// Whether their address is proved.
    pub is_verified: bool,
    /// When they last signed in.
    pub last_login_at: Option<OffsetDateTime>,
    /// When they joined.
    pub created_at: OffsetDateTime,
    /// When the account last changed.
    pub updated_at: OffsetDateTime,
}

/// How many match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MatchCount {
    /// So many.
    Exactly(u64),
    /// More than [`COUNTED`].
    Many,
    /// At least so many; counting all of them would have cost more than the bounds.
    AtLeast(u64),
}

/// A page of people.
#[derive(Debug, Clone)]
pub struct SearchPage {
    /// They, in the order asked for.
    pub users: Vec<UserSummary>,
    /// How many match on all pages.
    pub count: MatchCount,
    /// Where the page before ends, if there may be one.
    pub before: Option<Cursor>,
    /// Where the page after begins, if there may be one.
    pub after: Option<Cursor>,
    /// Whether the page ended with the window: there may be more beyond it.
    pub is_window_exhausted: bool,
}

/// How people are read: decided once, by counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchPlan {
    /// All candidates are looked at and sorted.
    SortCandidates,
    /// The order is walked through a window.
    ScanWindow,
}

/// Some people in a row.
#[derive(Debug, Clone)]
pub struct SearchBatch {
    /// They, in the order in which they were read.
    pub users: Vec<UserSummary>,
    /// Where to read on, if there may be more.
    pub end: Option<Cursor>,
    /// Whether the window ended before the batch was full.
    pub is_window_exhausted: bool,
}

/// How many people match, and how they are to be read. One statement.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn count(
    db: &Db,
    filter: &UserFilter,
    bounds: SearchBounds,
) -> Result<(MatchCount, SearchPlan), DbError> {
    let (count, plan, _) = count_and_plan(db, filter, bounds).await?;
    Ok((count, plan))
}

/// The same, and how many candidates there are.
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
        SearchPlan::ScanWindow if store::is_unfiltered(filter) => MatchCount::Exactly(matches),
        SearchPlan::ScanWindow => MatchCount::AtLeast(matches),
    };
    Ok((count, plan, candidates))
}

/// Up to `at_most` people from a place on, or back from it. One statement, and one more where the
/// window ended first.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_batch(
    db: &Db,
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    (plan, bounds): (SearchPlan, SearchBounds),
    at_most: u64,
) -> Result<SearchBatch, DbError> {
    let mut users = store::list(db, filter, sort, position, (plan, bounds), at_most + 1).await?;
    let end = truncate_page(at_most, &mut users, sort);
    if end.is_some() {
        return Ok(SearchBatch { users, end, is_window_exhausted: false });
    }
    let end = match plan {
        SearchPlan::ScanWindow if !store::is_unfiltered(filter) => {
            store::find_end_of_window(db, filter, sort, position, bounds.window).await?
        }
        _ => None,
    };
    Ok(SearchBatch { users, is_window_exhausted: end.is_some(), end })
}

/// So many candidates are sorted at once: a millisecond. Where there are more, chances are that a page
/// of them stands near the place it is read from.
const CHEAP_SORT: u64 = 1_000;

/// How far that is looked: less than it costs to sort [`FEW`].
const NEAR_WINDOW: u64 = 1_000;

/// A page of people.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_page(
    db: &Db,
    filter: &UserFilter,
    sort: SortOrder,
    position: &CursorPosition,
    bounds: SearchBounds,
    at_most: u64,
) -> Result<SearchPage, DbError> {
    let (count, plan, candidates) = count_and_plan(db, filter, bounds).await?;
    let near = match plan {
        SearchPlan::SortCandidates if candidates > CHEAP_SORT => {
            scan_near(db, filter, sort, position, bounds, at_most).await?
        }
        _ => None,
    };
    let SearchBatch { mut users, end, is_window_exhausted } = match near {
        Some(batch) => batch,
        None => list_batch(db, filter, sort, position, (plan, bounds), at_most).await?,
    };
    let (before, after) = match position {
        CursorPosition::Before(_) => {
            users.reverse();
            (end, users.last().map(|row| Cursor::of(row, sort)))
        }
        CursorPosition::After(_) => (users.first().map(|row| Cursor::of(row, sort)), end),
        CursorPosition::Start => (None, end),
    };
    Ok(SearchPage { users, count, before, after, is_window_exhausted })
}

/// A whole page from near a place, or `None` when there is none so near.
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
        store::list(db, filter, sort, position, (SearchPlan::ScanWindow, near), at_most + 1)
            .await?;
    let end = truncate_page(at_most, &mut users, sort);
    Ok(end.map(|end| SearchBatch { users, end: Some(end), is_window_exhausted: false }))
}

/// Leaves no more people than were asked for, and tells where to read on if there were more.
fn truncate_page(at_most: u64, users: &mut Vec<UserSummary>, sort: SortOrder) -> Option<Cursor> {
    let wanted = usize::try_from(at_most).unwrap_or(usize::MAX);
    let is_longer = users.len() > wanted;
    users.truncate(wanted);
    users.last().filter(|_| is_longer).map(|row| Cursor::of(row, sort))
}

/// One account, as lists show it.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn find(db: &Db, id: UserId) -> Result<Option<UserSummary>, DbError> {
    let filter = UserFilter { only: Some(id), ..UserFilter::default() };
    let (sort, bounds) = (SortOrder::default(), SearchBounds::default());
    let rows = store::list(
        db,
        &filter,
        sort,
        &CursorPosition::Start,
        (SearchPlan::SortCandidates, bounds),
        1,
    )
    .await?;
    Ok(rows.into_iter().next())
}

/// How many accounts are looked at in a row for the few that match, before the answer is that there
/// are none so far: some milliseconds.
const MAX_SCANNED: i64 = 10_000;

/// Up to `at_most` matching accounts in the order of their numbers, after one and up to another; and
/// the number up to which everybody was looked at, which is the last one when it is over.
///
/// # Errors
/// [`DbError`] when the database cannot.
pub async fn list_ids(
    db: &Db,
    filter: &UserFilter,
    (after, last): (UserId, UserId),
    at_most: u64,
) -> Result<(Vec<UserId>, UserId), DbError> {
    let end = UserId(after.0.saturating_add(MAX_SCANNED).min(last.0));
    let ids = store::list_ids(db, filter, (after, end), at_most).await?;
    let is_full = ids.len() as u64 >= at_most;
    let position = ids.last().copied().filter(|_| is_full).unwrap_or(end);
    Ok((ids, position))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_stands_between_spaces() {
        let terms = |typed: &str| SearchTerms::parse(typed).expect("short").0;

        assert_eq!(terms("  ada   lovelace\tada "), ["ada", "lovelace"]);
        assert_eq!(terms("a\0b \u{1}"), ["a", "b"]);
        assert_eq!(terms("\u{1112}\u{1169}\u{11bc}"), ["홍"]);
        assert_eq!(terms("\u{feff}ada@xn--3e0b707e.kr\u{200b}"), ["ada@한국.kr"]);
        assert!(terms(" \n ").is_empty());
        assert!(SearchTerms::parse(&"x".repeat(256)).is_some());
        assert_eq!(SearchTerms::parse(&"x".repeat(257)), None);
    }

    #[test]
    fn only_words_of_three_letters_have_an_index() {
        let terms = SearchTerms::parse("홍 길동 홍길동 ab abc").expect("short");

        assert_eq!(terms.indexed(), ["홍길동", "abc"]);
    }

    #[test]
    fn a_place_reads_back_as_it_was_written_and_only_in_its_order() {
        let email = Cursor { value: SortValue::Text("a b@example.com".into()), id: 7 };
        let instant = Cursor { value: SortValue::Number(-5), id: 8 };

        let by = |name| SortOrder::parse(name).expect("an order");
        assert_eq!(Cursor::parse(&email.encode(), by("-email")), Some(email.clone()));
        assert_eq!(Cursor::parse(&instant.encode(), by("last_login_at")), Some(instant.clone()));
        assert_eq!(Cursor::parse(&email.encode(), by("created_at")), None);
        assert_eq!(Cursor::parse(&instant.encode(), by("email")), None);
        for malformed in ["", "%", "bnVsbA", "biAx", &URL_SAFE_NO_PAD.encode("t 1 \0")] {
            assert_eq!(Cursor::parse(malformed, by("email")), None, "{malformed}");
        }
    }

    #[test]
    fn an_order_reads_back_as_it_was_written() {
        for (name, sort) in SortOrder::ALL {
            assert_eq!((SortOrder::parse(name), sort.as_str()), (Some(sort), name));
        }
        assert_eq!(
            (SortOrder::parse("password_hash"), SortOrder::default().as_str()),
            (None, "-created_at")
        );
    }
}
