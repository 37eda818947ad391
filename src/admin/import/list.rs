//! The result of parsing a list of users: the users without faults, and the faults of the others.
//!
//! Holds keys of messages, not sentences.

use crate::admin::imported_user::ImportedUser;
use crate::types::Email;

/// A parsed list.
#[derive(Debug, Default)]
pub struct ImportList {
    /// The users without faults: line, address and the rest.
    pub users: Vec<(u64, Email, ImportedUser)>,
    /// The faults of the others.
    pub faults: Vec<ImportFault>,
    /// The number of lines with faults.
    pub wrong: usize,
    /// The columns that are used.
    pub used: Vec<&'static str>,
    /// The columns that are ignored.
    pub unused: Vec<String>,
}

impl ImportList {
    /// Excludes the users at these positions, which are in ascending order, for a common fault.
    pub fn exclude(&mut self, places: &[usize], column: &'static str, key: &'static str) {
        let mut places = places.iter().copied().peekable();
        let mut place = 0;
        let Self { users, faults, wrong, .. } = self;
        users.retain(|(line, ..)| {
            let is_left_out = places.next_if_eq(&place).is_some();
            place += 1;
            if is_left_out {
                *wrong += 1;
                faults.push(ImportFault { line: *line, column, key, symbol: String::new() });
            }
            !is_left_out
        });
        faults.sort_by_key(|fault| fault.line);
    }
}

/// A fault in a line.
#[derive(Debug, PartialEq, Eq)]
pub struct ImportFault {
    /// The line of the file, from 1.
    pub line: u64,
    /// The column.
    pub column: &'static str,
    /// The key of the message.
    pub key: &'static str,
    /// The character that the message names; mostly empty.
    pub symbol: String,
}
