//! Conditions as they are typed: their names and values in the address of a list, the same at every
//! door.

use thiserror::Error;
use time::Date;
use time::macros::format_description;

use super::UserFilter;
use crate::types::GroupId;

/// Why a condition is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConditionError {
    /// Neither `true` nor `false`.
    #[error("neither true nor false")]
    NotBool,
    /// Not a number.
    #[error("not a number")]
    NotNumber,
    /// Not a day of the calendar written as YYYY-MM-DD.
    #[error("not a day")]
    NotDate,
    /// There is no condition of this name.
    #[error("no such condition")]
    Unknown,
}

impl UserFilter {
    /// Every condition but the words.
    pub const CONDITIONS: [&'static str; 7] =
        ["is_active", "is_staff", "is_superuser", "verified", "group", "joined_from", "joined_to"];

    /// Adds one of [`CONDITIONS`](Self::CONDITIONS) as it was typed; nothing typed is no condition.
    ///
    /// # Errors
    /// [`ConditionError`] says what is wrong; the filter stays as it is.
    pub fn set_condition(&mut self, name: &str, typed: &str) -> Result<(), ConditionError> {
        if typed.is_empty() {
            return Ok(());
        }
        match name {
            "is_active" => self.is_active = Some(flag(typed)?),
            "is_staff" => self.is_staff = Some(flag(typed)?),
            "is_superuser" => self.is_superuser = Some(flag(typed)?),
            "verified" => self.is_verified = Some(flag(typed)?),
            "group" => {
                let number = typed.parse().map_err(|_| ConditionError::NotNumber)?;
                self.group = Some(GroupId(number));
            }
            "joined_from" => self.joined_from = Some(day(typed)?),
            "joined_to" => self.joined_to = Some(day(typed)?),
            _ => return Err(ConditionError::Unknown),
        }
        Ok(())
    }
}

fn flag(typed: &str) -> Result<bool, ConditionError> {
    typed.parse().map_err(|_| ConditionError::NotBool)
}

fn day(typed: &str) -> Result<Date, ConditionError> {
    Date::parse(typed, format_description!("[year]-[month]-[day]"))
        .map_err(|_| ConditionError::NotDate)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_condition_is_read_by_its_name() {
        let mut filter = UserFilter::default();

        for (name, typed) in [
            ("is_active", "true"),
            ("is_staff", "false"),
            ("is_superuser", ""),
            ("verified", "true"),
            ("group", "7"),
            ("joined_from", "2026-02-28"),
        ] {
            assert_eq!(filter.set_condition(name, typed), Ok(()), "{name}");
        }

        let wanted = UserFilter {
            is_active: Some(true),
            is_staff: Some(false),
            is_verified: Some(true),
            group: Some(GroupId(7)),
            joined_from: Some(date!(2026 - 02 - 28)),
            ..UserFilter::default()
        };
        assert_eq!(filter, wanted);
    }

    #[test]
    fn every_condition_has_a_name_and_refuses_what_is_none() {
        for name in UserFilter::CONDITIONS {
            let mut filter = UserFilter::default();
            let refused = filter.set_condition(name, "maybe").expect_err(name);

            assert_ne!(refused, ConditionError::Unknown, "{name}");
            assert_eq!(filter, UserFilter::default(), "{name}");
        }
        assert_eq!(
            UserFilter::default().set_condition("password", "x"),
            Err(ConditionError::Unknown)
        );
        assert_eq!(
            UserFilter::default().set_condition("joined_to", "2026-02-30"),
            Err(ConditionError::NotDate)
        );
    }
}
