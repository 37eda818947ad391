//! What the handler of a page needs to know about its request, as one guard.

use rocket::Request;
use rocket::http::{CookieJar, Status};
use rocket::outcome::try_outcome;
use rocket::request::{FromRequest, Outcome};

use super::error::Error;
use super::flash::Flash;
use super::page::PageContext;
use crate::context::Context;
use crate::http::guards::SignedIn;
use crate::http::{cookies, request_info};
use crate::sessions::IssuedTokens;
use crate::types::{RequestInfo, SessionId};

/// The request of a page: the context of its templates, the application's context, the client, and
/// its cookies. It decides nothing about permissions: guards such as `SignedIn` and `Staff` do.
pub(crate) struct RequestContext<'r> {
    pub page: PageContext,
    pub context: &'r Context,
    pub info: &'r RequestInfo,
    pub cookies: &'r CookieJar<'r>,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for RequestContext<'r> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let page = try_outcome!(PageContext::from_request(request).await);
        let Some(context) = request.rocket().state::<Context>() else {
            return Outcome::Error((Status::InternalServerError, ()));
        };
        let info = request_info::of(request, context);
        Outcome::Success(Self { page, context, info, cookies: request.cookies() })
    }
}

impl RequestContext<'_> {
    /// Returns the user, when logged in.
    pub(crate) fn user(&self) -> Option<&SignedIn> {
        self.page.user()
    }

    /// Returns the session in which the request was made.
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.user().map(SignedIn::session)
    }

    /// Fails with a redirect to the reauthentication page, unless the user has reauthenticated
    /// recently.
    pub(crate) fn require_reauthentication(&self, user: &SignedIn) -> Result<(), Error> {
        let is_recent = user.has_reauthenticated(self.context.clock.now());
        if is_recent { Ok(()) } else { Err(self.reauthentication_required()) }
    }

    /// Returns the redirect to the reauthentication page, which leads back to this page.
    pub(crate) fn reauthentication_required(&self) -> Error {
        Error::ReauthenticationRequired(self.page.path_and_query().to_owned())
    }

    /// Shows a flash message on the next page.
    pub(crate) fn flash(&self, message: Flash) {
        message.set(self.cookies, self.context);
    }

    /// Logs the browser in.
    pub(crate) fn log_in(&self, tokens: &IssuedTokens) {
        cookies::sign_in(self.cookies, self.context, tokens);
    }
}
