//! What the parsing of a list depends on besides the file.

use std::borrow::Cow;

use time::Date;

use crate::types::Language;

/// What parsing depends on.
pub struct ImportOptions {
    /// The current day.
    pub today: Date,
    /// The language of users without one.
    pub language: Language,
    /// Whether the actor may mark addresses as verified.
    pub may_verify: bool,
    /// Whether local addresses are allowed.
    pub may_be_local: bool,
    /// More names of columns, as an entry point translates them: heading and column.
    pub headings: Vec<(Cow<'static, str>, &'static str)>,
}
