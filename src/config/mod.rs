//! The settings: read once at start and checked as a whole.
//!
//! Settings are at the top level of `Rocket.toml`'s profiles and in `ROCKET_…` variables. Rocket
//! merges them into one figment, and this module turns it into typed [`Settings`], following the
//! table of [`SETTINGS`]. It is also the only module that reads the environment. A setting never
//! changes while the program runs.

mod choices;
mod database_url;
mod display;
mod duration;
mod given;
mod mail_from;
mod mail_url;
mod problem;
mod public_url;
mod reader;
mod setting;
mod table;
#[cfg(test)]
mod tests;
mod url_password;
mod web_origin;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use rocket::figment::Figment;

pub use choices::{CustomClaim, EmailVerification, LogFormat, LogLevel, SignupMode};
pub use database_url::DatabaseUrl;
pub use given::{GivenSetting, SettingSource};
pub use mail_from::MailFrom;
pub use mail_url::{MailSecurity, MailServer, MailUrl};
pub use problem::{SettingError, SettingProblem};
pub use public_url::PublicUrl;
pub use setting::{DefaultValue, Setting};
pub use table::SETTINGS;
pub use web_origin::{AllowedHost, WebOrigin};

use crate::crypto::{Algorithm, HashCost, SecretKey};
use crate::oauth::ClientRegistration;
use crate::types::Email;
use reader::{Reader, network};

/// The settings of a running Daemun. Each field is the setting of the same name in [`SETTINGS`].
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    /// The origin in links, cookies, CSRF checks and `iss`.
    pub public_url: PublicUrl,
    /// Further names under which the JSON API, the JWKS and the health checks answer.
    pub allowed_hosts: Vec<AllowedHost>,
    /// Origins of other sites and apps whose pages may call the JSON API.
    pub allowed_origins: Vec<WebOrigin>,
    /// Where the data is.
    pub database_url: DatabaseUrl,
    /// Folder of the generated secret and of mail files.
    pub data_dir: PathBuf,
    /// The master secret; `None` means the generated one in `data_dir`.
    pub secret_key: Option<SecretKey>,
    /// How access tokens are signed.
    pub signing_algorithm: Algorithm,
    /// For how long a published key signs before the next one does.
    pub signing_key_lifetime: Duration,
    /// How long an access token is valid.
    pub access_token_lifetime: Duration,
    /// How long a session lasts, however often its tokens are refreshed.
    pub refresh_token_lifetime: Duration,
    /// Whether a refresh token is replaced when it is used.
    pub rotate_refresh_tokens: bool,
    /// Whether responses that set the refresh cookie also show the refresh token.
    pub refresh_cookie_in_body: bool,
    /// Whether a log-in ends the session that the browser had as the same user.
    pub end_previous_session: bool,
    /// `iss` of the tokens.
    pub issuer: String,
    /// `aud` of the tokens.
    pub audience: String,
    /// How far clocks of machines may differ, 5 seconds at most.
    pub leeway: Duration,
    /// Name of the claim that holds the account's number beside `sub`.
    pub user_id_claim: String,
    /// What access tokens contain besides the user's number.
    pub custom_claims: Vec<CustomClaim>,
    /// Whether and when an address must be verified.
    pub email_verification: EmailVerification,
    /// How long an account whose address is not verified is kept; zero keeps it for ever.
    pub delete_unverified_after: Duration,
    /// Whether accounts may have addresses at `localhost` or at names without a dot.
    pub allow_local_email: bool,
    /// Whether visitors may sign up.
    pub signup: SignupMode,
    /// Shortest password, in code points.
    pub password_min_length: u8,
    /// How e-mails are sent.
    pub mail_url: MailUrl,
    /// The sender of e-mails.
    pub mail_from: MailFrom,
    /// Networks of the proxies whose forwarding headers are trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// The Unix socket that the program listens on instead of a port.
    pub unix_socket: Option<PathBuf>,
    /// How long a log-out on another node may go unnoticed; zero asks the database each time.
    pub session_cache: Duration,
    /// After how long an unused session ends; with zero, only its absolute lifetime counts.
    pub session_idle_lifetime: Duration,
    /// What a password hash costs.
    pub password_hash: HashCost,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Providers of social log-in that are registered by settings.
    pub social: Vec<ClientRegistration>,
    /// Whether responses say (HSTS) that sub-domains of the site are https too.
    pub hsts_include_subdomains: bool,
    /// Files of settings that hold a secret.
    pub secret_files: Vec<PathBuf>,
    /// Which log lines are written.
    pub log_level: LogLevel,
    /// All settings as they were given, without secrets.
    pub listed: Given,
}

/// The settings as they were given.
#[derive(Clone)]
pub struct Given(pub Vec<GivenSetting>);

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // They say nothing that the fields of `Settings` do not.
        f.write_str("…")
    }
}

/// Returns whether an address is that of a proxy in `trusted_proxies`.
#[must_use]
pub fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|network| network.contains(&address))
}

