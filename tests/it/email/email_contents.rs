//! The e-mails: every occasion in every language, as it arrives.

use std::collections::BTreeSet;

use daemun::testing::clock::to_micros;
use daemun::testing::config::Settings;
use daemun::testing::i18n::Language;
use daemun::testing::mail::{EmailContent, EmailKind, Envelope, Mailer, RenderedEmail};
use daemun::testing::types::{Email, Secret};
use mail_parser::{Message, MessageParser};
use time::OffsetDateTime;
use time::macros::datetime;

const SITE: &str = "https://gate.example";

const NOON: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

/// What a stranger may have typed, or sent as a header.
const NASTY: &str = "x\r\n\r\n<script>alert(1)</script>\u{202e}\u{2028}&\"'";

fn ada() -> Email {
    Email::parse("ada+&o'hara@example.com").expect("an address")
}

/// An e-mail with everything that any e-mail can have.
fn full(kind: EmailKind) -> EmailContent {
    let mut content = EmailContent::new(kind)
        .with_link(Secret::new("LINK-to_ken".into()))
        .with_not_me(Secret::new("NOT-me_token".into()));
    content.data.at = Some(to_micros(NOON));
    content.data.ip = Some("2001:db8::1".into());
    content.data.user_agent = Some(NASTY.into());
    content.data.email = Some("new@example.com".into());
    content.data.due_at = Some(to_micros(datetime!(2026-03-31 23:59 UTC)));
    content
}

/// Every occasion, with everything and with nothing, in every language.
fn every_email() -> Vec<(EmailContent, Language)> {
    let contents =
        EmailKind::ALL.into_iter().flat_map(|kind| [full(kind), EmailContent::new(kind)]);
    contents.flat_map(|content| Language::ALL.map(|language| (content.clone(), language))).collect()
}

fn written(content: &EmailContent, language: Language) -> RenderedEmail {
    RenderedEmail::new(content, language, SITE, &ada())
}

/// Sends e-mails into a folder and gives the files back, in the order of their names.
fn delivered(contents: &[(EmailContent, Language)]) -> Vec<Vec<u8>> {
    let home = tempfile::tempdir().expect("a folder");
    let figment = rocket::Config::figment()
        .merge(("public_url", SITE))
        .merge(("data_dir", home.path()))
        .merge(("mail_from", "대문 계정, 여러분의 \u{1f3e1} <no-reply@gate.example>"));
    let mailer = Mailer::open(&Settings::from_figment(&figment).expect("settings"));
    let mailer = mailer.expect("a mailer");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        for (number, (content, language)) in contents.iter().enumerate() {
            let id = format!("{number:04}");
            let (to, language) = (&ada(), *language);
            let envelope = Envelope { id: &id, to, language, written_at: NOON };
            mailer.send(&envelope, content).await.expect("written");
        }
    });
    let files = std::fs::read_dir(home.path().join("mail")).expect("a folder");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("an e-mail")).collect()
}

fn parsed(bytes: &[u8]) -> Message<'_> {
    MessageParser::default().parse(bytes).expect("a message")
}

#[test]
fn every_email_exists_in_every_language() {
    for (content, language) in every_email() {
        let written = written(&content, language);

        for text in [&written.subject, &written.text, &written.html] {
            for word in text.split_whitespace() {
                assert!(!word.starts_with("emails.") || word == "emails.", "a key: {text}");
            }
            assert!(!text.contains("%{"), "a placeholder: {text}");
            assert!(!text.contains("{{") && !text.contains("{%"), "a tag: {text}");
            let is_korean = text.chars().any(|char| ('가'..='힣').contains(&char));
            assert_eq!(is_korean, language == Language::Korean, "{text}");
        }
        assert!(!written.subject.contains('\n'), "{}", written.subject);
        assert!(written.html.contains(&format!("<html lang=\"{}\">", language.tag())));
        assert!(!written.text.contains("\n\n\n"), "{}", written.text);
        assert!(!written.text.contains('<'), "{}", written.text);
    }
}

