//! How a term is searched for: in the trigram index, and in the address and the name of a row.
//!
//! The engines differ in how they fold upper and lower case, so each has its own pattern.

use crate::db::QueryBuilder;

/// Selects the users with all of these terms, by the trigram index.
pub(super) fn by_index(terms: &[&str], query: &mut QueryBuilder) -> String {
    if query.is_postgres() {
        let is_in: Vec<_> = terms.iter().map(|word| is_in_text(word, query)).collect();
        return format!("SELECT id FROM users_search WHERE {}", is_in.join(" AND "));
    }
    // Each a string, in which only the quotation mark is special: no operator gets through.
    let strings = terms.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\"")));
    let query = query.bind(strings.collect::<Vec<_>>().join(" "));
    format!("SELECT rowid AS id FROM users_search WHERE users_search MATCH {query}")
}

/// Returns the condition that PostgreSQL's text contains a term.
fn is_in_text(word: &str, query: &mut QueryBuilder) -> String {
    let Some(end) = distinctive_end(word) else {
        let pattern = query.bind(like(word));
        return format!("text LIKE lower({pattern})");
    };
    // The index reads all users of each trigram, and many addresses share most of their trigrams.
    // So only the distinctive ones are looked up, and the rest is compared afterwards.
    let (pattern, word) = (query.bind(like(end)), query.bind(word));
    format!("text LIKE lower({pattern}) AND strpos(text, lower({word})) > 0")
}

/// Returns what distinguishes an address: the characters before its `@`, which are often digits, if
/// there are enough of them in a row to narrow the search.
fn distinctive_end(word: &str) -> Option<&str> {
    let (local, _) = word.split_once('@')?;
    let signs = local.chars().rev().take_while(|char| char.is_alphanumeric());
    let signs: Vec<_> = signs.take(8).map(char::len_utf8).collect();
    let start = local.len() - signs.iter().sum::<usize>();
    (signs.len() >= 5).then(|| &word[start..=local.len()])
}

/// Returns the condition that the address or the name contains a term.
pub(super) fn has_word(word: &str, query: &mut QueryBuilder) -> String {
    if query.is_postgres() {
        let pattern = query.bind(like(word));
        // A term has no space, so both can be searched as one text.
        return format!("lower(u.email || ' ' || u.name) LIKE lower({pattern})");
    }
    let pattern = query.bind(glob(word));
    format!("(u.email GLOB {pattern} OR u.name GLOB {pattern})")
}

/// Returns the LIKE pattern for a term anywhere, with special characters escaped.
fn like(word: &str) -> String {
    let word = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{word}%")
}

/// Returns the GLOB pattern for a term anywhere, in upper or lower case.
fn glob(word: &str) -> String {
    let mut pattern = String::from("*");
    for char in word.chars() {
        // SQLite's LIKE knows only the case of A to Z, so a letter with a case becomes the set of
        // both.
        let mut set = vec![char];
        let folded = [single(char.to_lowercase()), single(char.to_uppercase())];
        for other in folded.into_iter().flatten() {
            if !set.contains(&other) {
                set.push(other);
            }
        }
        // A set of one escapes a special character.
        if set.len() > 1 || matches!(char, '*' | '?' | '[') {
            pattern.push('[');
            pattern.extend(set);
            pattern.push(']');
        } else {
            pattern.push(char);
        }
    }
    pattern.push('*');
    pattern
}

fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    if chars.next().is_some() { None } else { first }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_distinguished_by_what_precedes_its_at() {
        for (word, end) in [
            ("person12345@example.com", Some("son12345@")),
            ("min.jun12345@naver.com", Some("jun12345@")),
            ("nguyễnvăn@example.com", Some("guyễnvăn@")),
            ("ab123@", Some("ab123@")),
            ("min.kim@naver.com", None),
            ("info@naver.com", None),
            ("@naver.com", None),
            ("person12345", None),
        ] {
            assert_eq!(distinctive_end(word), end, "{word}");
        }
    }

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(like(r"50%_\"), r"%50\%\_\\%");
        assert_eq!(glob("a*[?]^-"), "*[aA][*][[][?]]^-*");
        assert_eq!(glob("홍길동"), "*홍길동*");
        assert_eq!(glob("ßé"), "*ß[éÉ]*");
    }
}
