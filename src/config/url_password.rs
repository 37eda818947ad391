//! Finds and hides the password in the URL of a setting, also where it is not escaped.
//!
//! In doubt the whole URL is hidden.

use url::Url;

/// Returns a URL as it may be shown: the password and the query become `***`.
pub(super) fn without_password(text: &str) -> String {
    match Url::parse(text) {
        // A password with a bare `/` or `#` in it ends the host too early; the rest holds its tail.
        Ok(url)
            if url.path().contains('@') || url.fragment().is_some_and(|it| it.contains('@')) =>
        {
            "***".into()
        }
        Ok(mut url) if url.password().is_some() || url.query().is_some() => {
            let is_hidden = url.password().is_none() || url.set_password(Some("***")).is_ok();
            if url.query().is_some() {
                // PostgreSQL takes a password in the query too.
                url.set_query(Some("***"));
            }
            if is_hidden { url.into() } else { "***".into() }
        }
        // What cannot be read as a URL may still hold a password.
        Err(_) if text.contains('@') => "***".into(),
        _ => text.to_owned(),
    }
}

/// Returns whether a URL holds a password, in its usual place or in the query.
pub(super) fn has_password(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        url.password().is_some()
            || url.query_pairs().any(|(name, _)| name == "password")
            // A bare `/` or `#` in the password ends the host too early, so that the `@` comes
            // after it.
            || url.path().contains('@')
            || url.fragment().is_some_and(|it| it.contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_password("postgres//ada:sesame@db"), "***");
        assert_eq!(without_password("postgres://db/x?password=sesame"), "postgres://db/x?***");
        assert_eq!(without_password("smtp://ada:open@ses/ame@mail.example"), "***");
        assert_eq!(without_password("smtp://ada:12#sesame@mail.example"), "***");
    }
}
