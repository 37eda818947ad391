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
use crate::config::{EmailVerification, SignUp};
use crate::context::Context;
use crate::db::{DbError, Transaction};
use crate::oauth::{Dance, Known, OauthError, Returned};
use crate::outbox::Addressee;
use crate::sessions;
use crate::sessions::{AuthMethod, IssuedTokens};
use crate::social;
use crate::social::Provider;
use crate::throttle;
use crate::throttle::{Limit, ThrottleError};
use crate::types::{Email, Language, RequestInfo, Secret, SessionId};

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
pub enum Token {
    /// An access token, which the provider is asked about.
    Access(Secret),
    /// An ID token, which the provider has signed.
    Id(Secret),
    /// A code, perhaps with what proves that it was asked for.
    Code(Secret, Option<Secret>),
}

/// Somebody who has come back from a provider.
#[derive(Debug, Clone)]
pub struct Guest<'a> {
    /// By whom.
    pub provider: &'a Provider,
    /// Who it is there.
    pub known: &'a Known,
    /// The address that the person typed, where the provider told none.
    pub typed: Option<&'a Email>,
    /// In which letters are to be written to a new person.
    pub language: Language,
    /// The session that the browser had before.
    pub before: Option<SessionId>,
}

/// What became of it.
#[derive(Debug, Clone)]
pub enum Arrived {
    /// The person is signed in; perhaps the account was to be deleted and is not any more.
    SignedIn(Box<IssuedTokens>, bool),
    /// The address must be proved first; a letter says how to go on.
    LetterSent,
}

