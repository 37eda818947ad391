//! Cells of spreadsheets: keeps a program that opens an export from computing what a user typed.
//!
//! Knows one cell, and neither rows nor encodings; `web::csv` does.

/// First characters of a formula. Spreadsheets in East Asia accept the full-width ones.
const SIGNS: [char; 11] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'];

/// Returns whether a spreadsheet would compute this text as a formula.
fn is_formula(text: &str) -> bool {
    // Without leading apostrophes, so that `unescape` removes exactly the one that `escape` added.
    text.trim_start_matches('\'').starts_with(SIGNS)
}

/// Puts an apostrophe before a formula, which keeps spreadsheets from computing it.
#[must_use]
pub fn escape(text: String) -> String {
    if is_formula(&text) { format!("'{text}") } else { text }
}

/// Undoes [`escape`] in a cell of a table that was exported here.
#[must_use]
pub fn unescape(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_formula_is_none() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(escape(text.into()), format!("'{text}"));
        }
        for text in ["＝1+1", "＋1", "－1", "＠SUM", "'=1", "''＝1"] {
            assert_eq!(escape(text.into()), format!("'{text}"));
        }
        for text in ["=1", "'=1", "''＝1", "'already", "'", "''", "＠a", "plain", ""] {
            assert_eq!(unescape(&escape(text.into())), text, "comes back");
        }
        assert_eq!(escape("Ada = Eve".into()), "Ada = Eve");
        assert_eq!(escape(String::new()), "");
    }
}
