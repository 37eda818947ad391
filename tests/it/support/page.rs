//! An answer that can be questioned.

use rocket::local::asynchronous::LocalResponse;
use scraper::{ElementRef, Html, Selector};

/// An answer: its status, its headers, its text.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    status: u16,
    headers: Vec<(String, String)>,
    bytes: Vec<u8>,
}

/// A field of a form on a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) value: String,
    pub(crate) autocomplete: String,
    pub(crate) is_wrong: bool,
    /// The sentences that the field is described by, and nothing else on the page.
    pub(crate) errors: Vec<String>,
}

impl Page {
    pub(super) async fn read(response: LocalResponse<'_>) -> Self {
        let status = response.status().code;
        let headers = response
            .headers()
            .iter()
            .map(|header| (header.name().as_str().to_lowercase(), header.value().to_owned()))
            .collect();
        let bytes = response.into_bytes().await.unwrap_or_default();
        Self { status, headers, bytes }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(header, _)| header == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// Every header but the one that differs from request to request.
    pub(crate) fn headers(&self) -> Vec<(&str, &str)> {
        let headers = self.headers.iter().filter(|(name, _)| name != "x-request-id");
        headers.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.header("location").filter(|_| self.status == 303)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn h1(&self) -> String {
        let headings = self.texts("h1");
        assert_eq!(headings.len(), 1, "a page has one heading: {headings:?}");
        headings[0].clone()
    }

    pub(crate) fn language(&self) -> String {
        self.attribute("html", "lang").expect("a page names its language")
    }

    pub(crate) fn token(&self) -> Option<String> {
        self.attribute("input[name=csrf]", "value")
    }

    /// The sentences of the error summary.
    pub(crate) fn summary(&self) -> Vec<String> {
        self.texts(".summary p, .summary li")
    }

    pub(crate) fn field(&self, name: &str) -> Field {
        let html = self.html();
        let find = |selector: &str| html.select(&css(selector)).next();
        let input = find(&format!("[name={name}]:not([type=hidden])")).expect(name);
        let attribute = |name: &str| input.value().attr(name).unwrap_or_default().to_owned();
        let described_by = attribute("aria-describedby");
        let error = described_by.split_whitespace().find(|id| id.ends_with("-error"));
        let errors = error.and_then(|id| find(&format!("#{id}"))).map(|element| {
            let sentences = css("p");
            element.select(&sentences).map(text_of).collect()
        });
        let chosen = css("option[selected]");
        let value = match input.value().name() {
            "select" => input.select(&chosen).next().and_then(|it| it.value().attr("value")),
            _ => input.value().attr("value"),
        };
        Field {
            value: value.unwrap_or_default().to_owned(),
            autocomplete: attribute("autocomplete"),
            is_wrong: attribute("aria-invalid") == "true",
            errors: errors.unwrap_or_default(),
        }
    }

    pub(crate) fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        let html = self.html();
        let value = html.select(&css(selector)).next()?.value().attr(name)?.to_owned();
        Some(value)
    }

    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        self.html().select(&css(selector)).map(text_of).collect()
    }

    pub(crate) fn html(&self) -> Html {
        Html::parse_document(&self.text())
    }
}

fn css(selector: &str) -> Selector {
    Selector::parse(selector).expect("a selector")
}

fn text_of(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}
