//! The sections of the API reference.

use crate::types::named_enum;

named_enum! {
    /// A section of the reference.
    pub(crate) enum Section {
        Tokens = "tokens",
        Account = "account",
        Users = "users",
        Service = "service",
    }
}

impl Section {
    /// Returns the translation key of its title.
    pub(super) fn summary(self) -> &'static str {
        match self {
            Self::Tokens => "openapi.section.tokens",
            Self::Account => "openapi.section.account",
            Self::Users => "openapi.section.users",
            Self::Service => "openapi.section.service",
        }
    }
}
