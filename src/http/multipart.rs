//! Parses form bodies with parts (RFC 7578) that hold fields and no files.
//!
//! The one form of ours that takes a file is read by `web`.

use std::borrow::Cow;

use multer::{Multipart, parse_boundary};
use rocket::http::Status;

use super::urlencoded::{FieldProblem, FormField, FormFields, without_nul};

/// Parses the fields of a body, or returns the status that refuses it: 415 for a file.
pub(crate) async fn fields(content_type: &str, body: &[u8]) -> Result<Vec<FormField>, Status> {
    let boundary = parse_boundary(content_type).map_err(|_| Status::BadRequest)?;
    let mut parts = Multipart::with_reader(body, boundary);
    let mut fields = FormFields::default();
    while let Some(part) = parts.next_field().await.map_err(|_| Status::BadRequest)? {
        if part.file_name().is_some() {
            return Err(Status::UnsupportedMediaType);
        }
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(|_| Status::BadRequest)?;
        let value = String::from_utf8_lossy(&bytes);
        let is_text = matches!(value, Cow::Borrowed(_));
        let problem = (!is_text).then_some(FieldProblem::Unreadable);
        let (value, problem) = without_nul(value.into_owned(), problem);
        fields.push(name, value, problem).map_err(|_| Status::PayloadTooLarge)?;
    }
    Ok(fields.into_vec())
}
