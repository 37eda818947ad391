//! Our registration with a provider, as staff type it or as a setting gives it.

use serde::Deserialize;
use url::Url;

use super::endpoint::{Endpoint, EndpointError};
use super::{Adapter, Kind};
use crate::types::{Secret, text};

/// Longest name and longest identifier, in bytes; those of providers are far shorter.
const MAX_BYTES: usize = 255;

/// Longest name in URLs.
const MAX_SLUG: usize = 40;

/// A registration before anything of it is proved.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draft {
    /// `kakao`, `naver`, `google`, `facebook`, `github` or `oidc`.
    pub provider: String,
    /// The name in URLs; empty: the provider's.
    pub slug: String,
    /// The name on buttons; empty: the provider's.
    pub name: String,
    /// What the provider calls us.
    pub client_id: String,
    /// What proves to the provider that it is us; may be empty.
    pub client_secret: String,
    /// What the provider calls the application, where that is not the same (Kakao, Facebook).
    pub app_id: String,
    /// Who signs ID tokens.
    pub issuer: String,
    /// Instead of the provider's own.
    pub authorization_endpoint: String,
    /// Instead of the provider's own.
    pub token_endpoint: String,
    /// Instead of the provider's own.
    pub userinfo_endpoint: String,
    /// Instead of the provider's own.
    pub token_info_endpoint: String,
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Draft({} as {})", self.provider, self.slug)
    }
}

/// What is wrong with a field of a [`Draft`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is needed.
    Missing,
    /// It is none of those that are known.
    Unknown,
    /// It is too long, or has characters that it cannot have.
    Malformed,
    /// It is no address that can be asked.
    Endpoint(EndpointError),
}

/// Our registration with a provider.
#[derive(Debug, Clone)]
pub struct Application {
    /// With whom.
    pub kind: Kind,
    /// The name in URLs.
    pub slug: String,
    /// The name on buttons; empty: the provider's.
    pub name: String,
    /// What the provider calls us.
    pub client_id: String,
    /// What proves to the provider that it is us.
    pub client_secret: Option<Secret>,
    /// What the provider calls the application, where that is not the same.
    pub app_id: Option<String>,
    /// Who signs ID tokens, where it was typed.
    pub issuer: Option<String>,
    /// What was typed instead of the provider's own: authorization, token, userinfo, token info.
    pub endpoints: [Option<Endpoint>; 4],
}

impl Application {
    /// Reads a draft.
    ///
    /// # Errors
    /// Everything that is wrong, by the names of the fields.
    pub fn parse(draft: &Draft) -> Result<Self, Vec<(&'static str, Flaw)>> {
        let mut flaws = Vec::new();
        let kind = Kind::from_stored(draft.provider.trim());
        if kind.is_none() {
            flaws.push(("provider", Flaw::Unknown));
        }
        let slug = match draft.slug.trim() {
            "" => draft.provider.trim(),
            slug => slug,
        };
        if kind.is_some() && !is_slug(slug) {
            flaws.push(("slug", Flaw::Malformed));
        }
        let texts = [
            ("name", &draft.name),
            ("client_id", &draft.client_id),
            ("client_secret", &draft.client_secret),
            ("app_id", &draft.app_id),
        ];
        for (field, text) in texts {
            if text.len() > MAX_BYTES || text.chars().any(char::is_control) {
                flaws.push((field, Flaw::Malformed));
            }
        }
        if draft.client_id.trim().is_empty() {
            flaws.push(("client_id", Flaw::Missing));
        }
        let issuer = issuer(draft, kind, &mut flaws);
        let endpoints = [
            ("authorization_endpoint", &draft.authorization_endpoint),
            ("token_endpoint", &draft.token_endpoint),
            ("userinfo_endpoint", &draft.userinfo_endpoint),
            ("token_info_endpoint", &draft.token_info_endpoint),
        ]
        .map(|(field, text)| endpoint(field, text, &mut flaws));
        let (Some(kind), true) = (kind, flaws.is_empty()) else { return Err(flaws) };
        Ok(Self {
            kind,
            slug: slug.to_owned(),
            name: text::line(&draft.name).into_owned(),
            client_id: draft.client_id.trim().to_owned(),
            client_secret: filled(&draft.client_secret).map(Secret::new),
            app_id: filled(&draft.app_id),
            issuer,
            endpoints,
        })
    }

    /// Among whose names a subject is one. A subject of an issuer is the same for everybody; other
    /// providers number people per application, so the name in URLs stands for that.
    #[must_use]
    pub fn namespace(&self) -> String {
        match (self.kind, self.issuer.as_deref().or(self.adapter().issuer)) {
            (Kind::Oidc | Kind::Google, Some(issuer)) => issuer.to_owned(),
            (kind, _) => format!("{}:{}", kind.as_str(), self.slug),
        }
    }

