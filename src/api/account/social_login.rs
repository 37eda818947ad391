//! Coming in by a provider, for phones that hold a token or a code of it.

use rocket::http::{CookieJar, Status};
use rocket::serde::json::Json;
use rocket::{Responder, Route, State, post, routes};

use super::{Detail, Said, Welcome};
use crate::api::body::Body;
use crate::api::credentials::session_of;
use crate::api::error::{Error, Refusal};
use crate::api::fields::{Complaints, Fields, NON_FIELD, local_email};
use crate::api::openapi::{Described, HttpMethod, Kind, Section, may, open};
use crate::config::EmailVerification;
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::social_login::{Arrived, Guest, SocialError, Token};
use crate::http::cookies::TokenCookies;
use crate::i18n::{Sentence, of_mail};
use crate::oauth::OauthError;
use crate::social::find_active;
use crate::types::{Caller, Email, Language, Secret};

pub(crate) fn routes() -> Vec<Route> {
    routes![create]
}

/// The same in words. One of the first three fields is needed.
pub(crate) fn described() -> Vec<Described> {
    let (path, about) = ("/api/account/social/{slug}", "openapi.account.social_login");
    let fields = [
        may("access_token", Kind::Text),
        may("id_token", Kind::Text),
        may("code", Kind::Text),
        may("code_verifier", Kind::Text),
        may("email", Kind::Email),
    ];
    let route = open(HttpMethod::Post, path, Section::Account, about).takes(fields);
    vec![route.gives::<Welcome>(200).gives::<Detail>(201).refuses(&[401, 404, 429, 503])]
}

#[derive(Responder)]
enum Answer {
    Welcome(Json<Welcome>),
    LetterSent(Said),
}

/// An `email` may be sent along, for a person of whom the provider tells none.
#[post("/api/account/social/<slug>", data = "<body>")]
async fn create(
    slug: &str,
    body: Body,
    language: Language,
    caller: &Caller,
    ctx: &State<Ctx>,
    cookies: TokenCookies<'_>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let provider = find_active(ctx, slug).await?.ok_or_else(Refusal::not_found)?;
    let (token, typed) = read(&body)?;
    let before = session_of(&cookies, ctx).await?;
    let known = flows::account::social_login::by_token(ctx, &provider, token, caller).await;
    let known = known.map_err(|error| refused(error, ctx))?;
    let typed = typed.as_ref();
    let guest = Guest { provider: &provider, known: &known, typed, language, before };
    match flows::account::social_login::welcome(ctx, guest, caller).await {
        Ok(Arrived::SignedIn(opened, _)) => {
            Welcome::of(&opened, jar, ctx).await.map(Answer::Welcome)
        }
        Ok(Arrived::LetterSent) => {
            let sent = of_mail("api.signup.verification_sent", ctx.settings.delivers_mail());
            let sent = Sentence::new(sent);
            Ok(Answer::LetterSent(Said(Status::Created, sent)))
        }
        Err(error) => Err(refused(error, ctx)),
    }
}

fn read(body: &Body) -> Result<(Token, Option<Email>), Error> {
    let mut fields = Fields::of(body);
    let mut secret = |name| fields.optional_text(name).map(Secret::new);
    let (access, id) = (secret("access_token"), secret("id_token"));
    let (code, verifier) = (secret("code"), secret("code_verifier"));
    let typed = body.get("email").is_some().then(|| fields.email("email")).flatten();
    let complaints = fields.complaints();
    if !complaints.is_empty() {
        return Err(complaints.into());
    }
    let token = match (access, id, code) {
        (Some(token), _, _) => Token::Access(token),
        (None, Some(token), _) => Token::Id(token),
        (None, None, Some(code)) => Token::Code(code, verifier),
        (None, None, None) => return Err(of_all("api.social.nothing")),
    };
    Ok((token, typed))
}

fn refused(error: SocialError, ctx: &Ctx) -> Error {
    match error {
        SocialError::Unknown => Refusal::not_found().into(),
        SocialError::Provider(OauthError::Refused(_)) => of_all("api.social.wrong"),
        SocialError::Provider(_) => {
            let detail = Sentence::new("api.social.unavailable");
            let status = Status::ServiceUnavailable;
            Refusal::new(status, "provider_unavailable", detail).into()
        }
        SocialError::Refused => of_all(match ctx.settings.email_verification {
            EmailVerification::Mandatory => "api.login.wrong_or_unverified",
            _ => "api.login.wrong",
        }),
        SocialError::Closed => {
            let detail = Sentence::new("api.signup.closed");
            Refusal::new(Status::Forbidden, "signup_closed", detail).into()
        }
        SocialError::EmailTaken => of_all("api.signup.taken"),
        SocialError::LocalEmail => local_email(),
        SocialError::NoEmail => {
            Complaints::about("email", Sentence::new("api.social.no_email")).into()
        }
        SocialError::NotNow(error) => error.into(),
        SocialError::Broken(error) => error.into(),
    }
}

fn of_all(key: &'static str) -> Error {
    Complaints::about(NON_FIELD, Sentence::new(key)).into()
}
