//! Providers with whom people have an account already: Kakao, Naver, Google, Facebook, GitHub, and
//! whoever speaks OpenID Connect.
//!
//! Knows how each of them is asked and what its answer means, and nothing of our own accounts. One file
//! per provider says what differs; `outside` alone speaks HTTP to them.

mod application;
mod authorization;
mod endpoint;

mod discovery;

mod http_client;
mod providers;

use std::time::Duration;

use serde_json::Value;
use thiserror::Error;
use time::OffsetDateTime;

pub use application::{Application, Draft, Flaw};
pub use authorization::{Dance, Returned};
use discovery::Issuers;
pub use endpoint::{Endpoint, EndpointError};
pub use http_client::Outside;

use crate::types::{Email, Name, Secret};

/// However many questions it takes: a person waits for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The providers that are known. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Kakao.
    Kakao,
    /// Naver.
    Naver,
    /// Google.
    Google,
    /// Facebook.
    Facebook,
    /// GitHub.
    GitHub,
    /// Any that speaks OpenID Connect, by its issuer.
    Oidc,
}

impl Kind {
    /// All of them, as they are offered.
    pub const ALL: [Self; 6] =
        [Self::Kakao, Self::Naver, Self::Google, Self::Facebook, Self::GitHub, Self::Oidc];

    /// The stored name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kakao => "kakao",
            Self::Naver => "naver",
            Self::Google => "google",
            Self::Facebook => "facebook",
            Self::GitHub => "github",
            Self::Oidc => "oidc",
        }
    }

    /// The provider of a stored name.
    #[must_use]
    pub fn from_stored(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    fn adapter(self) -> &'static Adapter {
        match self {
            Self::Kakao => &providers::kakao::ADAPTER,
            Self::Naver => &providers::naver::ADAPTER,
            Self::Google => &providers::google::ADAPTER,
            Self::Facebook => &providers::facebook::ADAPTER,
            Self::GitHub => &providers::github::ADAPTER,
            Self::Oidc => &providers::oidc::ADAPTER,
        }
    }
}

/// What differs from one provider to another. An address that is empty does not exist.
struct Adapter {
    authorization: &'static str,
    token: &'static str,
    userinfo: &'static str,
    token_info: &'static str,
    scopes: &'static [&'static str],
    userinfo_query: &'static [(&'static str, &'static str)],
    /// What has the provider ask for the password although the person is logged in there.
    again: &'static [(&'static str, &'static str)],
    issuer: Option<&'static str>,
    read: fn(&Value) -> Option<Profile>,
}

/// What a provider says of a person, before it is taken for anything.
struct Profile {
    subject: String,
    email: Option<String>,
    is_email_verified: bool,
    name: Option<String>,
}

/// Somebody whom a provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Among whose names the subject is one.
    pub issuer: String,
    /// The name that never changes.
    pub subject: String,
    /// The address, if the provider tells one that can be written to.
    pub email: Option<Email>,
    /// Whether the provider has proved that the address is the person's.
    pub is_email_verified: bool,
    /// The name, may be empty.
    pub name: Name,
}

/// Why a provider proved nothing. None of it holds a token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OauthError {
    /// It does not answer, or not in time.
    #[error("the provider does not answer: {0}")]
    Unreachable(String),
    /// It answers something that is no answer.
    #[error("the provider answers with {0}")]
    Nonsense(&'static str),
    /// It does not know the code or the token, or it is for somebody else.
    #[error("the provider refuses: {0}")]
    Refused(String),
}

impl OauthError {
    fn refused(why: &str) -> Self {
        Self::Refused(why.to_owned())
    }

    fn too_slow() -> Self {
        Self::Unreachable("no answer in time".into())
    }
}

/// Whoever asks providers, and remembers for a while who the issuers are.
#[derive(Debug)]
pub struct Oauth {
    outside: Outside,
    issuers: Issuers,
}

impl Oauth {
    /// Gets ready to ask.
    ///
    /// # Errors
    /// [`OauthError`] when the machine has no TLS to offer.
    pub fn open() -> Result<Self, OauthError> {
        Ok(Self { outside: Outside::open()?, issuers: Issuers::default() })
    }

    /// Where a browser is sent to.
    ///
    /// # Errors
    /// [`OauthError`] when the issuer says nothing of that.
    pub async fn way_in(
        &self,
        application: &Application,
        dance: &Dance,
        now: OffsetDateTime,
    ) -> Result<String, OauthError> {
        in_time(authorization::way_in(self, application, dance, now)).await
    }

