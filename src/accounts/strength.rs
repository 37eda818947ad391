//! Estimates how many guesses a password withstands, at a bounded price.
//!
//! zxcvbn tries each substring of a password in each of its lists, once for each reading of leet
//! characters ("4" for a, "$" for s): the price grows with the square of the length and multiplies
//! with each kind of such character, up to half a second for 100 of them. So a password is
//! estimated window by window, each as long as its price allows, until one is strong or the budget
//! is used (docs/decisions/0019).

use zxcvbn::feedback::{Feedback, Warning};

use super::word_lists;

/// zxcvbn's score 3, "safely unguessable": moderate protection of a stolen hash.
const MIN_GUESSES: u64 = 100_000_005;

/// How much more a window has to withstand for each of its ends where it was cut out of the
/// password. A cut makes two parts of one ("qrstuvwxyz" of an alphabet), and zxcvbn counts each
/// part 10^4 times.
const CUT_FACTOR: u64 = 10_000;

/// The longest window, in characters: six to eight words of a passphrase, which is twice what is
/// enough.
const WINDOW: usize = 32;

/// The shortest step from one window to the next.
const STEP: usize = 8;

/// What a password may cost in all, in units of [`cost`]: about 8 ms on the machine of
/// docs/PERFORMANCE.md. Thirteen different leet characters cost no more, and are strong whatever
/// they are; fourteen windows without any fit in as well.
const BUDGET: usize = 60_000;

/// How many of the user's own words zxcvbn gets, and how long each may be: it copies them for each
/// reading of a password.
const MAX_INPUTS: usize = 16;
const MAX_INPUT_LENGTH: usize = 64;

/// The letters that zxcvbn reads other characters as, and those characters.
const LEET: [(char, &str); 12] = [
    ('a', "4@"),
    ('b', "8"),
    ('c', "({[<"),
    ('e', "3"),
    ('g', "69"),
    ('i', "1!|"),
    ('l', "1|7"),
    ('o', "0"),
    ('s', "$5"),
    ('t', "+7"),
    ('x', "%"),
    ('z', "2"),
];

/// What is known of a password's strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Estimate {
    /// Whether the whole password is on zxcvbn's list of 30,000 common ones.
    pub is_common: bool,
    /// Whether it withstands 10^8 guesses.
    pub is_strong: bool,
}

/// Estimates a password. `inputs` are words that an attacker tries first, the most likely first.
pub(super) fn estimate(password: &str, inputs: &[&str]) -> Estimate {
    let chars: Vec<char> = password.chars().collect();
    let is_short = |word: &&&str| word.chars().count() <= MAX_INPUT_LENGTH;
    let inputs: Vec<&str> = inputs.iter().filter(is_short).take(MAX_INPUTS).copied().collect();
    let mut estimate = Estimate { is_common: false, is_strong: false };
    let (mut start, mut spent) = (0, 0);
    while start < chars.len() {
        let length = window(&chars[start..]);
        let text: String = chars[start..start + length].iter().collect();
        // Before the work, so that the budget is never exceeded. What was not found strong is weak.
        spent += cost(&chars[start..start + length]);
        if spent > BUDGET {
            break;
        }
        let entropy = estimate_window(&text, &inputs);
        // zxcvbn judges the text that it gets, and only a whole password counts as common.
        if length == chars.len() {
            estimate.is_common = is_common(&entropy);
        }
        let is_last = start + length == chars.len();
        let cuts = u32::from(start > 0) + u32::from(!is_last);
        // One strong window is enough: a password is at least as strong as any part of it. Weak
        // windows are never added up.
        estimate.is_strong = entropy.guesses() >= MIN_GUESSES * CUT_FACTOR.pow(cuts);
        if estimate.is_strong || is_last {
            break;
        }
        // Windows overlap by half, so that what is strong is not cut in two.
        start += (length / 2).max(STEP);
    }
    estimate
}

/// Estimates a window with the user's own words and the Korean words in it.
fn estimate_window(text: &str, inputs: &[&str]) -> zxcvbn::Entropy {
    // Only the Korean words that are in it: the whole list would cost a millisecond for each
    // reading.
    let readings = readings(text);
    let mut words: Vec<&str> = inputs.to_vec();
    for word in readings.iter().flat_map(|reading| word_lists::korean_words_in(reading)) {
        if words.len() < 2 * MAX_INPUTS && !words.contains(&word) {
            words.push(word);
        }
    }
    zxcvbn::zxcvbn(text, &words)
}

