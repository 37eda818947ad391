//! Decides what a refused step means: this e-mail is never accepted, not now, or no e-mail is.

use lettre::transport::smtp::Error;

use super::SendError;

/// Replies by which a server says that this e-mail must not be tried again (RFC 5321, 4.2.2): a parameter is
/// wrong, no such mailbox, not a local one, too large, a name not allowed, unknown parameters of an address,
/// no mail for this domain (RFC 7504).
const PERMANENT: [u16; 7] = [501, 550, 551, 552, 553, 555, 556];

/// Replies that concern us and not one e-mail: closing, log in first, wrong password, TLS first.
const ABOUT_US: [u16; 5] = [421, 530, 534, 535, 538];

/// Enhanced status codes for "the sender is not allowed" (RFC 3463, 3.2).
const ABOUT_THE_SENDER: [&str; 2] = ["5.1.7", "5.1.8"];

/// A step that failed.
pub(super) struct StepFailure {
    /// The code of the reply, if the reply may be about this e-mail.
    pub(super) code: Option<u16>,
    /// The step and the reply as it came: nothing is redacted yet.
    pub(super) message: String,
}

impl StepFailure {
    pub(super) fn new(step: &str, error: &Error) -> Self {
        // Without a reply the connection failed, which concerns every e-mail.
        let Some(code) = error.status().map(u16::from) else {
            return Self { code: None, message: format!("{step}: {}", with_sources(error)) };
        };
        let reply = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        let is_about_the_sender = ABOUT_THE_SENDER.iter().any(|code| reply.starts_with(code));
        let message = format!("{step}: {code} {reply}");
        Self { code: Some(code).filter(|_| !is_about_the_sender), message }
    }

    /// Classifies the failure; `reason` is its description for the log.
    pub(super) fn into_send_error(self, reason: String) -> SendError {
        match self.code {
            Some(code) if ABOUT_US.contains(&code) => SendError::Unreachable(reason),
            Some(code) if PERMANENT.contains(&code) => SendError::Permanent(reason),
            // Also other 5xx, such as 554 for suspected spam: a later attempt may be accepted.
            Some(_) => SendError::Transient(reason),
            None => SendError::Unreachable(reason),
        }
    }
}

/// Formats an error with its sources, where it does not repeat them itself.
fn with_sources(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}
