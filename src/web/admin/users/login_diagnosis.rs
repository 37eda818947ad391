//! Why a user cannot log in, in one sentence.

use crate::flows::admin::login_diagnosis::LoginDiagnosis;
use crate::web::page::PageContext;

/// Returns the diagnosis in one sentence.
pub(super) fn sentence(diagnosis: &LoginDiagnosis, page: &PageContext) -> String {
    match diagnosis {
        LoginDiagnosis::Deleted(at) => {
            page.t_with("admin.login_diagnosis.deleted", "at", page.date_time(*at))
        }
        LoginDiagnosis::Suspended(Some(at)) => {
            page.t_with("admin.login_diagnosis.suspended_until", "at", page.date_time(*at))
        }
        LoginDiagnosis::Suspended(None) => page.t("admin.login_diagnosis.suspended").into_owned(),
        LoginDiagnosis::Unverified => page.t("admin.login_diagnosis.unverified").into_owned(),
        LoginDiagnosis::SocialLoginOnly(providers) => {
            page.t_with("admin.login_diagnosis.social_only", "providers", providers.join(", "))
        }
        LoginDiagnosis::NoPassword => page.t("admin.login_diagnosis.no_password").into_owned(),
        LoginDiagnosis::RateLimited(wait) => {
            page.t_with("admin.login_diagnosis.throttled", "wait", page.wait(*wait))
        }
        LoginDiagnosis::LockedOut => page.t("admin.login_diagnosis.password_locked").into_owned(),
        LoginDiagnosis::WrongPassword(count, at) => {
            let values = [("count", &*count.to_string()), ("at", &*page.date_time(*at))];
            page.language().tell("admin.login_diagnosis.wrong_password", &values)
        }
        LoginDiagnosis::DeletionPending(at) => {
            page.t_with("admin.login_diagnosis.deletion_pending", "at", page.date_time(*at))
        }
        LoginDiagnosis::NoProblem => page.t("admin.login_diagnosis.fine").into_owned(),
    }
}
