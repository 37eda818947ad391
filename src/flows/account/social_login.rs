//! Coming in by a provider: there and back, and what account that opens.
//!
//! A person of a provider is known by issuer and subject. An address joins an account only if the
//! provider and we have both had it proved; otherwise the owner logs in first and connects. An address
//! that the provider does not vouch for is worth what one typed at sign-up is worth.

use std::time::Duration;

use serde_json::json;
use thiserror::Error;

use crate::accounts;
use crate::accounts::{Account, NewAccount};
use crate::audit;
use crate::audit::{AuditEvent, AuditEventKind};
use crate::config::{EmailVerification, SignupMode};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::oauth::{AuthorizationRequest, CallbackParams, OAuthError, ProviderUser};
use crate::outbox::Recipient;
use crate::paths;
use crate::sessions;
use crate::sessions::{AuthMethod, IssuedTokens};
use crate::social;
use crate::social::Provider;
use crate::throttle;
use crate::throttle::{Limit, ThrottleError};
use crate::types::{Email, Language, Profile, RequestInfo, Secret, SessionId};

/// Providers are asked on behalf of strangers; from one place not more often than passwords are tried.
const BY_PLACE: Limit = Limit {
    name: "social-place",
    free: 100,
    forgets_one_in: Duration::from_secs(30),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(5),
};

/// What a phone hands in.
#[derive(Debug, Clone)]
pub enum ProviderToken {
    /// An access token, which the provider is asked about.
    Access(Secret),
    /// An ID token, which the provider has signed.
    Id(Secret),
    /// A code, perhaps with what proves that it was asked for.
    Code(Secret, Option<Secret>),
}

/// Somebody who has come back from a provider.
#[derive(Debug, Clone)]
pub struct SocialLogin<'a> {
    /// By whom.
    pub provider: &'a Provider,
    /// Who it is there.
    pub provider_user: &'a ProviderUser,
    /// The address that the person typed, where the provider told none.
    pub typed_email: Option<&'a Email>,
    /// In which e-mails are to be written to a new person.
    pub language: Language,
    /// The session that the browser had before.
    pub before: Option<SessionId>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum SocialLoginOutcome {
    /// The person is signed in; perhaps the account was to be deleted and is not any more.
    SignedIn(Box<IssuedTokens>, bool),
    /// The address must be proved first; an e-mail says how to go on.
    EmailSent,
}

