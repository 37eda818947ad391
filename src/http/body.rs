//! Reading the body of a request: not too much of it, and not for ever.

use std::time::Duration;

use rocket::data::{Data, ToByteUnit as _};
use rocket::http::Status;
use rocket::tokio::time::timeout;

/// The largest body, in KiB: ours have a handful of short fields.
const MAX_BODY: u64 = 16;

/// How long a body may take to arrive: a phone on a bad line sends 16 KiB in less, and somebody who
/// sends a byte a minute is not waited for.
const DEADLINE: Duration = Duration::from_secs(10);

/// The bytes of a body, or the status that refuses it.
pub(crate) async fn read(data: Data<'_>) -> Result<Vec<u8>, Status> {
    let body = timeout(DEADLINE, data.open(MAX_BODY.kibibytes()).into_bytes()).await;
    let body = body.map_err(|_| Status::RequestTimeout)?.map_err(|_| Status::BadRequest)?;
    if body.is_complete() { Ok(body.into_inner()) } else { Err(Status::PayloadTooLarge) }
}
