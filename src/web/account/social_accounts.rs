//! The providers by which a person comes in: connecting others, and disconnecting them.

use askama::Template;
use rocket::http::CookieJar;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use super::login_methods;
use super::login_methods::Way;
use super::{Answer, reauthentication};
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::social_accounts::DisconnectError;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::social;
use crate::social::{Identity, Provider};
use crate::types::Caller;
use crate::web::error::Error;
use crate::web::flash::Notice;
use crate::web::forms::{ButtonForm, Submitted};
use crate::web::message_page;
use crate::web::page::{Frame, Moment, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![index, destroy]
}

/// The page itself.
pub(crate) const LIST: &str = "/account/connections";

#[derive(Template)]
#[template(path = "account/social_accounts.html")]
struct ConnectionsPage {
    frame: Frame,
    connections: Vec<Shown>,
    ways: Vec<Way>,
}

struct Shown {
    id: i64,
    name: String,
    label: String,
    since: Moment,
    used: Moment,
}

#[get("/account/connections")]
async fn index(signed_in: SignedIn, frame: Frame, ctx: &State<Ctx>) -> Result<Page, Error> {
    let providers = social::list_active(ctx).await?;
    let identities = social::list_of(&ctx.db, signed_in.person().id).await?;
    let is_new = |slug: &str| identities.iter().all(|identity| identity.provider != slug);
    let others = providers.iter().filter(|provider| is_new(provider.slug()));
    let (ways, origins) = login_methods::shown(others.map(|it| &it.application), &frame);
    let connections = identities.into_iter().map(|it| show(it, &providers, &frame)).collect();
    Ok(Page::draw(&ConnectionsPage { frame, connections, ways })?.leading_to(origins))
}

fn show(identity: Identity, providers: &[Provider], frame: &Frame) -> Shown {
    let provider = providers.iter().find(|provider| provider.slug() == identity.provider);
    let name = provider.map(|provider| login_methods::name_of(&provider.application, frame));
    Shown {
        id: identity.id,
        name: name.unwrap_or(identity.provider),
        label: identity.label,
        since: Moment::of(frame, identity.connected_at),
        used: Moment::of(frame, identity.used_at),
    }
}

#[post("/account/connections/<id>/disconnect", data = "<_sent>")]
async fn destroy(
    id: Option<i64>,
    _sent: Submitted<ButtonForm>,
    signed_in: SignedIn,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    if !guards::has_just_proved(ctx, &signed_in).await? {
        return Ok(Answer::Gone(reauthentication::ask_for(LIST)));
    }
    match flows::account::social_accounts::disconnect(
        ctx,
        signed_in.person().id,
        id.unwrap_or_default(),
        caller,
    )
    .await
    {
        Ok(()) => {
            Notice::SocialDisconnected.say(jar, ctx);
            Ok(Answer::Gone(Redirect::to(LIST)))
        }
        Err(DisconnectError::Stays) => {
            let page = message_page::draw(
                frame,
                ("social_accounts.last_method.title", "social_accounts.last_method.text"),
            )?;
            Ok(Answer::Shown(page.with_status(rocket::http::Status::UnprocessableEntity)))
        }
        Err(DisconnectError::Broken(error)) => Err(error.into()),
    }
}