/// Why nobody came in.
#[derive(Debug, Error)]
pub enum SocialError {
    /// There is no such provider.
    #[error("no such provider")]
    Unknown,
    /// The provider proved nothing.
    #[error(transparent)]
    Provider(#[from] OauthError),
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
pub async fn set_out(
    ctx: &Context,
    slug: &str,
    is_again: bool,
    info: &RequestInfo,
) -> Result<(String, Dance), SocialError> {
    count(ctx, info).await?;
    let provider = social::find_active(ctx, slug).await?.ok_or(SocialError::Unknown)?;
    let dance = Dance {
        redirect_uri: redirect_uri(ctx, slug),
        state: Some(ctx.random.secret()),
        nonce: Some(ctx.random.secret()),
        verifier: Some(ctx.random.secret()),
        is_again,
    };
    let way = ctx.oauth.way_in(&provider.application, &dance, ctx.clock.now()).await;
    let way = way.inspect_err(|error| note(slug, error, info))?;
    Ok((way, dance))
}

/// Where a provider sends browsers back to; this is what its console has to be told.
#[must_use]
pub fn redirect_uri(ctx: &Context, slug: &str) -> String {
    format!("{}/account/social/{slug}/callback", ctx.settings.public_url.as_str())
}

/// Who has come back with a code.
///
/// # Errors
/// [`SocialError`] says why nobody.
pub async fn come_back(
    ctx: &Context,
    slug: &str,
    dance: &Dance,
    returned: Returned,
    info: &RequestInfo,
) -> Result<(Provider, Known), SocialError> {
    count(ctx, info).await?;
    let provider = social::find_active(ctx, slug).await?.ok_or(SocialError::Unknown)?;
    let now = ctx.clock.now();
    let known = ctx.oauth.by_code(&provider.application, dance, returned, now).await;
    let known = known.inspect_err(|error| note(slug, error, info))?;
    Ok((provider, known))
}

/// Whose token a phone hands in.
///
/// # Errors
/// [`SocialError`] says why nobody's.
pub async fn by_token(
    ctx: &Context,
    provider: &Provider,
    token: Token,
    info: &RequestInfo,
) -> Result<Known, SocialError> {
    count(ctx, info).await?;
    let (slug, application, now) = (provider.slug(), &provider.application, ctx.clock.now());
    let known = match token {
        Token::Access(token) => ctx.oauth.by_access_token(application, &token).await,
        Token::Id(token) => ctx.oauth.by_id_token(application, &token, now).await,
        Token::Code(code, verifier) => {
            let redirect_uri = redirect_uri(ctx, slug);
            let (state, nonce) = (None, None);
            let dance = Dance { redirect_uri, state, nonce, verifier, is_again: false };
            let returned = Returned { code, issuer: None };
            ctx.oauth.by_code(application, &dance, returned, now).await
        }
    };
    Ok(known.inspect_err(|error| note(slug, error, info))?)
}

/// Lets somebody in whom a provider knows: into the account that it opens, or that it may join, or
/// into a new one.
///
/// # Errors
/// [`SocialError`] says why not; nothing is written then but a count.
pub async fn welcome(
    ctx: &Context,
    guest: Guest<'_>,
    info: &RequestInfo,
) -> Result<Arrived, SocialError> {
    if guest.typed.is_some() {
        // Otherwise one who has come back could try any number of addresses.
        count(ctx, info).await?;
    }
    let transaction = ctx.db.begin().await?;
    let now = ctx.clock.now();
    if let Some(user) = social::recognise(&transaction, guest.known).await? {
        let account = accounts::lock(&transaction, user).await?.ok_or(SocialError::Refused)?;
        // Its owner may have disconnected it since.
        if !social::set_used(&transaction, user, guest.known, now).await? {
            return Err(SocialError::Refused);
        }
        return enter(ctx, transaction, &account, &guest, info).await;
    }
    let Some(email) = guest.known.email.as_ref().or(guest.typed) else {
        return Err(SocialError::NoEmail);
    };
    let Some(owner) = accounts::find_in(&transaction, email).await? else {
        return join(ctx, transaction, email, &guest, info).await;
    };
    // Asked again under the lock: the address may have changed hands since.
    let owner = accounts::lock(&transaction, owner.person.id).await?;
    let owner = owner.filter(|owner| {
        let is_still_theirs = owner.person.email.canonical() == email.canonical();
        is_still_theirs && owner.person.email_verified_at.is_some()
    });
    match owner.filter(|_| is_vouched_for(&guest)) {
        Some(owner) if owner.is_active => {
            let identity = (guest.provider.slug(), guest.known);
            if !social::connect_and_tell(ctx, &transaction, &owner, identity, info).await? {
                return Err(SocialError::Refused);
            }
            enter(ctx, transaction, &owner, &guest, info).await
        }
        Some(_) => Err(SocialError::Refused),
        None => {
            drop(transaction);
            taken(ctx, email, info).await
        }
    }
}

/// Whether the provider has proved the address that the account is to have.
fn is_vouched_for(guest: &Guest<'_>) -> bool {
    guest.known.email.is_some() && guest.known.is_email_verified
}

/// Signs in to a locked account.
async fn enter(
    ctx: &Context,
    transaction: Transaction,
    account: &Account,
    guest: &Guest<'_>,
    info: &RequestInfo,
) -> Result<Arrived, SocialError> {
    let (user, email, now) = (account.person.id, &account.person.email, ctx.clock.now());
    let method = AuthMethod::Social(guest.provider.slug());
    let tokens = sessions::create(ctx, &transaction, (user, email), method, info).await?;
    let Some(tokens) = tokens else {
        tracing::info!(user.id = user.0, request.id = info.request_id, "log-in refused");
        return Err(SocialError::Refused);
    };
    let has_stayed = accounts::note_stay(&transaction, account, info, now).await?;
    finish(ctx, transaction, &tokens, guest, info).await?;
    Ok(Arrived::SignedIn(Box::new(tokens), has_stayed))
}

async fn finish(
    ctx: &Context,
    transaction: Transaction,
    tokens: &IssuedTokens,
    guest: &Guest<'_>,
    info: &RequestInfo,
) -> Result<(), DbError> {
    let place = [BY_PLACE.on(&ctx.keys.pseudonym(&info.client_network()))];
    throttle::refund(&transaction, &place).await?;
    sessions::commit_replacing_session(ctx, transaction, guest.before).await?;
    tracing::info!(
        user.id = tokens.user.0, session.id = %tokens.session, provider = guest.provider.slug(),
        request.id = info.request_id, "logged in by a provider"
    );
    Ok(())
}

/// Makes an account without a password. Two who come back at once for the same person: the database
/// lets one of them make it.
async fn join(
    ctx: &Context,
    transaction: Transaction,
    email: &Email,
    guest: &Guest<'_>,
    info: &RequestInfo,
) -> Result<Arrived, SocialError> {
    if ctx.settings.signup == SignUp::Closed {
        return Err(SocialError::Closed);
    }
    if !ctx.settings.takes(email) {
        return Err(SocialError::LocalEmail);
    }
    let now = ctx.clock.now();
    let account = newcomer(email, guest);
    let Some(user) = accounts::open(&transaction, account, now).await? else {
        drop(transaction);
        return taken(ctx, email, info).await;
    };
    let slug = guest.provider.slug();
    if !social::connect(&transaction, user, slug, guest.known, now).await? {
        return Err(SocialError::Refused);
    }
    let event = AuditEvent::by_owner(user, AuditEventKind::SignedUp, info)
        .with_details(json!({ "provider": slug }));
    audit::record(&transaction, event, now).await?;
    let verification = ctx.settings.email_verification;
    let is_proved = is_vouched_for(guest) || verification == EmailVerification::None;
    if !is_proved {
        let (email, language) = (email.clone(), guest.language);
        let to = Addressee { user: Some(user), email, language };
        accounts::ask_for_proof(ctx, &transaction, user, &to, info).await?;
    }
    if !is_proved && verification == EmailVerification::Mandatory {
        transaction.commit().await?;
        tracing::info!(user.id = user.0, request.id = info.request_id, "signed up");
        return Ok(Arrived::LetterSent);
    }
    let method = AuthMethod::Social(slug);
    let tokens = sessions::create(ctx, &transaction, (user, email), method, info).await?;
    let tokens = tokens.ok_or(SocialError::Refused)?;
    finish(ctx, transaction, &tokens, guest, info).await?;
    Ok(Arrived::SignedIn(Box::new(tokens), false))
}

fn newcomer(email: &Email, guest: &Guest<'_>) -> NewAccount {
    NewAccount {
        email: email.clone(),
        password_hash: None,
        name: guest.known.name.clone(),
        gender: None,
        date_of_birth: None,
        language: guest.language,
        is_active: true,
        is_staff: false,
        is_superuser: false,
        is_verified: is_vouched_for(guest),
    }
}

/// Where addresses must be proved first, nobody but its owner learns that one is taken.
async fn taken(ctx: &Context, email: &Email, info: &RequestInfo) -> Result<Arrived, SocialError> {
    tracing::info!(request.id = info.request_id, "sign-up refused: the address is taken");
    if ctx.settings.email_verification != EmailVerification::Mandatory {
        return Err(SocialError::EmailTaken);
    }
    accounts::tell_owner(ctx, email, info).await?;
    Ok(Arrived::LetterSent)
}

/// Counts before anybody is asked.
async fn count(ctx: &Context, info: &RequestInfo) -> Result<(), ThrottleError> {
    let place = [BY_PLACE.on(&ctx.keys.pseudonym(&info.client_network()))];
    throttle::check_rate_limit(&ctx.db, &place, ctx.clock.now()).await
}

fn note(slug: &str, error: &OauthError, info: &RequestInfo) {
    tracing::warn!(provider = slug, %error, request.id = info.request_id, "no social log-in");
}
