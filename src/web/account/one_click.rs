//! Links of letters behind which one button stands: proving an address, moving to it, taking that
//! back, and "this wasn't me".
//!
//! Opening a link does nothing, for mail scanners open links too; it shows a page with a button, and
//! the button does it. The token is taken out of the address before that page is drawn.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use super::{Answer, MY_PAGE, told};
use crate::ctx::Ctx;
use crate::db::DbError;
use crate::flows::email_change::{self, MoveError};
use crate::flows::protection::{self, ProtectError};
use crate::flows::verification::{self, VerifyError};
use crate::links::{self, Link, Purpose};
use crate::types::{Caller, Secret};
use crate::web::cookies;
use crate::web::error::Error;
use crate::web::form::Submitted;
use crate::web::guards::SignedIn;
use crate::web::notice::Notice;
use crate::web::page::{Frame, Page};

pub(super) fn routes() -> Vec<Route> {
    routes![
        arrive_to_verify,
        arrive_to_move,
        arrive_to_undo,
        arrive_not_me,
        show,
        create,
        verify_at_once,
        move_at_once,
        undo_at_once,
        not_me_at_once,
    ]
}

/// Where the button stands.
const BUTTON: &str = "/account/link";

/// What a button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Verify,
    Move,
    Undo,
    NotMe,
}

impl Deed {
    const ALL: [Self; 4] = [Self::Verify, Self::Move, Self::Undo, Self::NotMe];

    fn purpose(self) -> Purpose {
        match self {
            Self::Verify => Purpose::VerifyEmail,
            Self::Move => Purpose::ChangeEmail,
            Self::Undo => Purpose::UndoEmailChange,
            Self::NotMe => Purpose::NotMe,
        }
    }

    fn of(link: &Link) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.purpose() == link.purpose)
    }

    /// The keys of the page's title, text and button.
    fn words(self) -> [&'static str; 3] {
        match self {
            Self::Verify => ["verify.title", "verify.text", "verify.submit"],
            Self::Move => ["move.title", "move.text", "move.submit"],
            Self::Undo => ["undo.title", "undo.text", "undo.submit"],
            Self::NotMe => ["not_me.title", "not_me.text", "not_me.submit"],
        }
    }

    fn notice(self) -> Notice {
        match self {
            Self::Verify => Notice::EmailVerified,
            Self::Move => Notice::EmailChanged,
            Self::Undo | Self::NotMe => Notice::Protected,
        }
    }
}

/// The form has nothing but its token, which has been checked when a handler sees the form.
#[derive(FromForm)]
struct ButtonForm {
    #[field(name = "csrf", default = String::new())]
    _token: String,
}

