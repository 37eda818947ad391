//! Social log-in: the redirect to a provider, its callback, and which account the provider's user is
//! logged in to.
//!
//! A provider's user is identified by issuer and subject. An address links one to an account only if
//! the provider and we have both verified it; otherwise the owner logs in first and connects the
//! provider. An address that the provider has not verified counts as one that was typed at sign-up.

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

/// Providers are asked on behalf of strangers, from one network no more often than passwords are tried.
const BY_PLACE: Limit = Limit {
    name: "social-place",
    free: 100,
    forgets_one_in: Duration::from_secs(30),
    first_wait: Duration::from_secs(30),
    longest_wait: Duration::from_mins(5),
};

/// What a phone sends instead of a browser's callback.
#[derive(Debug, Clone)]
pub enum ProviderToken {
    /// An access token, about which the provider is asked.
    Access(Secret),
    /// An ID token, which the provider has signed.
    Id(Secret),
    /// A code, with its PKCE verifier if there is one.
    Code(Secret, Option<Secret>),
}

/// The user of a provider who logs in.
#[derive(Debug, Clone)]
pub struct SocialLogin<'a> {
    /// The provider.
    pub provider: &'a Provider,
    /// The user as the provider knows them.
    pub provider_user: &'a ProviderUser,
    /// The address that the user typed because the provider shares none.
    pub typed_email: Option<&'a Email>,
    /// The language of e-mails to a new user.
    pub language: Language,
    /// The session that the browser had before.
    pub before: Option<SessionId>,
}

/// What a social log-in led to.
#[derive(Debug, Clone)]
pub enum SocialLoginOutcome {
    /// The user is logged in; `true` when that cancelled a pending deletion.
    SignedIn(Box<IssuedTokens>, bool),
    /// The address must be verified first; an e-mail says how to continue.
    EmailSent,
}

/// Why a social log-in failed.
#[derive(Debug, Error)]
pub enum SocialLoginError {
    /// There is no such provider.
    #[error("no such provider")]
    Unknown,
    /// The provider did not identify the user.
    #[error(transparent)]
    Provider(#[from] OAuthError),
    /// The account is inactive, or the identity belongs to another account.
    #[error("the account may not be used")]
    Refused,
    /// Sign-up is closed.
    #[error("sign-up is closed")]
    Closed,
    /// The address has an account, and not both sides have verified it.
    #[error("the address is taken")]
    EmailTaken,
    /// The address is local, so no mail leaves this network for it, and the settings do not allow that.
    #[error("a local address")]
    LocalEmail,
    /// An account needs an address, and the provider shares none.
    #[error("the provider tells no address")]
    NoEmail,
    /// There were too many attempts.
    #[error(transparent)]
    NotNow(#[from] ThrottleError),
    /// The database failed.
    #[error(transparent)]
    Broken(#[from] DbError),
}

/// Begins a social log-in: returns the provider's URL, and the request that the browser must keep until
/// the callback. For a reauthentication, the provider asks for the password.
///
/// # Errors
/// [`SocialLoginError`] when there is no such provider, or it does not answer.
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

/// Returns the URL to which the provider redirects browsers back. It must be registered in the
/// provider's console.
#[must_use]
pub fn redirect_uri(ctx: &Context, slug: &str) -> String {
    format!("{}{}", ctx.settings.public_url.as_str(), paths::social_callback(slug))
}

/// Redeems the code of a callback and returns the provider's user.
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

/// Returns the user of a token that a phone sends.
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

/// Logs in a provider's user: to the account that is connected, to the account with the same verified
/// address, or to a new account.
pub async fn sign_in_or_register(
    ctx: &Context,
    login: SocialLogin<'_>,
    info: &RequestInfo,
) -> Result<SocialLoginOutcome, SocialLoginError> {
    if login.typed_email.is_some() {
        // Without this, one callback would allow any number of addresses to be tried.
        check_rate_limit(ctx, info).await?;
    }
    let transaction = ctx.db.begin().await?;
    let now = ctx.clock.now();
    if let Some(user) = social::find_user(&transaction, login.provider_user).await? {
        let account = accounts::lock(&transaction, user).await?.ok_or(SocialLoginError::Refused)?;
        // The owner may have disconnected it since.
        if !social::record_use(&transaction, user, login.provider_user, now).await? {
            return Err(SocialLoginError::Refused);
        }
        return sign_in(ctx, transaction, &account, &login, info).await;
    }
    let Some(email) = login.provider_user.email.as_ref().or(login.typed_email) else {
        return Err(SocialLoginError::NoEmail);
    };
    let Some(owner) = accounts::find_by_email(&transaction, email).await? else {
        return register(ctx, transaction, email, &login, info).await;
    };
    // Checked again under the lock: the address may belong to another account by now.
    let owner = accounts::lock(&transaction, owner.user.id).await?;
    let owner = owner.filter(|owner| {
        let is_still_theirs = owner.user.email.canonical() == email.canonical();
        is_still_theirs && owner.user.email_verified_at.is_some()
    });
    match owner.filter(|_| is_email_verified(&login)) {
        Some(owner) if owner.is_active => {
            let (slug, user) = (login.provider.slug(), login.provider_user);
            if !social::connect_and_notify(ctx, &transaction, &owner, slug, user, info).await? {
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

/// Returns whether the provider has verified the address of the account.
fn is_email_verified(login: &SocialLogin<'_>) -> bool {
    login.provider_user.email.is_some() && login.provider_user.is_email_verified
}

/// Logs in to a locked account.
async fn sign_in(
    ctx: &Context,
    transaction: Transaction,
    account: &Account,
    login: &SocialLogin<'_>,
    info: &RequestInfo,
) -> Result<SocialLoginOutcome, SocialLoginError> {
    let (user, email, now) = (account.user.id, &account.user.email, ctx.clock.now());
    let method = AuthMethod::Social(login.provider.slug());
    let tokens = sessions::create(ctx, &transaction, user, email, method, info).await?;
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

/// Creates an account without a password. Of two callbacks at once for the same user, the database lets
/// one create it.
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
    let tokens = sessions::create(ctx, &transaction, user, email, method, info).await?;
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

/// Where verification is mandatory, only the owner of an address learns that it is taken.
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

/// Counts the attempt before the provider is asked.
async fn check_rate_limit(ctx: &Context, info: &RequestInfo) -> Result<(), ThrottleError> {
    let place = [BY_PLACE.on(&ctx.keys.pseudonym(&info.client_network()))];
    throttle::check_rate_limit(&ctx.db, &place, ctx.clock.now()).await
}

fn log_failure(slug: &str, error: &OAuthError, info: &RequestInfo) {
    tracing::warn!(provider = slug, %error, request.id = info.request_id, "no social log-in");
}
