//! What an account says about its person: name, gender, date of birth, and the snapshot of it all
//! that a signed-in request carries.

use std::fmt;

use thiserror::Error;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use super::{Email, Language, Permission, Permissions, UserId, text};

/// Nobody alive is older than this, in years; the longest documented life lasted 122.
const MAX_AGE_YEARS: i32 = 130;

/// What a person wants to be called; may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name(String);

/// Why something typed is not a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// More than 150 code points.
    #[error("name too long")]
    TooLong,
    /// Holds control characters such as line breaks.
    #[error("name with control characters")]
    Unprintable,
}

impl Name {
    /// Longest name, in code points; as long as Django's first name.
    pub const MAX: usize = 150;

    /// Parses what a person typed: it is composed (NFC), and white space and invisible characters around
    /// it are dropped.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let typed = text::line(typed);
        if typed.chars().count() > Self::MAX {
            return Err(NameError::TooLong);
        }
        if typed.chars().any(char::is_control) {
            return Err(NameError::Unprintable);
        }
        Ok(Self(typed.into_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person's gender, where the person gave one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// `male`
    Male,
    /// `female`
    Female,
}

/// Something that is none of the choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not one of the choices")]
pub struct GenderError;

impl Gender {
    /// Reads a form value; the empty one means that the person keeps it to themselves.
    ///
    /// # Errors
    /// [`GenderError`] for anything but `male`, `female` and the empty string.
    pub fn parse(typed: &str) -> Result<Option<Self>, GenderError> {
        match typed {
            "" => Ok(None),
            "male" => Ok(Some(Self::Male)),
            "female" => Ok(Some(Self::Female)),
            _ => Err(GenderError),
        }
    }

    /// The form value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

/// A day on which a living person can have been born.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BirthDate(Date);

/// Why something typed is not a [`BirthDate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BirthDateError {
    /// Not a day of the calendar written as YYYY-MM-DD.
    #[error("not a date")]
    Malformed,
    /// After today.
    #[error("date in the future")]
    Future,
    /// So long ago that nobody born then is alive.
    #[error("date too long ago")]
    TooLongAgo,
}

impl BirthDate {
    /// Reads a form value; the empty one means that the person gave no date.
    ///
    /// # Errors
    /// [`BirthDateError`] says what is wrong.
    pub fn parse(typed: &str, today: Date) -> Result<Option<Self>, BirthDateError> {
        if typed.is_empty() {
            return Ok(None);
        }
        let date = Self::from_iso(typed).ok_or(BirthDateError::Malformed)?;
        if date.0 > today {
            return Err(BirthDateError::Future);
        }
        if date.0.year() < today.year() - MAX_AGE_YEARS {
            return Err(BirthDateError::TooLongAgo);
        }
        Ok(Some(date))
    }

    /// Reads what [`Display`](fmt::Display) wrote.
    #[must_use]
    pub fn from_iso(text: &str) -> Option<Self> {
        let is_iso = text.len() == 10 && text.as_bytes()[0].is_ascii_digit();
        let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
        is_iso.then_some(Self(date))
    }
}

/// YYYY-MM-DD.
impl fmt::Display for BirthDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

/// What a signed-in request knows of its person without asking the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Number of the account.
    pub id: UserId,
    /// Address of the account.
    pub email: Email,
    /// Name, empty when none was given.
    pub name: Name,
    /// Gender, where given.
    pub gender: Option<Gender>,
    /// Date of birth, where given.
    pub date_of_birth: Option<BirthDate>,
    /// May enter the admin pages.
    pub is_staff: bool,
    /// May do everything.
    pub is_superuser: bool,
    /// What the groups of a member of staff grant; superusers need none.
    pub granted: Permissions,
    /// Whether there is a password to log in with.
    pub has_password: bool,
    /// When the address was proved to belong to the person.
    pub email_verified_at: Option<OffsetDateTime>,
    /// The language in which the person reads letters.
    pub language: Language,
    /// When the account was made.
    pub created_at: OffsetDateTime,
}

impl Person {
    /// What the person may do on the admin pages: everything for a superuser, what the groups grant for
    /// staff, and nothing for everybody else.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        match (self.is_superuser, self.is_staff) {
            (true, _) => Permissions::all(),
            (false, true) => self.granted,
            (false, false) => Permissions::NONE,
        }
    }

    /// Whether the person may do this kind of act.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions().has(permission)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 03 - 01);

    #[test]
    fn a_day_of_the_calendar_is_a_date_of_birth() {
        let born = BirthDate::parse("1990-02-28", TODAY).expect("a date").expect("given");

        assert_eq!(born.to_string(), "1990-02-28");
    }

    #[test]
    fn a_date_that_nobody_can_have_is_refused() {
        assert_eq!(BirthDate::parse("2026-03-02", TODAY), Err(BirthDateError::Future));
        assert_eq!(BirthDate::parse("1895-12-31", TODAY), Err(BirthDateError::TooLongAgo));
        for typed in
            ["1990-02-30", "1990/02/28", "28.02.1990", "+990-02-28", "1990-2-8", "x", "1990-02-28 "]
        {
            assert_eq!(BirthDate::parse(typed, TODAY), Err(BirthDateError::Malformed), "{typed:?}");
        }
    }

    #[test]
    fn a_name_is_printable_and_of_bearable_length() {
        assert_eq!(Name::parse(" 홍길동 ").expect("a name").as_str(), "홍길동");
        let decomposed = "\u{1112}\u{1169}\u{11bc}\u{1100}\u{1175}\u{11af}\u{1103}\u{1169}\u{11bc}";
        assert_eq!(Name::parse(decomposed).expect("a name").as_str(), "홍길동");
        assert!(Name::parse(&"\u{1112}\u{1169}\u{11bc}".repeat(150)).is_ok(), "counted composed");
        assert_eq!(Name::parse("a\nb"), Err(NameError::Unprintable));
        assert_eq!(Name::parse(&"가".repeat(151)), Err(NameError::TooLong));
    }

    #[test]
    fn a_gender_is_one_of_the_choices() {
        assert_eq!(Gender::parse(""), Ok(None));
        assert_eq!(Gender::parse("female"), Ok(Some(Gender::Female)));
        assert_eq!(Gender::parse("other"), Err(GenderError));
    }
}