#[derive(Template)]
#[template(path = "account/one_click.html")]
struct ButtonPage {
    frame: Frame,
    words: [&'static str; 3],
    email: Option<String>,
}

#[get("/account/email/verify/<token>")]
async fn arrive_to_verify(
    token: &str,
    frame: Frame,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    arrive(Deed::Verify, token, frame, ctx, jar).await
}

#[get("/account/email/change/<token>")]
async fn arrive_to_move(
    token: &str,
    frame: Frame,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    arrive(Deed::Move, token, frame, ctx, jar).await
}

#[get("/account/email/undo/<token>")]
async fn arrive_to_undo(
    token: &str,
    frame: Frame,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    arrive(Deed::Undo, token, frame, ctx, jar).await
}

#[get("/account/not-me/<token>")]
async fn arrive_not_me(
    token: &str,
    frame: Frame,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    arrive(Deed::NotMe, token, frame, ctx, jar).await
}

async fn arrive(
    deed: Deed,
    token: &str,
    frame: Frame,
    ctx: &Ctx,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    match find(ctx, &Secret::new(token.to_owned())).await? {
        Some((found, _)) if found == deed => {
            cookies::carry_link(jar, ctx, token);
            Ok(Answer::Gone(Redirect::to(BUTTON)))
        }
        _ => told::dead_link(frame).map(Answer::Shown),
    }
}

#[get("/account/link")]
async fn show(frame: Frame, ctx: &State<Ctx>, jar: &CookieJar<'_>) -> Result<Page, Error> {
    let Some((deed, link)) = find(ctx, &cookies::carried(jar, ctx)).await? else {
        return told::dead_link(frame);
    };
    let email = link.email.map(|email| email.as_typed().to_owned());
    Page::draw(&ButtonPage { frame, words: deed.words(), email })
}

async fn find(ctx: &Ctx, token: &Secret) -> Result<Option<(Deed, Link)>, DbError> {
    let link = links::find(&ctx.db, token, ctx.clock.now()).await?;
    Ok(link.and_then(|link| Some((Deed::of(&link)?, link))))
}

#[post("/account/link", data = "<_sent>")]
async fn create(
    _sent: Submitted<ButtonForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let token = cookies::carried(jar, ctx);
    match find(ctx, &token).await? {
        Some((deed, _)) => follow(deed, &token, frame, caller, (ctx, jar)).await,
        None => told::dead_link(frame).map(Answer::Shown),
    }
}

#[post("/account/email/verify/<token>", data = "<_sent>")]
async fn verify_at_once(
    token: &str,
    _sent: Submitted<ButtonForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    follow(Deed::Verify, &Secret::new(token.to_owned()), frame, caller, (ctx, jar)).await
}

#[post("/account/email/change/<token>", data = "<_sent>")]
async fn move_at_once(
    token: &str,
    _sent: Submitted<ButtonForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    follow(Deed::Move, &Secret::new(token.to_owned()), frame, caller, (ctx, jar)).await
}

#[post("/account/email/undo/<token>", data = "<_sent>")]
async fn undo_at_once(
    token: &str,
    _sent: Submitted<ButtonForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    follow(Deed::Undo, &Secret::new(token.to_owned()), frame, caller, (ctx, jar)).await
}

#[post("/account/not-me/<token>", data = "<_sent>")]
async fn not_me_at_once(
    token: &str,
    _sent: Submitted<ButtonForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    follow(Deed::NotMe, &Secret::new(token.to_owned()), frame, caller, (ctx, jar)).await
}

/// Does what the button says, and goes on to My page or to the log-in page.
async fn follow(
    deed: Deed,
    token: &Secret,
    frame: Frame,
    caller: &Caller,
    (ctx, jar): (&Ctx, &CookieJar<'_>),
) -> Result<Answer, Error> {
    let session = frame.person().map(SignedIn::session);
    let done = match deed {
        Deed::Verify => verification::by_link(ctx, token, session, caller).await.map_err(bad),
        Deed::Move => email_change::by_link(ctx, token, caller).await.map_err(bad),
        Deed::Undo => protection::undo_email_change(ctx, token, caller).await.map_err(bad),
        Deed::NotMe => protection::not_me(ctx, token, caller).await.map_err(bad),
    };
    match done {
        Ok(()) => {}
        Err(None) => return told::dead_link(frame).map(Answer::Shown),
        Err(Some(error)) => return Err(error.into()),
    }
    cookies::drop_link(jar, ctx);
    cookies::say(jar, ctx, deed.notice());
    let is_still_in = match session {
        Some(session) => crate::sessions::find(ctx, session).await?.is_some(),
        None => false,
    };
    Ok(Answer::Gone(Redirect::to(if is_still_in { MY_PAGE } else { "/account/login" })))
}

/// A link that does not work, or a database that does not.
fn bad(error: impl Into<Bad>) -> Option<DbError> {
    error.into().0
}

struct Bad(Option<DbError>);

impl From<VerifyError> for Bad {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::BadLink => Self(None),
            VerifyError::Broken(error) => Self(Some(error)),
        }
    }
}

impl From<MoveError> for Bad {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::BadLink => Self(None),
            MoveError::Broken(error) => Self(Some(error)),
        }
    }
}

impl From<ProtectError> for Bad {
    fn from(error: ProtectError) -> Self {
        match error {
            ProtectError::BadLink => Self(None),
            ProtectError::Broken(error) => Self(Some(error)),
        }
    }
}
