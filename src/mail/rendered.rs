//! Writing an e-mail in its reader's language: the subject, the text, and the same as a page.
//!
//! Knows what is said on which occasion, and where links lead. One pair of templates draws them all.

use std::fmt;

use askama::Template;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;

use super::{EmailContent, EmailKind};
use crate::clock;
use crate::i18n::Language;
use crate::paths;
use crate::types::{Email, Secret};
use crate::user_agent;

/// What a link's token keeps of its punctuation: that of base64 for URLs.
const NOT_IN_TOKENS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The most that an e-mail repeats of what a stranger chose, in characters.
const MAX_QUOTE: usize = 254;

/// An e-mail as its reader sees it. It may hold the tokens of links, so it does not show itself.
#[derive(Clone)]
pub struct RenderedEmail {
    /// One line.
    pub subject: String,
    /// For programs that show text only.
    pub text: String,
    /// A whole HTML page that fetches nothing.
    pub html: String,
}

impl RenderedEmail {
    /// Writes `email` to `to` in `language`; links begin with `public_url`, an origin.
    #[must_use]
    pub fn new(content: &EmailContent, language: Language, public_url: &str, to: &Email) -> Self {
        let site = Site { language, public_url: public_url.trim_end_matches('/') };
        let site_name = language.say("site.name");
        let values = [("site", &*site_name), ("what", &*language.say(subject(content.kind)))];
        let email = EmailView {
            lang: language.tag(),
            subject: language.tell("emails.subject", &values),
            hello: language.say("emails.greeting").into_owned(),
            or_paste: language.say("emails.or_open_link").into_owned(),
            paragraphs: site.paragraphs(content),
            button: site.button(content),
            facts: site.facts(content),
            not_me: content.not_me.as_ref().map(|token| site.not_me(content.kind, token)),
            footer: [
                site.footer(&site_name, to),
                language.say(reason_key(content.kind)).into_owned(),
            ],
        };
        let page = HtmlTemplate { email: &email };
        let html = page.render().expect("texts can be drawn");
        let text = TextTemplate { email: &email }.render().expect("texts can be drawn");
        Self { subject: email.subject, text, html }
    }
}

impl fmt::Debug for RenderedEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RenderedEmail(..)")
    }
}

/// The one thing that the reader may want to do.
struct Button {
    label: String,
    url: String,
}

/// One thing that the e-mail tells about what happened.
struct Fact {
    name: String,
    value: String,
}

/// The way to say that somebody else did it.
struct NotMe {
    sentence: String,
    label: String,
    url: String,
}

/// Everything that stands on the email, in the order in which it stands there.
struct EmailView {
    lang: &'static str,
    subject: String,
    hello: String,
    paragraphs: Vec<String>,
    button: Option<Button>,
    or_paste: String,
    facts: Vec<Fact>,
    not_me: Option<NotMe>,
    footer: [String; 2],
}

#[derive(Template)]
#[template(path = "emails/email.html")]
struct HtmlTemplate<'a> {
    email: &'a EmailView,
}

#[derive(Template)]
#[template(path = "emails/email.txt", whitespace = "preserve")]
struct TextTemplate<'a> {
    email: &'a EmailView,
}

/// The site in its reader's language.
struct Site<'a> {
    language: Language,
    public_url: &'a str,
}

fn encoded(token: &Secret) -> String {
    utf8_percent_encode(token.expose(), NOT_IN_TOKENS).to_string()
}

