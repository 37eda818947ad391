//! Recognises well-known words with what users add when digits and symbols are demanded.
//!
//! The words themselves are in `word_lists`.

use crate::accounts::word_lists;

/// The longest run of symbols that makes a well-known word no harder to guess.
const MAX_DECORATION: usize = 4;

/// The symbols above the digits of a keyboard, in order.
const SHIFTED_DIGITS: &str = "!@#$%^&*()";

/// Returns whether a password in lower case is a well-known word with what users add when digits
/// and symbols are demanded: a year, digits in a row, exclamation marks.
pub(super) fn is_decorated_word(lower: &str, site: &[String]) -> bool {
    let word = lower.trim_matches(|char: char| !char.is_alphabetic());
    let Some((before, after)) = (!word.is_empty()).then(|| lower.split_once(word)).flatten() else {
        return false;
    };
    // Guessing rules try such additions on every word, which zxcvbn does not know.
    let is_known = word_lists::is_common(word)
        || word_lists::is_korean(word)
        || site.iter().any(|name| name == word);
    is_known && is_decoration(before) && is_decoration(after)
}

/// Returns whether a text is a year, digits in a row or a short number, with a few common symbols
/// around it.
fn is_decoration(text: &str) -> bool {
    let digits = text.trim_matches(|char: char| !char.is_ascii_digit());
    let signs: Vec<char> = text.chars().filter(|char| !char.is_ascii_digit()).collect();
    let is_one_run = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_one_run && are_usual_digits(digits) && are_usual_signs(&signs)
}

fn are_usual_digits(digits: &str) -> bool {
    let is_year = digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"));
    let steps: Vec<i16> = digits
        .as_bytes()
        .windows(2)
        // Modulo ten, because 0 follows 9.
        .map(|pair| (i16::from(pair[1]) - i16::from(pair[0])).rem_euclid(10))
        .collect();
    // "1234", "4321", "7890", "1111".
    let is_row = [0, 1, 9].iter().any(|step| steps.iter().all(|other| other == step));
    digits.len() <= 2 || is_year || is_row
}

fn are_usual_signs(signs: &[char]) -> bool {
    let text: String = signs.iter().collect();
    let is_repeated = signs.windows(2).all(|pair| pair[0] == pair[1]);
    signs.len() <= MAX_DECORATION && (is_repeated || SHIFTED_DIGITS.contains(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_common_symbols_and_digits_are_a_decoration() {
        for usual in ["", "1", "12", "1!", "2026!!", "!!1234", "!@#", "1111", "7890", "!2019!"] {
            assert!(is_decoration(usual), "{usual}");
        }
        for other in ["827", "8273", "1!2", "#!", "%&#", "!!!!!", "12 34"] {
            assert!(!is_decoration(other), "{other}");
        }
    }
}
