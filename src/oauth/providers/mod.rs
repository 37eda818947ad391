//! What differs between providers, one file each: endpoints, scopes, and how a profile is read.

pub(super) mod facebook;
pub(super) mod github;
pub(super) mod google;
pub(super) mod kakao;
pub(super) mod naver;
pub(super) mod oidc;
