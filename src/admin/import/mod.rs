//! Parses a list of users: comma-separated values with a row of column names.
//!
//! Each cell is checked by the rules of the domain types, and faults are reported by line. Does not
//! know which accounts exist.

mod columns;
mod lines;
mod list;
mod options;
mod row;

use std::collections::HashMap;

use csv::{ReaderBuilder, Trim};

use self::columns::{columns, delimiter};
use self::lines::Lines;
pub use self::list::{ImportFault, ImportList};
pub use self::options::ImportOptions;
use crate::types::{Email, EmailError, spreadsheet};

/// A larger import needs several lists.
pub const MAX_USERS: usize = 20_000;

/// Parses a file; returns the key of a message when it is not such a list.
pub fn parse(bytes: &[u8], options: &ImportOptions) -> Result<ImportList, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "admin.import.not_text")?;
    // Our own export begins with a byte order mark, for Excel. Only line feeds are counted,
    // whatever the line endings of the file.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Err("admin.import.empty");
    }
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(&text))
        // A row of another length is a fault of its line and does not end the parse.
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let headings = reader.headers().map_err(|_| "admin.import.malformed")?.clone();
    let mut list = ImportList::default();
    let columns = columns(&headings, options, &mut list)?;
    let mut lines = Lines::new(&text);
    let mut seen = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|_| "admin.import.malformed")?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        if list.users.len() + list.wrong >= MAX_USERS {
            return Err("admin.import.too_many");
        }
        let line = lines.at(record.position().map_or(0, csv::Position::byte));
        let mut faults = Vec::new();
        if record.len() > headings.len() {
            faults.push(("", "admin.import.too_wide"));
        }
        let cell = |name| columns.get(name).and_then(|place| record.get(*place)).unwrap_or("");
        // Without the apostrophe with which our own export keeps spreadsheets from computing a
        // cell.
        let cell = |name| spreadsheet::unescape(cell(name));
        let user = row::user(cell, options, &mut faults);
        let email = Email::parse(&user.email);
        if let Ok(email) = &email
            && email.is_local()
            && !options.may_be_local
        {
            faults.push(("email", "email.local"));
        }
        if let Ok(email) = &email
            && seen.insert(email.canonical().to_owned(), line).is_some()
        {
            faults.push(("email", "admin.import.email_twice"));
        }
        match email {
            Ok(email) if faults.is_empty() => list.users.push((line, email, user)),
            email => {
                list.wrong += 1;
                let symbol = email.err().map(EmailError::sign).unwrap_or_default();
                let faults = faults.into_iter();
                list.faults.extend(faults.map(|(column, key)| ImportFault {
                    line,
                    column,
                    key,
                    symbol: symbol.clone(),
                }));
            }
        }
    }
    if list.users.is_empty() && list.wrong == 0 { Err("admin.import.empty") } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use time::macros::date;

    use super::*;
    use crate::types::Language;

    const HEADINGS: [(Cow<'static, str>, &str); 1] = [(Cow::Borrowed("이름"), "name")];

    fn list(text: &str) -> Result<ImportList, &'static str> {
        let today = date!(2026 - 03 - 01);
        parse(
            text.as_bytes(),
            &ImportOptions {
                today,
                language: Language::Korean,
                may_verify: true,
                may_be_local: false,
                headings: HEADINGS.into(),
            },
        )
    }

    #[test]
    fn a_list_of_people_is_read() {
        let list = list(
            "\u{feff}Email,이름,verified,shoe size\r\n\
             ada@example.com,\"Lovelace, Ada\",yes,38\r\n\r\n\
             '=eve@example.com,'-Eve,,\r\n",
        )
        .expect("a list");

        let (line, email, ada) = &list.users[0];
        assert_eq!(
            (*line, email.as_typed(), &*ada.profile["name"]),
            (2, "ada@example.com", "Lovelace, Ada")
        );
        assert!(ada.is_verified && ada.is_active && ada.language == "ko");
        let (line, _, eve) = &list.users[1];
        assert_eq!((*line, &*eve.email, &*eve.profile["name"]), (4, "=eve@example.com", "-Eve"));
        assert_eq!((list.used.len(), list.unused), (3, vec!["shoe size".to_owned()]));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line() {
        let list = list(
            "email,gender,date_of_birth,is_active,password,language\n\
             nonsense,other,2999-01-01,maybe,md5$a$b,xx\n\
             ada@example.com,,,,,\n\
             ADA@example.com,,,,,,,\n",
        )
        .expect("a list");

        let found: Vec<_> = list.faults.iter().map(|it| (it.line, it.column, it.key)).collect();
        assert_eq!(
            found,
            [
                (2, "email", "email.malformed"),
                (2, "gender", "admin.import.unknown_gender"),
                (2, "date_of_birth", "date_of_birth.future"),
                (2, "language", "admin.import.unknown_language"),
                (2, "is_active", "admin.import.not_a_boolean"),
                (2, "password", "admin.import.unsupported_hash"),
                (4, "", "admin.import.too_wide"),
                (4, "email", "admin.import.email_twice"),
            ]
        );
        assert_eq!((list.users.len(), list.wrong), (1, 2));
    }

    #[test]
    fn other_signs_may_stand_between_the_cells() {
        for text in ["email;name\nada@example.com;Ada", "email\tname\nada@example.com\tAda"] {
            assert_eq!(list(text).expect("a list").users[0].2.profile["name"], "Ada", "{text}");
        }
    }

    #[test]
    fn what_is_no_list_is_said() {
        for (text, key) in [
            ("", "admin.import.empty"),
            ("\u{feff} \n", "admin.import.empty"),
            ("email,name\n", "admin.import.empty"),
            ("name\nAda\n", "admin.import.no_email_column"),
            ("email,E-Mail,EMAIL\na@example.com,,\n", "admin.import.column_twice"),
        ] {
            assert_eq!(list(text).expect_err(text), key);
        }
        let options = ImportOptions {
            today: date!(2026 - 03 - 01),
            language: Language::English,
            may_verify: false,
            may_be_local: true,
            headings: HEADINGS.into(),
        };
        assert_eq!(parse(b"email\n\xff", &options).expect_err("bytes"), "admin.import.not_text");
        let many: Vec<_> = (0..=MAX_USERS).map(|n| format!("p{n}@example.com")).collect();
        let many = format!("email\n{}", many.join("\n"));
        assert_eq!(parse(many.as_bytes(), &options).expect_err("many"), "admin.import.too_many");
        let list = parse(b"email,verified\na@example.com,true", &options).expect("a list");
        assert!(!list.users[0].2.is_verified, "not everybody vouches");
        assert_eq!(list.unused, ["verified"]);
    }
}
