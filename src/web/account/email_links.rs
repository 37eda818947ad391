//! Links of letters behind which one button stands: proving an address, moving to it, taking that
//! back, and "this wasn't me".
//!
//! Opening a link does nothing, for mail scanners open links too; it shows a page with a button, and
//! the button does it. The token is taken out of the address before that page is drawn.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::request::FromParam;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use super::{Answer, MY_PAGE};
use crate::context::Ctx;
use crate::db::DbError;
use crate::flows;
use crate::flows::account::email_verification::{Done, Outlook, Reader, VerifyError};
use crate::http::cookies;
use crate::links;
use crate::links::{Link, LinkError, Purpose};
use crate::types::{Caller, Password, Secret, SessionId, UserId};
use crate::web::error::Error;
use crate::web::flash::Notice;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::message_page;
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![arrive_at_email, arrive_not_me, show, create, create_at_email, create_not_me,]
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
            Self::Verify => {
                ["email_verification.title", "email_verification.text", "email_verification.submit"]
            }
            Self::Move => [
                "email_change.confirm.title",
                "email_change.confirm.text",
                "email_change.confirm.submit",
            ],
            Self::Undo => {
                ["email_change.undo.title", "email_change.undo.text", "email_change.undo.submit"]
            }
            Self::NotMe => {
                ["report_compromise.title", "report_compromise.text", "report_compromise.submit"]
            }
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

/// The word in the address of the link.
impl FromParam<'_> for Deed {
    type Error = ();

    fn from_param(param: &str) -> Result<Self, ()> {
        match param {
            "verify" => Ok(Self::Verify),
            "change" => Ok(Self::Move),
            "undo" => Ok(Self::Undo),
            _ => Err(()),
        }
    }
}

/// The button, and on the page that verifies an address a password that keeps other devices logged in.
#[derive(FromForm)]
struct LinkForm {
    #[field(default = String::new())]
    password: String,
}

impl Form for LinkForm {
    const FIELDS: &'static [&'static str] = &["password"];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "account/email_link.html")]
struct ButtonPage {
    frame: Frame,
    words: [&'static str; 3],
    email: Option<String>,
    asks_password: bool,
    others_leave: bool,
    form: FormView,
}

#[get("/account/email/<deed>/<token>", rank = 2)]
async fn arrive_at_email(
    deed: Deed,
    token: &str,
    frame: Frame,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    arrive(deed, token, frame, ctx, jar).await
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
        _ => dead(frame, ctx, &Secret::new(token.to_owned())).await.map(Answer::Shown),
    }
}

/// The page for a link that does nothing: what it was for may be done.
async fn dead(frame: Frame, ctx: &Ctx, token: &Secret) -> Result<Page, Error> {
    match flows::account::email_verification::done_by(ctx, token).await? {
        Some(Done::Verified) => {
            message_page::not_found(frame, ("email_verification.already.title", "used_link.text"))
        }
        Some(Done::Changed) => {
            message_page::not_found(frame, ("email_change.already.title", "used_link.text"))
        }
        None => message_page::dead_link(frame),
    }
}

/// The same where the token comes in a cookie, if it does.
async fn dead_or_lost(
    frame: Frame,
    ctx: &Ctx,
    jar: &CookieJar<'_>,
    token: &Secret,
) -> Result<Page, Error> {
    if token.expose().is_empty() {
        return message_page::no_link(frame, ctx, jar);
    }
    dead(frame, ctx, token).await
}

#[get("/account/link")]
async fn show(frame: Frame, ctx: &State<Ctx>, jar: &CookieJar<'_>) -> Result<Page, Error> {
    let token = cookies::carried(jar, ctx);
    let Some((deed, link)) = find(ctx, &token).await? else {
        return dead_or_lost(frame, ctx, jar, &token).await;
    };
    draw(frame, FormView::empty(""), (deed, link), ctx).await
}

async fn draw(
    frame: Frame,
    form: FormView,
    (deed, link): (Deed, Link),
    ctx: &Ctx,
) -> Result<Page, Error> {
    let outlook = match deed {
        Deed::Verify => {
            flows::account::email_verification::outlook(ctx, link.user, session_of(&frame)).await?
        }
        Deed::Move | Deed::Undo | Deed::NotMe => Outlook::Stay,
    };
    let email = link.email.map(|email| email.as_typed().to_owned());
    Page::draw(&ButtonPage {
        frame,
        words: deed.words(),
        email,
        asks_password: outlook == Outlook::NeedPassword,
        others_leave: outlook == Outlook::End,
        form,
    })
}

fn session_of(frame: &Frame) -> Option<(SessionId, UserId)> {
    frame.person().map(|reader| (reader.session(), reader.person().id))
}

