//! The words of the site's own name, which attackers try first.
//!
//! Knows the settings only as texts: the host and the name of the sender.

use crate::accounts::word_lists;

/// How many words of the site's name, and of the user's attributes, are passed to the estimate,
/// whose cost is bounded.
pub(super) const MAX_WORDS: usize = 8;

/// Returns the words of the site's own name: those of the host and of the sender of its e-mails.
#[must_use]
pub(in crate::accounts) fn site_words(host: &str, sender: Option<&str>) -> Vec<String> {
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

pub(super) fn is_between_words(char: char) -> bool {
    !char.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
