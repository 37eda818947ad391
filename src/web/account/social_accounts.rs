//! The user's connected login providers: connecting others and disconnecting them.

use askama::Template;
use rocket::http::Status;
use rocket::{Route, State, get, post, routes};

use super::login_methods;
use super::login_methods::LoginMethod;
use crate::context::Context;
use crate::flows;
use crate::flows::account::social_accounts::DisconnectError;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::social;
use crate::social::{Identity, Provider};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::{ButtonForm, Submitted};
use crate::web::labels::provider_name;
use crate::web::message_page;
use crate::web::page::{Page, PageContext, Timestamp};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![index, destroy]
}

#[derive(Template)]
#[template(path = "account/social_accounts.html")]
struct SocialAccountsPage {
    page: PageContext,
    social_accounts: Vec<SocialAccountRow>,
    login_methods: Vec<LoginMethod>,
}

struct SocialAccountRow {
    id: i64,
    name: String,
    label: String,
    since: Timestamp,
    used: Timestamp,
}

#[get("/account/connections")]
async fn index(
    signed_in: SignedIn,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let providers = social::list_active(ctx).await?;
    let identities = social::list_identities(&ctx.db, signed_in.user().id).await?;
    let is_new = |slug: &str| identities.iter().all(|identity| identity.provider != slug);
    let others = providers.iter().filter(|provider| is_new(provider.slug()));
    let (login_methods, origins) = login_methods::buttons(others.map(|it| &it.registration), &page);
    let social_accounts = identities.into_iter().map(|it| row(it, &providers, &page)).collect();
    Ok(Page::render(&SocialAccountsPage { page, social_accounts, login_methods })?
        .with_form_action(origins))
}

fn row(identity: Identity, providers: &[Provider], page: &PageContext) -> SocialAccountRow {
    let provider = providers.iter().find(|provider| provider.slug() == identity.provider);
    let name = provider.map(|provider| provider_name(&provider.registration, page));
    SocialAccountRow {
        id: identity.id,
        name: name.unwrap_or(identity.provider),
        label: identity.label,
        since: Timestamp::new(page, identity.connected_at),
        used: Timestamp::new(page, identity.used_at),
    }
}

#[post("/account/connections/<id>/disconnect", data = "<_form>")]
async fn destroy(
    id: Option<i64>,
    _form: Submitted<ButtonForm>,
    signed_in: SignedIn,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let (ctx, user, id) = (request.context, signed_in.user().id, id.unwrap_or_default());
    if !guards::has_reauthenticated(ctx, &signed_in).await? {
        // To the list, because this URL has no GET.
        return Err(Error::ReauthenticationRequired(paths::SOCIAL_ACCOUNTS.to_owned()));
    }
    match flows::account::social_accounts::disconnect(ctx, user, id, request.info).await {
        Ok(()) => {
            request.flash(Flash::SocialDisconnected);
            Ok(Response::redirect_to(paths::SOCIAL_ACCOUNTS))
        }
        Err(DisconnectError::NotConnected | DisconnectError::LastMethod) => {
            let page = message_page::render(
                &request.page,
                "social_accounts.last_method.title",
                "social_accounts.last_method.text",
            )?;
            Ok(Response::Page(page.with_status(Status::UnprocessableEntity)))
        }
        Err(DisconnectError::Database(error)) => Err(error.into()),
    }
}
