//! Style sheet, script and logo: embedded in the binary and served under names that change with
//! their content, so that browsers may cache them for ever.
//!
//! No other file is served: there is no folder to configure and no path to escape from.

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use rocket::http::{ContentType, Header, Status};
use rocket::response::{self, Responder, Response};
use rocket::{Request, Route, get, routes};

use crate::crypto::{hex, sha256};

pub(crate) fn routes() -> Vec<Route> {
    routes![show]
}

const FOR_EVER: &str = "public, max-age=31536000, immutable";

static ASSETS: LazyLock<[Asset; 4]> = LazyLock::new(|| {
    [
        Asset::new("app.css", ContentType::CSS, include_bytes!("../../static/app.css")),
        Asset::new("app.js", ContentType::JavaScript, include_bytes!("../../static/app.js")),
        Asset::new(
            "reference.js",
            ContentType::JavaScript,
            include_bytes!("../../static/reference.js"),
        ),
        Asset::new("mark.svg", ContentType::SVG, include_bytes!("../../static/mark.svg")),
    ]
});

struct Asset {
    name: &'static str,
    path: String,
    kind: ContentType,
    plain: &'static [u8],
    compressed: Vec<u8>,
}

impl Asset {
    fn new(name: &'static str, kind: ContentType, plain: &'static [u8]) -> Self {
        let (stem, extension) = name.split_once('.').expect("an asset has an extension");
        let path = format!("/static/{stem}.{}.{extension}", hex(&sha256(plain)[..8]));
        // Compressed once per process, so the best compression delays no request.
        Self { name, path, kind, plain, compressed: gzip(plain, Compression::best()) }
    }
}

/// Returns the path of a static file by its plain name. Templates call it, and a test renders all
/// of them.
pub(crate) fn path(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/static/", |asset| asset.path.as_str())
}

#[get("/static/<name>")]
fn show(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path.strip_prefix("/static/") == Some(name))
}

impl<'r> Responder<'r, 'static> for &'static Asset {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let takes_gzip = takes_gzip(request);
        let body = if takes_gzip { self.compressed.as_slice() } else { self.plain };
        let mut response = Response::build();
        response
            .status(Status::Ok)
            .header(self.kind.clone())
            .header(Header::new("Cache-Control", FOR_EVER))
            // A cache holds both forms (RFC 9110, 12.5.5).
            .header(Header::new("Vary", "Accept-Encoding"))
            .sized_body(body.len(), std::io::Cursor::new(body));
        if takes_gzip {
            response.header(Header::new("Content-Encoding", "gzip"));
        }
        response.ok()
    }
}

/// Returns whether the client accepts gzip (RFC 9110, 12.5.3).
pub(crate) fn takes_gzip(request: &Request<'_>) -> bool {
    let accepted = request.headers().get_one("Accept-Encoding").unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(quality.trim(), "q=0" | "q=0.0")
    })
}

pub(crate) fn gzip(plain: &[u8], effort: Compression) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), effort);
    let compressed = encoder.write_all(plain).and_then(|()| encoder.finish());
    compressed.expect("memory takes what is written to it")
}
