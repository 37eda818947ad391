//! What makes a password too weak: the four checks that Django makes, and an estimate of the
//! guesses that it would withstand.
//!
//! Answers in facts; the doors turn them into sentences. Heavy (up to some milliseconds), so it
//! runs on a hashing thread.

use zxcvbn::Score;
use zxcvbn::feedback::Warning;

use crate::types::{BirthDate, Email, Name, Password};

/// Longest password, in code points: more than NIST SP 800-63B-4 asks for (64), few enough that
/// hashing and weighing stay cheap.
pub const MAX_LENGTH: usize = 128;

/// How alike a password may be to the person's own data, in per cent, as Django measures it.
const MAX_SIMILARITY: usize = 70;

/// zxcvbn's "safely unguessable": at least 10^8 guesses, moderate protection of a stolen hash.
const MIN_SCORE: Score = Score::Three;

/// What a person's password must not look like.
#[derive(Debug, Clone)]
pub struct OwnData {
    /// The address, if it is one.
    pub email: Option<Email>,
    /// The name.
    pub name: Name,
    /// The date of birth.
    pub date_of_birth: Option<BirthDate>,
}

impl OwnData {
    fn email(&self) -> &str {
        self.email.as_ref().map_or("", Email::as_typed)
    }
}

/// Which of the person's own data a password resembles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trait {
    /// The address.
    Email,
    /// The name.
    Name,
    /// The date of birth.
    DateOfBirth,
}

/// One reason to refuse a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// Fewer code points than this.
    TooShort(u8),
    /// More than 128 code points.
    TooLong,
    /// Looks like the person's own data.
    TooSimilar(Trait),
    /// On the lists of common passwords.
    TooCommon,
    /// Nothing but digits.
    EntirelyNumeric,
    /// None of the above, and still quickly guessed.
    TooGuessable,
}

impl Weakness {
    /// The key of the sentence that says so; the doors speak, in the reader's language.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::TooShort(_) => "password.too_short",
            Self::TooLong => "password.too_long",
            Self::TooSimilar(Trait::Email) => "password.like_email",
            Self::TooSimilar(Trait::Name) => "password.like_name",
            Self::TooSimilar(Trait::DateOfBirth) => "password.like_date_of_birth",
            Self::TooCommon => "password.too_common",
            Self::EntirelyNumeric => "password.entirely_numeric",
            Self::TooGuessable => "password.too_guessable",
        }
    }

    /// The sentence's placeholder and the number that belongs there, if it has one.
    #[must_use]
    pub fn bound(self) -> Option<(&'static str, usize)> {
        match self {
            Self::TooShort(min) => Some(("min", usize::from(min))),
            Self::TooLong => Some(("max", MAX_LENGTH)),
            _ => None,
        }
    }
}

/// Everything that is wrong with a password, or nothing.
///
/// The estimate is asked last and only speaks when no named reason explains it: somebody who is
/// told "too common" need not hear "easy to guess" as well.
#[must_use]
pub(super) fn weaknesses(password: &Password, own: &OwnData, min_length: u8) -> Vec<Weakness> {
    let text = password.expose();
    let mut found = Vec::new();
    if password.count() > MAX_LENGTH {
        // Weighing takes longer the longer a password is, so it stops here.
        return vec![Weakness::TooLong];
    }
    if password.count() < usize::from(min_length) {
        found.push(Weakness::TooShort(min_length));
    }
    found.extend(similar_to(text, own).map(Weakness::TooSimilar));
    let estimate = zxcvbn::zxcvbn(text, &own_words(own));
    if is_common(&estimate) {
        found.push(Weakness::TooCommon);
    }
    if text.chars().all(char::is_numeric) {
        found.push(Weakness::EntirelyNumeric);
    }
    if found.is_empty() && estimate.score() < MIN_SCORE {
        found.push(Weakness::TooGuessable);
    }
    found
}

/// zxcvbn says so when the whole password stands on its list of 30,000 common ones.
fn is_common(estimate: &zxcvbn::Entropy) -> bool {
    let warning = estimate.feedback().and_then(zxcvbn::feedback::Feedback::warning);
    matches!(
        warning,
        Some(
            Warning::ThisIsATop10Password
                | Warning::ThisIsATop100Password
                | Warning::ThisIsACommonPassword
        )
    )
}