async fn find(ctx: &Ctx, token: &Secret) -> Result<Option<(Deed, Link)>, DbError> {
    let link = links::find(&ctx.db, token, ctx.clock.now()).await?;
    Ok(link.and_then(|link| Some((Deed::of(&link)?, link))))
}

#[post("/account/link", data = "<sent>")]
async fn create(
    sent: Submitted<LinkForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let token = cookies::carried(jar, ctx);
    match find(ctx, &token).await? {
        Some((deed, _)) => follow((deed, &token, &sent), frame, caller, (ctx, jar)).await,
        None => dead_or_lost(frame, ctx, jar, &token).await.map(Answer::Shown),
    }
}

/// The same for whoever sends the form to the link itself.
#[post("/account/email/<deed>/<token>", data = "<sent>", rank = 2)]
async fn create_at_email(
    deed: Deed,
    token: &str,
    sent: Submitted<LinkForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let token = Secret::new(token.to_owned());
    follow((deed, &token, &sent), frame, caller, (ctx, jar)).await
}

#[post("/account/not-me/<token>", data = "<sent>")]
async fn create_not_me(
    token: &str,
    sent: Submitted<LinkForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let token = Secret::new(token.to_owned());
    follow((Deed::NotMe, &token, &sent), frame, caller, (ctx, jar)).await
}

/// Verifies the address, with the password where one was typed.
async fn verify(
    token: &Secret,
    sent: &Submitted<LinkForm>,
    frame: Frame,
    caller: &Caller,
    (ctx, jar): (&Ctx, &CookieJar<'_>),
) -> Result<Answer, Error> {
    let session = session_of(&frame);
    let complaints = sent.complaints(Ok(()));
    if !complaints.is_empty() {
        return again(token, sent, &complaints.into(), frame, (ctx, jar)).await;
    }
    // An empty field is no password: the address is verified, and other devices are logged out.
    let password = Password::parse(&sent.form.password).ok();
    match flows::account::email_verification::by_link(
        ctx,
        token,
        Reader { session, password },
        caller,
    )
    .await
    {
        Ok(0) => done(Notice::EmailVerified, session, ctx, jar).await,
        Ok(_) => done(Notice::EmailVerifiedAlone, session, ctx, jar).await,
        Err(VerifyError::NotProved(error)) => {
            let refusal = Refusal::not_proved(&frame, "password", error)?;
            again(token, sent, &refusal, frame, (ctx, jar)).await
        }
        Err(VerifyError::Link(LinkError::Dead)) => dead(frame, ctx, token).await.map(Answer::Shown),
        Err(VerifyError::Link(LinkError::Broken(error))) => Err(error.into()),
    }
}

/// The page once more. Its form goes to the place that reads the token from its cookie.
async fn again(
    token: &Secret,
    sent: &Submitted<LinkForm>,
    refusal: &Refusal,
    frame: Frame,
    (ctx, jar): (&Ctx, &CookieJar<'_>),
) -> Result<Answer, Error> {
    let Some(found) = find(ctx, token).await? else {
        return dead(frame, ctx, token).await.map(Answer::Shown);
    };
    cookies::carry_link(jar, ctx, token.expose());
    let form = FormView::again(&frame, &sent.form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, found, ctx).await?)))
}

/// Does what the button says, and goes on to My page or to the log-in page.
async fn follow(
    (deed, token, sent): (Deed, &Secret, &Submitted<LinkForm>),
    frame: Frame,
    caller: &Caller,
    (ctx, jar): (&Ctx, &CookieJar<'_>),
) -> Result<Answer, Error> {
    let session = session_of(&frame);
    let followed = match deed {
        Deed::Verify => return verify(token, sent, frame, caller, (ctx, jar)).await,
        Deed::Move => flows::account::email_change::by_link(ctx, token, caller).await,
        Deed::Undo => {
            flows::account::report_compromise::undo_email_change(ctx, token, caller).await
        }
        Deed::NotMe => flows::account::report_compromise::not_me(ctx, token, caller).await,
    };
    match followed {
        Ok(()) => done(deed.notice(), session, ctx, jar).await,
        Err(LinkError::Dead) => dead(frame, ctx, token).await.map(Answer::Shown),
        Err(LinkError::Broken(error)) => Err(error.into()),
    }
}

async fn done(
    notice: Notice,
    session: Option<(SessionId, UserId)>,
    ctx: &Ctx,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    cookies::drop_link(jar, ctx);
    notice.say(jar, ctx);
    let is_still_in = match session {
        Some((session, _)) => crate::sessions::find(ctx, session).await?.is_some(),
        None => false,
    };
    Ok(Answer::Gone(Redirect::to(if is_still_in { MY_PAGE } else { "/account/login" })))
}
