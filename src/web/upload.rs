//! Forms with a file (RFC 7578).
//!
//! The file stays in memory: an import may hold password hashes, which must not be written to a
//! temporary folder.

use std::time::Duration;

use multer::{Multipart, parse_boundary};
use rocket::data::{Data, FromData, Outcome, ToByteUnit as _};
use rocket::http::Status;
use rocket::{Request, outcome::Outcome as AnyOutcome};

use crate::context::Context;
use crate::http::{body, csrf, guards, refusals};

/// Largest form with a file, in MiB: room for twenty thousand users with their hashes.
const LARGEST: u64 = 4;

/// Most parts that are read; our form has three.
const MOST_PARTS: usize = 64;

/// Longest time for the upload: a few megabytes on a slow line.
const DEADLINE: Duration = Duration::from_mins(1);

/// A file from one of our forms, and its checkbox. As a data guard it refuses foreign, oversized
/// and slow requests before a handler runs.
#[derive(Default)]
pub(crate) struct Uploaded {
    /// The file; empty when none was chosen.
    pub file: Vec<u8>,
    /// Whether the imported users are invited by e-mail.
    pub invite: bool,
}

#[rocket::async_trait]
impl<'r> FromData<'r> for Uploaded {
    type Error = ();

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match receive(request, data).await {
            Ok(uploaded) => AnyOutcome::Success(uploaded),
            Err(status) => AnyOutcome::Error((status, ())),
        }
    }
}

async fn receive(request: &Request<'_>, data: Data<'_>) -> Result<Uploaded, Status> {
    let ctx = request.rocket().state::<Context>().ok_or(Status::InternalServerError)?;
    let kind = request.headers().get_one("Content-Type").unwrap_or_default();
    let boundary = parse_boundary(kind).map_err(|_| Status::BadRequest)?;
    let body = body::read_up_to(request, data, LARGEST.mebibytes(), DEADLINE).await?;
    let read = read(&body, boundary).await.map_err(|_| Status::BadRequest)?;
    let (token, uploaded) = read.ok_or(Status::PayloadTooLarge)?;
    let user = guards::current_user(request).await.as_ref().map_err(|unknown| unknown.0)?;
    // Only now, because the token is a part of the body.
    if !csrf::is_valid_token(request, ctx, user.as_ref(), &token) {
        refusals::set_reason(request, csrf::token_rejection_reason(request, ctx));
        return Err(Status::Forbidden);
    }
    Ok(uploaded)
}

/// Reads the form token and the other parts; `None` when there are too many.
async fn read(body: &[u8], boundary: String) -> Result<Option<(String, Uploaded)>, multer::Error> {
    let (mut token, mut uploaded) = (String::new(), Uploaded::default());
    let mut parts = Multipart::with_reader(body, boundary);
    let mut seen = 0;
    while let Some(part) = parts.next_field().await? {
        seen += 1;
        if seen > MOST_PARTS {
            return Ok(None);
        }
        match part.name().unwrap_or_default() {
            "csrf" => token = part.text().await?,
            "invite" => uploaded.invite = matches!(part.text().await?.as_str(), "true" | "on"),
            "file" => uploaded.file = part.bytes().await?.to_vec(),
            _ => {}
        }
    }
    Ok(Some((token, uploaded)))
}
