//! A user at a browser: reads, types, clicks, presses keys.
//!
//! Looks only at what a browser shows; a form is known by where it leads and a field by its name.

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use thirtyfour::{By, Key, TypingData, WebDriver, WebElement};

use super::chromium::{self, BrowserOptions};
use super::{GOOD, Site, eventually};

/// As many fields and links as no page has.
const MOST_STOPS: usize = 80;

/// A user, whose browser closes at the end of the test.
pub(crate) struct User<'a> {
    site: &'a Site,
    driver: WebDriver,
}

impl<'a> User<'a> {
    pub(crate) async fn comes_to(site: &'a Site, options: BrowserOptions) -> Self {
        Self { site, driver: chromium::opens(options).await }
    }

    /// Opens a page by its path, or by the whole link in an e-mail.
    pub(crate) async fn opens(&self, path: &str) {
        let url = if path.starts_with('/') { self.site.url(path) } else { path.to_owned() };
        self.driver.goto(url).await.expect("a page");
    }

    pub(crate) async fn goes_back(&self) {
        self.driver.back().await.expect("a page before");
    }

    /// Returns the path of the open page, without its query.
    pub(crate) async fn path(&self) -> String {
        self.driver.current_url().await.expect("a URL").path().to_owned()
    }

    pub(crate) async fn arrives_at(&self, path: &str) {
        eventually(path, async || self.path().await == path).await;
    }

    pub(crate) async fn h1(&self) -> String {
        self.text("h1").await
    }

    pub(crate) async fn language(&self) -> String {
        self.attribute("html", "lang").await.expect("every page says it")
    }

