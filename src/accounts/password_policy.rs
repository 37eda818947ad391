//! What makes a password too weak: Django's four checks, and an estimate of the guesses that it
//! withstands, which knows Korean words and the site's own name.
//!
//! Returns facts; the entry points turn them into sentences. The cost of a check is bounded (a few
//! milliseconds, see docs/PERFORMANCE.md), but too high for an async thread.

use super::similarity::is_similar;
use super::strength;
use super::strength::Estimate;
use super::word_lists;
use crate::types::{Email, Password, Profile, User};

/// Longest password, in code points: more than NIST SP 800-63B-4 asks for (64), few enough that
/// hashing and weighing stay cheap.
pub const MAX_LENGTH: usize = 128;

/// How many words of the site's name, and of the user's attributes, the estimate is given.
const MAX_WORDS: usize = 8;

/// The longest run of symbols that makes a well-known word no harder to guess.
const MAX_DECORATION: usize = 4;

/// The symbols above the digits of a keyboard, in order.
const SHIFTED_DIGITS: &str = "!@#$%^&*()";

/// What a user's password must not resemble.
#[derive(Debug, Clone)]
pub struct UserAttributes {
    /// The address, if it is well-formed.
    pub email: Option<Email>,
    /// The profile.
    pub profile: Profile,
}

impl UserAttributes {
    /// Returns the attributes of a user.
    #[must_use]
    pub fn of(user: &User) -> Self {
        Self { email: Some(user.email.clone()), profile: user.profile.clone() }
    }

    fn email(&self) -> &str {
        self.email.as_ref().map_or("", Email::as_typed)
    }
}

/// The attribute that a password resembles.
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
    /// Similar to an attribute of the user.
    TooSimilar(UserAttribute),
    /// On the lists of common passwords.
    TooCommon,
    /// Only digits.
    EntirelyNumeric,
    /// None of the above, and still guessed quickly.
    TooGuessable,
}

impl Weakness {
    /// Returns the translation key of the message.
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

    /// Returns the placeholder of the message and its number, if it has one.
    #[must_use]
    pub fn bound(self) -> Option<(&'static str, usize)> {
        match self {
            Self::TooShort(min) => Some(("min", usize::from(min))),
            Self::TooLong => Some(("max", MAX_LENGTH)),
            _ => None,
        }
    }
}

/// Returns the words of the site's own name, which attackers try first: those of the host and of the sender
/// of its e-mails.
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

/// Returns everything that is wrong with a password, or nothing.
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
        // Nothing else is checked, so that its length costs nothing.
        return vec![Weakness::TooLong];
    }
    if password.count() < usize::from(min_length) {
        found.push(Weakness::TooShort(min_length));
    }
    found.extend(similar_attribute(text, attributes).map(Weakness::TooSimilar));
    let lower = text.to_lowercase();
    let words: Vec<&str> = site.iter().map(String::as_str).chain(user_words(attributes)).collect();
    let Estimate { is_common, is_strong } = strength::estimate(text, &words);
    if is_common || word_lists::is_common(&lower) || word_lists::is_korean(&lower) {
        found.push(Weakness::TooCommon);
    }
    if text.chars().all(char::is_numeric) {
        found.push(Weakness::EntirelyNumeric);
    }
    // "Easy to guess" would add nothing to a more precise reason.
    if found.is_empty() && (!is_strong || is_decorated_word(&lower, site)) {
        found.push(Weakness::TooGuessable);
    }
    found
}

/// Returns whether a password in lower case is a well-known word with what users add when digits and symbols
/// are demanded: a year, digits in a row, exclamation marks. Guessing rules try these on every word, which
/// zxcvbn does not know.
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

/// Returns whether a text is a year, digits in a row or a short number, with a few common symbols around it.
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

fn similar_attribute(password: &str, attributes: &UserAttributes) -> Option<UserAttribute> {
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

/// Returns a bounded number of the user's words for the estimate, the whole address and name first.
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
    fn every_weakness_is_found_at_once() {
        use Weakness::{EntirelyNumeric, TooCommon, TooShort};

        assert_eq!(found("123456"), [TooShort(8), TooCommon, EntirelyNumeric]);
        assert_eq!(found("password1"), [TooCommon]);
        assert_eq!(found("PASSWORD1"), [TooCommon]);
        assert_eq!(found("8273645192"), [EntirelyNumeric]);
        assert_eq!(found("xK9#q2"), [TooShort(8)]);
    }

    #[test]
    fn a_password_must_not_resemble_the_user() {
        use Weakness::TooSimilar;

        assert_eq!(found("lovelace1"), [TooSimilar(UserAttribute::Email)]);
        assert_eq!(found("Ada.Lovelace@example"), [TooSimilar(UserAttribute::Email)]);
        assert_eq!(found("1815-12-10!"), [TooSimilar(UserAttribute::DateOfBirth)]);
        assert!(found("홍길동1").contains(&TooSimilar(UserAttribute::Name)));
    }

    #[test]
    fn a_password_that_is_guessed_quickly_is_refused() {
        for password in ["aaaaaaaaaaaa", "qwertyqwerty1", "monkey2019", "abcdefgh1"] {
            let found = found(password);
            assert!(!found.is_empty(), "{password}: {found:?}");
        }
    }

    #[test]
    fn korean_words_and_the_name_of_the_site_are_guessed_quickly() {
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
    fn a_password_that_django_calls_common_is_common() {
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
    fn only_common_symbols_and_digits_are_a_decoration() {
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
}
