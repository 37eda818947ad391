//! The types of settings that take one of a few words.

use std::str::FromStr;

use super::problem::NotAllowed;

/// A setting that takes one of a few words.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl FromStr for $name {
            type Err = NotAllowed;

            fn from_str(text: &str) -> Result<Self, NotAllowed> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(NotAllowed) }
            }
        }
    };
}

choice! {
    /// Whether and when users must verify their e-mail address.
    EmailVerification {
        /// Never.
        None = "none",
        /// Users are reminded.
        #[default]
        Optional = "optional",
        /// Before a user may log in.
        Mandatory = "mandatory",
    }
}

choice! {
    /// Whether visitors may sign up.
    SignupMode {
        /// They may.
        #[default]
        Open = "open",
        /// Only an administrator creates accounts.
        Closed = "closed",
    }
}

choice! {
    /// How log lines are written.
    LogFormat {
        /// As plain text.
        #[default]
        Text = "text",
        /// One JSON object per line.
        Json = "json",
    }
}

choice! {
    /// Which log lines are written; Rocket's own setting.
    LogLevel {
        /// None.
        Off = "off",
        /// Failures.
        Critical = "critical",
        /// One line per outcome.
        #[default]
        Normal = "normal",
        /// Everything; of Rocket nothing, for it would print cookies.
        Debug = "debug",
    }
}

/// A claim about the user that access tokens may have besides the ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CustomClaim {
    /// The address.
    Email,
    /// The name.
    Name,
    /// Whether the user is staff.
    IsStaff,
    /// The names of the user's groups.
    Groups,
}

impl CustomClaim {
    /// Returns the claim's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Name => "name",
            Self::IsStaff => "is_staff",
            Self::Groups => "groups",
        }
    }
}

impl FromStr for CustomClaim {
    type Err = NotAllowed;

    fn from_str(text: &str) -> Result<Self, NotAllowed> {
        [Self::Email, Self::Name, Self::IsStaff, Self::Groups]
            .into_iter()
            .find(|claim| claim.as_str() == text)
            .ok_or(NotAllowed)
    }
}
