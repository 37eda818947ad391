//! Writing a letter in its reader's language: the subject, the text, and the same as a page.
//!
//! Knows what is said on which occasion, and where links lead. One pair of templates draws them all.

use std::fmt;

use askama::Template;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;

use super::{Kind, Letter};
use crate::clock;
use crate::i18n::Language;
use crate::types::{Email, Secret};
use crate::user_agent;

/// What a link's token keeps of its punctuation: that of base64 for URLs.
const NOT_IN_TOKENS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The most that a letter repeats of what a stranger chose, in characters.
const MAX_QUOTE: usize = 254;

/// A letter as its reader sees it. It may hold the tokens of links, so it does not show itself.
#[derive(Clone)]
pub struct Written {
    /// One line.
    pub subject: String,
    /// For programs that show text only.
    pub text: String,
    /// A whole HTML page that fetches nothing.
    pub html: String,
}

impl Written {
    /// Writes `letter` to `to` in `language`; links begin with `public_url`, an origin.
    #[must_use]
    pub fn new(letter: &Letter, language: Language, public_url: &str, to: &Email) -> Self {
        let site = Site { language, public_url: public_url.trim_end_matches('/') };
        let site_name = language.say("site.name");
        let values = [("site", &*site_name), ("what", &*language.say(subject(letter.kind)))];
        let sheet = Sheet {
            lang: language.tag(),
            subject: language.tell("emails.subject", &values),
            hello: language.say("emails.greeting").into_owned(),
            or_paste: language.say("emails.or_open_link").into_owned(),
            paragraphs: site.paragraphs(letter),
            button: site.button(letter),
            facts: site.facts(letter),
            not_me: letter.not_me.as_ref().map(|token| site.not_me(letter.kind, token)),
            footer: [site.footer(&site_name, to), language.say(why(letter.kind)).into_owned()],
        };
        let page = Page { sheet: &sheet };
        let html = page.render().expect("texts can be drawn");
        let text = Plain { sheet: &sheet }.render().expect("texts can be drawn");
        Self { subject: sheet.subject, text, html }
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written(..)")
    }
}

/// The one thing that the reader may want to do.
struct Button {
    label: String,
    url: String,
}

/// One thing that the letter tells about what happened.
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

/// Everything that stands on the sheet, in the order in which it stands there.
struct Sheet {
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
struct Page<'a> {
    sheet: &'a Sheet,
}

#[derive(Template)]
#[template(path = "emails/email.txt", whitespace = "preserve")]
struct Plain<'a> {
    sheet: &'a Sheet,
}

/// The site in its reader's language.
struct Site<'a> {
    language: Language,
    public_url: &'a str,
}

