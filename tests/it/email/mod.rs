//! E-mails: what they say, and how they are delivered.

mod email_contents;
mod email_delivery;
mod email_delivery_retries;
mod mail_check;
mod password_reset_emails;
mod smtp;
mod smtp_failures;
mod without_mail_server;
