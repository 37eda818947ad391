//! A list of people out of a file: comma-separated values with a row of names on top.
//!
//! Each cell is judged by the words' own rules; what is wrong is told by its line. Knows nothing of who
//! is there already.

use std::collections::HashMap;

use ::csv::{ReaderBuilder, StringRecord, Trim};
use time::Date;
use validator::ValidationError;

use crate::admin::ImportedUser;
use crate::crypto::PasswordHash;
use crate::i18n::Language;
use crate::types::{Email, EmailError};
use crate::web::csv;
use crate::web::forms::rules;
use crate::web::forms::rules::Today;

/// More people are brought in several lists.
pub(crate) const MOST: usize = 20_000;

/// The columns: what they are called in a file, also in that which the list of people makes.
const COLUMNS: [(&str, &[&str]); 8] = [
    ("email", &["email", "이메일"]),
    ("name", &["name", "이름"]),
    ("gender", &["gender", "성별"]),
    ("date_of_birth", &["date_of_birth", "생년월일"]),
    ("is_active", &["is_active"]),
    ("verified", &["verified", "email_verified"]),
    ("language", &["language"]),
    ("password", &["password", "password_hash"]),
];

/// Something that is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The line of the file, from 1.
    pub line: u64,
    /// The column.
    pub column: &'static str,
    /// The key of the sentence.
    pub key: &'static str,
    /// The character that the sentence names; mostly none.
    pub sign: String,
}

/// A list that was read.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// The people with whom nothing is wrong: their lines, addresses and the rest.
    pub people: Vec<(u64, Email, ImportedUser)>,
    /// What is wrong with the others.
    pub faults: Vec<Fault>,
    /// How many lines have something wrong.
    pub wrong: usize,
    /// The columns that are used.
    pub used: Vec<&'static str>,
    /// The columns that mean nothing here.
    pub unused: Vec<String>,
}

impl List {
    /// Leaves out the people at these places, which are in order, for a fault that they have in common.
    pub(crate) fn leave_out(&mut self, places: &[usize], column: &'static str, key: &'static str) {
        let mut places = places.iter().copied().peekable();
        let mut place = 0;
        let Self { people, faults, wrong, .. } = self;
        people.retain(|(line, ..)| {
            let is_left_out = places.next_if_eq(&place).is_some();
            place += 1;
            if is_left_out {
                *wrong += 1;
                faults.push(Fault { line: *line, column, key, sign: String::new() });
            }
            !is_left_out
        });
        faults.sort_by_key(|fault| fault.line);
    }
}

/// What a list is read for.
pub(crate) struct Reading {
    /// Which day it is.
    pub today: Date,
    /// The language of those who have none.
    pub language: Language,
    /// Whether whoever reads it may vouch for addresses.
    pub may_verify: bool,
    /// Whether accounts may have local addresses.
    pub may_be_local: bool,
}

/// Reads a file; the key of a sentence when it is no such list.
pub(crate) fn read(bytes: &[u8], reading: &Reading) -> Result<List, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "admin.import.not_text")?;
    // Lines are counted by their one sign, whatever the system that wrote them ends them with.
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
    let mut list = List::default();
    let columns = columns(&headings, reading, &mut list)?;
    let mut lines = Lines { text: text.as_bytes(), counted: 0, line: 1 };
    let mut seen = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|_| "admin.import.malformed")?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        if list.people.len() + list.wrong >= MOST {
            return Err("admin.import.too_many");
        }
        let line = lines.at(record.position().map_or(0, ::csv::Position::byte));
        let mut faults = Vec::new();
        if record.len() > headings.len() {
            faults.push(("", "admin.import.too_wide"));
        }
        let cell = |name| columns.get(name).and_then(|place| record.get(*place)).unwrap_or("");
        // Without the apostrophe by which our own tables keep spreadsheets from computing a cell.
        let cell = |name| csv::plain(cell(name));
        let person = person(cell, reading, &mut faults);
        let email = Email::parse(&person.email);
        if let Ok(email) = &email
            && email.is_local()
            && !reading.may_be_local
        {
            faults.push(("email", "email.local"));
        }
        if let Ok(email) = &email
            && seen.insert(email.canonical().to_owned(), line).is_some()
        {
            faults.push(("email", "admin.import.email_twice"));
        }
        match email {
            Ok(email) if faults.is_empty() => list.people.push((line, email, person)),
            email => {
                list.wrong += 1;
                let sign = email.err().map(EmailError::sign).unwrap_or_default();
                let faults = faults.into_iter();
                list.faults.extend(faults.map(|(column, key)| Fault {
                    line,
                    column,
                    key,
                    sign: sign.clone(),
                }));
            }
        }
    }
    if list.people.is_empty() && list.wrong == 0 { Err("admin.import.empty") } else { Ok(list) }
}

