//! Providers of social log-in: with whom the site is registered, and how.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use crate::ctx::Ctx;
use crate::flows::providers::{self, ProviderError};
use crate::flows::social::redirect_uri;
use crate::http::guards::{ChangesSocial, SignedIn};
use crate::oauth::{Draft, Endpoint, EndpointError, Flaw, Kind, OauthError};
use crate::social::{self, Provider, Wanted};
use crate::staff::Acting;
use crate::types::Caller;
use crate::web::account::{Answer, sudo, ways};
use crate::web::error::Error;
use crate::web::form::{ButtonForm, Complaints, Form, FormView, Submitted};
use crate::web::notice::Notice;
use crate::web::page::{Frame, Page};
use crate::web::refusal::Refusal;

pub(super) fn routes() -> Vec<Route> {
    routes![index, new, create, edit, update, destroy]
}

/// Where the providers are listed.
const LIST: &str = "/admin/social";

/// The furthest place on pages.
const LAST: i64 = 9999;

/// People are counted up to this.
const MANY: u64 = 1000;

#[derive(Clone, FromForm)]
struct ProviderForm {
    #[field(default = String::new())]
    provider: String,
    #[field(default = String::new())]
    slug: String,
    #[field(default = String::new())]
    name: String,
    #[field(default = String::new())]
    client_id: String,
    #[field(default = String::new())]
    client_secret: String,
    #[field(default = String::new())]
    app_id: String,
    #[field(default = String::new())]
    issuer: String,
    #[field(default = String::new())]
    authorization_endpoint: String,
    #[field(default = String::new())]
    token_endpoint: String,
    #[field(default = String::new())]
    userinfo_endpoint: String,
    #[field(default = String::new())]
    token_info_endpoint: String,
    #[field(default = String::new())]
    is_active: String,
    #[field(default = String::new())]
    position: String,
}

impl Form for ProviderForm {
    const FIELDS: &'static [&'static str] = &[
        "provider",
        "slug",
        "name",
        "client_id",
        "client_secret",
        "app_id",
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "token_info_endpoint",
        "position",
        "is_active",
    ];

    /// Everything but the secret.
    fn kept(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("provider", &self.provider),
            ("slug", &self.slug),
            ("name", &self.name),
            ("client_id", &self.client_id),
            ("app_id", &self.app_id),
            ("issuer", &self.issuer),
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("userinfo_endpoint", &self.userinfo_endpoint),
            ("token_info_endpoint", &self.token_info_endpoint),
            ("position", &self.position),
            ("is_active", &self.is_active),
        ]
    }
}

impl ProviderForm {
    /// An empty form, for a provider by which people may come in at once.
    fn empty() -> Self {
        Self { is_active: "true".into(), position: "0".into(), ..Self::of_draft(&Draft::default()) }
    }

    /// The form as it stands for a provider.
    fn of(provider: &Provider) -> Self {
        let application = &provider.application;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let endpoint = |place: usize| {
            let endpoint: Option<&Endpoint> = application.endpoints[place].as_ref();
            endpoint.map_or_else(String::new, |endpoint| endpoint.as_str().to_owned())
        };
        let draft = Draft {
            provider: application.kind.as_str().to_owned(),
            slug: application.slug.clone(),
            name: application.name.clone(),
            client_id: application.client_id.clone(),
            client_secret: String::new(),
            app_id: text(&application.app_id),
            issuer: text(&application.issuer),
            authorization_endpoint: endpoint(0),
            token_endpoint: endpoint(1),
            userinfo_endpoint: endpoint(2),
            token_info_endpoint: endpoint(3),
        };
        let is_active = if provider.is_active { "true" } else { "" };
        let position = provider.position.to_string();
        Self { is_active: is_active.into(), position, ..Self::of_draft(&draft) }
    }

    fn of_draft(draft: &Draft) -> Self {
        let draft = draft.clone();
        Self {
            provider: draft.provider,
            slug: draft.slug,
            name: draft.name,
            client_id: draft.client_id,
            client_secret: draft.client_secret,
            app_id: draft.app_id,
            issuer: draft.issuer,
            authorization_endpoint: draft.authorization_endpoint,
            token_endpoint: draft.token_endpoint,
            userinfo_endpoint: draft.userinfo_endpoint,
            token_info_endpoint: draft.token_info_endpoint,
            is_active: String::new(),
            position: String::new(),
        }
    }