impl Settings {
    /// Reads and checks all settings of a figment.
    ///
    /// # Errors
    /// Every setting that is wrong or unknown, with its value and what is allowed.
    pub fn from_figment(figment: &Figment) -> Result<Self, Vec<SettingError>> {
        let mut reader = Reader::new(figment);
        let read = &mut reader;
        let port = read.port();
        let public_url = read.parsed_or("public_url", || Some(PublicUrl::local(port)));
        // On http, cookies are not `Secure` and passwords are readable on the way.
        let allow_http = read.parsed::<bool>("allow_http");
        if !allow_http && !public_url.is_https() && !public_url.is_loopback() {
            read.refuse("public_url", "setting.public_url_https");
        }
        let mail_url = read.parsed("mail_url");
        // A password of the mail server is never sent without TLS.
        if let MailUrl::Smtp(server) = &mail_url
            && server.is_exposed()
            && server.login.is_some()
        {
            read.refuse("mail_url", "setting.mail_url_exposed");
        }
        let issuer = read.text_or("issuer", public_url.as_str());
        let email_verification = read.parsed("email_verification");
        let delete_unverified_after = read.duration("delete_unverified_after");
        // No address would ever be verified, so every account would be deleted.
        if email_verification == EmailVerification::None && !delete_unverified_after.is_zero() {
            read.refuse("delete_unverified_after", "setting.delete_unverified_after");
        }
        let user_id_claim = read.claim_name("user_id_claim");
        // A custom claim of the same name would replace the user's number.
        let custom_claims = read.list("custom_claims", |claim| {
            claim.parse::<CustomClaim>().ok().filter(|claim| claim.as_str() != user_id_claim)
        });
        let settings = Self {
            allowed_hosts: read.list("allowed_hosts", |host| host.parse().ok()),
            allowed_origins: read.list("allowed_origins", |origin| origin.parse().ok()),
            database_url: read.parsed("database_url"),
            data_dir: PathBuf::from(read.text("data_dir")),
            secret_key: read.secret_key(),
            signing_algorithm: read.parsed("signing_algorithm"),
            signing_key_lifetime: read.duration("signing_key_lifetime"),
            access_token_lifetime: read.duration("access_token_lifetime"),
            refresh_token_lifetime: read.duration("refresh_token_lifetime"),
            rotate_refresh_tokens: read.parsed("rotate_refresh_tokens"),
            refresh_cookie_in_body: read.parsed("refresh_cookie_in_body"),
            end_previous_session: read.parsed("end_previous_session"),
            issuer,
            audience: read.text("audience"),
            leeway: read.duration("leeway"),
            user_id_claim,
            custom_claims,
            email_verification,
            delete_unverified_after,
            allow_local_email: read.parsed("allow_local_email"),
            signup: read.parsed("signup"),
            password_min_length: read.number("password_min_length"),
            mail_url,
            mail_from: read.parsed("mail_from"),
            trusted_proxies: read.list("trusted_proxies", network),
            unix_socket: Some(read.text("unix_socket"))
                .filter(|path| path != "none")
                .map(PathBuf::from),
            session_cache: read.duration("session_cache"),
            session_idle_lifetime: read.duration("session_idle_lifetime"),
            password_hash: read.parsed("password_hash"),
            log_format: read.parsed("log_format"),
            social: read.social(),
            hsts_include_subdomains: read.parsed("hsts_include_subdomains"),
            secret_files: read.secret_files(figment),
            log_level: read.parsed("log_level"),
            public_url,
            listed: Given(read.given(figment)),
        };
        // Only now, so that all problems are reported at once.
        reader.finish().map(|()| settings)
    }

    /// Returns whether an account may have an address.
    #[must_use]
    pub fn accepts_email(&self, email: &Email) -> bool {
        // No mail reaches a local address, so it cannot be verified.
        self.allow_local_email || !email.is_local()
    }

    /// Returns whether a superuser that the owner of the machine creates may have an address.
    #[must_use]
    pub fn accepts_superuser_email(&self, email: &Email) -> bool {
        // Trying the program out on one machine needs no setting.
        self.public_url.is_loopback() || self.accepts_email(email)
    }

    /// Returns whether users get their e-mails.
    #[must_use]
    pub fn delivers_mail(&self) -> bool {
        // Files are for trying the program out; the users of an https site cannot read them.
        self.mail_url != MailUrl::File || !self.public_url.is_https()
    }

    /// Returns the default of a setting as text; empty for one that has none.
    #[must_use]
    pub fn default_of(&self, name: &str) -> String {
        match Setting::find(name).map(|setting| setting.default) {
            Some(DefaultValue::Text(text)) => text.to_owned(),
            Some(DefaultValue::PublicUrl(_)) => self.public_url.as_str().to_owned(),
            Some(DefaultValue::Nothing(_)) | None => String::new(),
        }
    }
}

/// Returns Rocket's own figment (`Rocket.toml` and `ROCKET_…`) on top of Daemun's defaults.
#[must_use]
pub fn figment() -> Figment {
    // `join` only fills what is missing, so files and variables win.
    rocket::Config::figment().join(("address", "127.0.0.1")).join(("log_level", "normal"))
}

/// Returns the language of the terminal, as the system tells it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one module that looks at the environment")]
pub fn terminal_locale() -> String {
    // In the order of POSIX (Base Definitions, 8.2).
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_default()
}
