//! Measures, as Django does, whether a password resembles what is known about the user.

use std::cmp::Ordering;

/// How similar a password may be to a value, in per cent; Django's default.
const MAX_SIMILARITY: usize = 70;

/// Compares a password in lower case with a value and with each of its words (Django's
/// `UserAttributeSimilarityValidator`).
pub(super) fn is_similar(password: &str, value: &str) -> bool {
    let value = value.to_lowercase();
    // Python's `\W+`, as in Django.
    let words = value.split(|char: char| !char.is_alphanumeric() && char != '_');
    words
        .chain([value.as_str()])
        .filter(|word| !word.is_empty())
        .any(|word| !is_much_longer(password, word) && is_alike(password, word))
}

/// Returns whether a password is ten times as long as a word, so that it cannot be made of it
/// (Django's own shortcut).
fn is_much_longer(password: &str, word: &str) -> bool {
    let (password, word) = (password.chars().count(), word.chars().count());
    password >= 10 * word && 200 * word < MAX_SIMILARITY * password
}

/// Returns whether Python's `SequenceMatcher.quick_ratio` (twice the characters that both have,
/// over all characters) is at least [`MAX_SIMILARITY`].
fn is_alike(a: &str, b: &str) -> bool {
    // Sorted, so that the work grows with the sum of the lengths and not with their product.
    let sorted = |text: &str| {
        let mut characters: Vec<char> = text.chars().collect();
        characters.sort_unstable();
        characters
    };
    let (a, b) = (sorted(a), sorted(b));
    let (mut left, mut right, mut shared) = (0, 0, 0_usize);
    while let (Some(one), Some(other)) = (a.get(left), b.get(right)) {
        match one.cmp(other) {
            Ordering::Less => left += 1,
            Ordering::Greater => right += 1,
            Ordering::Equal => {
                (left, right) = (left + 1, right + 1);
                shared += 1;
            }
        }
    }
    // 2 * shared / total >= 70 %, in whole numbers.
    200 * shared >= MAX_SIMILARITY * (a.len() + b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similarity_is_that_of_pythons_difflib() {
        assert!(is_alike("abcd", "bcde"), "0.75");
        assert!(is_alike("abcdefgxyz", "abcdefguvw"), "0.7 exactly");
        assert!(!is_alike("abcdefgxyz", "abcdefguvwq"), "0.67");
    }
}
