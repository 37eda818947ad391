//! Tables that leave the house as files, for spreadsheets and programs (RFC 4180).
//!
//! Plain UTF-8 without a byte order mark, which programs would take for a part of the first heading;
//! Excel opens it by "Data, From Text/CSV". Rows are sent in pieces, so a table takes no more memory
//! however long it is.

use rocket::Responder;
use rocket::http::{ContentType, Header};

/// What the last line says when the rest could not be read: the status has gone out long ago. It is
/// one field, so that readers of tables take offence and nobody takes the table for whole.
pub(super) const BROKEN_OFF: &[u8] = b"incomplete\r\n";

/// A table on its way to a file.
#[derive(Responder)]
pub(super) struct Table<T> {
    rows: (ContentType, T),
    disposition: Header<'static>,
}

impl<T> Table<T> {
    /// A table whose file is called `name`, which is a name without quotation marks.
    pub(super) fn named(name: &str, rows: T) -> Self {
        let kind = ContentType::new("text", "csv");
        let kind = kind.with_params([("charset", "utf-8"), ("header", "present")]);
        let disposition = format!("attachment; filename=\"{name}\"");
        let disposition = Header::new("Content-Disposition", disposition);
        Self { rows: (kind, rows), disposition }
    }
}

/// Rows as they stand in the file.
pub(super) fn rows<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Vec<u8> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.map(harmless)).expect("memory takes what is written to it");
    }
    writer.into_inner().expect("memory takes what is written to it")
}

/// The first row.
pub(super) fn headings<const N: usize>(names: [&str; N]) -> Vec<u8> {
    rows([names.map(str::to_owned)])
}

/// Spreadsheets would take such a text for a formula and compute it; after an apostrophe they do not.
fn harmless(text: String) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if is_formula { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_none() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(harmless(text.into()), format!("'{text}"));
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
