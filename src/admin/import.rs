//! Parses a list of users: comma-separated values with a row of column names.
//!
//! Each cell is checked by the rules of the domain types, and faults are reported by line. Does not
//! know which accounts exist.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use csv::{ReaderBuilder, StringRecord, Trim};
use time::Date;
use validator::ValidationError;

use super::ImportedUser;
use crate::crypto::PasswordHash;
use crate::types::{Email, EmailError, FromText, Language, Profile, ProfileField, spreadsheet};

/// A larger import needs several lists.
pub const MAX_USERS: usize = 20_000;

/// The columns beside those of the profile, and their names in a file, which are also those of our own export.
const COLUMNS: [(&str, &[&str]); 5] = [
    ("email", &["email"]),
    ("is_active", &["is_active"]),
    ("verified", &["verified", "email_verified"]),
    ("language", &["language"]),
    ("password", &["password", "password_hash"]),
];

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

/// Parses a file; returns the key of a message when it is not such a list.
pub fn parse(bytes: &[u8], options: &ImportOptions) -> Result<ImportList, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "admin.import.not_text")?;
    // Only line feeds are counted, whatever the line endings of the file.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Err("admin.import.empty");
    }
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(&text))
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let headings = reader.headers().map_err(|_| "admin.import.malformed")?.clone();
    let mut list = ImportList::default();
    let columns = columns(&headings, options, &mut list)?;
    let mut lines = Lines { text: text.as_bytes(), counted: 0, line: 1 };
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
        // Without the apostrophe with which our own export keeps spreadsheets from computing a cell.
        let cell = |name| spreadsheet::unescape(cell(name));
        let user = user(cell, options, &mut faults);
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

/// Counts lines as an editor does; the CSV reader does not count empty ones.
struct Lines<'t> {
    text: &'t [u8],
    counted: usize,
    line: u64,
}

impl Lines<'_> {
    /// Returns the line of the next record, which begins at or after this byte.
    fn at(&mut self, byte: u64) -> u64 {
        let begin = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        let rest = &self.text[begin..];
        let end = begin + rest.iter().take_while(|byte| **byte == b'\n').count();
        let passed = self.text[self.counted..end].iter().filter(|byte| **byte == b'\n');
        self.line += passed.count() as u64;
        self.counted = end;
        self.line
    }
}

/// Detects the delimiter: spreadsheets in other countries write semicolons, and copied cells have
/// tabs.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let most = [b',', b';', b'\t'].into_iter().max_by_key(|symbol| {
        let count = first.bytes().filter(|byte| byte == symbol).count();
        // Of several equally frequent ones the comma wins.
        (count, u8::from(*symbol == b','))
    });
    most.unwrap_or(b',')
}

/// Finds the position of each column.
fn columns(
    headings: &StringRecord,
    options: &ImportOptions,
    list: &mut ImportList,
) -> Result<HashMap<&'static str, usize>, &'static str> {
    let mut columns = HashMap::new();
    for (place, heading) in headings.iter().enumerate() {
        let plain = heading.to_lowercase();
        let translated = options.headings.iter().find(|(heading, _)| *heading == plain);
        let plain = translated.map_or(plain.as_str(), |(_, column)| column);
        let of_profile = ProfileField::ALL.iter().map(|field| field.as_str());
        let known = COLUMNS.iter().find(|(_, names)| names.contains(&plain));
        let known = known.map(|(name, _)| *name).or(of_profile.into_iter().find(|it| *it == plain));
        match known {
            Some(name) if name != "verified" || options.may_verify => {
                if columns.insert(name, place).is_some() {
                    return Err("admin.import.column_twice");
                }
                list.used.push(name);
            }
            _ => list.unused.push(heading.to_owned()),
        }
    }
    if columns.contains_key("email") { Ok(columns) } else { Err("admin.import.no_email_column") }
}

fn user<'c>(
    cell: impl Fn(&'static str) -> &'c str,
    options: &ImportOptions,
    faults: &mut Vec<(&'static str, &'static str)>,
) -> ImportedUser {
    let mut check = |column, result: Result<(), ValidationError>| {
        if let Err(error) = result {
            // A file has no list to choose from.
            let key = match key(&error) {
                "gender.unknown" => "admin.import.unknown_gender",
                "language.unknown" => "admin.import.unknown_language",
                key => key,
            };
            faults.push((column, key));
        }
    };
    let (email, tag) = (cell("email"), cell("language"));
    check("email", Email::from_text(email, options.today).map(drop));
    let mut profile = BTreeMap::new();
    for field in ProfileField::ALL {
        let (name, text) = (field.as_str(), cell(field.as_str()));
        check(name, Profile::default().set_typed(*field, text, options.today));
        profile.insert(name.to_owned(), text.to_owned());
    }
    check("language", Option::<Language>::from_text(tag, options.today).map(drop));
    let mut flag = |column, default| match cell(column).to_lowercase().as_str() {
        "" => default,
        "true" | "t" | "yes" | "1" => true,
        "false" | "f" | "no" | "0" => false,
        _ => {
            faults.push((column, "admin.import.not_a_boolean"));
            default
        }
    };
    let (is_active, is_verified) = (flag("is_active", true), flag("verified", false));
    let password_hash = match cell("password") {
        "" => None,
        hash => PasswordHash::from_django(hash).unwrap_or_else(|_| {
            faults.push(("password", "admin.import.unsupported_hash"));
            None
        }),
    };
    ImportedUser {
        email: email.to_owned(),
        profile,
        is_active,
        is_verified,
        language: if tag.is_empty() { options.language.tag().to_owned() } else { tag.to_owned() },
        password_hash: password_hash.map(|hash| hash.as_str().to_owned()).unwrap_or_default(),
    }
}

/// Returns the code of a rule, which is a key.
fn key(error: &ValidationError) -> &'static str {
    match error.code {
        Cow::Borrowed(key) => key,
        Cow::Owned(_) => "form.unreadable",
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

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
