//! What the button of a link from an e-mail does, and what its page says.

use rocket::request::FromParam;

use crate::links::{Link, Purpose};
use crate::web::flash::Flash;

/// What a link's button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkAction {
    VerifyEmail,
    ChangeEmail,
    UndoEmailChange,
    ReportCompromise,
}

impl LinkAction {
    pub(super) fn of(link: &Link) -> Option<Self> {
        match link.purpose {
            Purpose::VerifyEmail => Some(Self::VerifyEmail),
            Purpose::ChangeEmail => Some(Self::ChangeEmail),
            Purpose::UndoEmailChange => Some(Self::UndoEmailChange),
            Purpose::NotMe => Some(Self::ReportCompromise),
            Purpose::Setup | Purpose::ResetPassword => None,
        }
    }

    /// Returns the translation keys of title, text and button.
    pub(super) fn labels(self) -> [&'static str; 3] {
        match self {
            Self::VerifyEmail => {
                ["email_verification.title", "email_verification.text", "email_verification.submit"]
            }
            Self::ChangeEmail => [
                "email_change.confirm.title",
                "email_change.confirm.text",
                "email_change.confirm.submit",
            ],
            Self::UndoEmailChange => {
                ["email_change.undo.title", "email_change.undo.text", "email_change.undo.submit"]
            }
            Self::ReportCompromise => {
                ["report_compromise.title", "report_compromise.text", "report_compromise.submit"]
            }
        }
    }

    pub(super) fn flash(self) -> Flash {
        match self {
            Self::VerifyEmail => Flash::EmailVerified,
            Self::ChangeEmail => Flash::EmailChanged,
            Self::UndoEmailChange | Self::ReportCompromise => Flash::AccountProtected,
        }
    }
}

/// The last but one part of the link's path.
impl FromParam<'_> for LinkAction {
    type Error = ();

    fn from_param(param: &str) -> Result<Self, ()> {
        match param {
            "verify" => Ok(Self::VerifyEmail),
            "change" => Ok(Self::ChangeEmail),
            "undo" => Ok(Self::UndoEmailChange),
            _ => Err(()),
        }
    }
}