    /// Whether the issuer of an application is there and is who it says; nothing is asked of one that
    /// has none of its own.
    ///
    /// # Errors
    /// [`OauthError`] when it is not.
    pub async fn look_up(
        &self,
        application: &Application,
        now: OffsetDateTime,
    ) -> Result<(), OauthError> {
        let Some(issuer) = &application.issuer else { return Ok(()) };
        in_time(self.issuers.look_up(&self.outside, issuer, now)).await
    }

    /// Who has come back with a code.
    ///
    /// # Errors
    /// [`OauthError`] says why nobody.
    pub async fn by_code(
        &self,
        application: &Application,
        dance: &Dance,
        returned: Returned,
        now: OffsetDateTime,
    ) -> Result<Known, OauthError> {
        in_time(async {
            authorization::check_sender(self, application, (dance, &returned), now).await?;
            let tokens =
                authorization::exchange(self, application, dance, returned.code, now).await?;
            if application.kind == Kind::Oidc {
                let id_token = tokens.id_token().ok_or(OauthError::Nonsense("no ID token"))?;
                let nonce = dance.nonce();
                return providers::oidc::person(self, application, (&id_token, nonce), now).await;
            }
            self.holder(application, &tokens.access_token()).await
        })
        .await
    }

    /// Whose access token it is. It is taken only after the provider has said that it was issued to
    /// this application: any other one could show us the tokens of its own people.
    ///
    /// # Errors
    /// [`OauthError`] says why nobody's.
    pub async fn by_access_token(
        &self,
        application: &Application,
        token: &Secret,
    ) -> Result<Known, OauthError> {
        in_time(async {
            let is_ours = match application.kind {
                Kind::Kakao => providers::kakao::is_ours(&self.outside, application, token).await?,
                Kind::Google => {
                    providers::google::is_ours(&self.outside, application, token).await?
                }
                Kind::Facebook => {
                    providers::facebook::is_ours(&self.outside, application, token).await?
                }
                Kind::GitHub => {
                    providers::github::is_ours(&self.outside, application, token).await?
                }
                Kind::Naver | Kind::Oidc => false,
            };
            if !is_ours {
                return Err(OauthError::refused("the token is not known to be for us"));
            }
            self.holder(application, token).await
        })
        .await
    }

    /// Whose ID token it is, if it is for us.
    ///
    /// # Errors
    /// [`OauthError`] says why nobody's.
    pub async fn by_id_token(
        &self,
        application: &Application,
        token: &Secret,
        now: OffsetDateTime,
    ) -> Result<Known, OauthError> {
        in_time(providers::oidc::person(self, application, (token, None), now)).await
    }

    /// Who holds an access token that is ours.
    async fn holder(&self, application: &Application, token: &Secret) -> Result<Known, OauthError> {
        let adapter = application.kind.adapter();
        let endpoint = application.userinfo_endpoint().with(adapter.userinfo_query);
        let said = self.outside.get(&endpoint, Some(token)).await?;
        let mut profile = (adapter.read)(&said).ok_or(OauthError::Nonsense("no person"))?;
        if application.kind == Kind::GitHub {
            profile =
                providers::github::with_email(&self.outside, application, token, profile).await?;
        }
        known(application, profile)
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, OauthError>>) -> Result<T, OauthError> {
    let answered = tokio::time::timeout(PATIENCE, asked).await;
    answered.unwrap_or_else(|_| Err(OauthError::too_slow()))
}

/// A profile in words. A name that cannot be one is left out; so is an address.
fn known(application: &Application, profile: Profile) -> Result<Known, OauthError> {
    const LONGEST_SUBJECT: usize = 255;
    let Profile { subject, email, is_email_verified, name } = profile;
    let is_plain = !subject.chars().any(char::is_control);
    if subject.is_empty() || subject.len() > LONGEST_SUBJECT || !is_plain {
        return Err(OauthError::Nonsense("a subject that cannot be one"));
    }
    Ok(Known {
        issuer: application.namespace(),
        subject,
        email: email.and_then(|email| Email::parse(&email).ok()),
        is_email_verified,
        name: name.and_then(|name| Name::parse(&name).ok()).unwrap_or_default(),
    })
}

/// A text, or a number as text: providers write their numbers both ways.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
