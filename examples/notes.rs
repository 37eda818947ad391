//! A Rocket application of its own on Daemun's accounts: `cargo run --example notes`, then open
//! <http://localhost:8000/notes>.

use daemun::{SignedIn, Staff};
use rocket::figment::Figment;
use rocket::{Build, Rocket, get, routes};

/// For people who are signed in; strangers are shown the way to the log-in page, and back.
#[get("/notes")]
fn notes(user: SignedIn) -> String {
    format!("The notes of {}.\n", user.email())
}

/// For everybody.
#[get("/hello")]
fn hello(user: Option<SignedIn>) -> String {
    match user {
        Some(user) => format!("Hello, {}!\n", user.email()),
        None => "Hello, stranger!\n".into(),
    }
}

/// For staff; everybody else who is signed in gets 403.
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
