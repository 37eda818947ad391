//! Social log-in providers: the list, and registering, changing and deleting one.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use super::form::ProviderForm;
use crate::admin::Actor;
use crate::context::Context;
use crate::flows;
use crate::flows::account::social_login::redirect_uri;
use crate::flows::admin::social_providers::ProviderError;
use crate::http::guards::{ChangesSocial, SignedIn};
use crate::oauth::{EndpointError, OAuthError, ProviderKind, RegistrationError};
use crate::paths;
use crate::social;
use crate::social::Provider;
use crate::types::RequestInfo;
use crate::web::account::{Response, login_methods, reauthentication};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::raw::RawSubmitted;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{ButtonForm, FormErrors, FormView, Submitted};
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![index, new, create, edit, update, destroy]
}

/// Connected users are counted up to this number.
const MAX_COUNTED: u64 = 1000;

#[derive(Template)]
#[template(path = "admin/social/index.html")]
struct ProvidersPage {
    page: PageContext,
    providers: Vec<ProviderRow>,
}

struct ProviderRow {
    /// `None` when it is in the settings.
    id: Option<i64>,
    name: String,
    slug: String,
    is_active: bool,
}

#[derive(Template)]
#[template(path = "admin/social/form.html")]
struct ProviderPage {
    page: PageContext,
    form: FormView,
    kinds: Vec<(&'static str, &'static str)>,
    /// `None` for a new provider.
    provider: Option<Registered>,
    /// The callback URL with a placeholder for the name in URLs.
    callback: String,
}

impl ProviderPage {
    /// Tells whether an endpoint was entered.
    fn has_endpoints(&self) -> bool {
        let endpoints = [
            "authorization_endpoint",
            "token_endpoint",
            "userinfo_endpoint",
            "token_info_endpoint",
        ];
        endpoints.iter().any(|name| !self.form.value(name).is_empty())
    }
}

struct Registered {
    id: i64,
    name: String,
    has_secret: bool,
    callback: String,
    users: u64,
}

#[get("/admin/social")]
async fn index(
    _reader: ChangesSocial,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let providers = social::list(ctx).await?.into_iter().map(|provider| ProviderRow {
        id: provider.id,
        name: login_methods::provider_name(&provider.registration, &page),
        slug: provider.slug().to_owned(),
        is_active: provider.is_active,
    });
    let providers = providers.collect();
    Page::render(&ProvidersPage { page, providers })
}

/// Asks for reauthentication before the form, because the way there would lose what was typed.
#[get("/admin/social/new")]
async fn new(
    reader: ChangesSocial,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    if !reader.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let form = FormView::filled(&page, &ProviderForm::empty(), &FormErrors::default());
    render(page, form, None, ctx).await.map(Response::Page)
}

#[post("/admin/social/new", data = "<sent>")]
async fn create(
    reader: ChangesSocial,
    sent: RawSubmitted<ProviderForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    save(&reader.0, &sent, None, page, info, (ctx, jar)).await
}

#[get("/admin/social/<id>", rank = 2)]
async fn edit(
    id: Option<i64>,
    reader: ChangesSocial,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Response, Error> {
    let provider = find(ctx, id).await?;
    if !reader.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let form = FormView::filled(&page, &ProviderForm::of(&provider), &FormErrors::default());
    render(page, form, Some(&provider), ctx).await.map(Response::Page)
}

#[post("/admin/social/<id>", data = "<sent>", rank = 2)]
async fn update(
    id: Option<i64>,
    reader: ChangesSocial,
    sent: RawSubmitted<ProviderForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let provider = find(ctx, id).await?;
    save(&reader.0, &sent, Some(&provider), page, info, (ctx, jar)).await
}

#[post("/admin/social/<id>/delete", data = "<_sent>")]
async fn destroy(
    id: Option<i64>,
    reader: ChangesSocial,
    _sent: Submitted<ButtonForm>,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    if !reader.0.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect_for(paths::ADMIN_PROVIDERS)));
    }
    let provider = find(ctx, id).await?;
    let actor = Actor { user: reader.0.user(), info };
    match flows::admin::social_providers::delete(ctx, actor, &provider).await {
        Ok(()) => Ok(redirect_with(jar, ctx, Flash::ProviderDeleted)),
        Err(ProviderError::Broken(error)) => Err(error.into()),
        Err(_) => Err(Status::NotFound.into()),
    }
}