#[test]
fn no_email_loads_remote_content() {
    for (content, language) in every_email() {
        let html = written(&content, language).html.to_lowercase();

        for word in [
            "<img",
            "<link",
            "<script",
            "<iframe",
            "<object",
            "<form",
            "src=",
            "url(",
            "@import",
            "background=",
            "@font-face",
            "<video",
            "<base",
            "http-equiv",
            "cid:",
        ] {
            assert!(!html.contains(word), "{word} in {html}");
        }
        for link in html.split("href=\"").skip(1) {
            assert!(link.starts_with(&format!("{SITE}/account/")), "{link}");
        }
    }
}

#[test]
fn each_email_links_to_the_right_page() {
    for (kind, path) in [
        (EmailKind::VerifyEmail, "email/verify/LINK-to_ken"),
        (EmailKind::AlreadyJoined, "email/verify/LINK-to_ken"),
        (EmailKind::ResetPassword, "password/reset/LINK-to_ken"),
        (EmailKind::AccountLocked, "password/reset/LINK-to_ken"),
        (EmailKind::Invited, "password/reset/LINK-to_ken"),
        (EmailKind::ConfirmNewEmail, "email/change/LINK-to_ken"),
        (EmailKind::EmailChanged, "email/undo/LINK-to_ken"),
        (EmailKind::TokenReused, "login"),
        (EmailKind::DeletionScheduled, "login"),
    ] {
        for language in Language::ALL {
            let written = written(&full(kind), language);

            let url = format!("{SITE}/account/{path}");
            assert!(written.text.lines().any(|line| line == url), "{url} in {}", written.text);
            assert!(written.html.contains(&format!("href=\"{url}\"")), "{url} in {}", written.html);
        }
    }
    let joined = written(&EmailContent::new(EmailKind::AlreadyJoined), Language::English);
    assert!(joined.text.contains(&format!("{SITE}/account/login\n")), "{}", joined.text);
}

#[test]
fn emails_say_where_to_report_abuse() {
    let url = format!("{SITE}/account/not-me/NOT-me_token");
    for kind in EmailKind::ALL {
        let with = written(&full(kind), Language::English);
        let without = written(&EmailContent::new(kind), Language::English);

        assert!(with.text.lines().any(|line| line == url), "{}", with.text);
        assert!(with.html.contains(&format!("href=\"{url}\"")), "{}", with.html);
        assert!(with.text.contains("within 7 days"), "{}", with.text);
        assert!(!without.text.contains("not-me"), "{}", without.text);
    }
    let joined = written(&full(EmailKind::VerifyEmail), Language::English).text;
    assert!(joined.contains("If you didn't sign up, don't press the button."), "{joined}");
    assert!(joined.contains("If you didn't sign up, let us know here"), "{joined}");
}

#[test]
fn emails_say_how_long_their_links_work() {
    for (kind, english, korean) in [
        (EmailKind::VerifyEmail, "for 3 days", "3일 동안"),
        (EmailKind::ResetPassword, "once, within 1 hour", "1시간 안에 한 번만"),
        (EmailKind::AccountLocked, "once, within 1 hour", "1시간 안에 한 번만"),
        (EmailKind::Invited, "once, within 3 days", "3일 안에 한 번만"),
        (EmailKind::ConfirmNewEmail, "for 1 day", "하루 동안"),
        (EmailKind::EmailChanged, "within 7 days", "7일 안에"),
        (EmailKind::DeletionScheduled, "on 31 March 2026 (UTC)", "2026년 3월 31일(UTC)에"),
    ] {
        for (language, words) in [(Language::English, english), (Language::Korean, korean)] {
            let text = written(&full(kind), language).text;
            assert!(text.contains(words), "{words} in {text}");
        }
    }
}

#[test]
fn dates_and_numbers_follow_the_language() {
    let english = written(&full(EmailKind::EmailChanged), Language::English).text;
    for fact in [
        "- When: 1 March 2026, 12:00 UTC",
        "- IP address: 2001:db8::1",
        "- New address: new@example.com",
    ] {
        assert!(english.lines().any(|line| line == fact), "{fact} in {english}");
    }

    let korean = written(&full(EmailKind::EmailChanged), Language::Korean).text;
    for fact in [
        "- 일시: 2026년 3월 1일 12:00 (UTC)",
        "- IP 주소: 2001:db8::1",
        "- 새 주소: new@example.com",
    ] {
        assert!(korean.lines().any(|line| line == fact), "{fact} in {korean}");
    }
}