    /// What is wanted; `None` when the place is no number.
    fn wanted(&self) -> Option<Wanted> {
        let form = self.clone();
        let position = match form.position.trim() {
            "" => 0,
            place => place.parse().ok().filter(|place| (0..=LAST).contains(place))?,
        };
        let is_active = !matches!(form.is_active.as_str(), "" | "false" | "0" | "off");
        let draft = Draft {
            provider: form.provider,
            slug: form.slug,
            name: form.name,
            client_id: form.client_id,
            client_secret: form.client_secret,
            app_id: form.app_id,
            issuer: form.issuer,
            authorization_endpoint: form.authorization_endpoint,
            token_endpoint: form.token_endpoint,
            userinfo_endpoint: form.userinfo_endpoint,
            token_info_endpoint: form.token_info_endpoint,
        };
        Some(Wanted { draft, is_active, position })
    }
}

#[derive(Template)]
#[template(path = "admin/social_list.html")]
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
#[template(path = "admin/social.html")]
struct ProviderPage {
    frame: Frame,
    form: FormView,
    kinds: Vec<(&'static str, &'static str)>,
    /// `None` while it is being registered.
    provider: Option<Registered>,
    /// The way back without its last word.
    callback: String,
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
        name: ways::name_of(&provider.application, &frame),
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
        return Ok(Answer::Gone(sudo::ask(&frame)));
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
        return Ok(Answer::Gone(sudo::ask(&frame)));
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
        return Ok(Answer::Gone(sudo::ask_for(LIST)));
    }
    let provider = find(ctx, id).await?;
    let acting = Acting { by: reader.0.person(), caller };
    match providers::delete(ctx, acting, &provider).await {
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
        return Ok(Answer::Gone(sudo::ask(&frame)));
    }
    let mut complaints = sent.complaints(Ok(()));
    let wanted = sent.form.wanted();
    if wanted.is_none() {
        complaints.add("position", "provider.position");
    }
    let Some(wanted) = wanted.filter(|_| complaints.is_empty()) else {
        return again(frame, &sent.form, &complaints.into(), provider, ctx).await;
    };
    let acting = Acting { by: reader.person(), caller };
    let saved = match provider {
        None => providers::open(ctx, acting, &wanted).await,
        Some(provider) => providers::change(ctx, acting, provider, &wanted).await,
    };
    let refusal = match saved {
        Ok(()) => return Ok(done(jar, ctx, Notice::ProviderSaved)),
        Err(ProviderError::Gone) => return Err(Status::NotFound.into()),
        Err(ProviderError::Broken(error)) => return Err(error.into()),
        Err(ProviderError::SlugTaken) => Refusal::about("slug", "provider.slug_taken"),
        Err(ProviderError::Issuer(OauthError::Unreachable(_))) => {
            Refusal::about("issuer", "provider.issuer_away")
        }
        Err(ProviderError::Issuer(_)) => Refusal::about("issuer", "provider.issuer_wrong"),
        Err(ProviderError::Wrong(flaws)) => {
            let mut complaints = Complaints::default();
            for (field, flaw) in flaws {
                complaints.add(field, said_of(flaw));
            }
            complaints.into()
        }
    };
    again(frame, &sent.form, &refusal, provider, ctx).await
}

/// The key of what is wrong with a field.
fn said_of(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Missing => "provider.missing",
        Flaw::Unknown => "provider.unknown",
        Flaw::Malformed => "provider.malformed",
        Flaw::Endpoint(EndpointError::Malformed) => "provider.no_address",
        Flaw::Endpoint(EndpointError::NotHttps) => "provider.not_https",
        Flaw::Endpoint(EndpointError::Private) => "provider.private",
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
            name: ways::name_of(&provider.application, &frame),
            has_secret: provider.application.client_secret.is_some(),
            callback: redirect_uri(ctx, provider.slug()),
            people: social::count_of(&ctx.db, provider.slug(), MANY).await?,
        }),
        None => None,
    };
    let kinds = Kind::ALL.into_iter().map(|kind| (kind.as_str(), ways::kind(kind))).collect();
    let callback = redirect_uri(ctx, "…");
    Page::draw(&ProviderPage { frame, form, kinds, provider: registered, callback })
}
