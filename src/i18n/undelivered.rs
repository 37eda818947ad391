//! What pages and answers say on a real site whose e-mails are only files.

/// Returns the key of the sentence to say in the place of `key`: the same one where e-mails are
/// delivered, and where they are not and the sentence says that they are, one that is true.
#[must_use]
pub fn of_mail(key: &'static str, is_delivered: bool) -> &'static str {
    if is_delivered { key } else { undelivered(key) }
}

fn undelivered(key: &'static str) -> &'static str {
    match key {
        "join.sent.title" | "reset.sent.title" => "no_mail.title",
        "notice.verification_sent"
        | "notice.email_change_asked"
        | "join.sent.text"
        | "reset.sent.text"
        | "mypage.unproved"
        | "api.join.letter_sent"
        | "api.reset.sent" => "no_mail.text",
        "reset.text" => "no_mail.reset",
        "email.text" => "no_mail.email",
        "notice.protected" => "no_mail.protected",
        "not_me.text" => "no_mail.not_me",
        "provider.address.text" => "no_mail.provider_address",
        "too_soon.text" => "no_mail.too_soon",
        "handed.invitation" => "no_mail.invitation",
        "handed.sent" => "no_mail.handed",
        "import.invites" => "no_mail.invites",
        "box.sent" => "no_mail.box",
        "fate.sent" => "no_mail.filed",
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
            include_str!("admin.toml"),
            include_str!("admin_import.toml"),
            include_str!("admin_person.toml"),
            include_str!("admin_rooms.toml"),
            include_str!("api.toml"),
            include_str!("social.toml"),
        ];
        // What was sent, or failed to be, is history and stays; so do captions of buttons.
        let stay =
            ["detail.by_letter", "desk.letters", "box.failed", "fate.failed", "reset.submit"];
        let claims = [
            "have sent",
            "have emailed",
            "have just sent",
            "will send",
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
            if is_claim && !stay.contains(&key) {
                found += 1;
                assert_ne!(undelivered(key), key, "{line}");
            }
        }
        assert!(found >= 12, "the claims were found: {found}");
    }

    #[test]
    fn where_emails_are_delivered_nothing_changes() {
        assert_eq!(of_mail("reset.sent.text", true), "reset.sent.text");
        assert_eq!(of_mail("reset.title", false), "reset.title");
        assert!(
            Language::Korean.say(of_mail("reset.sent.text", false)).contains("메일을 보낼 수 없")
        );
    }
}
