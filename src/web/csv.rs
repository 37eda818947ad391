//! CSV downloads (RFC 4180), for spreadsheets and programs.
//!
//! UTF-8 with a byte order mark: without it Excel reads the bytes in the code page of its country
//! and garbles Korean. Rows are streamed, so memory use does not depend on the table's length. What
//! the columns are is decided by the pages that offer a download.

use rocket::Responder;
use rocket::http::{ContentType, Header};

use crate::types::spreadsheet;

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
        writer
            .write_record(row.map(spreadsheet::escape))
            .expect("memory takes what is written to it");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_keeps_its_commas_quotes_and_lines() {
        let written = rows([["a,b".to_owned(), "say \"hi\"".to_owned(), "two\nlines".to_owned()]]);

        assert_eq!(written, b"\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n");
    }
}
