//! What makes a password too weak: the four checks that Django makes, and an estimate of the
//! guesses that it would withstand, which knows Korean words and the site's own name.
//!
//! Answers in facts; the doors turn them into sentences. What a password costs is bounded (a few
//! milliseconds, docs/PERFORMANCE.md has the figure) and is too much for an async thread.

use std::cmp::Ordering;

use super::strength;
use super::strength::Estimate;
use super::word_lists;
use crate::types::{Email, Password, Profile, User};

/// Longest password, in code points: more than NIST SP 800-63B-4 asks for (64), few enough that
/// hashing and weighing stay cheap.
pub const MAX_LENGTH: usize = 128;

/// How alike a password may be to the person's own data, in per cent, as Django measures it.
const MAX_SIMILARITY: usize = 70;

/// How many words of the site's name, and of the person's own data, the estimate is told.
const MAX_WORDS: usize = 8;

/// The most signs that make a well-known word no harder to guess.
const MAX_DECORATION: usize = 4;

/// The signs above the first digits of a keyboard, in their order.
const SHIFTED_DIGITS: &str = "!@#$%^&*()";

/// What a person's password must not look like.
#[derive(Debug, Clone)]
pub struct UserAttributes {
    /// The address, if it is one.
    pub email: Option<Email>,
    /// The profile.
    pub profile: Profile,
}

impl UserAttributes {
    /// What an account says of its person.
    #[must_use]
    pub fn of(user: &User) -> Self {
        Self { email: Some(user.email.clone()), profile: user.profile.clone() }
    }

    fn email(&self) -> &str {
        self.email.as_ref().map_or("", Email::as_typed)
    }
}

/// Which of the person's own data a password resembles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserAttribute {
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
    TooSimilar(UserAttribute),
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
            Self::TooSimilar(UserAttribute::Email) => "password.like_email",
            Self::TooSimilar(UserAttribute::Name) => "password.like_name",
            Self::TooSimilar(UserAttribute::DateOfBirth) => "password.like_date_of_birth",
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

/// The words of a site's own name, which are the first that strangers try there: those of the host and
/// of the sender of its e-mails.
#[must_use]
pub(super) fn site_words(host: &str, sender: Option<&str>) -> Vec<String> {
    const EVERYWHERE: [&str; 6] = ["www", "com", "net", "org", "app", "dev"];
    let (host, _) = idna::domain_to_unicode(host);
    let sender = sender.unwrap_or_default().to_lowercase();
    let words = host.split(is_between_words).chain(sender.split(is_between_words));
    // A Hangul name may be typed on a keyboard that is set to Latin letters.
    let typed = words.flat_map(|word| [word.to_owned(), word_lists::typed_on_latin_keyboard(word)]);
    let mut words: Vec<String> = Vec::new();
    for word in typed {
        let is_short = word.chars().count() < if word.is_ascii() { 3 } else { 2 };
        let is_number = word.chars().all(char::is_numeric);
        if !is_short && !is_number && !EVERYWHERE.contains(&&*word) && !words.contains(&word) {
            words.push(word);
        }
    }
    words.truncate(MAX_WORDS);
    words
}

fn is_between_words(char: char) -> bool {
    !char.is_alphanumeric()
}

/// Everything that is wrong with a password, or nothing.
///
/// The estimate is asked last and only speaks when no named reason explains it: somebody who is
/// told "too common" need not hear "easy to guess" as well.
#[must_use]
pub(super) fn find_weaknesses(
    password: &Password,
    attributes: &UserAttributes,
    site: &[String],
    min_length: u8,
) -> Vec<Weakness> {
    let text = password.expose();
    let mut found = Vec::new();
    if password.count() > MAX_LENGTH {
        // Nothing else is done with it, so that its length costs nothing.
        return vec![Weakness::TooLong];
    }
    if password.count() < usize::from(min_length) {
        found.push(Weakness::TooShort(min_length));
    }
    found.extend(similar_to(text, attributes).map(Weakness::TooSimilar));
    let lower = text.to_lowercase();
    let words: Vec<&str> = site.iter().map(String::as_str).chain(user_words(attributes)).collect();
    let Estimate { is_common, is_strong } = strength::estimate(text, &words);
    if is_common || word_lists::is_common(&lower) || word_lists::is_korean(&lower) {
        found.push(Weakness::TooCommon);
    }
    if text.chars().all(char::is_numeric) {
        found.push(Weakness::EntirelyNumeric);
    }
    if found.is_empty() && (!is_strong || is_decorated_word(&lower, site)) {
        found.push(Weakness::TooGuessable);
    }
    found
}

/// Whether a password in lower case is a well-known word with what people put around one when digits
/// and signs are asked for: a year, some digits in a row, exclamation marks. Lists of rules for guessing
/// try these on every word, which zxcvbn does not know.
fn is_decorated_word(lower: &str, site: &[String]) -> bool {
    let word = lower.trim_matches(|char: char| !char.is_alphabetic());
    let Some((before, after)) = (!word.is_empty()).then(|| lower.split_once(word)).flatten() else {
        return false;
    };
    let is_known = word_lists::is_common(word)
        || word_lists::is_korean(word)
        || site.iter().any(|name| name == word);
    is_known && is_decoration(before) && is_decoration(after)
}

/// Whether this is one run of digits that is a date's year, in a row or short, with a few usual signs
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

