//! The form of a provider's registration. The secret goes in and never comes back.

use time::Date;
use validator::ValidationError;

use crate::oauth::{Endpoint, RegistrationInput};
use crate::social::{Provider, ProviderInput};
use crate::types::{FromText, Secret, text_error};
use crate::web::forms::{Field, ParsedForm, form};

/// The last position on pages.
const MAX_POSITION: i64 = 9999;

form! {
    /// The rules for the texts are those of `oauth`, which the use case asks.
    pub(crate) struct ProviderForm {
        provider: Field<String>,
        slug: Field<String>,
        name: Field<String>,
        client_id: Field<String>,
        client_secret: Field<Secret>,
        app_id: Field<String>,
        issuer: Field<String>,
        authorization_endpoint: Field<String>,
        token_endpoint: Field<String>,
        userinfo_endpoint: Field<String>,
        token_info_endpoint: Field<String>,
        position: Field<Position>,
        is_active: Field<IsActive>,
    }
}

/// The position of a provider's button; an empty text is the first.
#[derive(Clone, Copy)]
struct Position(i64);

impl FromText for Position {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        let position = match text.trim() {
            "" => Some(0),
            text => text.parse().ok().filter(|position| (0..=MAX_POSITION).contains(position)),
        };
        position.map(Self).ok_or_else(|| text_error("admin.social.position_malformed"))
    }
}

/// Whether the provider's button is shown: anything but a no is a yes.
#[derive(Clone, Copy)]
struct IsActive(bool);

impl FromText for IsActive {
    fn from_text(text: &str, _: Date) -> Result<Self, ValidationError> {
        Ok(Self(!matches!(text, "" | "false" | "0" | "off")))
    }
}

impl ProviderForm {
    /// Returns the values of the form for a new provider, whose button is shown at once.
    pub(crate) fn blank() -> Vec<(&'static str, String)> {
        vec![("is_active", "true".to_owned()), ("position", "0".to_owned())]
    }

    /// Returns the values of the form for a provider.
    pub(crate) fn values_of(provider: &Provider) -> Vec<(&'static str, String)> {
        let registration = &provider.registration;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let endpoint = |place: usize| {
            let endpoint: Option<&Endpoint> = registration.endpoints[place].as_ref();
            endpoint.map_or_else(String::new, |endpoint| endpoint.as_str().to_owned())
        };
        vec![
            ("provider", registration.kind.as_str().to_owned()),
            ("slug", registration.slug.clone()),
            ("name", registration.name.clone()),
            ("client_id", registration.client_id.clone()),
            ("app_id", text(&registration.app_id)),
            ("issuer", text(&registration.issuer)),
            ("authorization_endpoint", endpoint(0)),
            ("token_endpoint", endpoint(1)),
            ("userinfo_endpoint", endpoint(2)),
            ("token_info_endpoint", endpoint(3)),
            ("is_active", if provider.is_active { "true" } else { "" }.to_owned()),
            ("position", provider.position.to_string()),
        ]
    }
}

impl ParsedForm for ProviderForm {
    type Parsed = ProviderInput;

    fn parsed(&self) -> Option<ProviderInput> {
        let registration = RegistrationInput {
            provider: self.provider.value()?,
            slug: self.slug.value()?,
            name: self.name.value()?,
            client_id: self.client_id.value()?,
            client_secret: self.client_secret.value()?.expose().to_owned(),
            app_id: self.app_id.value()?,
            issuer: self.issuer.value()?,
            authorization_endpoint: self.authorization_endpoint.value()?,
            token_endpoint: self.token_endpoint.value()?,
            userinfo_endpoint: self.userinfo_endpoint.value()?,
            token_info_endpoint: self.token_info_endpoint.value()?,
        };
        let (Position(position), IsActive(is_active)) =
            (self.position.value()?, self.is_active.value()?);
        Some(ProviderInput { registration, is_active, position })
    }
}
