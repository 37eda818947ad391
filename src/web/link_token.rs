//! The token of a link in an e-mail, as it arrives in a URL.

use rocket::request::FromParam;

use crate::types::Secret;

/// The token of a link.
pub(crate) struct LinkToken(Secret);

impl LinkToken {
    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }
}

impl FromParam<'_> for LinkToken {
    type Error = std::convert::Infallible;

    fn from_param(param: &str) -> Result<Self, Self::Error> {
        // Mail programs that make a link of plain text sometimes add the full stop, the bracket or
        // the quotation mark behind it. No token ends in one.
        let is_glued = |c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c);
        Ok(Self(Secret::new(param.trim_end_matches(is_glued).to_owned())))
    }
}
