//! The tool belt: what every flow is handed as its first argument.
//!
//! Bundles the tools and knows nothing of features, flows or doors.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

use crate::cache::{DashboardStatsCache, SessionCache, TtlCell};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::{Hasher, Keyring, Keys, Limits, MasterKey, MasterKeyError, Random, WorkQueue};
use crate::db::{Db, OpenError};
use crate::forwarding::ForwardingDiagnostics;
use crate::mail::{Mailer, MailerError};
use crate::oauth::{ClientRegistration, OAuthError, ProviderClient};
use crate::owner_only;

/// How passwords are weighed: by one thread, so that strangers who want passwords weighed keep one core
/// busy at most, and at 8 ms for the dearest password a full queue is served in about a second.
const STRENGTH_QUEUE: Limits =
    Limits { name: "weigher", threads: 1, length: 128, deadline: Duration::from_secs(5) };

/// The tools. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub struct Context(Arc<Infrastructure>);

/// What hangs on the belt.
#[derive(Debug)]
pub struct Infrastructure {
    /// The settings, checked.
    pub settings: Settings,
    /// The database, migrated.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Unpredictable bytes.
    pub random: Random,
    /// Password hashing.
    pub hasher: Hasher,
    /// Weighing how strong passwords are.
    pub strength_queue: WorkQueue<()>,
    /// The keys derived from the master secret.
    pub keys: Keys,
    /// Whoever takes letters away.
    pub mailer: Mailer,
    /// Whoever asks the providers of social log-in.
    pub oauth: ProviderClient,
    /// What may be taken for granted for a moment.
    pub cache: SessionCache,
    /// The providers for whom pages have buttons.
    pub active_providers: TtlCell<Arc<Vec<ClientRegistration>>>,
    /// The dashboard_stats of the overview.
    pub dashboard_stats: DashboardStatsCache,
    /// What was learnt about trusted proxies.
    pub forwarding: ForwardingDiagnostics,
    /// Held by whoever reads the signing keys: when they were last read for the sake of a stranger.
    pub keys_read_at: tokio::sync::Mutex<Option<OffsetDateTime>>,
    keyring: RwLock<Arc<Keyring>>,
}

/// Why there are no tools.
#[derive(Debug, Error)]
pub enum ContextError {
    /// The master secret cannot be read or made.
    #[error("the secret key: {0}")]
    Secret(#[from] MasterKeyError),
    /// The folder for generated files cannot be made.
    #[error("the data directory {path}: {source}")]
    DataDir {
        /// The folder.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database cannot be opened.
    #[error("the database: {0}")]
    Database(#[from] OpenError),
    /// Letters cannot be sent with these settings.
    #[error("mail: {0}")]
    Mail(#[from] MailerError),
    /// Providers cannot be asked from this machine.
    #[error("social log-in: {0}")]
    Social(#[from] OAuthError),
}

impl Context {
    /// Opens everything that the settings name. The tables are left as they are.
    ///
    /// # Errors
    /// [`ContextError`] names what could not be opened.
    pub async fn open(settings: Settings, clock: Clock) -> Result<Self, ContextError> {
        let random = Random;
        let master = match &settings.secret_key {
            Some(key) => key.clone(),
            None => load_or_generate_key(&settings, random)?,
        };
        let mailer = Mailer::open(&settings)?;
        let db = Db::open(&settings.database_url).await?;
        Ok(Self(Arc::new(Infrastructure {
            db,
            clock,
            random,
            hasher: Hasher::start(settings.password_hash, random),
            strength_queue: WorkQueue::start(STRENGTH_QUEUE),
            keys: Keys::derive(&master),
            mailer,
            oauth: ProviderClient::open()?,
            cache: SessionCache::new(settings.session_cache),
            active_providers: TtlCell::default(),
            dashboard_stats: DashboardStatsCache::default(),
            forwarding: ForwardingDiagnostics::new(&settings.data_dir),
            keys_read_at: tokio::sync::Mutex::default(),
            keyring: RwLock::default(),
            settings,
        })))
    }

    /// The keys that sign access tokens.
    #[must_use]
    pub fn keyring(&self) -> Arc<Keyring> {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the keys that sign access tokens.
    pub fn set_keyring(&self, keyring: Keyring) {
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
        self.cache.forget_tokens();
    }
}

impl std::ops::Deref for Context {
    type Target = Infrastructure;

    fn deref(&self) -> &Infrastructure {
        &self.0
    }
}

fn load_or_generate_key(settings: &Settings, random: Random) -> Result<MasterKey, ContextError> {
    owner_only::create_dir(&settings.data_dir)
        .map_err(|source| ContextError::DataDir { path: settings.data_dir.clone(), source })?;
    Ok(MasterKey::in_folder(&settings.data_dir, random)?)
}
