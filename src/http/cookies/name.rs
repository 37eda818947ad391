//! The names of our cookies.

/// Defines the cookies with their two names, so that none can lack one.
macro_rules! cookie_names {
    ($($cookie:ident = $name:literal,)+) => {
        /// A cookie of ours.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum CookieName {
            $($cookie,)+
        }

        impl CookieName {
            /// Returns the name on a site without https.
            pub(super) fn plain(self) -> &'static str {
                match self {
                    $(Self::$cookie => $name,)+
                }
            }

            /// Returns the name, with the `__Host-` prefix on https sites.
            pub(super) fn on_site(self, is_https: bool) -> &'static str {
                match self {
                    $(Self::$cookie => if is_https { concat!("__Host-", $name) } else { $name },)+
                }
            }
        }
    };
}

cookie_names! {
    Access = "access",
    Refresh = "refresh",
    Visitor = "visitor",
    Device = "device",
    Link = "link",
    Language = "language",
    FlashMessage = "notice",
    Invitation = "handed",
    OAuthState = "social",
    PendingSocialSignup = "newcomer",
}
