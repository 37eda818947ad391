//! Words that a password must not be made of: Django's common passwords, and words that Koreans
//! use, also as they come out when Hangul is typed on a keyboard that is set to Latin letters.
//!
//! Both lists are part of the binary and read once. What follows from a
//! word on a list is decided by `password_policy`.

use std::collections::HashSet;
use std::io::Read as _;
use std::sync::LazyLock;

use flate2::read::GzDecoder;

/// Django's list (19,640 passwords, lower case). Its licence is beside it.
static COMMON: LazyLock<CommonPasswords> =
    LazyLock::new(|| CommonPasswords::read(include_bytes!("data/common_passwords.txt.gz")));

static KOREAN: LazyLock<KoreanWords> =
    LazyLock::new(|| KoreanWords::read(include_str!("data/korean_words.txt")));

/// The shortest Latin spelling that counts: shorter ones turn up in good passwords by chance.
const MIN_LATIN_LENGTH: usize = 4;

/// The longest spelling of a word on the Korean list, in characters; longer ones are not looked
/// for.
const MAX_WORD_LENGTH: usize = 32;

/// How many words of a password are returned: they become the input of an estimate whose cost is
/// bounded.
const MAX_FOUND: usize = 12;

/// Returns whether a password in lower case is one of Django's common ones.
pub(super) fn is_common(lower: &str) -> bool {
    // Django strips white space too.
    COMMON.contains(lower.trim())
}

/// Returns whether a text in lower case is a Korean word, in Hangul, in a Latin spelling of it, or
/// typed on a keyboard that is set to Latin letters.
pub(super) fn is_korean(lower: &str) -> bool {
    KOREAN.contains(lower)
}

/// Returns up to [`MAX_FOUND`] Korean words in a text in lower case, the longest at each position.
pub(super) fn korean_words_in(lower: &str) -> Vec<&str> {
    let starts: Vec<usize> = lower.char_indices().map(|(at, _)| at).chain([lower.len()]).collect();
    let last = starts.len() - 1;
    let mut found = Vec::new();
    for first in 0..last {
        let longest = (first + MAX_WORD_LENGTH).min(last);
        let mut words = (first + 2..=longest).rev().map(|end| &lower[starts[first]..starts[end]]);
        found.extend(words.find(|word| KOREAN.contains(word)));
        if found.len() == MAX_FOUND {
            break;
        }
    }
    found
}

/// A sorted list of short texts in one string: a third of the memory of a set of strings.
struct CommonPasswords {
    text: String,
    lines: Vec<(u32, u32)>,
}

impl CommonPasswords {
    fn read(compressed: &[u8]) -> Self {
        let mut text = String::new();
        GzDecoder::new(compressed)
            .read_to_string(&mut text)
            .expect("the list is part of the binary");
        text.shrink_to_fit();
        let start = text.as_ptr() as usize;
        let place = |bytes: usize| u32::try_from(bytes).expect("the list is a few hundred KB");
        let mut lines: Vec<(u32, u32)> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(|line| {
                let at = line.as_ptr() as usize - start;
                (place(at), place(at + line.len()))
            })
            .collect();
        lines.sort_unstable_by_key(|line| &text[line.0 as usize..line.1 as usize]);
        Self { text, lines }
    }

    fn contains(&self, word: &str) -> bool {
        let line = |at: &(u32, u32)| &self.text[at.0 as usize..at.1 as usize];
        self.lines.binary_search_by(|at| line(at).cmp(word)).is_ok()
    }
}

/// Words, and the two parts of names, which the list has one by one.
#[derive(Default)]
struct KoreanWords {
    words: HashSet<Box<str>>,
    surnames: HashSet<Box<str>>,
    given_names: HashSet<Box<str>>,
}

impl KoreanWords {
    fn read(list: &str) -> Self {
        let mut all = Self::default();
        let mut part = "";
        for line in list.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[') {
                part = name.trim_end_matches(']');
                continue;
            }
            for word in line.split_whitespace() {
                let set = match part {
                    "words" | "romanised" => &mut all.words,
                    "surnames" | "romanised surnames" => &mut all.surnames,
                    "given names" | "romanised given names" => &mut all.given_names,
                    other => panic!("the list of Korean words has no part {other}"),
                };
                set.insert(typed_on_latin_keyboard(word).into());
                set.insert(word.into());
            }
        }
        all
    }

    fn contains(&self, word: &str) -> bool {
        let is_latin = word.is_ascii();
        if is_latin && word.len() < MIN_LATIN_LENGTH {
            return false;
        }
        self.words.contains(word) || self.given_names.contains(word) || self.is_full_name(word)
    }

    /// Returns whether a word is a surname and a given name, without a space, as Koreans write
    /// them.
    fn is_full_name(&self, word: &str) -> bool {
        // No surname on the list has more than six characters (남궁, typed with Latin letters).
        let mut cuts = word.char_indices().map(|(at, _)| at).skip(1).take(6);
        cuts.any(|at| {
            let (surname, given) = word.split_at(at);
            self.surnames.contains(surname) && self.given_names.contains(given)
        })
    }
}

