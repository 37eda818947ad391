//! Durations as settings write them: `90s`, `5m`, `12h`, `14d`.

use std::time::Duration;

/// The units with their seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads a whole number and a unit.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let digits = &text[..text.len() - unit.len_utf8()];
    let (_, seconds) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    // `u64` would also accept a plus sign.
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| digits.parse::<u64>().ok())??;
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(parse("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse("5m"), Some(Duration::from_mins(5)));
        assert_eq!(parse("12h"), Some(Duration::from_hours(12)));
        assert_eq!(parse("14d"), Some(Duration::from_hours(336)));
        for text in
            ["", "5", "m", "5 m", "-5m", "+5m", "5µ", "1.5h", "99999999999999999999d", "5min"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