/// Returns a text in lower case, backwards, and with its leet characters read as letters in the two
/// ways that differ most.
fn readings(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut readings = vec![lower.chars().rev().collect::<String>()];
    for order in [[0, 1], [1, 0]] {
        let read = |char: char| {
            let mut contents = LEET.iter().filter(|(_, signs)| signs.contains(char));
            let both = [contents.next(), contents.next()];
            both[order[0]].or(both[order[1]]).map_or(char, |(content, _)| *content)
        };
        let reading: String = lower.chars().map(read).collect();
        if reading != lower && !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    readings.insert(0, lower);
    readings
}

/// Returns the length of the longest window at the start of a text that keeps to the budget.
fn window(chars: &[char]) -> usize {
    let longest = chars.len().min(WINDOW);
    (STEP..=longest).rev().find(|n| cost(&chars[..*n]) <= BUDGET).unwrap_or(longest.min(STEP))
}

/// Returns a measure of zxcvbn's work on a text: the pairs of its characters, for each reading and
/// for the work that needs none.
fn cost(chars: &[char]) -> usize {
    let count = |signs: &str| signs.chars().filter(|sign| chars.contains(sign)).count();
    let readings: usize = LEET.iter().map(|(_, signs)| count(signs).max(1)).product();
    chars.len() * chars.len() * (readings + 3)
}

/// Returns whether zxcvbn has found the whole text on its list of passwords.
fn is_common(entropy: &zxcvbn::Entropy) -> bool {
    matches!(
        entropy.feedback().and_then(Feedback::warning),
        Some(
            Warning::ThisIsATop10Password
                | Warning::ThisIsATop100Password
                | Warning::ThisIsACommonPassword
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_strong(password: &str) -> bool {
        estimate(password, &[]).is_strong
    }

    /// Passwords that cost much: leet signs of every kind in several orders, dates, repetitions,
    /// words, scripts whose lower case is longer.
    fn expensive_passwords() -> Vec<String> {
        let all: String = LEET.iter().map(|(_, signs)| *signs).collect();
        let fill = |text: &str| text.chars().cycle().take(128).collect::<String>();
        let mut expensive_passwords: Vec<String> = [
            "19991231",
            "1122334455667788990",
            "p@ssw0rd1l0v3y0u$7r0n6(4|8",
            "l1l1l1tt77ss55",
            "a",
            "ab",
            "qwertyuiop",
            "rkskekfk",
            "seoul2024!",
            "İ",
            "가나다라마바사",
            "👩‍👩‍👧‍👦",
        ]
        .map(fill)
        .to_vec();
        // Every fifth sign, every seventh and so on: the signs are in another order each time.
        let signs: Vec<char> = all.chars().collect();
        for step in [1, 2, 3, 5, 7, 11] {
            let text: String = (0..128).map(|at| signs[at * step % signs.len()]).collect();
            expensive_passwords.push(text);
        }
        expensive_passwords
    }

    #[test]
    fn the_price_of_a_window_and_of_a_password_is_bounded() {
        for password in expensive_passwords() {
            let chars: Vec<char> = password.chars().collect();
            for start in 0..chars.len() {
                let length = window(&chars[start..]);
                let cost = cost(&chars[start..start + length]);
                assert!(cost <= BUDGET, "{cost}: {password}");
                // Long enough to be strong if its signs are all different.
                assert!(length >= 13.min(chars.len() - start), "{length}: {password}");
            }
        }
    }

    /// This fails if windows are not what is weighed, on any machine: whole, the same signs cost
    /// tens of times as much. The fastest of some runs is taken, because the machine may be busy.
    #[test]
    fn the_dearest_password_costs_a_fraction_of_what_it_costs_zxcvbn() {
        let fastest = |work: &dyn Fn()| {
            let run = |_| {
                let start = std::time::Instant::now();
                work();
                start.elapsed()
            };
            (0..3).map(run).min().expect("some runs")
        };
        let signs: String = LEET.iter().map(|(_, signs)| *signs).collect();
        let password: String = signs.chars().rev().cycle().take(128).collect();
        estimate("the lists are read", &[]);

        let ours = fastest(&|| {
            estimate(&password, &[]);
        });
        let whole = fastest(&|| drop(zxcvbn::zxcvbn(&password, &[])));

        assert!(5 * ours < whole, "{ours:?} of {whole:?}");
    }

    #[test]
    fn a_long_password_is_as_strong_as_its_strongest_part() {
        let weak = "a".repeat(60);
        for strong in [
            format!("{weak} correct horse battery staple"),
            format!("vo7Cs!x2mQpd{weak}"),
            format!("{weak}vo7Cs!x2mQpd"),
            format!("{}vo7Cs!x2mQpd{}", "password".repeat(5), "12345678".repeat(5)),
            "river ".repeat(3) + "boat lamp cedar",
        ] {
            assert!(is_strong(&strong), "{strong}");
        }
    }

    #[test]
    fn a_long_weak_password_is_weak() {
        for weak in [
            "a".repeat(128),
            "password".repeat(16),
            "1234567890".repeat(12),
            "abcdefghijklmnopqrstuvwxyz".repeat(4),
            "river ".repeat(21),
            "iloveyou!".repeat(14),
            "19991231".repeat(16),
            "rkskekfk".repeat(16),
            "p@ssw0rd".repeat(16),
            "İ".repeat(128),
            "가".repeat(128),
            "!".repeat(128),
        ] {
            assert!(!is_strong(&weak), "{weak}");
        }
    }

    #[test]
    fn what_is_common_is_told_of_whole_passwords() {
        assert!(estimate("password1", &[]).is_common);
        assert!(!estimate("password1 by the river", &[]).is_common);
        assert_eq!(estimate("", &[]), Estimate { is_common: false, is_strong: false });
    }

    #[test]
    fn the_users_own_words_are_weak_and_bounded() {
        assert!(!estimate("kestrelmarsh7", &["kestrelmarsh"]).is_strong);
        let many: Vec<String> = (0..5_000).map(|number| format!("word{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(estimate("correct horse battery staple", &many).is_strong);
    }
}
