//! What makes a password too weak: Django's four checks, and an estimate of the guesses that it
//! withstands, which knows Korean words and the site's own name.
//!
//! Returns facts; the entry points turn them into sentences. The cost of a check is bounded (a few
//! milliseconds, see docs/PERFORMANCE.md), but too high for an async thread.

mod decoration;
mod site_words;
mod user_attributes;
mod weakness;

use self::decoration::is_decorated_word;
pub(super) use self::site_words::site_words;
pub use self::user_attributes::{UserAttribute, UserAttributes};
use self::user_attributes::{similar_attribute, user_words};
pub use self::weakness::{MAX_LENGTH, Weakness};
use super::strength;
use super::strength::Estimate;
use super::word_lists;
use crate::types::Password;

/// Returns everything that is wrong with a password, or nothing.
#[must_use]
pub(in crate::accounts) fn find_weaknesses(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{BirthDate, Email, Name, Profile};

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