impl Site<'_> {
    fn paragraphs(&self, letter: &Letter) -> Vec<String> {
        let due_at = letter.facts.due_at.map(|due_at| self.day(clock::from_micros(due_at)));
        let values = [("day", due_at.as_deref().unwrap_or_default())];
        said(letter).iter().map(|key| self.language.tell(key, &values)).collect()
    }

    /// The one thing to do. Without a token there is nothing to press but the way to log in.
    fn button(&self, letter: &Letter) -> Option<Button> {
        let (path, label) = match letter.kind {
            Kind::VerifyEmail | Kind::AlreadyJoined => ("email/verify", "emails.button.verify"),
            Kind::ConfirmNewEmail => ("email/change", "emails.button.verify"),
            Kind::ResetPassword | Kind::AccountLocked => {
                ("password/reset", "emails.reset_password.button")
            }
            Kind::Invited => ("password/reset", "emails.invited.button"),
            Kind::EmailChanged => ("email/undo", "emails.email_changed.button"),
            _ => ("", ""),
        };
        let leads_to_log_in = matches!(
            letter.kind,
            Kind::AlreadyJoined | Kind::TokenReused | Kind::DeletionScheduled
        );
        let (url, label) = match &letter.link {
            Some(token) if !path.is_empty() => (self.link(path, token), label),
            _ if leads_to_log_in => (self.at("login"), "emails.button.login"),
            _ => return None,
        };
        Some(Button { label: self.language.say(label).into_owned(), url })
    }

    fn facts(&self, letter: &Letter) -> Vec<Fact> {
        let facts = &letter.facts;
        let fact = |name, value: String| {
            let value = on_one_line(&value);
            (!value.is_empty()).then(|| Fact { name: self.language.say(name).into_owned(), value })
        };
        // Whoever reads any other letter need not be the one whose address this is.
        let email = facts.email.clone().filter(|_| letter.kind == Kind::EmailChanged);
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

    fn not_me(&self, kind: Kind, token: &Secret) -> NotMe {
        let sentence = match kind {
            Kind::VerifyEmail => "emails.verify_email.not_me",
            _ => "emails.not_me.text",
        };
        NotMe {
            sentence: self.language.say(sentence).into_owned(),
            label: self.language.say("emails.not_me.label").into_owned(),
            url: self.link("not-me", token),
        }
    }

    fn footer(&self, site: &str, to: &Email) -> String {
        let host = self.public_url.split_once("://").map_or(self.public_url, |(_, host)| host);
        let values = [("site", site), ("url", host), ("email", to.as_typed())];
        self.language.tell("emails.footer", &values)
    }

    fn at(&self, path: &str) -> String {
        format!("{}/account/{path}", self.public_url)
    }

    fn link(&self, path: &str, token: &Secret) -> String {
        self.at(&format!("{path}/{}", utf8_percent_encode(token.expose(), NOT_IN_TOKENS)))
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

pub(super) fn subject(kind: Kind) -> &'static str {
    match kind {
        Kind::VerifyEmail => "emails.verify_email.subject",
        Kind::AlreadyJoined => "emails.already_joined.subject",
        Kind::ResetPassword => "emails.reset_password.subject",
        Kind::AccountLocked => "emails.account_locked.subject",
        Kind::Invited => "emails.invited.subject",
        Kind::PasswordChanged => "emails.password_changed.subject",
        Kind::NewDevice => "emails.new_device.subject",
        Kind::TokenReused => "emails.token_reused.subject",
        Kind::ConfirmNewEmail => "emails.confirm_new_email.subject",
        Kind::AddressInUse => "emails.address_in_use.subject",
        Kind::EmailChanged => "emails.email_changed.subject",
        Kind::DeletionScheduled => "emails.deletion_scheduled.subject",
        Kind::Deleted => "emails.deleted.subject",
        Kind::SocialConnected => "emails.social_connected.subject",
        Kind::Test => "emails.test.subject",
    }
}

/// What is said, a paragraph each.
fn said(letter: &Letter) -> &'static [&'static str] {
    let has_link = letter.link.is_some();
    match letter.kind {
        Kind::VerifyEmail => &["emails.verify_email.body", "emails.verify_email.stranger"],
        Kind::AlreadyJoined if has_link => &[
            "emails.already_joined.body",
            "emails.already_joined.verify",
            "emails.already_joined.stranger",
        ],
        Kind::AlreadyJoined => &["emails.already_joined.body", "emails.already_joined.login"],
        Kind::ResetPassword => &["emails.reset_password.body", "emails.reset_password.stranger"],
        Kind::AccountLocked => &["emails.account_locked.body", "emails.reset_password.body"],
        Kind::Invited => &["emails.invited.body", "emails.invited.stranger"],
        Kind::PasswordChanged => &["emails.password_changed.body", "emails.nothing_to_do"],
        Kind::NewDevice => &["emails.new_device.body", "emails.nothing_to_do"],
        Kind::TokenReused => &["emails.token_reused.body", "emails.token_reused.next"],
        Kind::ConfirmNewEmail => {
            &["emails.confirm_new_email.body", "emails.confirm_new_email.stranger"]
        }
        Kind::AddressInUse => &["emails.address_in_use.body", "emails.address_in_use.next"],
        Kind::EmailChanged if has_link => {
            &["emails.email_changed.body", "emails.nothing_to_do", "emails.email_changed.undo"]
        }
        Kind::EmailChanged => &["emails.email_changed.body", "emails.nothing_to_do"],
        Kind::DeletionScheduled if letter.facts.due_at.is_some() => {
            &["emails.deletion_scheduled.on", "emails.deletion_scheduled.next"]
        }
        Kind::DeletionScheduled => {
            &["emails.deletion_scheduled.soon", "emails.deletion_scheduled.next"]
        }
        Kind::Deleted => &["emails.deleted.body", "emails.deleted.next"],
        Kind::SocialConnected => &["emails.social_connected.body", "emails.nothing_to_do"],
        Kind::Test => &["emails.test.body"],
    }
}

/// Why the reader of all people gets it.
fn why(kind: Kind) -> &'static str {
    match kind {
        Kind::VerifyEmail | Kind::AlreadyJoined => "emails.why.signup",
        Kind::ResetPassword => "emails.why.password_reset",
        Kind::AccountLocked
        | Kind::PasswordChanged
        | Kind::NewDevice
        | Kind::TokenReused
        | Kind::SocialConnected
        | Kind::DeletionScheduled => "emails.why.account",
        Kind::Invited => "emails.why.invited",
        Kind::ConfirmNewEmail | Kind::AddressInUse => "emails.why.email_change",
        Kind::EmailChanged | Kind::Deleted => "emails.why.old_address",
        Kind::Test => "emails.why.test",
    }
}

/// What a stranger chose, as something that cannot look like another line of the letter: no line
/// breaks, and nothing that turns the direction of what follows (Unicode UAX 9, 2).
fn on_one_line(text: &str) -> String {
    let is_break = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    let turns = |char: char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = text.chars().filter(|char| !turns(*char));
    let plain: String = plain.map(|char| if is_break(char) { ' ' } else { char }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_QUOTE).collect()
}
