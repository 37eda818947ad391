//! Renders an e-mail in its recipient's language: the subject, the text, and the same as an HTML page.
//!
//! One pair of templates renders every kind. `texts` chooses the texts of each kind, `paths` has the
//! paths of the links.

use std::fmt;

use askama::Template;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;

use super::{EmailContent, EmailKind, texts};
use crate::clock;
use crate::i18n::Language;
use crate::paths;
use crate::types::{Email, Secret};
use crate::user_agent;

/// The characters of a token that are percent-encoded: all but those of base64 for URLs.
const NOT_IN_TOKENS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// How many characters of a text that a stranger chose are repeated at most.
const MAX_QUOTE: usize = 254;

/// An e-mail as its recipient reads it.
#[derive(Clone)]
pub struct RenderedEmail {
    /// One line.
    pub subject: String,
    /// For mail programs that show text only.
    pub text: String,
    /// A whole HTML page that loads nothing from elsewhere.
    pub html: String,
}

impl RenderedEmail {
    /// Renders `content` for `to` in `language`; links begin with `public_url`, an origin.
    #[must_use]
    pub fn new(content: &EmailContent, language: Language, public_url: &str, to: &Email) -> Self {
        let renderer = Renderer { language, public_url: public_url.trim_end_matches('/') };
        let email = renderer.view(content, to);
        let html = HtmlTemplate { email: &email }.render().expect("texts can be rendered");
        let text = TextTemplate { email: &email }.render().expect("texts can be rendered");
        Self { subject: email.subject, text, html }
    }
}

impl fmt::Debug for RenderedEmail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may contain the tokens of links.
        f.write_str("RenderedEmail(..)")
    }
}

/// The one thing that the recipient may want to do.
struct Button {
    label: String,
    url: String,
}

/// One line of the list of what happened.
struct Fact {
    name: String,
    value: String,
}

/// The link "this wasn't me" with its sentence.
struct NotMe {
    sentence: String,
    label: String,
    url: String,
}

/// Everything that the templates show, in the order in which they show it.
struct EmailView {
    lang: &'static str,
    subject: String,
    greeting: String,
    paragraphs: Vec<String>,
    button: Option<Button>,
    or_open_link: String,
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

/// Renders the parts of an e-mail for one site in one language.
struct Renderer<'a> {
    language: Language,
    public_url: &'a str,
}

impl Renderer<'_> {
    fn view(&self, content: &EmailContent, to: &Email) -> EmailView {
        let language = self.language;
        let site_name = language.say("site.name");
        let values =
            [("site", &*site_name), ("what", &*language.say(texts::subject(content.kind)))];
        let reason = language.say(texts::reason(content.kind)).into_owned();
        EmailView {
            lang: language.tag(),
            subject: language.tell("emails.subject", &values),
            greeting: language.say("emails.greeting").into_owned(),
            or_open_link: language.say("emails.or_open_link").into_owned(),
            paragraphs: self.paragraphs(content),
            button: self.button(content),
            facts: self.facts(content),
            not_me: content.not_me.as_ref().map(|token| self.not_me(content.kind, token)),
            footer: [self.footer(&site_name, to), reason],
        }
    }

    fn paragraphs(&self, content: &EmailContent) -> Vec<String> {
        let due_at = content.data.due_at.map(|due_at| self.day(clock::from_micros(due_at)));
        let values = [("day", due_at.as_deref().unwrap_or_default())];
        texts::paragraphs(content).iter().map(|key| self.language.tell(key, &values)).collect()
    }

    /// Returns the button; without a token only one that leads to the log-in page, or none.
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
            Some(_) if !path.is_empty() => (self.url(&path), label),
            _ if leads_to_log_in => (self.url(paths::LOGIN), "emails.button.login"),
            _ => return None,
        };
        Some(Button { label: self.language.say(label).into_owned(), url })
    }

    fn facts(&self, content: &EmailContent) -> Vec<Fact> {
        let data = &content.data;
        let fact = |name, value: String| {
            let value = on_one_line(&value);
            (!value.is_empty()).then(|| Fact { name: self.language.say(name).into_owned(), value })
        };
        // The recipient of any other kind need not be the owner of this address.
        let email = data.email.clone().filter(|_| content.kind == EmailKind::EmailChanged);
        let device = data.user_agent.as_deref().and_then(|agent| self.device(agent));
        let provider = data.provider.clone();
        [
            provider.and_then(|name| fact("emails.fact.provider", name)),
            email.and_then(|email| fact("emails.fact.new_email", email)),
            data.at.and_then(|at| fact("emails.fact.at", self.instant(clock::from_micros(at)))),
            data.ip.clone().and_then(|ip| fact("emails.fact.ip", ip)),
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
            url: self.url(&paths::report_compromise(encoded(token))),
        }
    }

    fn footer(&self, site: &str, to: &Email) -> String {
        let host = self.public_url.split_once("://").map_or(self.public_url, |(_, host)| host);
        let values = [("site", site), ("url", host), ("email", to.as_typed())];
        self.language.tell("emails.footer", &values)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// Formats a day in UTC as it is written in the language.
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

fn encoded(token: &Secret) -> String {
    utf8_percent_encode(token.expose(), NOT_IN_TOKENS).to_string()
}

/// Makes one line of a text that a stranger chose.
fn on_one_line(text: &str) -> String {
    // After a line break, the text could look like another line of the e-mail.
    let is_break = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    // These change the direction of what follows (Unicode UAX 9, 2).
    let turns = |char: char| matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain = text.chars().filter(|char| !turns(*char));
    let plain: String = plain.map(|char| if is_break(char) { ' ' } else { char }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_QUOTE).collect()
}
