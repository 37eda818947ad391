//! The columns of a list: their delimiter, their names, and where they are.
//!
//! Does not look at the rows below the headings.

use std::collections::HashMap;

use csv::StringRecord;

use super::list::ImportList;
use super::options::ImportOptions;
use crate::types::ProfileField;

/// The columns beside those of the profile, and their names in a file, among them those of our own
/// export.
const COLUMNS: [(&str, &[&str]); 5] = [
    ("email", &["email"]),
    ("is_active", &["is_active"]),
    ("verified", &["verified", "email_verified"]),
    ("language", &["language"]),
    ("password", &["password", "password_hash"]),
];

/// Finds the position of each column.
pub(super) fn columns(
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
            // Without the permission the column is ignored, as an unknown one is.
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

/// Detects the delimiter.
pub(super) fn delimiter(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or_default();
    // Spreadsheets in other countries write semicolons, and copied cells have tabs.
    let most = [b',', b';', b'\t'].into_iter().max_by_key(|symbol| {
        let count = first.bytes().filter(|byte| byte == symbol).count();
        // Of several equally frequent ones the comma wins.
        (count, u8::from(*symbol == b','))
    });
    most.unwrap_or(b',')
}
