//! What differs between the providers: a file each.

pub(crate) mod facebook;
pub(crate) mod github;
pub(crate) mod google;
pub(crate) mod kakao;
pub(crate) mod naver;
pub(crate) mod oidc;