/// Returns the keys of a two-set (두벌식) keyboard that make a text in Hangul, in lower case: what
/// comes out when the keyboard is set to Latin letters. Everything else stays as it is.
pub(super) fn typed_on_latin_keyboard(text: &str) -> String {
    const INITIALS: [&str; 19] = [
        "r", "r", "s", "e", "e", "f", "a", "q", "q", "t", "t", "d", "w", "w", "c", "z", "x", "v",
        "g",
    ];
    const VOWELS: [&str; 21] = [
        "k", "o", "i", "o", "j", "p", "u", "p", "h", "hk", "ho", "hl", "y", "n", "nj", "np", "nl",
        "b", "m", "ml", "l",
    ];
    const FINALS: [&str; 28] = [
        "", "r", "r", "rt", "s", "sw", "sg", "e", "f", "fr", "fa", "fq", "ft", "fx", "fv", "fg",
        "a", "q", "qt", "t", "t", "d", "w", "c", "z", "x", "v", "g",
    ];
    // The syllables of Unicode are in the order of their letters (The Unicode Standard, 3.12).
    const FIRST_SYLLABLE: u32 = 0xAC00;
    const SYLLABLES: u32 = 11_172;
    let mut keys = String::new();
    for char in text.chars() {
        match u32::from(char).checked_sub(FIRST_SYLLABLE).filter(|number| *number < SYLLABLES) {
            Some(number) => {
                let number = number as usize;
                keys.push_str(INITIALS[number / (21 * 28)]);
                keys.push_str(VOWELS[number / 28 % 21]);
                keys.push_str(FINALS[number % 28]);
            }
            None => keys.push(char),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangul_becomes_the_keys_that_make_it() {
        for (hangul, keys) in [
            ("안녕하세요", "dkssudgktpdy"),
            ("가나다라", "rkskekfk"),
            ("사랑해", "tkfkdgo"),
            ("대문", "eoans"),
            ("닭", "ekfr"),
            ("왜", "dho"),
            ("값을 꽤", "rkqtdmf rho"),
            ("abc 12", "abc 12"),
        ] {
            assert_eq!(typed_on_latin_keyboard(hangul), keys, "{hangul}");
        }
    }

    #[test]
    fn korean_words_are_known_in_each_spelling() {
        for word in [
            "안녕하세요",
            "dkssudgktpdy",
            "annyeonghaseyo",
            "대한민국",
            "eogksalsrnr",
            "seoul",
            "tjdnf",
            "daemun",
            "eoans",
            "김민준",
            "rlaalswns",
            "kimminjun",
            "홍길동",
            "ghdrlfehd",
        ] {
            assert!(is_korean(word), "{word}");
        }
        for word in ["", "가", "dk", "horse", "staple", "vo7cs", "살구나무앞"] {
            assert!(!is_korean(word), "{word}");
        }
        assert!(KOREAN.words.len() > 1_500, "{}", KOREAN.words.len());
    }

    #[test]
    fn the_longest_words_of_a_text_are_found() {
        assert_eq!(korean_words_in("xxdkssudgktpdy1!").first(), Some(&"dkssudgktpdy"));
        assert_eq!(korean_words_in("나는안녕하세요").first(), Some(&"안녕하세요"));
        assert_eq!(korean_words_in("vo7cs!x2mqpd"), Vec::<&str>::new());
        assert_eq!(korean_words_in(&"seoul".repeat(25)).len(), MAX_FOUND);
        assert_eq!(korean_words_in(""), Vec::<&str>::new());
    }

    #[test]
    fn djangos_list_is_whole() {
        assert_eq!(COMMON.lines.len(), 19_640);
        for password in ["123456", "password", "lilmama12", "fallen_angel", " qwerty "] {
            assert!(is_common(password), "{password}");
        }
        assert!(!is_common("correct horse battery staple") && !is_common(""));
    }
}
