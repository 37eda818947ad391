//! Providers of social log-in: with whom the site is registered, and how.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use super::form::ProviderForm;
use crate::admin::Acting;
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::social_login::redirect_uri;
use crate::flows::admin::social_providers::ProviderError;
use crate::http::guards::{ChangesSocial, SignedIn};
use crate::oauth::{EndpointError, Flaw, Kind, OauthError};
use crate::social;
use crate::social::Provider;
use crate::types::Caller;
use crate::web::account::{Answer, login_methods, reauthentication};
use crate::web::error::Error;
use crate::web::flash::Notice;
use crate::web::forms::rejection::Refusal;
use crate::web::forms::{ButtonForm, Complaints, FormView, Submitted};
use crate::web::page::{Frame, Page};

pub(crate) fn routes() -> Vec<Route> {
    routes![index, new, create, edit, update, destroy]
}

/// Where the providers are listed.
const LIST: &str = "/admin/social";

/// People are counted up to this.
const MANY: u64 = 1000;

#[derive(Template)]
#[template(path = "admin/social/index.html")]
struct ListPage {
    frame: Frame,
    providers: Vec<Shown>,
}

struct Shown {
    /// `None` when it stands in the settings.
    id: Option<i64>,
    name: String,
    slug: String,
    is_active: bool,
}

#[derive(Template)]
#[template(path = "admin/social/form.html")]
struct ProviderPage {
    frame: Frame,
    form: FormView,
    kinds: Vec<(&'static str, &'static str)>,
    /// `None` while it is being registered.
    provider: Option<Registered>,
    /// The way back without its last word.
    callback: String,
}

impl ProviderPage {
    /// Whether an address of the provider's own was typed, or something is wrong with one.
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
    people: u64,
}

#[get("/admin/social")]
async fn index(_reader: ChangesSocial, frame: Frame, ctx: &State<Ctx>) -> Result<Page, Error> {
    let providers = social::list(ctx).await?.into_iter().map(|provider| Shown {
        id: provider.id,
        name: login_methods::name_of(&provider.application, &frame),
        slug: provider.slug().to_owned(),
        is_active: provider.is_active,
    });
    let providers = providers.collect();
    Page::draw(&ListPage { frame, providers })
}

/// What is typed into a form would be lost on the way to the password, so it is asked for before.
#[get("/admin/social/new")]
async fn new(reader: ChangesSocial, frame: Frame, ctx: &State<Ctx>) -> Result<Answer, Error> {
    if !reader.0.has_just_proved(ctx.clock.now()) {
        return Ok(Answer::Gone(reauthentication::ask(&frame)));
    }
    let form = FormView::again(&frame, &ProviderForm::empty(), &Complaints::default());
    draw(frame, form, None, ctx).await.map(Answer::Shown)
}

#[post("/admin/social/new", data = "<sent>")]
async fn create(
    reader: ChangesSocial,
    sent: Submitted<ProviderForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    save(&reader.0, &sent, None, frame, caller, (ctx, jar)).await
}

#[get("/admin/social/<id>", rank = 2)]
async fn edit(
    id: Option<i64>,
    reader: ChangesSocial,
    frame: Frame,
    ctx: &State<Ctx>,
) -> Result<Answer, Error> {
    let provider = find(ctx, id).await?;
    if !reader.0.has_just_proved(ctx.clock.now()) {
        return Ok(Answer::Gone(reauthentication::ask(&frame)));
    }
    let form = FormView::again(&frame, &ProviderForm::of(&provider), &Complaints::default());
    draw(frame, form, Some(&provider), ctx).await.map(Answer::Shown)
}

#[post("/admin/social/<id>", data = "<sent>", rank = 2)]
async fn update(
    id: Option<i64>,
    reader: ChangesSocial,
    sent: Submitted<ProviderForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let provider = find(ctx, id).await?;
    save(&reader.0, &sent, Some(&provider), frame, caller, (ctx, jar)).await
}

#[post("/admin/social/<id>/delete", data = "<_sent>")]
async fn destroy(
    id: Option<i64>,
    reader: ChangesSocial,
    _sent: Submitted<ButtonForm>,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    if !reader.0.has_just_proved(ctx.clock.now()) {
        return Ok(Answer::Gone(reauthentication::ask_for(LIST)));
    }
    let provider = find(ctx, id).await?;
    let acting = Acting { by: reader.0.person(), caller };
    match flows::admin::social_providers::delete(ctx, acting, &provider).await {
        Ok(()) => Ok(done(jar, ctx, Notice::ProviderDeleted)),
        Err(ProviderError::Broken(error)) => Err(error.into()),
        Err(_) => Err(Status::NotFound.into()),
    }
}