fn similar_to(password: &str, attributes: &UserAttributes) -> Option<UserAttribute> {
    let password = password.to_lowercase();
    let born = attributes.profile.date_of_birth.map(|date| date.to_string()).unwrap_or_default();
    let born_digits = born.replace('-', "");
    let data = [
        (UserAttribute::Email, attributes.email()),
        (UserAttribute::Name, attributes.profile.name.as_str()),
        (UserAttribute::DateOfBirth, born.as_str()),
        (UserAttribute::DateOfBirth, born_digits.as_str()),
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

/// Python's `SequenceMatcher.quick_ratio` (the e-mails that both have, twice, over all e-mails) is
/// at least [`MAX_SIMILARITY`]. E-mails are compared in their order, so that the work grows with the
/// length of both and not with the product.
fn is_alike(a: &str, b: &str) -> bool {
    let sorted = |text: &str| {
        let mut contents: Vec<char> = text.chars().collect();
        contents.sort_unstable();
        contents
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
    200 * shared >= MAX_SIMILARITY * (a.len() + b.len())
}

/// The person's own words for the estimate, the whole address and name first; a bounded number of them.
fn user_words(attributes: &UserAttributes) -> Vec<&str> {
    let (email, name) = (attributes.email(), attributes.profile.name.as_str());
    let words = email.split(is_between_words).chain(name.split_whitespace());
    [email, name]
        .into_iter()
        .chain(words)
        .filter(|word| word.chars().nth(1).is_some())
        .take(MAX_WORDS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{BirthDate, Name, Profile};

    fn found(password: &str) -> Vec<Weakness> {
        let attributes = UserAttributes {
            email: Email::parse("ada.lovelace@example.com").ok(),
            profile: Profile {
                name: Name::parse("홍길동").expect("parses"),
                date_of_birth: BirthDate::from_iso("1815-12-10"),
                ..Profile::default()
            },
        };
        let site = site_words("accounts.dasom-books.co.kr", Some("Dasom Books"));
        find_weaknesses(&Password::parse(password).expect("typed"), &attributes, &site, 8)
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

        assert_eq!(found("lovelace1"), [TooSimilar(UserAttribute::Email)]);
        assert_eq!(found("Ada.Lovelace@example"), [TooSimilar(UserAttribute::Email)]);
        assert_eq!(found("1815-12-10!"), [TooSimilar(UserAttribute::DateOfBirth)]);
        assert!(found("홍길동1").contains(&TooSimilar(UserAttribute::Name)));
    }

    #[test]
    fn what_is_quickly_guessed_is_refused() {
        for password in ["aaaaaaaaaaaa", "qwertyqwerty1", "monkey2019", "abcdefgh1"] {
            let found = found(password);
            assert!(!found.is_empty(), "{password}: {found:?}");
        }
    }

    #[test]
    fn korean_words_and_the_name_of_the_site_are_quickly_guessed() {
        use Weakness::{TooCommon, TooGuessable};

        for (password, why) in [
            ("dkssudgktpdy", TooCommon),
            ("DKSSUDgktpdy", TooCommon),
            ("rkskekfk1!", TooGuessable),
            ("1!rkskekfk", TooGuessable),
            ("Korea2026!", TooGuessable),
            ("Korea2026!!", TooGuessable),
            ("Seoul2024!", TooGuessable),
            ("s3oul2024!", TooGuessable),
            ("daemun1234!", TooGuessable),
            ("dasom2026!", TooGuessable),
            ("Dasom!!2026", TooGuessable),
            ("rlaalswns2024!", TooGuessable),
            ("대한민국2024!!", TooGuessable),
            ("kimminjun99", TooGuessable),
        ] {
            assert_eq!(found(password).first(), Some(&why), "{password}");
        }
        for password in ["dasom knows seven whales", "rlatl 7 aksen 은하 Boat", "seoul@6k!Vq7zR"]
        {
            assert_eq!(found(password), [], "{password}");
        }
    }

    #[test]
    fn what_is_common_in_django_is_common_here() {
        // None of these is on zxcvbn's list.
        for password in ["fallen_angel", "Lilmama12", " fallen_angel"] {
            assert_eq!(found(password).first(), Some(&Weakness::TooCommon), "{password}");
        }
    }

    #[test]
    fn the_words_of_a_site_are_those_of_its_host_and_of_its_sender() {
        assert_eq!(
            site_words("accounts.dasom-books.co.kr", Some("Dasom Books")),
            ["accounts", "dasom", "books"]
        );
        assert_eq!(site_words("xn--vk1bx9m.kr", None), ["대문", "eoans"]);
        assert_eq!(site_words("192.0.2.7", None), Vec::<String>::new());
        let many = (0..99).map(|number| format!("word{number}")).collect::<Vec<_>>();
        assert_eq!(site_words(&many.join("."), None).len(), MAX_WORDS);
    }

    #[test]
    fn only_usual_signs_and_digits_are_a_decoration() {
        for usual in ["", "1", "12", "1!", "2026!!", "!!1234", "!@#", "1111", "7890", "!2019!"] {
            assert!(is_decoration(usual), "{usual}");
        }
        for other in ["827", "8273", "1!2", "#!", "%&#", "!!!!!", "12 34"] {
            assert!(!is_decoration(other), "{other}");
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