fn similar_to(password: &str, own: &OwnData) -> Option<Trait> {
    let password = password.to_lowercase();
    let born = own.date_of_birth.map(|date| date.to_string()).unwrap_or_default();
    let born_digits = born.replace('-', "");
    let data = [
        (Trait::Email, own.email()),
        (Trait::Name, own.name.as_str()),
        (Trait::DateOfBirth, born.as_str()),
        (Trait::DateOfBirth, born_digits.as_str()),
    ];
    data.into_iter().find(|(_, value)| is_similar(&password, value)).map(|(which, _)| which)
}

/// Django's `UserAttributeSimilarityValidator`: the whole value and each of its words.
fn is_similar(password: &str, value: &str) -> bool {
    let value = value.to_lowercase();
    let words = value.split(|char: char| !char.is_alphanumeric() && char != '_');
    words
        .chain([value.as_str()])
        .filter(|word| !word.is_empty())
        .any(|word| !is_much_longer(password, word) && is_alike(password, word))
}

/// A password ten times as long as a word cannot be made of it (Django's own short cut).
fn is_much_longer(password: &str, word: &str) -> bool {
    let (password, word) = (password.chars().count(), word.chars().count());
    password >= 10 * word && 200 * word < MAX_SIMILARITY * password
}

/// Python's `SequenceMatcher.quick_ratio` (the letters that both have, twice, over all letters) is
/// at least [`MAX_SIMILARITY`].
fn is_alike(a: &str, b: &str) -> bool {
    let mut left: Vec<char> = b.chars().collect();
    let all = a.chars().count() + left.len();
    let mut shared = 0_usize;
    for char in a.chars() {
        if let Some(place) = left.iter().position(|other| *other == char) {
            left.swap_remove(place);
            shared += 1;
        }
    }
    200 * shared >= MAX_SIMILARITY * all
}

fn own_words(own: &OwnData) -> Vec<&str> {
    let words = own.email().split(|char: char| !char.is_alphanumeric());
    words
        .chain(own.name.as_str().split_whitespace())
        .chain([own.email(), own.name.as_str()])
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(password: &str) -> Vec<Weakness> {
        let own = OwnData {
            email: Email::parse("ada.lovelace@example.com").ok(),
            name: Name::parse("홍길동").expect("parses"),
            date_of_birth: BirthDate::from_iso("1815-12-10"),
        };
        weaknesses(&Password::parse(password).expect("typed"), &own, 8)
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        use Weakness::{EntirelyNumeric, TooCommon, TooShort};

        assert_eq!(found("123456"), [TooShort(8), TooCommon, EntirelyNumeric]);
        assert_eq!(found("password1"), [TooCommon]);
        assert_eq!(found("PASSWORD1"), [TooCommon]);
        assert_eq!(found("8273645192"), [EntirelyNumeric]);
        assert_eq!(found("xK9#q2"), [TooShort(8)]);
    }

    #[test]
    fn a_password_must_not_resemble_its_owner() {
        use Weakness::TooSimilar;

        assert_eq!(found("lovelace1"), [TooSimilar(Trait::Email)]);
        assert_eq!(found("Ada.Lovelace@example"), [TooSimilar(Trait::Email)]);
        assert_eq!(found("1815-12-10!"), [TooSimilar(Trait::DateOfBirth)]);
        assert!(found("홍길동1").contains(&TooSimilar(Trait::Name)));
    }

    #[test]
    fn what_is_quickly_guessed_is_refused() {
        for password in ["aaaaaaaaaaaa", "qwertyqwerty1", "monkey2019", "abcdefgh1"] {
            let found = found(password);
            assert!(!found.is_empty(), "{password}: {found:?}");
        }
    }

    #[test]
    fn good_passwords_in_any_script_are_good() {
        for password in [
            "correct horse battery staple",
            "대문 앞에 살구나무 두 그루",
            "Tr33-house&Kettle",
            "vo7Cs!x2mQpd",
            " 숲속의 작은 집 옆 우물 ",
            "👩‍👩‍👧‍👦 family of four on a hill",
        ] {
            assert_eq!(found(password), [], "{password}");
        }
    }

    #[test]
    fn length_is_counted_in_code_points() {
        assert_eq!(found(&"가나다라마바사아자차카타파하".repeat(10)), [Weakness::TooLong]);
        assert!(!found("까치 까치 설날은 어저께").contains(&Weakness::TooShort(8)));
    }

    #[test]
    fn likeness_is_that_of_pythons_difflib() {
        assert!(is_alike("abcd", "bcde"), "0.75");
        assert!(is_alike("abcdefgxyz", "abcdefguvw"), "0.7 exactly");
        assert!(!is_alike("abcdefgxyz", "abcdefguvwq"), "0.67");
    }
}
