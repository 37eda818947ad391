//! The form of a provider's registration. The secret goes in and never comes back.

use rocket::form::FromForm;

use crate::oauth::{Endpoint, RegistrationInput};
use crate::social::{Provider, ProviderInput};
use crate::web::forms::raw::RawForm;

/// The last position on pages.
const MAX_POSITION: i64 = 9999;

#[derive(Clone, Default, FromForm)]
pub(crate) struct ProviderForm {
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

impl RawForm for ProviderForm {
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

    /// Retains everything except the secret.
    fn retained_values(&self) -> Vec<(&'static str, &str)> {
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
    /// Returns the form of a new provider, which is active.
    pub(crate) fn empty() -> Self {
        Self { is_active: "true".into(), position: "0".into(), ..Default::default() }
    }

    /// Fills the form from a provider.
    pub(crate) fn of(provider: &Provider) -> Self {
        let registration = &provider.registration;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let endpoint = |place: usize| {
            let endpoint: Option<&Endpoint> = registration.endpoints[place].as_ref();
            endpoint.map_or_else(String::new, |endpoint| endpoint.as_str().to_owned())
        };
        Self {
            provider: registration.kind.as_str().to_owned(),
            slug: registration.slug.clone(),
            name: registration.name.clone(),
            client_id: registration.client_id.clone(),
            client_secret: String::new(),
            app_id: text(&registration.app_id),
            issuer: text(&registration.issuer),
            authorization_endpoint: endpoint(0),
            token_endpoint: endpoint(1),
            userinfo_endpoint: endpoint(2),
            token_info_endpoint: endpoint(3),
            is_active: if provider.is_active { "true" } else { "" }.to_owned(),
            position: provider.position.to_string(),
        }
    }

    /// What is wanted; `None` when the place is no number.
    pub(crate) fn input(&self) -> Option<ProviderInput> {
        let form = self.clone();
        let position = match form.position.trim() {
            "" => 0,
            place => place.parse().ok().filter(|place| (0..=MAX_POSITION).contains(place))?,
        };
        let is_active = !matches!(form.is_active.as_str(), "" | "false" | "0" | "off");
        let registration = RegistrationInput {
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
        Some(ProviderInput { registration, is_active, position })
    }
}
