//! What this repository's own tests and benches reach into, behind the feature `testing`.
//!
//! No application may rely on any of it: names here change without notice.
#![expect(missing_docs, reason = "what is named here is documented where it is defined")]

pub mod accounts {
    pub use crate::accounts::{
        AccountUpdate, Deactivation, activate, deactivate, delete, find_by_email, find_by_id, lock,
        set_email_verified, set_password, set_profile, update,
    };
    pub mod search {
        pub use crate::accounts::search::{
            Cursor, CursorPosition, MatchCount, SearchBounds, SearchTerms, SortOrder, UserFilter,
            list_page,
        };
    }
}
pub mod admin {
    pub use crate::admin::{Actor, ImportedUser};
}
pub mod api {
    pub use crate::api::routes;
}
pub mod app {
    pub use crate::app::{open, rocket_with};
}
pub mod audit {
    pub use crate::audit::{AuditEvent, AuditEventKind, record};
}
pub mod cli {
    pub use crate::cli::run;
}
pub mod clock {
    pub use crate::clock::{Clock, to_micros};
}
pub mod config {
    pub use crate::config::{DatabaseUrl, SETTINGS, Setting, Settings};
}
pub mod context {
    pub use crate::context::Context;
}
pub mod crypto {
    pub use crate::crypto::{
        Algorithm, DerivedKeys, HashCost, Keyring, PasswordHash, QueueFull, SecretKey, base64url,
        from_base64url, hash_secret,
    };
    pub mod jwt {
        pub use crate::crypto::jwt::{Claims, sign, sign_with_secret};
    }
}
pub mod db {
    pub use crate::db::{Db, Invalidate, Invalidator, Transaction};
}
pub mod flows {
    pub mod account {
        pub mod account_deletion {
            pub use crate::flows::account::account_deletion::{delete_due, schedule};
        }
        pub mod login {
            pub use crate::flows::account::login::{Credentials, LoginError, with_password};
        }
        pub mod logout {
            pub use crate::flows::account::logout::with_refresh_token;
        }
        pub mod password_change {
            pub use crate::flows::account::password_change::set_by_operator;
        }
        pub mod sessions {
            pub use crate::flows::account::sessions::{end, end_others};
        }
        pub mod signup {
            pub use crate::flows::account::signup::{SignupOutcome, SignupRequest, sign_up};
        }
    }
    pub mod admin {
        pub mod bulk_jobs {
            pub use crate::flows::admin::bulk_jobs::run_next_batch;
        }
        pub mod setup {
            pub use crate::flows::admin::setup::{
                SetupError, create_link, create_superuser, create_superuser_by_link, is_link_valid,
            };
        }
        pub mod user_import {
            pub use crate::flows::admin::user_import::{draft, enqueue};
        }
        pub mod user_update {
            pub use crate::flows::admin::user_update::{UserUpdate, replace};
        }
    }
    pub mod system {
        pub mod checks {
            pub use crate::flows::system::checks::{Finding, check_quickly};
        }
        pub mod cleanup {
            pub use crate::flows::system::cleanup::{end_suspensions, sweep};
        }
        pub mod email_delivery {
            pub use crate::flows::system::email_delivery::{EmailSender, send_batch};
        }
        pub mod key_rotation {
            pub use crate::flows::system::key_rotation::{replace, rotate, rotate_if_due};
        }
    }
}
pub mod groups {
    pub use crate::groups::{GroupName, create, list_of_user, set_memberships};
}
pub mod i18n {
    pub use crate::i18n::Language;
}
pub mod keys {
    pub use crate::keys::{add, generate};
}
pub mod links {
    pub use crate::links::{Purpose, create};
}
pub mod mail {
    pub use crate::mail::{
        EmailContent, EmailKind, Envelope, Mailer, RenderedEmail, SendError, Timeouts,
    };
}
pub mod outbox {
    pub use crate::outbox::{Recipient, claim, enqueue, mark_failed, release};
}
pub mod paths {
    pub use crate::paths::{ALL, Kind};
}
pub mod sessions {
    pub use crate::sessions::{
        AuthError, AuthMethod, AuthState, EndReason, IssuedTokens, RefreshError,
        RequestCredentials, SessionInvalid, authenticate_request, check_token, count_active,
        create, end_all, find_by_access_token, refresh,
    };
}
pub mod social {
    pub use crate::social::list_login_methods;
}
pub mod throttle {
    pub use crate::throttle::{Limit, ThrottleError, check_rate_limit};
}
pub mod types {
    pub use crate::types::{
        BulkJobId, Email, GroupId, Language, Name, Password, Permission, Profile, RequestInfo,
        Secret, SessionId, User, UserId,
    };
}
pub mod worker {
    pub use crate::worker::{run_bulk_jobs, sweep_all};
}
