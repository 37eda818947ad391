//! A Rocket application of its own on Daemun's accounts: `cargo run --example notes`, then open
//! <http://localhost:8000/notes>.

use daemun::{SignedIn, Staff};
use rocket::figment::Figment;
use rocket::{Build, Rocket, get, routes};

/// For signed-in users; visitors are sent to the log-in page, and back.
#[get("/notes")]
fn notes(user: SignedIn) -> String {
    format!("The notes of {}.\n", user.email())
}

/// For everyone.
#[get("/hello")]
fn hello(user: Option<SignedIn>) -> String {
    match user {
        Some(user) => format!("Hello, {}!\n", user.email()),
        None => "Hello, stranger!\n".into(),
    }
}

/// For staff; other signed-in users get 403.
#[get("/numbers")]
fn numbers(staff: Staff) -> String {
    let Staff(user) = staff;
    format!("Figures for {}.\n", user.email())
}

/// Daemun with three more routes.
#[must_use]
pub fn app(figment: Figment) -> Rocket<Build> {
    daemun::rocket(figment).mount("/", routes![notes, hello, numbers])
}

#[rocket::main]
async fn main() -> Result<(), Box<rocket::Error>> {
    app(daemun::figment()).launch().await.map(drop).map_err(Box::new)
}