#[test]
fn the_new_address_is_shown_only_to_its_owner() {
    for kind in EmailKind::ALL {
        let text = written(&full(kind), Language::English).text;
        assert_eq!(text.contains("new@example.com"), kind == EmailKind::EmailChanged, "{text}");
    }
}

#[test]
fn user_text_is_escaped() {
    let mut content = full(EmailKind::EmailChanged);
    content.data.ip = Some(NASTY.into());
    content.data.email = Some(NASTY.into());
    let tame = "x <script>alert(1)</script> &\"'";

    let written = written(&content, Language::English);

    assert!(written.text.lines().any(|line| line == format!("- New address: {tame}")));
    assert!(written.text.lines().any(|line| line == format!("- IP address: {tame}")));
    assert!(!written.html.contains("<script"), "{}", written.html);
    let page = scraper::Html::parse_document(&written.html);
    let items = scraper::Selector::parse("li").expect("a selector");
    let texts: Vec<String> = page.select(&items).map(|item| item.text().collect()).collect();
    assert!(texts.contains(&format!("New address: {tame}")), "{texts:?}");
}

#[test]
fn every_email_is_valid_html() {
    for (content, language) in every_email() {
        let html = written(&content, language).html;

        let page = scraper::Html::parse_document(&html);

        assert!(page.errors.is_empty(), "{:?} in {html}", page.errors);
    }
}

#[test]
fn mail_clients_can_read_every_email() {
    let contents = every_email();
    let files = delivered(&contents);
    assert_eq!(files.len(), contents.len());
    for (number, (bytes, (content, language))) in files.iter().zip(&contents).enumerate() {
        let written = written(content, *language);
        let message = parsed(bytes);

        assert!(bytes.is_ascii(), "any server takes it");
        assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
        assert!(!bytes.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'), "bare LF");
        assert_eq!(message.subject(), Some(written.subject.as_str()));
        let unix = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
        assert_eq!(unix(&message.body_text(0).expect("text")), written.text.trim_end());
        assert_eq!(unix(&message.body_html(0).expect("HTML")), written.html.trim_end());
        assert_eq!((message.text_body_count(), message.html_body_count()), (1, 1));
        assert_eq!(message.attachment_count(), 0);
        let id = format!("{number:04}@gate.example");
        assert_eq!(message.message_id(), Some(id.as_str()));
        let from = message.from().and_then(|from| from.first()).expect("a sender");
        assert_eq!(from.name(), Some("대문 계정, 여러분의 \u{1f3e1}"));
        assert_eq!(from.address(), Some("no-reply@gate.example"));
        let to = message.to().and_then(|to| to.first()).expect("a reader");
        assert_eq!(to.address(), Some("ada+&o'hara@example.com"));
        assert_eq!(message.date().expect("a date").to_timestamp(), NOON.unix_timestamp());
    }
}

#[test]
fn emails_are_marked_as_automatic_and_by_language() {
    let contents = Language::ALL.map(|language| (full(EmailKind::NewDevice), language));
    for (bytes, (_, language)) in delivered(&contents).iter().zip(&contents) {
        let text = String::from_utf8_lossy(bytes);
        let (head, _) = text.split_once("\r\n\r\n").expect("a head");
        let tag = language.tag();
        for line in [
            "Auto-Submitted: auto-generated".to_owned(),
            format!("Content-Language: {tag}"),
            "MIME-Version: 1.0".to_owned(),
            "Date: Sun, 01 Mar 2026 12:00:00 +0000".to_owned(),
        ] {
            assert!(head.lines().any(|it| it == line), "{line} in {head}");
        }
        assert!(head.contains("Content-Type: multipart/alternative;"), "{head}");
    }
}

#[test]
fn the_same_email_is_the_same_message() {
    let content = [(full(EmailKind::ResetPassword), Language::Korean)];

    assert_eq!(delivered(&content), delivered(&content));
}

#[test]
fn subjects_differ() {
    for language in Language::ALL {
        let subjects: BTreeSet<_> =
            EmailKind::ALL.into_iter().map(|kind| written(&full(kind), language).subject).collect();
        assert_eq!(subjects.len(), EmailKind::ALL.len(), "{subjects:?}");
    }
}

#[test]
fn debug_output_hides_tokens() {
    let written = written(&full(EmailKind::ResetPassword), Language::English);

    assert_eq!(format!("{written:?}"), "RenderedEmail(..)");
}
