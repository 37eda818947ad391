//! The context: bundles the infrastructure, and is the first argument of every use case.
//!
//! Knows no domain module, use case or entry point.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

use crate::cache::{SessionCache, TtlCell};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::{
    DerivedKeys, Hasher, Keyring, QueueLimits, Random, SecretKey, SecretKeyError, WorkQueue,
};
use crate::db::{Db, Invalidate, Invalidator, OpenError};
use crate::forwarding::ForwardingDiagnostics;
use crate::mail::{Mailer, MailerError};
use crate::oauth::{ClientRegistration, OAuthError, ProviderClient};
use crate::owner_only;
use crate::types::DashboardStats;

/// The queue for password strength: one thread, so that strangers who want passwords checked keep
/// one core busy at most. At 8 ms for the most expensive password a full queue is served in about a
/// second.
const STRENGTH_QUEUE: QueueLimits =
    QueueLimits { name: "weigher", threads: 1, length: 128, deadline: Duration::from_secs(5) };

/// How long the providers with a log-in button are cached: every visitor's page needs them, and staff
/// seldom change them. As long as the signing keys.
const PROVIDERS_TTL: time::Duration = time::Duration::seconds(10);

/// How long the dashboard's counts are cached: counting millions of rows takes a while, and they are
/// rarely read twice within this.
const STATISTICS_TTL: time::Duration = time::Duration::seconds(30);

/// The infrastructure. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Context(Arc<Infrastructure>);

/// What the context bundles.
#[derive(Debug)]
pub struct Infrastructure {
    pub settings: Settings,
    pub db: Db,
    pub clock: Clock,
    pub random: Random,
    pub hasher: Hasher,
    pub strength_queue: WorkQueue<()>,
    /// The keys derived from the master secret.
    pub keys: DerivedKeys,
    pub mailer: Mailer,
    pub oauth: ProviderClient,
    /// Sessions and tokens, cached for a moment.
    pub cache: Arc<SessionCache>,
    /// The providers with a log-in button.
    pub active_providers: Arc<ActiveProviders>,
    pub dashboard_stats: TtlCell<DashboardStats>,
    pub forwarding: ForwardingDiagnostics,
    /// Locked while the signing keys are read. Holds when a token with an unknown key last caused that.
    pub keys_read_at: tokio::sync::Mutex<Option<OffsetDateTime>>,
    keyring: RwLock<Arc<Keyring>>,
}

/// The providers with a log-in button, as they were a moment ago.
type ActiveProviders = TtlCell<Arc<Vec<ClientRegistration>>>;

/// The caches that committed transactions invalidate. Nothing else invalidates them.
#[derive(Debug)]
struct Caches {
    sessions: Arc<SessionCache>,
    providers: Arc<ActiveProviders>,
}

impl Invalidator for Caches {
    fn invalidate(&self, stale: Invalidate) {
        match stale {
            Invalidate::Session(session) => self.sessions.invalidate(session),
            Invalidate::User(user) => self.sessions.invalidate_user(user),
            Invalidate::AllSessions => self.sessions.invalidate_all(),
            Invalidate::LoginProviders => self.providers.clear(),
        }
    }
}

/// Why the context cannot be opened.
#[derive(Debug, Error)]
pub enum ContextError {
    /// The master secret cannot be read or created.
    #[error("the secret key: {0}")]
    Secret(#[from] SecretKeyError),
    /// The data directory cannot be created.
    #[error("the data directory {path}: {source}")]
    DataDir { path: std::path::PathBuf, source: std::io::Error },
    #[error("the database: {0}")]
    Database(#[from] OpenError),
    /// E-mails cannot be sent with these settings.
    #[error("mail: {0}")]
    Mail(#[from] MailerError),
    /// The HTTP client for providers cannot be created.
    #[error("social log-in: {0}")]
    Social(#[from] OAuthError),
}

impl Context {
    /// Opens everything that the settings name. Does not migrate the database.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self, ContextError> {
        let random = Random;
        let master = match &settings.secret_key {
            Some(key) => key.clone(),
            None => load_or_generate_key(&settings, random)?,
        };
        let mailer = Mailer::open(&settings)?;
        let db = Db::open(&settings.database_url).await?;
        let cache = Arc::new(SessionCache::new(settings.session_cache));
        let active_providers = Arc::new(ActiveProviders::new(PROVIDERS_TTL));
        let caches = Caches { sessions: cache.clone(), providers: active_providers.clone() };
        Ok(Self(Arc::new(Infrastructure {
            db: db.with_invalidator(Arc::new(caches)),
            clock,
            random,
            hasher: Hasher::start(settings.password_hash, random),
            strength_queue: WorkQueue::start(STRENGTH_QUEUE),
            keys: DerivedKeys::derive(&master),
            mailer,
            oauth: ProviderClient::open()?,
            cache,
            active_providers,
            dashboard_stats: TtlCell::new(STATISTICS_TTL),
            forwarding: ForwardingDiagnostics::new(&settings.data_dir),
            keys_read_at: tokio::sync::Mutex::default(),
            keyring: RwLock::default(),
            settings,
        })))
    }

    /// Returns the keys that sign access tokens.
    #[must_use]
    pub fn keyring(&self) -> Arc<Keyring> {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the keys that sign access tokens.
    pub fn set_keyring(&self, keyring: Keyring) {
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
        // After the new keys are in force: tokens of a key that is gone must be verified, and refused.
        self.cache.forget_tokens();
    }
}

impl std::ops::Deref for Context {
    type Target = Infrastructure;

    fn deref(&self) -> &Infrastructure {
        &self.0
    }
}

fn load_or_generate_key(settings: &Settings, random: Random) -> Result<SecretKey, ContextError> {
    owner_only::create_dir(&settings.data_dir)
        .map_err(|source| ContextError::DataDir { path: settings.data_dir.clone(), source })?;
    Ok(SecretKey::in_folder(&settings.data_dir, random)?)
}
