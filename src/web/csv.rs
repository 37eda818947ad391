//! Tables that leave the house as files, for spreadsheets and programs (RFC 4180).
//!
//! UTF-8 with a byte order mark, without which Excel reads the bytes in the code page of its country
//! and shows rubbish for Korean; our own import drops it. Rows are sent in pieces, so a table takes no
//! more memory however long it is.

use rocket::Responder;
use rocket::http::{ContentType, Header};

/// What the last line says when the rest could not be read: the status has gone out long ago. It is
/// one field, so that readers of tables take offence and nobody takes the table for whole.
pub(crate) const BROKEN_OFF: &[u8] = b"incomplete\r\n";

/// A table on its way to a file.
#[derive(Responder)]
pub(crate) struct Table<T> {
    rows: (ContentType, T),
    disposition: Header<'static>,
}

impl<T> Table<T> {
    /// A table whose file is called `name`, which is a name without quotation marks.
    pub(crate) fn named(name: &str, rows: T) -> Self {
        let kind = ContentType::new("text", "csv");
        let kind = kind.with_params([("charset", "utf-8"), ("header", "present")]);
        let disposition = format!("attachment; filename=\"{name}\"");
        let disposition = Header::new("Content-Disposition", disposition);
        Self { rows: (kind, rows), disposition }
    }
}

/// Rows as they stand in the file.
pub(crate) fn rows<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> Vec<u8> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.map(harmless)).expect("memory takes what is written to it");
    }
    writer.into_inner().expect("memory takes what is written to it")
}

/// The first bytes of a file, by which Excel knows its encoding.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The beginning of a file and its first row.
pub(crate) fn headings<const N: usize>(names: [&str; N]) -> Vec<u8> {
    let mut bytes = BYTE_ORDER_MARK.as_bytes().to_vec();
    bytes.extend(rows([names.map(str::to_owned)]));
    bytes
}

/// What begins a formula. The wide signs do so in spreadsheets of East Asia.
const SIGNS: [char; 11] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];

/// Whether a spreadsheet would take such a text for a formula and compute it. Apostrophes before it are
/// looked through, so that [`plain`] takes away exactly the one that [`harmless`] has put there.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(SIGNS)
}

/// After an apostrophe a spreadsheet computes nothing.
fn harmless(text: String) -> String {
    if is_formula(&text) { format!("'{text}") } else { text }
}

/// A cell of our own tables as it was before.
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