/// Lines as an editor numbers them; the reader does not count empty ones.
struct Lines<'t> {
    text: &'t [u8],
    counted: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the next record, which begins at or after this byte.
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

/// Spreadsheets of other countries write semicolons, and copied cells have tabs between them.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    let most = [b',', b';', b'\t'].into_iter().max_by_key(|sign| {
        let count = first.bytes().filter(|byte| byte == sign).count();
        // Of several that are equally frequent the comma counts.
        (count, u8::from(*sign == b','))
    });
    most.unwrap_or(b',')
}

/// Where each column stands.
fn columns(
    headings: &StringRecord,
    reading: &Reading,
    list: &mut List,
) -> Result<HashMap<&'static str, usize>, &'static str> {
    let mut columns = HashMap::new();
    for (place, heading) in headings.iter().enumerate() {
        let plain = heading.to_lowercase();
        let known = COLUMNS.iter().find(|(_, names)| names.contains(&plain.as_str()));
        match known {
            Some((name, _)) if *name != "verified" || reading.may_verify => {
                if columns.insert(*name, place).is_some() {
                    return Err("admin.import.column_twice");
                }
                list.used.push(name);
            }
            _ => list.unused.push(heading.to_owned()),
        }
    }
    if columns.contains_key("email") { Ok(columns) } else { Err("admin.import.no_email_column") }
}

fn person<'c>(
    cell: impl Fn(&'static str) -> &'c str,
    reading: &Reading,
    faults: &mut Vec<(&'static str, &'static str)>,
) -> ImportedUser {
    let mut judge = |column, verdict: Result<(), ValidationError>| {
        if let Err(error) = verdict {
            // A file has no list to choose from.
            let key = match key(&error) {
                "gender.unknown" => "admin.import.unknown_gender",
                "language.unknown" => "admin.import.unknown_language",
                key => key,
            };
            faults.push((column, key));
        }
    };
    let (email, name) = (cell("email"), cell("name"));
    let (gender, born, tag) = (cell("gender"), cell("date_of_birth"), cell("language"));
    judge("email", rules::email(email));
    judge("name", rules::name(name));
    judge("gender", rules::gender(gender));
    judge("date_of_birth", rules::date_of_birth(born, &Today(reading.today)));
    judge("language", rules::language(tag));
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
        name: name.to_owned(),
        gender: gender.to_owned(),
        date_of_birth: born.to_owned(),
        is_active,
        is_verified,
        language: if tag.is_empty() { reading.language.tag().to_owned() } else { tag.to_owned() },
        password_hash: password_hash.map(|hash| hash.as_str().to_owned()).unwrap_or_default(),
    }
}

/// The codes of our rules are keys.
fn key(error: &ValidationError) -> &'static str {
    match error.code {
        std::borrow::Cow::Borrowed(key) => key,
        std::borrow::Cow::Owned(_) => "form.unreadable",
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn list(text: &str) -> Result<List, &'static str> {
        let today = date!(2026 - 03 - 01);
        read(
            text.as_bytes(),
            &Reading { today, language: Language::Korean, may_verify: true, may_be_local: false },
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

        let (line, email, ada) = &list.people[0];
        assert_eq!((*line, email.as_typed(), &*ada.name), (2, "ada@example.com", "Lovelace, Ada"));
        assert!(ada.is_verified && ada.is_active && ada.language == "ko");
        let (line, _, eve) = &list.people[1];
        assert_eq!((*line, &*eve.email, &*eve.name), (4, "=eve@example.com", "-Eve"));
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
        assert_eq!((list.people.len(), list.wrong), (1, 2));
    }

    #[test]
    fn other_signs_may_stand_between_the_cells() {
        for text in ["email;name\nada@example.com;Ada", "email\tname\nada@example.com\tAda"] {
            assert_eq!(list(text).expect("a list").people[0].2.name, "Ada", "{text}");
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
        let reading = Reading {
            today: date!(2026 - 03 - 01),
            language: Language::English,
            may_verify: false,
            may_be_local: true,
        };
        assert_eq!(read(b"email\n\xff", &reading).expect_err("bytes"), "admin.import.not_text");
        let many: Vec<_> = (0..=MOST).map(|n| format!("p{n}@example.com")).collect();
        let many = format!("email\n{}", many.join("\n"));
        assert_eq!(read(many.as_bytes(), &reading).expect_err("many"), "admin.import.too_many");
        let list = read(b"email,verified\na@example.com,true", &reading).expect("a list");
        assert!(!list.people[0].2.is_verified, "not everybody vouches");
        assert_eq!(list.unused, ["verified"]);
    }
}