async fn find(ctx: &Ctx, id: Option<i64>) -> Result<Provider, Error> {
    Ok(social::find(ctx, id.unwrap_or_default()).await?.ok_or(Status::NotFound)?)
}

async fn save(
    reader: &SignedIn,
    sent: &Submitted<ProviderForm>,
    provider: Option<&Provider>,
    frame: Frame,
    caller: &Caller,
    (ctx, jar): (&Ctx, &CookieJar<'_>),
) -> Result<Answer, Error> {
    if !reader.has_just_proved(ctx.clock.now()) {
        return Ok(Answer::Gone(reauthentication::ask(&frame)));
    }
    let mut complaints = sent.complaints(Ok(()));
    let wanted = sent.form.wanted();
    if wanted.is_none() {
        complaints.add("position", "admin.social.position_malformed");
    }
    let Some(wanted) = wanted.filter(|_| complaints.is_empty()) else {
        return again(frame, &sent.form, &complaints.into(), provider, ctx).await;
    };
    let acting = Acting { by: reader.person(), caller };
    let saved = match provider {
        None => flows::admin::social_providers::open(ctx, acting, &wanted).await,
        Some(provider) => {
            flows::admin::social_providers::change(ctx, acting, provider, &wanted).await
        }
    };
    let refusal = match saved {
        Ok(()) => return Ok(done(jar, ctx, Notice::ProviderSaved)),
        Err(ProviderError::Gone) => return Err(Status::NotFound.into()),
        Err(ProviderError::Broken(error)) => return Err(error.into()),
        Err(ProviderError::SlugTaken) => Refusal::about("slug", "admin.social.slug_taken"),
        Err(ProviderError::Issuer(OauthError::Unreachable(_))) => {
            Refusal::about("issuer", "admin.social.issuer_unreachable")
        }
        Err(ProviderError::Issuer(_)) => Refusal::about("issuer", "admin.social.issuer_wrong"),
        Err(ProviderError::Wrong(flaws)) => {
            let mut complaints = Complaints::default();
            for (field, flaw) in flaws {
                complaints.add(field, said_of(field, flaw));
            }
            complaints.into()
        }
    };
    again(frame, &sent.form, &refusal, provider, ctx).await
}

/// The key of what is wrong with a field.
fn said_of(field: &str, flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Missing if field == "issuer" => "admin.social.issuer_missing",
        Flaw::Missing => "admin.social.client_id_missing",
        Flaw::Unknown => "admin.social.unknown",
        Flaw::Malformed => "admin.social.malformed",
        Flaw::Endpoint(EndpointError::Malformed) => "admin.social.not_a_url",
        Flaw::Endpoint(EndpointError::NotHttps) => "admin.social.not_https",
        Flaw::Endpoint(EndpointError::Private) => "admin.social.private",
    }
}

fn done(jar: &CookieJar<'_>, ctx: &Ctx, notice: Notice) -> Answer {
    notice.say(jar, ctx);
    Answer::Gone(Redirect::to(LIST))
}

async fn again(
    frame: Frame,
    form: &ProviderForm,
    refusal: &Refusal,
    provider: Option<&Provider>,
    ctx: &Ctx,
) -> Result<Answer, Error> {
    let form = FormView::again(&frame, form, &refusal.complaints);
    Ok(Answer::Shown(refusal.mark(draw(frame, form, provider, ctx).await?)))
}

async fn draw(
    frame: Frame,
    form: FormView,
    provider: Option<&Provider>,
    ctx: &Ctx,
) -> Result<Page, Error> {
    let registered = match provider {
        Some(provider) => Some(Registered {
            id: provider.id.unwrap_or_default(),
            name: login_methods::name_of(&provider.application, &frame),
            has_secret: provider.application.client_secret.is_some(),
            callback: redirect_uri(ctx, provider.slug()),
            people: social::count_of(&ctx.db, provider.slug(), MANY).await?,
        }),
        None => None,
    };
    let kinds =
        Kind::ALL.into_iter().map(|kind| (kind.as_str(), login_methods::kind(kind))).collect();
    let callback = redirect_uri(ctx, "…");
    Page::draw(&ProviderPage { frame, form, kinds, provider: registered, callback })
}
