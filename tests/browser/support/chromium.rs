//! The machine's Chromium, and the chromedriver that steers it.
//!
//! One chromedriver serves the whole run. A small shell watches a pipe to this process and ends it
//! when the process ends, however it ends; browsers hang on a pipe to their driver and end with it.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::json;
use thirtyfour::{ChromiumLikeCapabilities as _, DesiredCapabilities, WebDriver};

use super::requirement::{Requirement, path_folders};

/// Chromium's word for "this content is blocked".
const BLOCKED: u8 = 2;

/// How a user's browser is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BrowserOptions {
    pub(crate) language: &'static str,
    pub(crate) has_scripts: bool,
}

/// Opens a browser.
pub(crate) async fn opens(options: BrowserOptions) -> WebDriver {
    let chromium = Chromium::get().expect("who has no browser tells no stories");
    let mut wanted = DesiredCapabilities::chrome();
    wanted.set_binary(&chromium.program.to_string_lossy()).expect("a path");
    for argument in [
        "--headless=new",
        // The sandbox needs rights that containers do not have; only our own pages are visited.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--remote-debugging-pipe",
        "--window-size=1280,900",
    ] {
        wanted.add_arg(argument).expect("an argument");
    }
    let scripts = if options.has_scripts { json!({}) } else { json!({ "javascript": BLOCKED }) };
    let preferences = json!({
        "intl": { "accept_languages": options.language },
        "profile": { "managed_default_content_settings": scripts },
    });
    wanted.add_experimental_option("prefs", preferences).expect("preferences");
    WebDriver::new(&chromium.driver, wanted).await.expect("a browser opens")
}

/// Whether there is a browser on this machine. Where there is none, it is said.
pub(crate) fn is_here() -> bool {
    Chromium::get().is_some()
}

struct Chromium {
    program: PathBuf,
    /// Where its driver listens.
    driver: String,
}

impl Chromium {
    fn get() -> Option<&'static Self> {
        static CHROMIUM: OnceLock<Option<Chromium>> = OnceLock::new();
        CHROMIUM
            .get_or_init(|| {
                if !Requirement::Browser.is_met() {
                    return None;
                }
                let program = on_path("chromium")?;
                Some(Self { program, driver: start(&on_path("chromedriver")?) })
            })
            .as_ref()
    }
}

/// Starts a driver on a port that it chooses; the URL at which it listens.
fn start(driver: &std::path::Path) -> String {
    // An interrupt of the tests reaches this shell too, and it has still to clean up.
    // The driver starts before that: it would inherit the deafness.
    let script = r#""$1" --port=0 & trap '' INT TERM HUP; cat >/dev/null <&3; kill "$!""#;
    #[expect(clippy::zombie_processes, reason = "it outlives this process on purpose")]
    let mut watcher = Command::new("sh")
        .args(["-c", &format!("exec 3<&0; {script}"), "sh"])
        .arg(driver)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    // The pipes stay open as long as this process lives.
    std::mem::forget(watcher.stdin.take());
    let mut output = BufReader::new(watcher.stdout.take().expect("a pipe")).lines();
    let port = output.by_ref().find_map(|line| {
        let line = line.expect("the driver speaks");
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse::<u16>().ok()
    });
    std::mem::forget(output);
    format!("http://127.0.0.1:{}", port.expect("the driver names its port"))
}

fn on_path(program: &str) -> Option<PathBuf> {
    path_folders().into_iter().map(|folder| folder.join(program)).find(|it| it.is_file())
}