    /// The first text at a selector, as it is shown.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.find(selector).await.text().await.expect("a text")
    }

    pub(crate) async fn sees(&self, selector: &str) -> bool {
        !self.driver.find_all(By::Css(selector)).await.expect("a page").is_empty()
    }

    pub(crate) async fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        self.find(selector).await.attr(name).await.expect("an element")
    }

    /// The value of a cookie, if the browser holds it.
    pub(crate) async fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.driver.get_all_cookies().await.expect("cookies");
        cookies.into_iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value)
    }

    /// Waits until it is there: what was clicked may still be on its way.
    async fn find(&self, selector: &str) -> WebElement {
        let mut found = None;
        eventually(selector, async || {
            found = self.driver.find(By::Css(selector)).await.ok();
            found.is_some()
        })
        .await;
        found.expect("it is there")
    }

    /// Types into a field whatever stood there before.
    pub(crate) async fn types(&self, field: &str, text: &str) {
        let field = self.find(&format!("main [name={field}]")).await;
        field.clear().await.expect("a field");
        field.send_keys(text).await.expect("a field");
    }

    /// Chooses a file of this machine.
    pub(crate) async fn uploads(&self, field: &str, file: &Path) {
        let field = self.find(&format!("main [name={field}]")).await;
        field.send_keys(file.to_string_lossy()).await.expect("a field for files");
    }

    pub(crate) async fn clicks(&self, selector: &str) {
        self.find(selector).await.click().await.expect(selector);
    }

    /// Clicks on what leads to another page, and waits until this one is gone.
    pub(crate) async fn leaves_by(&self, selector: &str) {
        let element = self.find(selector).await;
        element.click().await.expect(selector);
        eventually("another page", async || element.tag_name().await.is_err()).await;
    }

    /// Fills a form on this page, presses its button and waits for the answer.
    pub(crate) async fn sends(&self, action: &str, fields: &[(&str, &str)]) {
        for (field, text) in fields {
            self.types(field, text).await;
        }
        let button = format!("main form[action='{action}'] button:not([type=button])");
        self.leaves_by(&button).await;
    }

    pub(crate) async fn signs_up(&self, email: &str) {
        self.opens("/account/join").await;
        let fields = [("email", email), ("password1", GOOD), ("password2", GOOD)];
        self.sends("/account/join", &fields).await;
        self.arrives_at("/account/mypage").await;
    }

    pub(crate) async fn tries_to_log_in(&self, email: &str, password: &str) {
        self.opens("/account/login").await;
        self.sends("/account/login", &[("email", email), ("password", password)]).await;
    }

    pub(crate) async fn logs_in(&self, email: &str) {
        self.tries_to_log_in(email, GOOD).await;
        self.arrives_at("/account/mypage").await;
    }

    /// Presses keys where the focus is.
    pub(crate) async fn presses(&self, keys: impl Into<TypingData>) {
        let keys = self.driver.action_chain().send_keys(keys);
        keys.perform().await.expect("a keyboard");
    }

    /// Presses the tab key until the focus is here. An element that cannot be reached so is out of reach.
    pub(crate) async fn tabs_to(&self, selector: &str) {
        for _ in 0..MOST_STOPS {
            if self.is_at(selector).await {
                return;
            }
            self.presses(Key::Tab).await;
        }
        panic!("the keyboard does not reach {selector}");
    }

    /// Whether the focus is here.
    pub(crate) async fn is_at(&self, selector: &str) -> bool {
        let script = "return document.activeElement.matches(arguments[0])";
        self.runs(script, json!(selector)).await == json!(true)
    }

    /// Looks at the page as only a program can.
    pub(crate) async fn runs(&self, script: &str, argument: Value) -> Value {
        self.driver.execute(script, vec![argument]).await.expect("a script").json().clone()
    }

    /// The same, with a script that calls its last argument when it is done.
    pub(crate) async fn runs_to_the_end(&self, script: &str) -> Value {
        self.driver.execute_async(script, vec![]).await.expect("a script").json().clone()
    }

    pub(crate) async fn has_a_window_of(&self, width: u32) {
        self.has_a_window((width, 800), 1).await;
    }

    /// A window of so many pixels of a style sheet, each so many of the screen's.
    pub(crate) async fn has_a_window(&self, (width, height): (u32, u32), scale: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": false
        });
        self.asks("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Hides scrollbars, which pictures of a phone do not have either.
    pub(crate) async fn hides_scrollbars(&self) {
        self.asks("Emulation.setScrollbarsHidden", json!({ "hidden": true })).await;
    }

    /// The window as a picture (PNG).
    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.takes(json!({})).await
    }

    /// The whole page as a picture, also what would have to be scrolled to.
    pub(crate) async fn whole_picture(&self) -> Vec<u8> {
        let metrics = self.asks("Page.getLayoutMetrics", json!({})).await;
        let mut clip = metrics["cssContentSize"].clone();
        clip["scale"] = json!(1);
        self.takes(json!({ "captureBeyondViewport": true, "clip": clip })).await
    }

    async fn takes(&self, what: Value) -> Vec<u8> {
        let taken = self.asks("Page.captureScreenshot", what).await;
        BASE64_STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("base64")
    }

    /// Prefers a theme, `light` or `dark`, and no motion: colours are there at once.
    pub(crate) async fn prefers(&self, theme: &str) {
        let wishes = json!({ "features": [
            { "name": "prefers-color-scheme", "value": theme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.asks("Emulation.setEmulatedMedia", wishes).await;
    }

    /// The page as the site sends it, asked for once more.
    pub(crate) async fn source(&self) -> String {
        let ask =
            "fetch(location.href, { cache: 'no-store' }).then(it => it.text()).then(arguments[0])";
        self.runs_to_the_end(ask).await.as_str().expect("a text").to_owned()
    }

    /// The page as it is shown, with what the script has added.
    pub(crate) async fn shown(&self) -> String {
        format!("<!doctype html>{}", self.driver.source().await.expect("a page"))
    }

    /// From the next page on, scripts of a story may ask the site, which pages forbid.
    pub(crate) async fn may_ask(&self) {
        self.asks("Page.setBypassCSP", json!({ "enabled": true })).await;
    }

    /// From the next page on, everything is fetched anew.
    pub(crate) async fn remembers_nothing(&self) {
        self.asks("Network.enable", json!({})).await;
        self.asks("Network.setCacheDisabled", json!({ "cacheDisabled": true })).await;
    }

    /// From the next page on, this is what the browser says it is.
    pub(crate) async fn calls_itself(&self, name: &str) {
        self.asks("Emulation.setUserAgentOverride", json!({ "userAgent": name })).await;
    }

    /// From the next page on, nothing goes on by itself.
    pub(crate) async fn lets_nothing_go_on(&self) {
        let script = json!({ "source": "setInterval = () => 0" });
        self.asks("Page.addScriptToEvaluateOnNewDocument", script).await;
    }

    /// The site, as the addresses of its pages begin.
    pub(crate) fn origin(&self) -> String {
        self.site.url("/")
    }

    /// Asks the browser for what `WebDriver` has no word for.
    async fn asks(&self, method: &str, how: Value) -> Value {
        self.driver.cdp().send_raw(method, how).await.expect(method)
    }
}
