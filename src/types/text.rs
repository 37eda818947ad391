//! Text as it is stored: composed (Unicode form NFC), and without invisible characters at its ends.
//!
//! A Mac sends the parts of a Korean syllable where other systems send the syllable. Both look alike
//! and differ byte by byte, so all text that is compared or searched is normalized where it enters.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// Composes a text (NFC).
#[must_use]
pub fn nfc(text: &str) -> Cow<'_, str> {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    }
}

/// Returns a line of text as it is stored: composed, without white space and invisible characters at
/// its ends.
#[must_use]
pub fn normalized(typed: &str) -> Cow<'_, str> {
    // Inside it stays: emoji are joined by invisible characters.
    nfc(typed.trim_matches(|char: char| {
        char.is_whitespace() || (is_invisible(char) && !is_selector(char))
    }))
}

/// Drops white space and every invisible character at the ends of an address.
pub(super) fn trimmed(typed: &str) -> &str {
    typed.trim_matches(|char: char| char.is_whitespace() || is_invisible(char))
}

/// Returns the first invisible character: one that is not displayed, or a space other than the usual
/// one.
pub(super) fn invisible_in(text: &str) -> Option<char> {
    text.chars().find(|char| {
        let is_odd_space = char.is_whitespace() && !char.is_ascii() && !char.is_control();
        is_invisible(*char) || is_odd_space
    })
}

/// Drops every invisible character.
pub(super) fn visible(text: &str) -> String {
    text.chars().filter(|char| !is_invisible(*char)).collect()
}

/// Returns whether a character is not displayed: Unicode's `Default_Ignorable_Code_Point` (in
/// `DerivedCoreProperties.txt`), annotation marks, and the blank of Braille.
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether a character modifies the one before it, as in many emoji, also at the end of a name.
fn is_selector(char: char) -> bool {
    matches!(char, '\u{fe00}'..='\u{fe0f}' | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_syllable_are_put_together() {
        assert_eq!(normalized("\u{1112}\u{1169}\u{11bc}"), "홍");
        assert_eq!(normalized("e\u{301}"), "é");
        assert!(matches!(normalized("홍길동"), Cow::Borrowed(_)), "nothing is copied");
    }

    #[test]
    fn what_nobody_sees_goes_at_the_ends_and_not_inside() {
        assert_eq!(normalized("\u{feff}\u{200b} Ada\u{200d}B \u{2060}\u{3164}"), "Ada\u{200d}B");
        assert_eq!(normalized("\u{3164}\u{200b} \u{a0}"), "");
        assert_eq!(normalized("Ada ❤\u{fe0f}"), "Ada ❤\u{fe0f}", "an emoji keeps its look");
        assert_eq!(trimmed("❤\u{fe0f}"), "❤");
    }

    #[test]
    fn the_first_invisible_sign_is_found() {
        assert_eq!(invisible_in("a\u{200b}b\u{feff}"), Some('\u{200b}'));
        assert_eq!(invisible_in("a\u{3000}b"), Some('\u{3000}'));
        assert_eq!(invisible_in("한 국\n"), None);
        assert_eq!(visible("a\u{200b}b\u{feff}"), "ab");
    }
}
