//! The e-mails of a test: reading them sends what is due first, and parses them as a mail
//! program would.

use daemun::testing::flows;
use mail_parser::MessageParser;

use super::App;

/// An e-mail as its reader has it.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedEmail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl ReceivedEmail {
    /// The path of the link that begins like this, such as `/account/password/reset/`.
    pub(crate) fn link(&self, start: &str) -> String {
        self.find_link(start).unwrap_or_else(|| panic!("no {start} in {}", self.text))
    }

    pub(crate) fn find_link(&self, start: &str) -> Option<String> {
        let urls = self.text.split_whitespace().filter(|word| word.starts_with("http"));
        let mut paths = urls.filter_map(|url| {
            let (_, rest) = url.split_once("://")?;
            Some(rest[rest.find('/')?..].to_owned())
        });
        paths.find(|path| path.starts_with(start))
    }
}

impl App {
    /// Sends everything that is due.
    pub(crate) async fn sends_due_emails(&self) {
        while flows::system::email_delivery::send_batch(&self.ctx)
            .await
            .expect("e-mails are sent")
            .is_more
        {}
    }

    /// Every e-mail that was sent so far, the oldest first.
    pub(crate) async fn emails(&self) -> Vec<ReceivedEmail> {
        self.sends_due_emails().await;
        let folder = self.ctx.settings.data_dir.join("mail");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let mut paths: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|it| it == "eml")).collect();
        paths.sort_by_key(|path| {
            // Within one instant of the standing clock, by number.
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let (at, number) = name.rsplit_once('-').expect("an instant and a number");
            (at.to_owned(), number.parse::<u64>().expect("a number"))
        });
        paths.iter().map(|path| read(&std::fs::read(path).expect("an e-mail"))).collect()
    }

    /// The e-mails to an address so far, the oldest first.
    pub(crate) async fn emails_to(&self, email: &str) -> Vec<ReceivedEmail> {
        let mut emails = self.emails().await;
        emails.retain(|received| received.to == email);
        emails
    }

    /// The last e-mail to an address.
    pub(crate) async fn last_email_to(&self, email: &str) -> ReceivedEmail {
        let mut emails = self.emails_to(email).await;
        emails.pop().unwrap_or_else(|| panic!("no e-mail to {email}"))
    }
}

fn read(bytes: &[u8]) -> ReceivedEmail {
    let message = MessageParser::default().parse(bytes).expect("an e-mail");
    let to = message.to().and_then(|to| to.first()).and_then(|to| to.address());
    ReceivedEmail {
        to: to.expect("an address").to_owned(),
        subject: message.subject().expect("a subject").to_owned(),
        text: message.body_text(0).expect("a text").into_owned(),
        html: message.body_html(0).expect("a page").into_owned(),
    }
}
