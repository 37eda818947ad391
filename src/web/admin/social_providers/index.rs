//! Social log-in providers: the list, and registering, changing and deleting one.

use std::borrow::Cow;

use askama::Template;
use rocket::http::Status;
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
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{ButtonForm, FormErrors, FormPage, FormView, Submitted};
use crate::web::labels::{provider_label, provider_name};
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![index, new, create, edit, update, destroy]
}

/// Connected users are counted up to this number.
const MAX_COUNTED: u64 = 1000;

#[derive(Template)]
#[template(path = "admin/social_providers/index.html")]
struct ProvidersPage {
    page: PageContext,
    providers: Vec<ProviderRow>,
}

struct ProviderRow {
    /// `None` when it is in the settings.
    id: Option<i64>,
    name: String,
    /// The key of the provider's own name.
    kind: &'static str,
    slug: String,
    is_active: bool,
}

#[derive(Template)]
#[template(path = "admin/social_providers/form.html")]
struct ProviderPage<'a> {
    page: &'a PageContext,
    form: FormView,
    kinds: Vec<(&'static str, &'static str)>,
    /// `None` for a new provider.
    provider: Option<Registered>,
    /// The callback URL with a placeholder for the name in URLs.
    callback: String,
}

impl ProviderPage<'_> {
    /// Says that a secret is stored, if one is.
    fn secret_hint(&self) -> Cow<'static, str> {
        let has_secret = self.provider.as_ref().is_some_and(|provider| provider.has_secret);
        if has_secret { self.page.t("admin.social.secret_kept") } else { Cow::Borrowed("") }
    }

    /// Returns whether an endpoint was entered.
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
    /// The key of the provider's own name.
    kind: &'static str,
    slug: String,
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
        name: provider_name(&provider.registration, &page),
        kind: provider_label(provider.registration.kind),
        slug: provider.slug().to_owned(),
        is_active: provider.is_active,
    });
    let providers = providers.collect();
    Page::render(&ProvidersPage { page, providers })
}

#[get("/admin/social/new")]
async fn new(reader: ChangesSocial, request: RequestContext<'_>) -> Result<Page, Error> {
    // Before the form, because the way there would lose what was typed.
    request.require_reauthentication(&reader.0)?;
    ProviderForm::render(FormView::with_values(ProviderForm::blank()), &None, &request).await
}

#[post("/admin/social/new", data = "<form>")]
async fn create(
    reader: ChangesSocial,
    form: Submitted<ProviderForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    save(&form, None, &reader.0, &request).await
}

#[get("/admin/social/<id>", rank = 2)]
async fn edit(
    id: Option<i64>,
    reader: ChangesSocial,
    request: RequestContext<'_>,
) -> Result<Page, Error> {
    let provider = find(request.context, id).await?;
    request.require_reauthentication(&reader.0)?;
    let form = FormView::with_values(ProviderForm::values_of(&provider));
    ProviderForm::render(form, &Some(provider), &request).await
}

#[post("/admin/social/<id>", data = "<form>", rank = 2)]
async fn update(
    id: Option<i64>,
    reader: ChangesSocial,
    form: Submitted<ProviderForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let provider = find(request.context, id).await?;
    save(&form, Some(provider), &reader.0, &request).await
}

#[post("/admin/social/<id>/delete", data = "<_form>")]
async fn destroy(
    id: Option<i64>,
    reader: ChangesSocial,
    _form: Submitted<ButtonForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let ctx = request.context;
    if !reader.0.has_reauthenticated(ctx.clock.now()) {
        // To the list, because this URL has no GET.
        return Err(Error::ReauthenticationRequired(paths::ADMIN_PROVIDERS.to_owned()));
    }
    let provider = find(ctx, id).await?;
    let actor = Actor { user: reader.0.user(), info: request.info };
    match flows::admin::social_providers::delete(ctx, actor, &provider).await {
        Ok(()) => Ok(saved(&request, Flash::ProviderDeleted)),
        Err(ProviderError::Database(error)) => Err(error.into()),
        Err(_) => Err(Status::NotFound.into()),
    }
}

async fn find(ctx: &Context, id: Option<i64>) -> Result<Provider, Error> {
    Ok(social::find_provider(ctx, id.unwrap_or_default()).await?.ok_or(Status::NotFound)?)
}

async fn save(
    form: &Submitted<ProviderForm>,
    provider: Option<Provider>,
    reader: &SignedIn,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    request.require_reauthentication(reader)?;
    let Some(input) = form.parsed() else { return form.rerender_on(&provider, request).await };
    let (ctx, actor) = (request.context, Actor { user: reader.user(), info: request.info });
    let result = match &provider {
        None => flows::admin::social_providers::create(ctx, actor, &input).await,
        Some(provider) => {
            flows::admin::social_providers::update(ctx, actor, provider, &input).await
        }
    };
    match result {
        Ok(()) => Ok(saved(request, Flash::ProviderSaved)),
        Err(error) => form.reject_on(&provider, rejection(error)?, request).await,
    }
}

fn rejection(error: ProviderError) -> Result<Rejection, Error> {
    match error {
        ProviderError::NotFound => Err(Status::NotFound.into()),
        ProviderError::Database(error) => Err(error.into()),
        ProviderError::SlugTaken => Ok(Rejection::on_field("slug", "admin.social.slug_taken")),
        ProviderError::Issuer(OAuthError::Unreachable(_)) => {
            Ok(Rejection::on_field("issuer", "admin.social.issuer_unreachable"))
        }
        ProviderError::Issuer(_) => Ok(Rejection::on_field("issuer", "admin.social.issuer_wrong")),
        ProviderError::InvalidFields(invalid) => {
            let mut errors = FormErrors::default();
            for (field, error) in invalid {
                errors.add(field, flaw_label(field, error));
            }
            Ok(errors.into())
        }
    }
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

fn saved(request: &RequestContext<'_>, message: Flash) -> Response {
    request.flash(message);
    Response::redirect_to(paths::ADMIN_PROVIDERS)
}

/// The subject is `None` for a new provider.
impl FormPage<Option<Provider>> for ProviderForm {
    async fn render(
        form: FormView,
        provider: &Option<Provider>,
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let (ctx, page) = (request.context, &request.page);
        let registered = match provider {
            Some(provider) => Some(Registered {
                id: provider.id.unwrap_or_default(),
                name: provider_name(&provider.registration, page),
                kind: provider_label(provider.registration.kind),
                slug: provider.slug().to_owned(),
                has_secret: provider.registration.client_secret.is_some(),
                callback: redirect_uri(ctx, provider.slug()),
                users: social::count_identities(&ctx.db, provider.slug(), MAX_COUNTED).await?,
            }),
            None => None,
        };
        let kinds = ProviderKind::ALL
            .into_iter()
            .map(|kind| (kind.as_str(), provider_label(kind)))
            .collect();
        let callback = redirect_uri(ctx, "…");
        Page::render(&ProviderPage { page, form, kinds, provider: registered, callback })
    }
}
