//! CSV downloads (RFC 4180), for spreadsheets and programs.
//!
//! UTF-8 with a byte order mark: without it Excel reads the bytes in the code page of its country
//! and garbles Korean. Rows are streamed, so memory use does not depend on the table's length. What
//! the columns are is decided by the pages that offer a download.

use rocket::Responder;
use rocket::http::{ContentType, Header};

/// The last line of a download that could not be completed: the status went out long ago. It is one
/// field, so that readers of CSV report an error rather than take the table as complete.
pub(crate) const BROKEN_OFF: &[u8] = b"incomplete\r\n";

/// A CSV response.
#[derive(Responder)]
pub(crate) struct Table<T> {
    rows: (ContentType, T),
    disposition: Header<'static>,
}

impl<T> Table<T> {
    /// Returns a download called `name`, which must not contain quotation marks.
    pub(crate) fn named(name: &str, rows: T) -> Self {
        let kind = ContentType::new("text", "csv");
        let kind = kind.with_params([("charset", "utf-8"), ("header", "present")]);
        let disposition = format!("attachment; filename=\"{name}\"");
        let disposition = Header::new("Content-Disposition", disposition);
        Self { rows: (kind, rows), disposition }
    }
}

/// Writes rows as CSV.
pub(crate) fn rows<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Vec<u8> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.map(harmless)).expect("memory takes what is written to it");
    }
    writer.into_inner().expect("memory takes what is written to it")
}

/// Excel recognises UTF-8 by these first bytes.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Writes the byte order mark and the row of headings.
pub(crate) fn headings<const N: usize>(names: [&str; N]) -> Vec<u8> {
    let mut bytes = BYTE_ORDER_MARK.as_bytes().to_vec();
    bytes.extend(rows([names.map(str::to_owned)]));
    bytes
}

/// First characters of a formula. Spreadsheets in East Asia accept the full-width ones.
const SIGNS: [char; 11] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];

/// Returns whether a spreadsheet would compute this text as a formula. Leading apostrophes are
/// skipped, so that [`plain`] removes exactly the one that [`harmless`] added.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(SIGNS)
}

/// Puts an apostrophe before a formula, which keeps spreadsheets from computing it.
fn harmless(text: String) -> String {
    if is_formula(&text) { format!("'{text}") } else { text }
}

/// Undoes [`harmless`] in a cell of a table that was exported here.
pub(crate) fn plain(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_none() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(harmless(text.into()), format!("'{text}"));
        }
        for text in ["＝1+1", "＋1", "－1", "＠SUM", "'=1", "''＝1"] {
            assert_eq!(harmless(text.into()), format!("'{text}"));
        }
        for text in ["=1", "'=1", "''＝1", "'already", "'", "''", "＠a", "plain", ""] {
            assert_eq!(plain(&harmless(text.into())), text, "comes back");
        }
        assert_eq!(harmless("Ada = Eve".into()), "Ada = Eve");
        assert_eq!(harmless(String::new()), "");
    }

    #[test]
    fn a_cell_keeps_its_commas_quotes_and_lines() {
        let written = rows([["a,b".to_owned(), "say \"hi\"".to_owned(), "two\nlines".to_owned()]]);

        assert_eq!(written, b"\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n");
    }
}
