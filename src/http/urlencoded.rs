//! Parses form bodies as browsers write them (WHATWG URL, 5.1).
//!
//! Knows no form: what a field means is decided by `web` and `api`.

use std::borrow::Cow;
use std::collections::HashSet;

use rocket::http::RawStr;

/// A field of a form.
#[derive(Debug)]
pub(crate) struct FormField {
    /// Its name.
    pub name: String,
    /// Its value, with replacement characters where it was not text. It never contains NUL, which
    /// PostgreSQL would refuse.
    pub value: String,
    /// What is wrong with it, if anything.
    pub wrong: Option<FieldProblem>,
}

/// What can be wrong with a field, whatever it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldProblem {
    /// It is not text.
    Unreadable,
    /// It contains NUL.
    Nul,
    /// A field of this name came before.
    Repeated,
}

/// How many field names a form may have: twice as many as our largest form. Repeated names count
/// once, such as check boxes; the size of the body bounds those.
const MAX_NAMES: usize = 64;

/// The form has too many field names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyFields;

/// The fields of a form while it is parsed, in their order.
#[derive(Default)]
pub(super) struct FormFields {
    fields: Vec<FormField>,
    // A set, so that the cost grows with the number of fields and not with its square.
    names: HashSet<String>,
}

impl FormFields {
    /// Adds a field with what is wrong with its bytes.
    pub(super) fn push(
        &mut self,
        name: String,
        value: String,
        problem: Option<FieldProblem>,
    ) -> Result<(), TooManyFields> {
        let is_repeated = self.names.contains(&name);
        if !is_repeated {
            if self.names.len() == MAX_NAMES {
                return Err(TooManyFields);
            }
            self.names.insert(name.clone());
        }
        let wrong = problem.or(is_repeated.then_some(FieldProblem::Repeated));
        self.fields.push(FormField { name, value, wrong });
        Ok(())
    }

    /// Returns the fields.
    pub(super) fn into_vec(self) -> Vec<FormField> {
        self.fields
    }
}

/// Parses the fields of a body, each with what is wrong with it.
pub(crate) fn fields(body: &[u8]) -> Result<Vec<FormField>, TooManyFields> {
    let mut fields = FormFields::default();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let (name, _) = text(halves.next().unwrap_or_default());
        let (value, problem) = text(halves.next().unwrap_or_default());
        fields.push(name, value, problem)?;
    }
    Ok(fields.into_vec())
}

/// Returns whether a form begins with the field by which Rocket would let it override its method.
pub(crate) fn is_method_override(start: &[u8]) -> bool {
    let mut pairs = start.split(|byte| *byte == b'&');
    let first = pairs.find(|pair| !pair.is_empty()).unwrap_or_default();
    let name = first.split(|byte| *byte == b'=').next().unwrap_or_default();
    text(name).0 == "_method"
}

fn text(encoded: &[u8]) -> (String, Option<FieldProblem>) {
    let raw = String::from_utf8_lossy(encoded);
    let is_text = matches!(raw, Cow::Borrowed(_));
    let raw = RawStr::new(raw.as_ref());
    let (value, is_text) = match raw.url_decode() {
        Ok(value) => (value, is_text),
        Err(_) => (raw.url_decode_lossy(), false),
    };
    without_nul(value.into_owned(), (!is_text).then_some(FieldProblem::Unreadable))
}

/// Replaces NUL, which PostgreSQL refuses, and reports it unless there is another problem.
pub(super) fn without_nul(
    value: String,
    problem: Option<FieldProblem>,
) -> (String, Option<FieldProblem>) {
    if value.contains('\0') {
        return (value.replace('\0', "\u{fffd}"), problem.or(Some(FieldProblem::Nul)));
    }
    (value, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrongs(body: &[u8]) -> Vec<(String, Option<FieldProblem>)> {
        let fields = fields(body).expect("few names");
        fields.into_iter().map(|field| (field.name, field.wrong)).collect()
    }

    #[test]
    fn a_body_is_parsed_as_browsers_write_it() {
        let body = "email=ada%40example.com&name=%ED%99%8D+%EA%B8%B8%EB%8F%99&empty=";
        let fields = fields(body.as_bytes()).expect("few names");

        let values: Vec<_> = fields.iter().map(|field| field.value.as_str()).collect();
        assert_eq!(values, ["ada@example.com", "홍 길동", ""]);
        assert!(fields.iter().all(|field| field.wrong.is_none()));
    }

    #[test]
    fn an_unreadable_value_is_reported_at_its_field() {
        let unreadable = Some(FieldProblem::Unreadable);
        assert_eq!(wrongs(b"a=%ff"), [("a".into(), unreadable)]);
        assert_eq!(wrongs(b"a=\xff"), [("a".into(), unreadable)]);
        assert_eq!(wrongs(b"a=x%00y"), [("a".into(), Some(FieldProblem::Nul))]);
        assert_eq!(wrongs(b"a=%ED%A0%80"), [("a".into(), unreadable)]);
        assert_eq!(
            wrongs(b"a=1&a=2"),
            [("a".into(), None), ("a".into(), Some(FieldProblem::Repeated))]
        );
        assert_eq!(wrongs(b"&&=&%"), [(String::new(), None), ("%".into(), None)]);
    }
    #[test]
    fn a_form_has_at_most_64_names_and_may_repeat_them() {
        let body = |names: usize| {
            let pairs: Vec<_> = (0..names).map(|name| format!("{name}=x")).collect();
            pairs.join("&").into_bytes()
        };
        assert_eq!(fields(&body(64)).expect("as many as may be").len(), 64);
        assert_eq!(fields(&body(65)).err(), Some(TooManyFields));

        let ticked = [b"csrf=x".as_slice(), "&id=1".repeat(500).as_bytes()].concat();
        assert_eq!(fields(&ticked).expect("two names").len(), 501);
    }

    #[test]
    fn only_the_first_name_overrides_the_method() {
        assert!(is_method_override(b"_method=delete"));
        assert!(is_method_override(b"&&%5Fmethod=x&a"));
        assert!(!is_method_override(b"a=1&_method=x"));
        assert!(!is_method_override(b"&&") && !is_method_override(b"_metho"));
    }
}
