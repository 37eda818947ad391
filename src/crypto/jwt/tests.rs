//! What the verifier refuses: every claim that is missing, wrong or of another type.

use serde_json::json;
use time::macros::datetime;

use super::super::{Algorithm, Random, TimedKey, base64url};
use super::*;

const NOW: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);

const EXPECTED: ExpectedClaims<'static> = ExpectedClaims {
    issuer: "https://gate.example",
    audience: "daemun",
    kind: "access",
    now: NOW,
    leeway: std::time::Duration::ZERO,
    any_issue_time: false,
};

fn claims() -> Claims {
    let now = NOW.unix_timestamp();
    let claims = json!({
        "iss": "https://gate.example", "aud": "daemun", "sub": "1", "jti": "j", "sid": "s",
        "token_type": "access", "iat": now, "exp": now + 300,
    });
    serde_json::from_value(claims).expect("an object")
}

fn ring(algorithm: Algorithm) -> Keyring {
    let private = SigningKey::generate(algorithm, Random).expect("generated");
    let key = SigningKey::import(algorithm, &private).expect("imported");
    let signs_from = NOW;
    let (generation, signs_until, refused_from) = (1, None, None);
    Keyring::new(vec![TimedKey { key, generation, signs_from, signs_until, refused_from }])
}

fn signed(claims: &Claims, ring: &Keyring) -> String {
    sign(claims, ring.current(NOW).expect("a key"))
}

fn with(name: &str, value: Value) -> Claims {
    let mut claims = claims();
    claims.insert(name.into(), value);
    claims
}

fn without(name: &str) -> Claims {
    let mut claims = claims();
    claims.remove(name);
    claims
}

#[test]
fn a_token_of_each_algorithm_is_accepted_by_its_own_key_only() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Hs256] {
        let (ours, theirs) = (ring(algorithm), ring(algorithm));
        let token = signed(&claims(), &ours);

        assert_eq!(verify(&token, &ours, &EXPECTED), Ok(claims()));
        assert_eq!(verify(&token, &theirs, &EXPECTED), Err(TokenError::Invalid));
    }
}

#[test]
fn every_claim_is_required_and_typed() {
    let ring = ring(Algorithm::EdDsa);
    let now = NOW.unix_timestamp();
    let cases = [
        (without("exp"), TokenError::NoExpiry),
        (without("iat"), TokenError::Invalid),
        (without("iss"), TokenError::Invalid),
        (without("aud"), TokenError::Invalid),
        (without("jti"), TokenError::NoId),
        (without("token_type"), TokenError::NoType),
        (with("token_type", json!("refresh")), TokenError::WrongType),
        (with("exp", json!(now)), TokenError::Expired),
        (with("exp", json!((now + 300).to_string())), TokenError::Invalid),
        (with("exp", json!(9e15)), TokenError::Invalid),
        (with("exp", json!(-1)), TokenError::Invalid),
        (with("exp", Value::Null), TokenError::Invalid),
        (with("exp", json!(u64::MAX)), TokenError::Invalid),
        (with("iat", json!(now + 61)), TokenError::Invalid),
        (with("nbf", json!(now + 61)), TokenError::Invalid),
        (with("nbf", json!("now")), TokenError::Invalid),
        (with("iss", json!("https://evil.example")), TokenError::Invalid),
        (with("aud", json!(["daemun", "other"])), TokenError::Invalid),
        (with("jti", json!(7)), TokenError::NoId),
    ];
    for (claims, why) in cases {
        assert_eq!(verify(&signed(&claims, &ring), &ring, &EXPECTED), Err(why), "{claims:?}");
    }
}

#[test]
fn clocks_may_differ_by_the_leeway_and_no_more() {
    let ring = ring(Algorithm::EdDsa);
    let lenient = ExpectedClaims { leeway: std::time::Duration::from_secs(5), ..EXPECTED };
    let late = |by: i64| signed(&with("exp", json!(NOW.unix_timestamp() - by)), &ring);

    assert!(verify(&late(4), &ring, &lenient).is_ok());
    assert_eq!(verify(&late(5), &ring, &lenient), Err(TokenError::Expired));
}