    /// Who signs the ID tokens that we take.
    pub(crate) fn token_issuer(&self) -> Option<String> {
        let issuer = self.issuer.as_deref().or(self.adapter().issuer);
        issuer.map(str::to_owned)
    }

    /// The origin to which a browser is sent, where it is known without asking.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        if let Some(endpoint) = self.authorization_endpoint() {
            return Some(endpoint.origin());
        }
        Endpoint::typed(self.issuer.as_deref()?).ok().map(|issuer| issuer.origin())
    }

    pub(crate) fn authorization_endpoint(&self) -> Option<Endpoint> {
        self.endpoint(0, self.adapter().authorization)
    }

    pub(crate) fn token_endpoint(&self) -> Option<Endpoint> {
        self.endpoint(1, self.adapter().token)
    }

    pub(crate) fn userinfo_endpoint(&self) -> Endpoint {
        let endpoint = self.endpoint(2, self.adapter().userinfo);
        endpoint.expect("who is asked for a person has an address for it")
    }

    pub(crate) fn token_info_endpoint(&self) -> Endpoint {
        let endpoint = self.endpoint(3, self.adapter().token_info);
        endpoint.expect("who is asked about a token has an address for it")
    }

    fn endpoint(&self, place: usize, known: &'static str) -> Option<Endpoint> {
        let known = (!known.is_empty()).then(|| Endpoint::known(known));
        self.endpoints[place].clone().or(known)
    }

    fn adapter(&self) -> &'static Adapter {
        self.kind.adapter()
    }
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Letters, digits and hyphens: it stands in an address that is pasted into a console.
fn is_slug(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= MAX_SLUG && text.bytes().all(is_plain)
}

fn endpoint(
    field: &'static str,
    text: &str,
    flaws: &mut Vec<(&'static str, Flaw)>,
) -> Option<Endpoint> {
    let text = filled(text)?;
    let parsed = Endpoint::typed(&text);
    parsed.inspect_err(|why| flaws.push((field, Flaw::Endpoint(*why)))).ok()
}

/// An issuer is compared letter by letter, so it stays as it was typed. It has no query (OpenID Connect
/// Core, 2).
fn issuer(
    draft: &Draft,
    kind: Option<Kind>,
    flaws: &mut Vec<(&'static str, Flaw)>,
) -> Option<String> {
    let Some(issuer) = filled(&draft.issuer) else {
        if kind == Some(Kind::Oidc) {
            flaws.push(("issuer", Flaw::Missing));
        }
        return None;
    };
    endpoint("issuer", &issuer, flaws)?;
    if Url::parse(&issuer).is_ok_and(|url| url.query().is_some()) {
        flaws.push(("issuer", Flaw::Malformed));
    }
    Some(issuer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kakao() -> Draft {
        let (provider, client_id) = ("kakao".into(), "key".into());
        Draft { provider, client_id, ..Draft::default() }
    }

    fn flaws(draft: &Draft) -> Vec<(&'static str, Flaw)> {
        Application::parse(draft).expect_err("something is wrong")
    }

    #[test]
    fn what_is_left_empty_is_the_providers_own() {
        let application = Application::parse(&kakao()).expect("nothing is wrong");

        assert_eq!(application.slug, "kakao");
        assert_eq!(application.namespace(), "kakao:kakao");
        assert_eq!(application.origin().as_deref(), Some("https://kauth.kakao.com"));
        assert!(application.client_secret.is_none());
    }

    #[test]
    fn every_address_in_the_program_can_be_asked() {
        for kind in Kind::ALL {
            let issuer = if kind == Kind::Oidc { "https://id.example" } else { "" };
            let draft = Draft { provider: kind.as_str().into(), issuer: issuer.into(), ..kakao() };
            let application = Application::parse(&draft).expect("nothing is wrong");
            assert!(application.origin().is_some_and(|origin| origin.starts_with("https://")));
        }
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let draft = Draft {
            provider: "oidc".into(),
            slug: "Our ID".into(),
            token_endpoint: "http://id.example/token".into(),
            ..Draft::default()
        };

        assert_eq!(
            flaws(&draft),
            [
                ("slug", Flaw::Malformed),
                ("client_id", Flaw::Missing),
                ("issuer", Flaw::Missing),
                ("token_endpoint", Flaw::Endpoint(EndpointError::NotHttps)),
            ]
        );
        assert_eq!(flaws(&Draft { provider: "myspace".into(), ..kakao() })[0].0, "provider");
    }

    #[test]
    fn a_draft_does_not_show_its_secret() {
        let draft = Draft { client_secret: "sesame".into(), ..kakao() };

        assert!(!format!("{draft:?}").contains("sesame"));
        assert!(!format!("{:?}", Application::parse(&draft)).contains("sesame"));
    }
}
