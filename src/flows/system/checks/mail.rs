//! Checks where e-mails go. Connects to a mail server; sends nothing.

use super::finding::Finding;
use crate::config::{MailUrl, Settings};
use crate::mail::Mailer;

/// Checks the mail server and the sender of e-mails.
pub(super) async fn check_mail(settings: &Settings) -> Vec<Finding> {
    let server = match &settings.mail_url {
        MailUrl::File => {
            // Not checked: it is created with the first e-mail.
            let folder = settings.data_dir.join("mail");
            let is_real = settings.public_url.is_https();
            return is_real.then_some(Finding::EmailsAreFiles(folder)).into_iter().collect();
        }
        MailUrl::Smtp(server) => server,
    };
    // Trying things out on one machine, any sender address will do for a mail server there.
    let is_at_home = server.is_loopback() && settings.public_url.is_loopback();
    let is_local = settings.mail_from.is_local() && !is_at_home;
    let tried = match Mailer::open(settings) {
        Ok(mailer) => mailer.test().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    [
        server.is_exposed().then(|| Finding::PlainMail(server.to_string())),
        is_local.then(|| Finding::LocalSender(settings.mail_from.to_string())),
        tried.err().map(Finding::NoMail),
    ]
    .into_iter()
    .flatten()
    .collect()
}