#[test]
fn a_token_from_the_next_minute_is_accepted() {
    let ring = ring(Algorithm::EdDsa);
    let now = NOW.unix_timestamp();

    for name in ["iat", "nbf"] {
        for ahead in [1, 60] {
            let token = signed(&with(name, json!(now + ahead)), &ring);
            assert!(verify(&token, &ring, &EXPECTED).is_ok(), "{name} in {ahead} seconds");
        }
    }
}

#[test]
fn where_any_issue_time_is_accepted_other_times_still_count() {
    let ring = ring(Algorithm::EdDsa);
    let expected = ExpectedClaims { any_issue_time: true, ..EXPECTED };
    let now = NOW.unix_timestamp();

    let tomorrow = signed(&with("iat", json!(now + 86_400)), &ring);
    assert!(verify(&tomorrow, &ring, &expected).is_ok());
    for (claims, why) in [
        (with("nbf", json!(now + 61)), TokenError::Invalid),
        (with("iat", json!("now")), TokenError::Invalid),
        (with("exp", json!(now)), TokenError::Expired),
    ] {
        assert_eq!(verify(&signed(&claims, &ring), &ring, &expected), Err(why), "{claims:?}");
    }
}

#[test]
fn an_extension_that_must_be_understood_is_not() {
    let ring = ring(Algorithm::Es256);
    let key = ring.current(NOW).expect("a key");
    for critical in [vec!["exp".to_owned()], vec!["b64".to_owned(), "x".to_owned()], vec![]] {
        let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = Some(key.id.clone());
        header.crit = Some(critical.clone());
        let token = encode(&header, &claims(), &key.encoding);
        assert_eq!(verify(&token, &ring, &EXPECTED), Err(TokenError::Invalid), "{critical:?}");

        let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
        header.crit = Some(critical.clone());
        let token = encode(&header, &claims(), &EncodingKey::from_secret(b"derived"));
        let read = verify_with_secret(&token, b"derived", &EXPECTED);
        assert_eq!(read, Err(TokenError::Invalid), "{critical:?}");
    }
}

#[test]
fn a_token_cannot_choose_how_it_is_verified() {
    let ring = ring(Algorithm::Es256);
    let key = ring.current(NOW).expect("a key");
    let good = signed(&claims(), &ring);
    let parts: Vec<_> = good.split('.').collect();
    let body = parts[1];
    let header = |json: &str| base64url(json.as_bytes());
    let public = key.public.as_ref().expect("published").to_string();
    let confused = {
        let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some(key.id.clone());
        encode(&header, &claims(), &EncodingKey::from_secret(public.as_bytes()))
    };
    let empty_key = {
        let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
        header.kid = Some(key.id.clone());
        encode(&header, &claims(), &EncodingKey::from_secret(b""))
    };
    let none = |name: &str| {
        format!("{}.{body}.", header(&format!(r#"{{"alg":"{name}","kid":"{}"}}"#, key.id)))
    };
    let tokens = [
        String::new(),
        "..".into(),
        "a.b.c".into(),
        none("none"),
        none("None"),
        none("nOnE"),
        format!("{}.{body}.{}", header(r#"{"alg":"ES256"}"#), parts[2]),
        format!("{}.{body}.{}", header(r#"{"alg":"ES256","kid":"../../etc/passwd"}"#), parts[2]),
        format!("{}.{body}.", parts[0]),
        format!("{good}.x.y"),
        format!("{}.{}.{}", parts[0], base64url(b"{}"), parts[2]),
        confused,
        empty_key,
    ];
    for token in tokens {
        assert_eq!(verify(&token, &ring, &EXPECTED), Err(TokenError::Invalid), "{token}");
    }
}

#[test]
fn access_and_refresh_keys_do_not_open_each_others_doors() {
    let ring = ring(Algorithm::Hs256);
    let refresh = sign_with_secret(&with("token_type", json!("refresh")), b"derived");
    let access = signed(&claims(), &ring);

    assert_eq!(verify(&refresh, &ring, &EXPECTED), Err(TokenError::Invalid));
    assert_eq!(verify_with_secret(&access, b"derived", &EXPECTED), Err(TokenError::Invalid));
}
