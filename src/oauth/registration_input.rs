//! A registration as it was typed in the admin's form or in the settings, and its rules.
//!
//! Finds everything that is wrong at once; does not contact the provider.

use serde::Deserialize;
use url::Url;

use super::ProviderKind;
use super::endpoints::{Endpoint, EndpointError};
use super::registration::ClientRegistration;
use crate::types::{Secret, text};

/// Longest name and longest identifier, in bytes. Those of providers are far shorter.
const MAX_BYTES: usize = 255;

/// Longest slug.
const MAX_SLUG: usize = 40;

/// A registration as it was typed, before it is checked.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationInput {
    /// `kakao`, `naver`, `google`, `facebook`, `github` or `oidc`.
    pub provider: String,
    /// The name in URLs; empty for the provider's name.
    pub slug: String,
    /// The name on buttons; empty for the provider's name.
    pub name: String,
    /// The identifier that the provider gave to the site.
    pub client_id: String,
    /// The secret that authenticates the site to the provider; may be empty.
    pub client_secret: String,
    /// The provider's application ID, where it differs from the client ID (Kakao, Facebook).
    pub app_id: String,
    /// The issuer that signs ID tokens.
    pub issuer: String,
    /// Overrides the provider's endpoint.
    pub authorization_endpoint: String,
    /// Overrides the provider's endpoint.
    pub token_endpoint: String,
    /// Overrides the provider's endpoint.
    pub userinfo_endpoint: String,
    /// Overrides the provider's endpoint.
    pub token_info_endpoint: String,
}

/// Debug output does not contain the client secret.
impl std::fmt::Debug for RegistrationInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RegistrationInput({} as {})", self.provider, self.slug)
    }
}

/// What is wrong with a field of a [`RegistrationInput`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationError {
    /// It is required.
    Missing,
    /// It is not a provider that is known.
    Unknown,
    /// It is too long, or contains characters that are not allowed.
    Malformed,
    /// It is not a URL that may be requested.
    Endpoint(EndpointError),
}

impl ClientRegistration {
    /// Checks a registration as it was typed.
    ///
    /// # Errors
    /// Everything that is wrong, with the names of the fields.
    pub fn parse(
        input: &RegistrationInput,
    ) -> Result<Self, Vec<(&'static str, RegistrationError)>> {
        let mut errors = Vec::new();
        let kind = ProviderKind::from_stored(input.provider.trim());
        if kind.is_none() {
            errors.push(("provider", RegistrationError::Unknown));
        }
        let slug = match input.slug.trim() {
            "" => input.provider.trim(),
            slug => slug,
        };
        if kind.is_some() && !is_slug(slug) {
            errors.push(("slug", RegistrationError::Malformed));
        }
        let texts = [
            ("name", &input.name),
            ("client_id", &input.client_id),
            ("client_secret", &input.client_secret),
            ("app_id", &input.app_id),
        ];
        for (field, text) in texts {
            if text.len() > MAX_BYTES || text.chars().any(char::is_control) {
                errors.push((field, RegistrationError::Malformed));
            }
        }
        if input.client_id.trim().is_empty() {
            errors.push(("client_id", RegistrationError::Missing));
        }
        let issuer = issuer(input, kind, &mut errors);
        let endpoints = [
            ("authorization_endpoint", &input.authorization_endpoint),
            ("token_endpoint", &input.token_endpoint),
            ("userinfo_endpoint", &input.userinfo_endpoint),
            ("token_info_endpoint", &input.token_info_endpoint),
        ]
        .map(|(field, text)| endpoint(field, text, &mut errors));
        let (Some(kind), true) = (kind, errors.is_empty()) else { return Err(errors) };
        Ok(Self {
            kind,
            slug: slug.to_owned(),
            name: text::normalized(&input.name).into_owned(),
            client_id: input.client_id.trim().to_owned(),
            client_secret: non_empty(&input.client_secret).map(Secret::new),
            app_id: non_empty(&input.app_id),
            issuer,
            endpoints,
        })
    }
}

fn non_empty(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Returns whether a text has only lower-case letters, digits and hyphens.
fn is_slug(text: &str) -> bool {
    // The slug is part of a URL that is pasted into the provider's console.
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= MAX_SLUG && text.bytes().all(is_plain)
}

fn endpoint(
    field: &'static str,
    text: &str,
    errors: &mut Vec<(&'static str, RegistrationError)>,
) -> Option<Endpoint> {
    let text = non_empty(text)?;
    let parsed = Endpoint::parse(&text);
    parsed.inspect_err(|error| errors.push((field, RegistrationError::Endpoint(*error)))).ok()
}

/// Reads an issuer.
fn issuer(
    input: &RegistrationInput,
    kind: Option<ProviderKind>,
    errors: &mut Vec<(&'static str, RegistrationError)>,
) -> Option<String> {
    let Some(issuer) = non_empty(&input.issuer) else {
        if kind == Some(ProviderKind::Oidc) {
            errors.push(("issuer", RegistrationError::Missing));
        }
        return None;
    };
    endpoint("issuer", &issuer, errors)?;
    // An issuer has no query (OpenID Connect Core, 2).
    if Url::parse(&issuer).is_ok_and(|url| url.query().is_some()) {
        errors.push(("issuer", RegistrationError::Malformed));
    }
    // As it was typed, because issuers are compared byte by byte.
    Some(issuer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kakao() -> RegistrationInput {
        let (provider, client_id) = ("kakao".into(), "key".into());
        RegistrationInput { provider, client_id, ..RegistrationInput::default() }
    }

    fn errors(input: &RegistrationInput) -> Vec<(&'static str, RegistrationError)> {
        ClientRegistration::parse(input).expect_err("something is wrong")
    }

    #[test]
    fn an_empty_field_is_the_providers_own() {
        let registration = ClientRegistration::parse(&kakao()).expect("nothing is wrong");

        assert_eq!(registration.slug, "kakao");
        assert_eq!(registration.namespace(), "kakao:kakao");
        assert_eq!(registration.origin().as_deref(), Some("https://kauth.kakao.com"));
        assert!(registration.client_secret.is_none());
    }

    #[test]
    fn every_built_in_endpoint_is_well_formed() {
        for kind in ProviderKind::ALL {
            let issuer = if kind == ProviderKind::Oidc { "https://id.example" } else { "" };
            let input = RegistrationInput {
                provider: kind.as_str().into(),
                issuer: issuer.into(),
                ..kakao()
            };
            let registration = ClientRegistration::parse(&input).expect("nothing is wrong");
            assert!(registration.origin().is_some_and(|origin| origin.starts_with("https://")));
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let input = RegistrationInput {
            provider: "oidc".into(),
            slug: "Our ID".into(),
            token_endpoint: "http://id.example/token".into(),
            ..RegistrationInput::default()
        };

        assert_eq!(
            errors(&input),
            [
                ("slug", RegistrationError::Malformed),
                ("client_id", RegistrationError::Missing),
                ("issuer", RegistrationError::Missing),
                ("token_endpoint", RegistrationError::Endpoint(EndpointError::NotHttps)),
            ]
        );
        assert_eq!(
            errors(&RegistrationInput { provider: "myspace".into(), ..kakao() })[0].0,
            "provider"
        );
    }

    #[test]
    fn debug_output_does_not_contain_the_secret() {
        let input = RegistrationInput { client_secret: "sesame".into(), ..kakao() };

        assert!(!format!("{input:?}").contains("sesame"));
        assert!(!format!("{:?}", ClientRegistration::parse(&input)).contains("sesame"));
    }
}
