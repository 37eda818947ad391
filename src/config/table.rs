//! The table of settings: each one's name, default, accepted values, secrecy and meaning, once.
//!
//! The reader, `daemun check`, the admin page and the README's table all follow it. A new setting
//! is an entry here and a field of [`Settings`](super::Settings), whose type parses the value.

use super::setting::{Accepts, DefaultValue, Secrecy, Setting};

const MINUTE: u64 = 60;
const DAY: u64 = 86_400;

/// Every setting of Daemun, in the order of the README. Rocket's own settings come on top.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "public_url",
        default: DefaultValue::PublicUrl("http://localhost:8000"),
        accepts: Accepts::Sentence("setting.public_url"),
        secrecy: Secrecy::None,
        meaning: "the site's origin, used in links, cookies, form checks and `iss`; by default it \
            follows `port`. Must be https unless it is this machine",
    },
    Setting {
        name: "allow_local_email",
        default: DefaultValue::Text("false"),
        accepts: Accepts::Sentence("setting.bool"),
        secrecy: Secrecy::None,
        meaning: "`true` allows email addresses at `localhost` or at names without a dot, as in a \
            private network. On a site at this machine's own address, superusers may have them \
            anyway",
    },
    Setting {
        name: "allow_http",
        default: DefaultValue::Text("false"),
        accepts: Accepts::Sentence("setting.bool"),
        secrecy: Secrecy::None,
        meaning: "`true` allows `public_url` to be http on a network, where others can read passwords",
    },
    Setting {
        name: "hsts_include_subdomains",
        default: DefaultValue::Text("false"),
        accepts: Accepts::Sentence("setting.bool"),
        secrecy: Secrecy::None,
        meaning: "`true` tells browsers for a year that every sub-domain is https too \
            (`Strict-Transport-Security`)",
    },
    Setting {
        name: "allowed_hosts",
        default: DefaultValue::Nothing("[]"),
        accepts: Accepts::Sentence("setting.hosts"),
        secrecy: Secrecy::None,
        meaning: "further names under which the JSON API, the JWKS and the health checks answer, such \
            as `[\"backend\"]` inside a private network; a name without a port accepts every port. Pages \
            stay on `public_url`",
    },
    Setting {
        name: "allowed_origins",
        default: DefaultValue::Nothing("[]"),
        accepts: Accepts::Sentence("setting.origins"),
        secrecy: Secrecy::None,
        meaning: "browser origins that may call the JSON API (CORS), such as \
            `[\"https://app.example.com\", \"capacitor://localhost\"]`; see [API](docs/API.md#other-origins)",
    },
    Setting {
        name: "database_url",
        default: DefaultValue::Text("sqlite://data/daemun.db"),
        accepts: Accepts::Sentence("setting.database_url"),
        secrecy: Secrecy::Url,
        meaning: "or `postgres://user:password@host/database`",
    },
    Setting {
        name: "data_dir",
        default: DefaultValue::Text("data"),
        accepts: Accepts::Sentence("setting.text"),
        secrecy: Secrecy::None,
        meaning: "folder of the generated secret and of emails that are files",
    },
    Setting {
        name: "secret_key",
        default: DefaultValue::Nothing("generated"),
        accepts: Accepts::Sentence("setting.secret_key"),
        secrecy: Secrecy::Secret,
        meaning: "the master secret, at least 256 bits, such as the output of `openssl rand -base64 \
            32`; when absent, `data_dir/secret_key` is generated",
    },
    Setting {
        name: "signing_algorithm",
        default: DefaultValue::Text("ES256"),
        accepts: Accepts::Sentence("setting.algorithm"),
        secrecy: Secrecy::None,
        meaning: "how access tokens are signed; or `EdDSA`, `HS256`",
    },
    Setting {
        name: "signing_key_lifetime",
        default: DefaultValue::Text("90d"),
        accepts: Accepts::Seconds { min: DAY, max: 3_650 * DAY },
        secrecy: Secrecy::None,
        meaning: "how long a key signs before the next one does, 1 day to 10 years; with `HS256` only \
            `daemun keys rotate` makes the next one",
    },
    Setting {
        name: "access_token_lifetime",
        default: DefaultValue::Text("5m"),
        accepts: Accepts::Seconds { min: 1, max: DAY },
        secrecy: Secrecy::None,
        meaning: "1 second to 1 day",
    },
    Setting {
        name: "refresh_token_lifetime",
        default: DefaultValue::Text("14d"),
        accepts: Accepts::Seconds { min: MINUTE, max: 365 * DAY },
        secrecy: Secrecy::None,
        meaning: "how long a session lasts, however often it is refreshed; 1 minute to 365 days",
    },
    Setting {
        name: "rotate_refresh_tokens",
        default: DefaultValue::Text("true"),
        accepts: Accepts::Sentence("setting.bool"),
        secrecy: Secrecy::None,
        meaning: "`false`: the refresh token stays the same until it expires",
    },
    Setting {
        name: "refresh_cookie_in_body",
        default: DefaultValue::Text("false"),
        accepts: Accepts::Sentence("setting.bool"),
        secrecy: Secrecy::None,
        meaning: "`true`: log-in, sign-up and refresh below `/api/account` show the refresh token in the \
            body too, for clients that keep it themselves; then scripts of the site can read it",
    },
    Setting {
        name: "end_previous_session",
        default: DefaultValue::Text("true"),
        accepts: Accepts::Sentence("setting.bool"),
        secrecy: Secrecy::None,
        meaning: "a log-in ends the session that the browser had before; `false`: a session of the same \
            user lives on",
    },
    Setting {
        name: "issuer",
        default: DefaultValue::PublicUrl("public_url"),
        accepts: Accepts::Sentence("setting.text"),
        secrecy: Secrecy::None,
        meaning: "`iss` of the tokens",
    },
    Setting {
        name: "audience",
        default: DefaultValue::Text("daemun"),
        accepts: Accepts::Sentence("setting.text"),
        secrecy: Secrecy::None,
        meaning: "`aud` of the tokens",
    },
    Setting {
        name: "leeway",
        default: DefaultValue::Text("0s"),
        accepts: Accepts::Seconds { min: 0, max: 5 },
        secrecy: Secrecy::None,
        meaning: "for how long an expired token is still accepted, where clocks of machines differ; at \
            most 5 seconds. A token from the near future is accepted anyway",
    },
    Setting {
        name: "user_id_claim",
        default: DefaultValue::Text("user_id"),
        accepts: Accepts::Sentence("setting.claim_name"),
        secrecy: Secrecy::None,
        meaning: "the claim that holds the user's number, beside `sub`",
    },
    Setting {
        name: "custom_claims",
        default: DefaultValue::Nothing("[]"),
        accepts: Accepts::Sentence("setting.custom_claims"),
        secrecy: Secrecy::None,
        meaning: "further claims of access tokens: any of `email`, `name`, `is_staff`, `groups`. They \
            are as of the log-in or refresh, and readable by anyone who sees the token",
    },
    Setting {
        name: "email_verification",
        default: DefaultValue::Text("optional"),
        accepts: Accepts::Sentence("setting.email_verification"),
        secrecy: Secrecy::None,
        meaning: "users are logged in at once and reminded to verify their address; `none`: never \
            asked; `mandatory`: no log-in before verification, and sign-up answers the same for \
            a taken address",
    },
    Setting {
        name: "delete_unverified_after",
        default: DefaultValue::Text("0s"),
        accepts: Accepts::Seconds { min: 0, max: 3_650 * DAY },
        secrecy: Secrecy::None,
        meaning: "accounts whose address is still unverified after this long are deleted, such as \
            `90d`; `0s` keeps them; not with `email_verification = \"none\"`",
    },
    Setting {
        name: "signup",
        default: DefaultValue::Text("open"),
        accepts: Accepts::Sentence("setting.signup"),
        secrecy: Secrecy::None,
        meaning: "`closed`: no new accounts",
    },
    Setting {
        name: "social",
        default: DefaultValue::Nothing("[]"),
        accepts: Accepts::Sentence("setting.social"),
        secrecy: Secrecy::Secret,
        meaning: "providers of social log-in, for deployments by file; otherwise use `/admin/social`: \
            see [SOCIAL](docs/SOCIAL.md#by-a-setting)",
    },
    Setting {
        name: "password_min_length",
        default: DefaultValue::Text("8"),
        accepts: Accepts::Number { min: 8, max: 64 },
        secrecy: Secrecy::None,
        meaning: "shortest password in characters, 8 to 64; the longest is always 128",
    },
    Setting {
        name: "password_hash",
        default: DefaultValue::Text("m=19456,t=2,p=1"),
        accepts: Accepts::Sentence("setting.password_hash"),
        secrecy: Secrecy::None,
        meaning: "cost of an argon2id hash; cheaper hashes are renewed at the next log-in",
    },
    Setting {
        name: "mail_url",
        default: DefaultValue::Text("file"),
        accepts: Accepts::Sentence("setting.mail_url"),
        secrecy: Secrecy::Url,
        meaning: "emails are written to `data_dir/mail/`; or `smtps://user:password@host:port`, \
            `smtp://…` with STARTTLS; see [OPERATIONS](docs/OPERATIONS.md#mail)",
    },
    Setting {
        name: "mail_from",
        default: DefaultValue::Text("Daemun <no-reply@localhost>"),
        accepts: Accepts::Sentence("setting.mail_from"),
        secrecy: Secrecy::Address,
        meaning: "sender of emails: an address of your domain, with or without a name",
    },
    Setting {
        name: "trusted_proxies",
        default: DefaultValue::Nothing("[]"),
        accepts: Accepts::Sentence("setting.networks"),
        secrecy: Secrecy::None,
        meaning: "networks of proxies whose `X-Forwarded-For`, `Forwarded` and `X-Request-Id` are \
            trusted, such as `[\"127.0.0.1/32\"]`",
    },
    Setting {
        name: "unix_socket",
        default: DefaultValue::Text("none"),
        accepts: Accepts::Sentence("setting.text"),
        secrecy: Secrecy::None,
        meaning: "a path: the program listens on this Unix socket instead of `address` and `port`; see \
            [OPERATIONS](docs/OPERATIONS.md#unix-sockets-and-systemd)",
    },
    Setting {
        name: "session_cache",
        default: DefaultValue::Text("2s"),
        accepts: Accepts::Seconds { min: 0, max: MINUTE },
        secrecy: Secrecy::None,
        meaning: "how long a log-out on another node may go unnoticed, at most 60 seconds; `0s` asks \
            the database each time",
    },
    Setting {
        name: "session_idle_lifetime",
        default: DefaultValue::Text("0s"),
        accepts: Accepts::Seconds { min: 0, max: 365 * DAY },
        secrecy: Secrecy::None,
        meaning: "ends sessions that were unused for this long, such as `30m`; at most 365 days. `0s`: \
            only `refresh_token_lifetime` counts",
    },
    Setting {
        name: "log_format",
        default: DefaultValue::Text("text"),
        accepts: Accepts::Sentence("setting.log_format"),
        secrecy: Secrecy::None,
        meaning: "or `json`, one object a line",
    },
    Setting {
        name: "log_level",
        default: DefaultValue::Text("normal"),
        accepts: Accepts::Sentence("setting.log_level"),
        secrecy: Secrecy::None,
        meaning: "one line per outcome; or `off`, `critical`, `debug`",
    },
];
