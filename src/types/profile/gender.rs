//! The gender of a user, which may be left out.

use thiserror::Error;

/// The gender of a user who gave one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// `male`
    Male,
    /// `female`
    Female,
}

/// The text is not one of the choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not one of the choices")]
pub struct GenderError;

impl Gender {
    /// Parses a form value; an empty one means that the user gave no gender.
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

    /// Returns the form value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gender_is_one_of_the_choices() {
        assert_eq!(Gender::parse(""), Ok(None));
        assert_eq!(Gender::parse("female"), Ok(Some(Gender::Female)));
        assert_eq!(Gender::parse("other"), Err(GenderError));
    }
}