impl Site<'_> {
    fn paragraphs(&self, content: &EmailContent) -> Vec<String> {
        let due_at = content.data.due_at.map(|due_at| self.day(clock::from_micros(due_at)));
        let values = [("day", due_at.as_deref().unwrap_or_default())];
        paragraph_keys(content).iter().map(|key| self.language.tell(key, &values)).collect()
    }

    /// The one thing to do. Without a token there is nothing to press but the way to log in.
    fn button(&self, content: &EmailContent) -> Option<Button> {
        let token = content.link.as_ref().map(encoded).unwrap_or_default();
        let (path, label) = match content.kind {
            EmailKind::VerifyEmail | EmailKind::AlreadyJoined => {
                (paths::email_link("verify", token), "emails.button.verify")
            }
            EmailKind::ConfirmNewEmail => {
                (paths::email_link("change", token), "emails.button.verify")
            }
            EmailKind::ResetPassword | EmailKind::AccountLocked => {
                (paths::password_reset_link(token), "emails.reset_password.button")
            }
            EmailKind::Invited => (paths::password_reset_link(token), "emails.invited.button"),
            EmailKind::EmailChanged => {
                (paths::email_link("undo", token), "emails.email_changed.button")
            }
            _ => (String::new(), ""),
        };
        let leads_to_log_in = matches!(
            content.kind,
            EmailKind::AlreadyJoined | EmailKind::TokenReused | EmailKind::DeletionScheduled
        );
        let (url, label) = match &content.link {
            Some(_) if !path.is_empty() => (self.at(&path), label),
            _ if leads_to_log_in => (self.at(paths::LOGIN), "emails.button.login"),
            _ => return None,
        };
        Some(Button { label: self.language.say(label).into_owned(), url })
    }

    fn facts(&self, content: &EmailContent) -> Vec<Fact> {
        let facts = &content.data;
        let fact = |name, value: String| {
            let value = on_one_line(&value);
            (!value.is_empty()).then(|| Fact { name: self.language.say(name).into_owned(), value })
        };
        // Whoever reads any other e-mail need not be the one whose address this is.
        let email = facts.email.clone().filter(|_| content.kind == EmailKind::EmailChanged);
        let device = facts.user_agent.as_deref().and_then(|agent| self.device(agent));
        let provider = facts.provider.clone();
        [
            provider.and_then(|name| fact("emails.fact.provider", name)),
            email.and_then(|email| fact("emails.fact.new_email", email)),
            facts.at.and_then(|at| fact("emails.fact.at", self.instant(clock::from_micros(at)))),
            facts.ip.clone().and_then(|ip| fact("emails.fact.ip", ip)),
            device.and_then(|device| fact("emails.fact.device", device)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn device(&self, user_agent: &str) -> Option<String> {
        let agent = user_agent::parse(user_agent);
        match (agent.browser, agent.system) {
            (Some(browser), Some(system)) => {
                let values = [("browser", browser.as_str()), ("system", system.as_str())];
                Some(self.language.tell("emails.device", &values))
            }
            (browser, system) => browser.or(system),
        }
    }

    fn not_me(&self, kind: EmailKind, token: &Secret) -> NotMe {
        let sentence = match kind {
            EmailKind::VerifyEmail => "emails.verify_email.not_me",
            _ => "emails.not_me.text",
        };
        NotMe {
            sentence: self.language.say(sentence).into_owned(),
            label: self.language.say("emails.not_me.label").into_owned(),
            url: self.at(&paths::report_compromise(encoded(token))),
        }
    }

    fn footer(&self, site: &str, to: &Email) -> String {
        let host = self.public_url.split_once("://").map_or(self.public_url, |(_, host)| host);
        let values = [("site", site), ("url", host), ("email", to.as_typed())];
        self.language.tell("emails.footer", &values)
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// A day in UTC, as people of the language write it.
    fn day(&self, instant: OffsetDateTime) -> String {
        let (year, month, day) = instant.to_offset(time::UtcOffset::UTC).to_calendar_date();
        let month = match self.language {
            Language::Korean => u8::from(month).to_string(),
            Language::English => month.to_string(),
        };
        let values = [("year", &*year.to_string()), ("month", &month), ("day", &day.to_string())];
        self.language.tell("emails.day", &values)
    }

    fn instant(&self, instant: OffsetDateTime) -> String {
        let instant = instant.to_offset(time::UtcOffset::UTC);
        let time = format!("{:02}:{:02}", instant.hour(), instant.minute());
        self.language.tell("emails.instant", &[("day", &self.day(instant)), ("time", &time)])
    }
}

pub(super) fn subject(kind: EmailKind) -> &'static str {
    match kind {
        EmailKind::VerifyEmail => "emails.verify_email.subject",
        EmailKind::AlreadyJoined => "emails.already_joined.subject",
        EmailKind::ResetPassword => "emails.reset_password.subject",
        EmailKind::AccountLocked => "emails.account_locked.subject",
        EmailKind::Invited => "emails.invited.subject",
        EmailKind::PasswordChanged => "emails.password_changed.subject",
        EmailKind::NewDevice => "emails.new_device.subject",
        EmailKind::TokenReused => "emails.token_reused.subject",
        EmailKind::ConfirmNewEmail => "emails.confirm_new_email.subject",
        EmailKind::AddressInUse => "emails.address_in_use.subject",
        EmailKind::EmailChanged => "emails.email_changed.subject",
        EmailKind::DeletionScheduled => "emails.deletion_scheduled.subject",
        EmailKind::Deleted => "emails.deleted.subject",
        EmailKind::SocialConnected => "emails.social_connected.subject",
        EmailKind::Test => "emails.test.subject",
    }
}

/// What is said, a paragraph each.
fn paragraph_keys(content: &EmailContent) -> &'static [&'static str] {
    let has_link = content.link.is_some();
    match content.kind {
        EmailKind::VerifyEmail => &["emails.verify_email.body", "emails.verify_email.stranger"],
        EmailKind::AlreadyJoined if has_link => &[
            "emails.already_joined.body",
            "emails.already_joined.verify",
            "emails.already_joined.stranger",
        ],
        EmailKind::AlreadyJoined => &["emails.already_joined.body", "emails.already_joined.login"],
        EmailKind::ResetPassword => {
            &["emails.reset_password.body", "emails.reset_password.stranger"]
        }
        EmailKind::AccountLocked => &["emails.account_locked.body", "emails.reset_password.body"],
        EmailKind::Invited => &["emails.invited.body", "emails.invited.stranger"],
        EmailKind::PasswordChanged => &["emails.password_changed.body", "emails.nothing_to_do"],
        EmailKind::NewDevice => &["emails.new_device.body", "emails.nothing_to_do"],
        EmailKind::TokenReused => &["emails.token_reused.body", "emails.token_reused.next"],
        EmailKind::ConfirmNewEmail => {
            &["emails.confirm_new_email.body", "emails.confirm_new_email.stranger"]
        }
        EmailKind::AddressInUse => &["emails.address_in_use.body", "emails.address_in_use.next"],
        EmailKind::EmailChanged if has_link => {
            &["emails.email_changed.body", "emails.nothing_to_do", "emails.email_changed.undo"]
        }
        EmailKind::EmailChanged => &["emails.email_changed.body", "emails.nothing_to_do"],
        EmailKind::DeletionScheduled if content.data.due_at.is_some() => {
            &["emails.deletion_scheduled.on", "emails.deletion_scheduled.next"]
        }
        EmailKind::DeletionScheduled => {
            &["emails.deletion_scheduled.soon", "emails.deletion_scheduled.next"]
        }
        EmailKind::Deleted => &["emails.deleted.body", "emails.deleted.next"],
        EmailKind::SocialConnected => &["emails.social_connected.body", "emails.nothing_to_do"],
        EmailKind::Test => &["emails.test.body"],
    }
}

/// Why the reader of all people gets it.
fn reason_key(kind: EmailKind) -> &'static str {
    match kind {
        EmailKind::VerifyEmail | EmailKind::AlreadyJoined => "emails.why.signup",
        EmailKind::ResetPassword => "emails.why.password_reset",
        EmailKind::AccountLocked
        | EmailKind::PasswordChanged
        | EmailKind::NewDevice
        | EmailKind::TokenReused
        | EmailKind::SocialConnected
        | EmailKind::DeletionScheduled => "emails.why.account",
        EmailKind::Invited => "emails.why.invited",
        EmailKind::ConfirmNewEmail | EmailKind::AddressInUse => "emails.why.email_change",
        EmailKind::EmailChanged | EmailKind::Deleted => "emails.why.old_address",
        EmailKind::Test => "emails.why.test",
    }
}

/// What a stranger chose, as something that cannot look like another line of the e-mail: no line
/// breaks, and nothing that turns the direction of what follows (Unicode UAX 9, 2).
fn on_one_line(text: &str) -> String {
    let is_break = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    let turns = |char: char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = text.chars().filter(|char| !turns(*char));
    let plain: String = plain.map(|char| if is_break(char) { ' ' } else { char }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_QUOTE).collect()
}
