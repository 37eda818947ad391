//! Replaces texts about sent e-mails on a public site whose e-mails are only files.

/// Returns the key of the text to show in place of `key`: where e-mails are not delivered, a text that
/// claims that one was sent is replaced by a true one.
#[must_use]
pub fn of_mail(key: &'static str, is_delivered: bool) -> &'static str {
    if is_delivered { key } else { undelivered(key) }
}

fn undelivered(key: &'static str) -> &'static str {
    match key {
        "signup.sent.title" | "password_reset.sent.title" => "undelivered.title",
        "flash.verification_sent"
        | "flash.email_change_requested"
        | "signup.sent.text"
        | "password_reset.sent.text"
        | "mypage.unverified"
        | "api.signup.verification_sent"
        | "api.password_reset.sent" => "undelivered.text",
        "password_reset.text" => "undelivered.password_reset",
        "email_change.text" => "undelivered.email_change",
        "flash.compromise_reported" => "undelivered.compromise_reported",
        "report_compromise.text" => "undelivered.report_compromise",
        "social_signup.text" => "undelivered.social_signup",
        "too_soon.text" => "undelivered.too_soon",
        "admin.user_link.invitation" => "undelivered.invitation",
        "admin.user_link.sent" => "undelivered.user_link",
        "admin.import.invites" => "undelivered.invites",
        "admin.emails.sent" => "undelivered.state",
        "admin.user.email_sent" => "undelivered.state_short",
        key => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Language;

    #[test]
    fn no_sentence_claims_that_an_email_is_sent_where_none_is() {
        let files = [
            include_str!("account.toml"),
            include_str!("admin/dashboard.toml"),
            include_str!("admin/users.toml"),
            include_str!("admin/import.toml"),
            include_str!("admin/emails.toml"),
            include_str!("api.toml"),
            include_str!("shared.toml"),
        ];
        // What was sent, or failed to be, is history and stays; so do captions of buttons.
        let stay = [
            "admin.audit.detail.sent_by_email",
            "admin.dashboard.failed_emails",
            "admin.emails.failed",
            "admin.user.email_failed",
            "password_reset.submit",
        ];
        let claims = [
            "'ve sent",
            "'ve emailed",
            "'ll send",
            "we send",
            "mail sent",
            "has been sent",
            "email with a link",
        ];
        let mut key = "";
        let mut found = 0;
        for line in files.iter().flat_map(|file| file.lines()) {
            if let Some(name) = line.strip_prefix('[') {
                key = name.trim_end_matches(']');
            }
            let sentence = line.to_lowercase();
            let is_claim =
                line.starts_with("en = ") && claims.iter().any(|it| sentence.contains(it));
            // The replacements themselves, and what the API description says of a route.
            let group = key.split('.').next().unwrap_or_default();
            let is_exempt = ["undelivered", "openapi"].contains(&group);
            if is_claim && !is_exempt && !stay.contains(&key) {
                found += 1;
                assert_ne!(undelivered(key), key, "{line}");
            }
        }
        assert!(found >= 12, "the claims were found: {found}");
    }

    #[test]
    fn where_emails_are_delivered_nothing_changes() {
        assert_eq!(of_mail("password_reset.sent.text", true), "password_reset.sent.text");
        assert_eq!(of_mail("password_reset.title", false), "password_reset.title");
        assert!(
            Language::Korean
                .say(of_mail("password_reset.sent.text", false))
                .contains("메일을 보낼 수 없")
        );
    }
}