/// Why nobody came in.
#[derive(Debug, Error)]
pub enum SocialLoginError {
    /// There is no such provider.
    #[error("no such provider")]
    Unknown,
    /// The provider proved nothing.
    #[error(transparent)]
    Provider(#[from] OAuthError),
    /// The account may not be used.
    #[error("the account may not be used")]
    Refused,
    /// Nobody may join.
    #[error("sign-up is closed")]
    Closed,
    /// The address has an account, and not both sides have had it proved.
    #[error("the address is taken")]
    EmailTaken,
    /// No mail leaves this machine or network for the address, and the settings take no such one.
    #[error("a local address")]
    LocalEmail,
    /// An account needs an address, and the provider tells none.
    #[error("the provider tells no address")]
    NoEmail,
    /// Too many tries from there.
    #[error(transparent)]
    NotNow(#[from] ThrottleError),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Sends a browser to a provider: the way there, and what the browser has to keep. Somebody who is to
/// be proved once more is asked for the password there.
///
/// # Errors
/// [`SocialError`] when there is no such provider, or it does not answer.
pub async fn begin(
    ctx: &Context,
    slug: &str,
    is_reauthentication: bool,
    info: &RequestInfo,
) -> Result<(String, AuthorizationRequest), SocialLoginError> {
    check_rate_limit(ctx, info).await?;
    let provider = social::find_active(ctx, slug).await?.ok_or(SocialLoginError::Unknown)?;
    let request = AuthorizationRequest {
        redirect_uri: redirect_uri(ctx, slug),
        state: Some(ctx.random.secret()),
        nonce: Some(ctx.random.secret()),
        pkce_verifier: Some(ctx.random.secret()),
        is_reauthentication,
    };
    let way = ctx.oauth.authorization_url(&provider.registration, &request, ctx.clock.now()).await;
    let way = way.inspect_err(|error| log_failure(slug, error, info))?;
    Ok((way, request))
}

/// Where a provider sends browsers back to; this is what its console has to be told.
#[must_use]
pub fn redirect_uri(ctx: &Context, slug: &str) -> String {
    format!("{}{}", ctx.settings.public_url.as_str(), paths::social_callback(slug))
}

/// Who has come back with a code.
///
/// # Errors
/// [`SocialError`] says why nobody.
pub async fn handle_callback(
    ctx: &Context,
    slug: &str,
    request: &AuthorizationRequest,
    params: CallbackParams,
    info: &RequestInfo,
) -> Result<(Provider, ProviderUser), SocialLoginError> {
    check_rate_limit(ctx, info).await?;
    let provider = social::find_active(ctx, slug).await?.ok_or(SocialLoginError::Unknown)?;
    let now = ctx.clock.now();
    let provider_user = ctx.oauth.user_by_code(&provider.registration, request, params, now).await;
    let provider_user = provider_user.inspect_err(|error| log_failure(slug, error, info))?;
    Ok((provider, provider_user))
}

/// Whose token a phone hands in.
///
/// # Errors
/// [`SocialError`] says why nobody's.
pub async fn user_of_token(
    ctx: &Context,
    provider: &Provider,
    token: ProviderToken,
    info: &RequestInfo,
) -> Result<ProviderUser, SocialLoginError> {
    check_rate_limit(ctx, info).await?;
    let (slug, registration, now) = (provider.slug(), &provider.registration, ctx.clock.now());
    let provider_user = match token {
        ProviderToken::Access(token) => ctx.oauth.user_by_access_token(registration, &token).await,
        ProviderToken::Id(token) => ctx.oauth.user_by_id_token(registration, &token, now).await,
        ProviderToken::Code(code, pkce_verifier) => {
            let redirect_uri = redirect_uri(ctx, slug);
            let (state, nonce) = (None, None);
            let request = AuthorizationRequest {
                redirect_uri,
                state,
                nonce,
                pkce_verifier,
                is_reauthentication: false,
            };
            let params = CallbackParams { code, issuer: None };
            ctx.oauth.user_by_code(registration, &request, params, now).await
        }
    };
    Ok(provider_user.inspect_err(|error| log_failure(slug, error, info))?)
}

/// Lets somebody in whom a provider knows: into the account that it opens, or that it may join, or
/// into a new one.
///
/// # Errors
/// [`SocialError`] says why not; nothing is written then but a count.
pub async fn sign_in_or_register(
    ctx: &Context,
    login: SocialLogin<'_>,
    info: &RequestInfo,
) -> Result<SocialLoginOutcome, SocialLoginError> {
    if login.typed_email.is_some() {
        // Otherwise one who has come back could try any number of addresses.
        check_rate_limit(ctx, info).await?;
    }
    let transaction = ctx.db.begin().await?;
    let now = ctx.clock.now();
    if let Some(user) = social::find_user(&transaction, login.provider_user).await? {
        let account = accounts::lock(&transaction, user).await?.ok_or(SocialLoginError::Refused)?;
        // Its owner may have disconnected it since.
        if !social::record_use(&transaction, user, login.provider_user, now).await? {
            return Err(SocialLoginError::Refused);
        }
        return sign_in(ctx, transaction, &account, &login, info).await;
    }
    let Some(email) = login.provider_user.email.as_ref().or(login.typed_email) else {
        return Err(SocialLoginError::NoEmail);
    };
    let Some(owner) = accounts::find_by_email_in(&transaction, email).await? else {
        return register(ctx, transaction, email, &login, info).await;
    };
    // Asked again under the lock: the address may have changed hands since.
    let owner = accounts::lock(&transaction, owner.user.id).await?;
    let owner = owner.filter(|owner| {
        let is_still_theirs = owner.user.email.canonical() == email.canonical();
        is_still_theirs && owner.user.email_verified_at.is_some()
    });
    match owner.filter(|_| is_email_verified(&login)) {
        Some(owner) if owner.is_active => {
            let identity = (login.provider.slug(), login.provider_user);
            if !social::connect_and_notify(ctx, &transaction, &owner, identity, info).await? {
                return Err(SocialLoginError::Refused);
            }
            sign_in(ctx, transaction, &owner, &login, info).await
        }
        Some(_) => Err(SocialLoginError::Refused),
        None => {
            drop(transaction);
            email_taken(ctx, email, info).await
        }
    }
}

/// Whether the provider has proved the address that the account is to have.
fn is_email_verified(login: &SocialLogin<'_>) -> bool {
    login.provider_user.email.is_some() && login.provider_user.is_email_verified
}

/// Signs in to a locked account.
async fn sign_in(
    ctx: &Context,
    transaction: Transaction,
    account: &Account,
    login: &SocialLogin<'_>,
    info: &RequestInfo,
) -> Result<SocialLoginOutcome, SocialLoginError> {
    let (user, email, now) = (account.user.id, &account.user.email, ctx.clock.now());
    let method = AuthMethod::Social(login.provider.slug());
    let tokens = sessions::create(ctx, &transaction, (user, email), method, info).await?;
    let Some(tokens) = tokens else {
        tracing::info!(user.id = user.0, request.id = info.request_id, "log-in refused");
        return Err(SocialLoginError::Refused);
    };
    let deletion_cancelled =
        accounts::record_deletion_cancelled(&transaction, account, info, now).await?;
    finish(ctx, transaction, &tokens, login, info).await?;
    Ok(SocialLoginOutcome::SignedIn(Box::new(tokens), deletion_cancelled))
}

async fn finish(
    ctx: &Context,
    transaction: Transaction,
    tokens: &IssuedTokens,
    login: &SocialLogin<'_>,
    info: &RequestInfo,
) -> Result<(), DbError> {
    let place = [BY_PLACE.on(&ctx.keys.pseudonym(&info.client_network()))];
    throttle::refund(&transaction, &place).await?;
    sessions::commit_replacing_session(ctx, transaction, login.before).await?;
    tracing::info!(
        user.id = tokens.user.0, session.id = %tokens.session, provider = login.provider.slug(),
        request.id = info.request_id, "logged in by a provider"
    );
    Ok(())
}

/// Makes an account without a password. Two who come back at once for the same person: the database
/// lets one of them make it.
async fn register(
    ctx: &Context,
    transaction: Transaction,
    email: &Email,
    login: &SocialLogin<'_>,
    info: &RequestInfo,
) -> Result<SocialLoginOutcome, SocialLoginError> {
    if ctx.settings.signup == SignupMode::Closed {
        return Err(SocialLoginError::Closed);
    }
    if !ctx.settings.accepts_email(email) {
        return Err(SocialLoginError::LocalEmail);
    }
    let now = ctx.clock.now();
    let account = new_account(email, login);
    let Some(user) = accounts::create(&transaction, account, now).await? else {
        drop(transaction);
        return email_taken(ctx, email, info).await;
    };
    let slug = login.provider.slug();
    if !social::connect(&transaction, user, slug, login.provider_user, now).await? {
        return Err(SocialLoginError::Refused);
    }
    let event = AuditEvent::by_owner(user, AuditEventKind::SignedUp, info)
        .with_details(json!({ "provider": slug }));
    audit::record(&transaction, event, now).await?;
    let verification = ctx.settings.email_verification;
    let is_proved = is_email_verified(login) || verification == EmailVerification::None;
    if !is_proved {
        let (email, language) = (email.clone(), login.language);
        let to = Recipient { user: Some(user), email, language };
        accounts::send_verification_email(ctx, &transaction, user, &to, info).await?;
    }
    if !is_proved && verification == EmailVerification::Mandatory {
        transaction.commit().await?;
        tracing::info!(user.id = user.0, request.id = info.request_id, "signed up");
        return Ok(SocialLoginOutcome::EmailSent);
    }
    let method = AuthMethod::Social(slug);
    let tokens = sessions::create(ctx, &transaction, (user, email), method, info).await?;
    let tokens = tokens.ok_or(SocialLoginError::Refused)?;
    finish(ctx, transaction, &tokens, login, info).await?;
    Ok(SocialLoginOutcome::SignedIn(Box::new(tokens), false))
}

fn new_account(email: &Email, login: &SocialLogin<'_>) -> NewAccount {
    NewAccount {
        profile: Profile { name: login.provider_user.name.clone(), ..Profile::default() },
        is_verified: is_email_verified(login),
        ..NewAccount::new(email.clone(), login.language)
    }
}

/// Where addresses must be proved first, nobody but its owner learns that one is taken.
async fn email_taken(
    ctx: &Context,
    email: &Email,
    info: &RequestInfo,
) -> Result<SocialLoginOutcome, SocialLoginError> {
    tracing::info!(request.id = info.request_id, "sign-up refused: the address is taken");
    if ctx.settings.email_verification != EmailVerification::Mandatory {
        return Err(SocialLoginError::EmailTaken);
    }
    accounts::notify_existing_owner(ctx, email, info).await?;
    Ok(SocialLoginOutcome::EmailSent)
}

/// Counts before anybody is asked.
async fn check_rate_limit(ctx: &Context, info: &RequestInfo) -> Result<(), ThrottleError> {
    let place = [BY_PLACE.on(&ctx.keys.pseudonym(&info.client_network()))];
    throttle::check_rate_limit(&ctx.db, &place, ctx.clock.now()).await
}

fn log_failure(slug: &str, error: &OAuthError, info: &RequestInfo) {
    tracing::warn!(provider = slug, %error, request.id = info.request_id, "no social log-in");
}