async fn find(ctx: &Context, id: Option<i64>) -> Result<Provider, Error> {
    Ok(social::find_provider(ctx, id.unwrap_or_default()).await?.ok_or(Status::NotFound)?)
}

async fn save(
    reader: &SignedIn,
    sent: &RawSubmitted<ProviderForm>,
    provider: Option<&Provider>,
    page: PageContext,
    info: &RequestInfo,
    (ctx, jar): (&Context, &CookieJar<'_>),
) -> Result<Response, Error> {
    if !reader.has_reauthenticated(ctx.clock.now()) {
        return Ok(Response::Redirect(reauthentication::redirect(&page)));
    }
    let mut errors = sent.errors(Ok(()));
    let input = sent.form.input();
    if input.is_none() {
        errors.add("position", "admin.social.position_malformed");
    }
    let Some(input) = input.filter(|_| errors.is_empty()) else {
        return rerender(page, &sent.form, &errors.into(), provider, ctx).await;
    };
    let actor = Actor { user: reader.user(), info };
    let saved = match provider {
        None => flows::admin::social_providers::create(ctx, actor, &input).await,
        Some(provider) => {
            flows::admin::social_providers::update(ctx, actor, provider, &input).await
        }
    };
    let rejection = match saved {
        Ok(()) => return Ok(redirect_with(jar, ctx, Flash::ProviderSaved)),
        Err(ProviderError::NotFound) => return Err(Status::NotFound.into()),
        Err(ProviderError::Broken(error)) => return Err(error.into()),
        Err(ProviderError::SlugTaken) => Rejection::on_field("slug", "admin.social.slug_taken"),
        Err(ProviderError::Issuer(OAuthError::Unreachable(_))) => {
            Rejection::on_field("issuer", "admin.social.issuer_unreachable")
        }
        Err(ProviderError::Issuer(_)) => Rejection::on_field("issuer", "admin.social.issuer_wrong"),
        Err(ProviderError::InvalidFields(invalid)) => {
            let mut errors = FormErrors::default();
            for (field, error) in invalid {
                errors.add(field, flaw_label(field, error));
            }
            errors.into()
        }
    };
    rerender(page, &sent.form, &rejection, provider, ctx).await
}

/// Returns the key of what is wrong with a field.
fn flaw_label(field: &str, error: RegistrationError) -> &'static str {
    match error {
        RegistrationError::Missing if field == "issuer" => "admin.social.issuer_missing",
        RegistrationError::Missing => "admin.social.client_id_missing",
        RegistrationError::Unknown => "admin.social.unknown",
        RegistrationError::Malformed => "admin.social.malformed",
        RegistrationError::Endpoint(EndpointError::Malformed) => "admin.social.not_a_url",
        RegistrationError::Endpoint(EndpointError::NotHttps) => "admin.social.not_https",
        RegistrationError::Endpoint(EndpointError::Private) => "admin.social.private",
    }
}

fn redirect_with(jar: &CookieJar<'_>, ctx: &Context, flash: Flash) -> Response {
    flash.set(jar, ctx);
    Response::Redirect(Redirect::to(paths::ADMIN_PROVIDERS))
}

async fn rerender(
    page: PageContext,
    form: &ProviderForm,
    rejection: &Rejection,
    provider: Option<&Provider>,
    ctx: &Context,
) -> Result<Response, Error> {
    let form = FormView::filled(&page, form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(page, form, provider, ctx).await?)))
}

async fn render(
    page: PageContext,
    form: FormView,
    provider: Option<&Provider>,
    ctx: &Context,
) -> Result<Page, Error> {
    let registered = match provider {
        Some(provider) => Some(Registered {
            id: provider.id.unwrap_or_default(),
            name: login_methods::provider_name(&provider.registration, &page),
            has_secret: provider.registration.client_secret.is_some(),
            callback: redirect_uri(ctx, provider.slug()),
            users: social::count_identities(&ctx.db, provider.slug(), MAX_COUNTED).await?,
        }),
        None => None,
    };
    let kinds = ProviderKind::ALL
        .into_iter()
        .map(|kind| (kind.as_str(), login_methods::provider_label(kind)))
        .collect();
    let callback = redirect_uri(ctx, "…");
    Page::render(&ProviderPage { page, form, kinds, provider: registered, callback })
}
