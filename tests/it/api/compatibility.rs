//! What clients of SimpleJWT and dj-rest-auth are used to, answer by answer. The sections and the
//! names of the rows are those of a recording of the original; where a row is answered otherwise
//! here, a comment says why.

use rocket::http::{ContentType, Method};

use crate::support::exchange::{Exchange, get, post, request};
use crate::support::{TestEnv, on_both};

const JOIN: &str = "/api/account/join";
const REGISTRATION: &str = "/api/account/registration";
const SOCIAL_ACCOUNTS: &str = "/api/account/social";
const LOGIN: &str = "/api/account/login";
const MYPAGE: &str = "/api/account/mypage";
const USER: &str = "/api/account/user";
const LOGOUT: &str = "/api/account/logout";
const CHANGE: &str = "/api/account/password/change";
const RESET: &str = "/api/account/password/reset";
const CONFIRM: &str = "/api/account/password/reset/confirm";
const REFRESH: &str = "/api/account/token/refresh";
const PAIR: &str = "/api/token";
const NEXT: &str = "/api/token/refresh";
const VERIFY: &str = "/api/token/verify";
const BLACKLIST: &str = "/api/token/blacklist";
const USERS: &str = "/api/users";
const MINE: &str = "/api/users/<id>";
const THEIRS: &str = "/api/users/<other>";

const SIGNED_IN: &str = "access device refresh -visitor";
const SIGNED_OUT: &str = "-access -refresh";

/// A weak password that is typed twice, and where what is said.
macro_rules! weak {
    ($name:literal, $password:literal, $answer:literal) => {
        post(JOIN, $name)
            .json(concat!(
                r#"{"email":"<new>","password1":"#,
                $password,
                r#","password2":"#,
                $password,
                "}"
            ))
            .returns(400, $answer)
    };
}

/// A body of the join form without the rest of it.
macro_rules! joins {
    ($fields:literal) => {
        concat!(
            r#"{"password1":"correct horse battery","password2":"correct horse battery","#,
            $fields,
            "}"
        )
    };
}

const WELCOME: &str = r#"{"access":"<jwt>","refresh":"","user":{"pk":"<number>","email":"<new>",
    "name":"","gender":"","date_of_birth":null,"email_verified":false}}"#;

fn joined() -> Vec<Exchange> {
    vec![
        post(JOIN, "ok, all fields")
            .json(joins!(
                r#""email":"<new>","name":"Ada","gender":"female","date_of_birth":"1990-02-28""#
            ))
            .returns(
                201,
                r#"{"access":"<jwt>","refresh":"","user":{"pk":"<number>","email":"<new>",
                    "name":"Ada","gender":"female","date_of_birth":"1990-02-28",
                    "email_verified":false}}"#,
            )
            .sets(SIGNED_IN),
        post(JOIN, "ok, required fields only")
            .json(joins!(r#""email":"<new>""#))
            .returns(201, WELCOME)
            .sets(SIGNED_IN),
        post(JOIN, "ok, form-encoded")
            .body(
                ContentType::Form,
                b"email=<new>&password1=correct+horse+battery&password2=correct+horse+battery\
                  &date_of_birth=&gender=",
            )
            .returns(201, WELCOME)
            .sets(SIGNED_IN),
        post(REGISTRATION, "ok, by dj-rest-auth's own name")
            .json(joins!(r#""email":"<new>""#))
            .returns(201, WELCOME)
            .sets(SIGNED_IN),
        post("/api/account/registration/", "ok, the same with last slash")
            .json(joins!(r#""email":"<new>""#))
            .returns(201, WELCOME)
            .sets(SIGNED_IN),
        post("/api/account/join/", "ok, with last slash")
            .json(joins!(r#""email":"<new>""#))
            .returns(201, WELCOME)
            .sets(SIGNED_IN),
        post(JOIN, "ok, spaces around the address")
            .json(joins!(r#""email":"  <new> ""#))
            .returns(201, WELCOME)
            .sets(SIGNED_IN),
        post(JOIN, "ok, unknown fields ignored")
            .json(joins!(r#""email":"<new>","is_staff":true,"is_superuser":true,"id":1"#))
            .returns(201, WELCOME)
            .sets(SIGNED_IN),
        post(JOIN, "ok, empty gender and date")
            .json(joins!(r#""email":"<new>","gender":"","date_of_birth":null"#))
            .returns(201, WELCOME)
            .sets(SIGNED_IN),
        post(JOIN, "ok, Korean password")
            .json(
                r#"{"email":"<new>","password1":"조용한 저녁 강가의 바람 소리",
                    "password2":"조용한 저녁 강가의 바람 소리"}"#,
            )
            .returns(201, WELCOME)
            .sets(SIGNED_IN),
        post(JOIN, "ok, a bad credential stops nobody")
            .json(joins!(r#""email":"<new>""#))
            .header("Bearer rubbish")
            .cookie("access", "rubbish")
            .returns(201, WELCOME)
            .sets(SIGNED_IN),
    ]
}

fn join() -> Vec<Exchange> {
    vec![
        post(JOIN, "duplicate address")
            .json(joins!(r#""email":"<email>""#))
            .returns(400, r#"{"email":["User is already registered with this e-mail address."]}"#),
        post(JOIN, "duplicate address in other case")
            .json(joins!(r#""email":" WIRE1@EXAMPLE.com""#))
            .returns(400, r#"{"email":["User is already registered with this e-mail address."]}"#),
        post(JOIN, "empty object").json("{}").returns(400, NOTHING_TO_JOIN_WITH),
        post(REGISTRATION, "empty object").json("{}").returns(400, NOTHING_TO_JOIN_WITH),
        post(REGISTRATION, "duplicate address")
            .json(joins!(r#""email":"<email>""#))
            .returns(400, r#"{"email":["User is already registered with this e-mail address."]}"#),
        get(REGISTRATION, "GET").returns(405, GET_NOT_ALLOWED),
        post(JOIN, "no body at all").returns(400, NOTHING_TO_JOIN_WITH),
        post(JOIN, "missing password2")
            .json(r#"{"email":"<new>","password1":"correct horse battery"}"#)
            .returns(400, r#"{"password2":["This field is required."]}"#),
        post(JOIN, "blank fields").json(r#"{"email":"","password1":"","password2":""}"#).returns(
            400,
            r#"{"email":["This field may not be blank."],
                "password1":["This field may not be blank."],
                "password2":["This field may not be blank."]}"#,
        ),
        post(JOIN, "nulls").json(r#"{"email":null,"password1":null,"password2":null}"#).returns(
            400,
            r#"{"email":["This field may not be null."],
                "password1":["This field may not be null."],
                "password2":["This field may not be null."]}"#,
        ),
        post(JOIN, "bad address")
            .json(joins!(r#""email":"ada""#))
            .returns(400, r#"{"email":["Enter a valid email address."]}"#),
        post(JOIN, "passwords differ")
            .json(
                r#"{"email":"<new>","password1":"correct horse battery",
                    "password2":"correct horse batterie"}"#,
            )
            .returns(400, r#"{"non_field_errors":["The two password fields didn't match."]}"#),
        post(JOIN, "bad gender")
            .json(joins!(r#""email":"<new>","gender":"other""#))
            .returns(400, r#"{"gender":["\"other\" is not a valid choice."]}"#),
        post(JOIN, "bad date")
            .json(joins!(r#""email":"<new>","date_of_birth":"1990-02-30""#))
            .returns(400, BAD_DATE),
        post(JOIN, "date in other form")
            .json(joins!(r#""email":"<new>","date_of_birth":"28.02.1990""#))
            .returns(400, BAD_DATE),
    ]
    .into_iter()
    .chain(weak_passwords())
    .chain(unreadable())
    .collect()
}

fn weak_passwords() -> Vec<Exchange> {
    vec![
        weak!("weak password: too short", r#""xKq9#v""#, r#"{"password1":["This password is too short. It must contain at least 8 characters."]}"#),
        weak!("weak password: too common", r#""password1""#, r#"{"password1":["This password is too common."]}"#),
        weak!("weak password: all numeric", r#""8302917465""#, r#"{"password1":["This password is entirely numeric."]}"#),
        weak!("password is a number", "8302917465", r#"{"password1":["This password is entirely numeric."]}"#),
        weak!("weak password: short, common and numeric", r#""12345""#, r#"{"password1":["This password is too short. It must contain at least 8 characters.","This password is too common.","This password is entirely numeric."]}"#),
        weak!("weak password: like the address", r#""<new>""#, r#"{"non_field_errors":["The password is too similar to the email address."]}"#),
        post(JOIN, "weak password and they differ")
            .json(r#"{"email":"<new>","password1":"12345","password2":"54321"}"#)
            .returns(
                400,
                r#"{"password1":["This password is too short. It must contain at least 8 characters.",
                    "This password is too common.","This password is entirely numeric."]}"#,
            ),
        post(JOIN, "bad address and weak password")
            .json(r#"{"email":"ada","password1":"12345","password2":"12345"}"#)
            .returns(
                400,
                r#"{"email":["Enter a valid email address."],
                    "password1":["This password is too short. It must contain at least 8 characters.",
                    "This password is too common.","This password is entirely numeric."]}"#,
            ),
        weak!("NUL in the password", r#""a\u0000b""#, r#"{"password1":["Null characters are not allowed."],"password2":["Null characters are not allowed."]}"#),
        weak!("password is an object", r#"{"a":1}"#, r#"{"password1":["Not a valid string."],"password2":["Not a valid string."]}"#),
        weak!("password is a number with a fraction", "1.5", r#"{"password1":["Not a valid string."],"password2":["Not a valid string."]}"#),
    ]
}

fn unreadable() -> Vec<Exchange> {
    vec![
        // The original accepts it; a date of birth cannot be in the future.
        post(JOIN, "date in the future")
            .json(joins!(r#""email":"<new>","date_of_birth":"2999-01-01""#))
            .returns(400, r#"{"date_of_birth":["Date of birth must be in the past."]}"#),
        post(JOIN, "malformed JSON").json(r#"{"email": x}"#).returns(
            400,
            r#"{"detail":"JSON parse error - line 1 column 11","code":"parse_error"}"#,
        ),
        post(JOIN, "JSON array").json("[]").returns(400, GOT_LIST),
        post(JOIN, "JSON null").json("null").returns(
            400,
            r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got NoneType."]}"#,
        ),
        post(JOIN, "not UTF-8").body(ContentType::JSON, b"{\"email\": \"\xff\"}").returns(
            400,
            r#"{"detail":"JSON parse error - not UTF-8 at position 11","code":"parse_error"}"#,
        ),
        post(JOIN, "unsupported media type")
            .body(ContentType::Plain, b"{}")
            .returns(415, UNSUPPORTED),
        get(JOIN, "GET").returns(405, GET_NOT_ALLOWED),
    ]
}

const NOTHING_TO_JOIN_WITH: &str = r#"{"email":["This field is required."],
    "password1":["This field is required."],"password2":["This field is required."]}"#;
const BAD_DATE: &str = r#"{"date_of_birth":
    ["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."]}"#;
const GOT_LIST: &str =
    r#"{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}"#;
const UNSUPPORTED: &str = r#"{"detail":"Unsupported media type \"text/plain\" in request.",
    "code":"unsupported_media_type"}"#;
const GET_NOT_ALLOWED: &str =
    r#"{"detail":"Method \"GET\" not allowed.","code":"method_not_allowed"}"#;
const MALFORMED: &str = r#"{"detail":"JSON parse error - line 1 column 2","code":"parse_error"}"#;

const GOOD_LOGIN: &str = r#"{"email":"<email>","password":"correct horse battery staple"}"#;
const WRONG_LOGIN: &str = r#"{"non_field_errors":["Unable to log in with provided credentials."]}"#;
const LOGGED_IN: &str = r#"{"access":"<jwt>","refresh":"","user":{"pk":"<number>",
    "email":"<email>","name":"","gender":"","date_of_birth":null,"email_verified":false}}"#;

fn login() -> Vec<Exchange> {
    let wrong = |name, body| post(LOGIN, name).json(body).returns(400, WRONG_LOGIN);
    let without = |name, body| {
        let answer = r#"{"non_field_errors":["Must include \"email\" and \"password\"."]}"#;
        post(LOGIN, name).json(body).returns(400, answer)
    };
    let right = |name| post(LOGIN, name).json(GOOD_LOGIN).returns(200, LOGGED_IN).sets(SIGNED_IN);
    vec![
        right("ok"),
        post("/api/account/login/", "ok, with last slash")
            .json(GOOD_LOGIN)
            .returns(200, LOGGED_IN)
            .sets(SIGNED_IN),
        right("ok while holding a valid access cookie").cookie("access", "<access>"),
        post(LOGIN, "ok, form-encoded")
            .body(ContentType::Form, b"email=<email>&password=correct+horse+battery+staple")
            .returns(200, LOGGED_IN)
            .sets(SIGNED_IN),
        // The original ignores it there.
        post(LOGIN, "ok, an address in `username`")
            .json(r#"{"username":"<email>","password":"correct horse battery staple"}"#)
            .returns(200, LOGGED_IN)
            .sets(SIGNED_IN),
        post(LOGIN, "ok, an address in `username` beside an empty `email`")
            .json(r#"{"username":"<email>","email":"","password":"correct horse battery staple"}"#)
            .returns(200, LOGGED_IN)
            .sets(SIGNED_IN),
        right("good password, but the browser holds an expired access cookie")
            .cookie("access", "<access:expired>"),
        right("good password, bad Authorization header").header("Bearer rubbish"),
        // The original compares addresses exactly, and cuts spaces off passwords.
        post(LOGIN, "address in other case")
            .json(r#"{"email":"WIRE2@example.COM","password":"correct horse battery staple"}"#)
            .returns(
                200,
                r#"{"access":"<jwt>","refresh":"","user":{"pk":"<number>",
                    "email":"wire2@example.com","name":"","gender":"","date_of_birth":null,
                    "email_verified":false}}"#,
            )
            .sets(SIGNED_IN),
        wrong(
            "spaces around the password",
            r#"{"email":"<email>","password":" correct horse battery staple "}"#,
        ),
        wrong("wrong password", r#"{"email":"<email>","password":"wrong"}"#),
        wrong("unknown address", r#"{"email":"<new>","password":"wrong"}"#),
        wrong("inactive member", GOOD_LOGIN).after("suspended"),
        wrong("inactive member, wrong password", r#"{"email":"<email>","password":"wrong"}"#)
            .after("suspended"),
        post(LOGIN, "missing everything").json("{}").returns(400, NO_PASSWORD),
        post(LOGIN, "missing password").json(r#"{"email":"<email>"}"#).returns(400, NO_PASSWORD),
        post(LOGIN, "no body at all").returns(400, NO_PASSWORD),
        without("missing address", r#"{"password":"wrong"}"#),
        without("blank address", r#"{"email":"","password":"wrong"}"#),
        wrong("username in place of email", r#"{"username":"<email>","password":"wrong"}"#),
        without("a name in place of email", r#"{"username":"ada","password":"wrong"}"#),
        post(LOGIN, "blank password")
            .json(r#"{"email":"<email>","password":""}"#)
            .returns(400, r#"{"password":["This field may not be blank."]}"#),
        post(LOGIN, "nulls").json(r#"{"email":null,"password":null}"#).returns(
            400,
            r#"{"email":["This field may not be null."],
                "password":["This field may not be null."]}"#,
        ),
        post(LOGIN, "bad address")
            .json(r#"{"email":"ada","password":"wrong"}"#)
            .returns(400, r#"{"email":["Enter a valid email address."]}"#),
        post(LOGIN, "malformed JSON").json("{x").returns(400, MALFORMED),
        post(LOGIN, "JSON array").json("[]").returns(400, GOT_LIST),
        post(LOGIN, "unsupported media type")
            .body(ContentType::Plain, GOOD_LOGIN.as_bytes())
            .returns(415, UNSUPPORTED),
        get(LOGIN, "GET").returns(405, GET_NOT_ALLOWED),
    ]
}

const NO_PASSWORD: &str = r#"{"password":["This field is required."]}"#;
const GREETING: &str = r#"{"detail":"Welcome, <email>!"}"#;
const NOT_PROVIDED: &str = r#"{"detail":"Authentication credentials were not provided.",
    "code":"not_authenticated"}"#;

/// An access token that is refused, and why.
macro_rules! not_valid {
    ($why:literal) => {
        concat!(
            r#"{"detail":"Given token not valid for any token type","code":"token_not_valid","#,
            r#""messages":[{"token_class":"AccessToken","token_type":"access","message":""#,
            $why,
            r#""}]}"#
        )
    };
}

fn mypage() -> Vec<Exchange> {
    let by_cookie = |name, token| get(MYPAGE, name).cookie("access", token);
    let by_header = |name, header| get(MYPAGE, name).header(header);
    let invalid = |name, token| by_cookie(name, token).returns(401, not_valid!("Token is invalid"));
    let stranger = |name, header| by_header(name, header).returns(401, NOT_PROVIDED);
    let garbled = |name, header| {
        by_header(name, header).returns(
            401,
            r#"{"detail":"Authorization header must contain two space-delimited values",
                "code":"bad_authorization_header"}"#,
        )
    };
    vec![
        by_cookie("ok, cookie", "<access>").returns(200, GREETING),
        by_cookie("ok, all login cookies", "<access>")
            .cookie("refresh", "<refresh>")
            .returns(200, GREETING),
        by_header("ok, Bearer header", "Bearer <access>").returns(200, GREETING),
        // The original knows the scheme in one case only.
        by_header("ok, lower-case bearer", "bearer <access>").returns(200, GREETING),
        get("/api/account/mypage/", "ok, with last slash")
            .cookie("access", "<access>")
            .returns(200, GREETING),
        by_header("good header wins over bad cookie", "Bearer <access>")
            .cookie("access", "rubbish")
            .returns(200, GREETING),
        request(Method::Head, MYPAGE, "HEAD").cookie("access", "<access>"),
        by_header("bad header, good cookie", "Bearer rubbish")
            .cookie("access", "<access>")
            .returns(401, not_valid!("Token is invalid")),
        invalid("empty cookie", ""),
        invalid("cookie: rubbish", "<access:rubbish>"),
        invalid("cookie: three parts of rubbish", "<access:three parts>"),
        invalid("cookie: signed with another key", "<access:other key>"),
        invalid("cookie: tampered signature", "<access:tampered>"),
        invalid("cookie: alg none", "<access:none>"),
        invalid("cookie: no signature", "<access:no signature>"),
        invalid("cookie: iat in the future", "<access:iat>"),
        invalid("cookie: nbf in the future", "<access:nbf>"),
        invalid("cookie: exp as text", "<access:exp as text>"),
        invalid("cookie: exp with a fraction", "<access:exp with a fraction>"),
        invalid("cookie: exp of old", "<access:exp of old>"),
        invalid("cookie: exp null", "<access:exp null>"),
        stranger("other scheme in header, good cookie", "Basic YTpi").cookie("access", "<access>"),
        stranger("header: JWT scheme", "JWT <access>"),
        get(MYPAGE, "nothing sent").returns(401, NOT_PROVIDED),
        get(MYPAGE, "only the refresh cookie")
            .cookie("refresh", "<refresh>")
            .returns(401, NOT_PROVIDED),
        by_cookie("refresh token in the access cookie", "<refresh>")
            .returns(401, not_valid!("Token has wrong type")),
        by_cookie("cookie: expired", "<access:expired>")
            .cookie("refresh", "<refresh>")
            .returns(401, not_valid!("Token is expired")),
        by_cookie("cookie: no token_type", "<access:no type>")
            .returns(401, not_valid!("Token has no type")),
        by_cookie("cookie: no jti", "<access:no jti>").returns(401, not_valid!("Token has no id")),
        by_cookie("cookie: no exp", "<access:no exp>")
            .returns(401, not_valid!("Token has no 'exp' claim")),
        by_cookie("cookie: no user_id", "<access:no user>").returns(
            401,
            r#"{"detail":"Token contained no recognizable user identification",
                "code":"token_not_valid"}"#,
        ),
        by_cookie("cookie: user_id of nobody", "<access:nobody>").returns(401, NO_USER),
        by_cookie("cookie: deleted member", "<access>").after("deleted").returns(401, NO_USER),
        // The original answers 500.
        invalid("cookie: user_id not a number", "<access:word>"),
        garbled("header: Bearer alone", "Bearer"),
        garbled("header: Bearer with two words", "Bearer <access> x"),
        post(MYPAGE, "POST").returns(
            405,
            r#"{"detail":"Method \"POST\" not allowed.","code":"method_not_allowed"}"#,
        ),
        by_cookie("cookie: inactive member", "<access>")
            .after("suspended")
            .returns(401, r#"{"detail":"User is inactive","code":"user_inactive"}"#),
        // In the original the access token works on.
        by_cookie("the access token after logging out", "<access>")
            .after("logged out")
            .returns(401, not_valid!("Token is blacklisted")),
    ]
}

const NO_USER: &str = r#"{"detail":"User not found","code":"user_not_found"}"#;
const LOGGED_OUT: &str = r#"{"detail":"Successfully logged out."}"#;

/// In the original a bad credential, or none, makes logging out fail; here it always works.
fn logout() -> Vec<Exchange> {
    let out = |name| post(LOGOUT, name).returns(200, LOGGED_OUT).sets(SIGNED_OUT);
    vec![
        out("ok, all login cookies").cookie("access", "<access>").cookie("refresh", "<refresh>"),
        post("/api/account/logout/", "with last slash").returns(200, LOGGED_OUT).sets(SIGNED_OUT),
        out("again with the same cookies")
            .after("logged out")
            .cookie("access", "<access>")
            .cookie("refresh", "<refresh>"),
        out("ok, only the refresh cookie").cookie("refresh", "<refresh>"),
        out("ok, refresh in the body").json(r#"{"refresh":"<refresh>"}"#),
        out("only the access cookie").cookie("access", "<access>"),
        out("Bearer header only").header("Bearer <access>"),
        out("nothing sent"),
        out("rubbish refresh cookie").cookie("refresh", "rubbish"),
        out("expired refresh cookie").cookie("refresh", "<refresh:expired>"),
        out("access token in the refresh cookie").cookie("refresh", "<access>"),
        out("bad access cookie, good refresh cookie")
            .cookie("access", "rubbish")
            .cookie("refresh", "<refresh>"),
        out("bad header").header("Bearer rubbish"),
        get(LOGOUT, "GET").returns(405, GET_NOT_ALLOWED),
    ]
}

fn passwords_that_differ() -> [Exchange; 2] {
    let change = |name, body: &str| post(CHANGE, name).header("Bearer <access>").json(body);
    [
        change(
            "they differ",
            r#"{"old_password":"x","new_password1":"quiet evening","new_password2":"loud"}"#,
        )
        .returns(400, DIFFER),
        change(
            "weak and they differ",
            r#"{"old_password":"x","new_password1":"12345","new_password2":"54321"}"#,
        )
        .returns(400, DIFFER),
    ]
}

/// The old password is always asked for, as the original does with the setting for it.
fn password_change() -> Vec<Exchange> {
    let change = |name, body: &str| post(CHANGE, name).header("Bearer <access>").json(body);
    macro_rules! weak {
        ($name:literal, $new:literal, $answer:literal) => {
            change(
                $name,
                concat!(
                    r#"{"old_password":"correct horse battery staple","new_password1":""#,
                    $new,
                    r#"","new_password2":""#,
                    $new,
                    r#""}"#
                ),
            )
            .returns(400, concat!(r#"{"new_password2":["#, $answer, "]}"))
        };
    }
    vec![
        post(CHANGE, "not signed in").json("{}").returns(401, NOT_PROVIDED),
        change("empty object", "{}").returns(
            400,
            r#"{"old_password":["This field is required."],
                "new_password1":["This field is required."],
                "new_password2":["This field is required."]}"#,
        ),
        change("blank", r#"{"old_password":"","new_password1":"","new_password2":""}"#).returns(
            400,
            r#"{"old_password":["This field may not be blank."],
                "new_password1":["This field may not be blank."],
                "new_password2":["This field may not be blank."]}"#,
        ),
        change("nulls", r#"{"new_password1":null,"new_password2":null}"#).returns(
            400,
            r#"{"old_password":["This field is required."],
                "new_password1":["This field may not be null."],
                "new_password2":["This field may not be null."]}"#,
        ),
        weak!(
            "weak: too short",
            "xKq9#v",
            r#""This password is too short. It must contain at least 8 characters.""#
        ),
        weak!("weak: too common", "password1", r#""This password is too common.""#),
        weak!("weak: all numeric", "8302917465", r#""This password is entirely numeric.""#),
        weak!(
            "weak: short, common and numeric",
            "12345",
            r#""This password is too short. It must contain at least 8 characters.","This password is too common.","This password is entirely numeric.""#
        ),
        weak!(
            "weak: like the address",
            "<email>",
            r#""The password is too similar to the email address.""#
        ),
        change(
            "over 128 characters",
            &format!(
                r#"{{"old_password":"x","new_password1":"{0}","new_password2":"{0}"}}"#,
                "long ".repeat(26)
            ),
        )
        .returns(
            400,
            r#"{"new_password1":["Ensure this field has no more than 128 characters."],
                "new_password2":["Ensure this field has no more than 128 characters."]}"#,
        ),
        change(
            "wrong old password",
            r#"{"old_password":"wrong","new_password1":"quiet evening by the river",
                "new_password2":"quiet evening by the river"}"#,
        )
        .returns(
            400,
            r#"{"old_password":
                ["Your old password was entered incorrectly. Please enter it again."]}"#,
        ),
        change(
            "no old password",
            r#"{"new_password1":"quiet evening by the river",
                "new_password2":"quiet evening by the river"}"#,
        )
        .returns(400, r#"{"old_password":["This field is required."]}"#),
        change(
            "ok",
            r#"{"old_password":"correct horse battery staple",
                "new_password1":"quiet evening by the river",
                "new_password2":"quiet evening by the river"}"#,
        )
        .returns(200, r#"{"detail":"New password has been saved."}"#),
        post("/api/account/password/change/account/", "as one tutorial prints it")
            .json("{}")
            .returns(404, NOT_FOUND),
        get(CHANGE, "GET").returns(405, GET_NOT_ALLOWED),
    ]
}

const DIFFER: &str = r#"{"new_password2":["The two password fields didn’t match."]}"#;
const NOT_FOUND: &str = r#"{"detail":"Not found.","code":"not_found"}"#;

const RENEWED: &str = r#"{"access":"<jwt>","access_expiration":"<datetime>"}"#;

fn account_refresh() -> Vec<Exchange> {
    let ok = |name| post(REFRESH, name).returns(200, RENEWED).sets("access refresh");
    let by_body = |name, body| post(REFRESH, name).json(body);
    vec![
        ok("ok, in the body").json(r#"{"refresh":"<refresh>"}"#),
        ok("ok, cookie, empty JSON object").json("{}").cookie("refresh", "<refresh>"),
        ok("ok, cookie, no body").cookie("refresh", "<refresh>"),
        ok("bad cookie, good body").json(r#"{"refresh":"<refresh>"}"#).cookie("refresh", "rubbish"),
        ok("good refresh cookie, expired access cookie")
            .cookie("refresh", "<refresh>")
            .cookie("access", "<access:expired>"),
        ok("good refresh cookie, bad header").cookie("refresh", "<refresh>").header("Bearer x"),
        post("/api/account/token/refresh/", "with last slash")
            .cookie("refresh", "<refresh>")
            .returns(200, RENEWED)
            .sets("access refresh"),
        ok("form-encoded").body(ContentType::Form, b"refresh=<refresh>"),
        post(REFRESH, "cookie used again after rotation")
            .after("renewed")
            .cookie("refresh", "<refresh>")
            .returns(401, BLACKLISTED),
        by_body("blank in the body, good cookie", r#"{"refresh":""}"#)
            .cookie("refresh", "<refresh>")
            .returns(400, r#"{"refresh":["This field may not be blank."]}"#),
        post(REFRESH, "access token in the refresh cookie")
            .cookie("refresh", "<access>")
            .returns(401, r#"{"detail":"Token has wrong type","code":"token_not_valid"}"#),
        by_body("nothing", "{}").returns(401, NO_REFRESH),
        post(REFRESH, "no body at all").returns(401, NO_REFRESH),
        get(REFRESH, "GET").returns(405, GET_NOT_ALLOWED),
    ]
    .into_iter()
    .chain(refused_refresh(REFRESH))
    .collect()
}

const BLACKLISTED: &str = r#"{"detail":"Token is blacklisted","code":"token_not_valid"}"#;
const NO_REFRESH: &str = r#"{"detail":"No valid refresh token found.","code":"token_not_valid"}"#;
const INVALID: &str = r#"{"detail":"Token is invalid","code":"token_not_valid"}"#;
const NO_ACCOUNT: &str =
    r#"{"detail":"No active account found for the given token.","code":"no_active_account"}"#;

/// What every place that takes a refresh token in the body answers to one that is no good.
fn refused_refresh(path: &'static str) -> Vec<Exchange> {
    let by_body = |name, body| post(path, name).json(body);
    let invalid = |name, body| by_body(name, body).returns(401, INVALID);
    vec![
        by_body("null", r#"{"refresh":null}"#)
            .returns(400, r#"{"refresh":["This field may not be null."]}"#),
        by_body("blank", r#"{"refresh":""}"#)
            .returns(400, r#"{"refresh":["This field may not be blank."]}"#),
        by_body("used again after rotation", r#"{"refresh":"<refresh>"}"#)
            .after("renewed")
            .returns(401, BLACKLISTED),
        by_body("after logging out", r#"{"refresh":"<refresh>"}"#)
            .after("logged out")
            .returns(401, BLACKLISTED),
        by_body("access token", r#"{"refresh":"<access>"}"#)
            .returns(401, r#"{"detail":"Token has wrong type","code":"token_not_valid"}"#),
        invalid("rubbish", r#"{"refresh":"<refresh:rubbish>"}"#),
        invalid("three parts of rubbish", r#"{"refresh":"<refresh:three parts>"}"#),
        invalid("signed with another key", r#"{"refresh":"<refresh:other key>"}"#),
        invalid("tampered signature", r#"{"refresh":"<refresh:tampered>"}"#),
        invalid("alg none", r#"{"refresh":"<refresh:none>"}"#),
        invalid("nbf in the future", r#"{"refresh":"<refresh:nbf>"}"#),
        by_body("expired", r#"{"refresh":"<refresh:expired>"}"#)
            .returns(401, r#"{"detail":"Token is expired","code":"token_not_valid"}"#),
        by_body("no token_type", r#"{"refresh":"<refresh:no type>"}"#)
            .returns(401, r#"{"detail":"Token has no type","code":"token_not_valid"}"#),
        // The original answers 500 to the next four, or does not look.
        by_body("no jti", r#"{"refresh":"<refresh:no jti>"}"#)
            .returns(401, r#"{"detail":"Token has no id","code":"token_not_valid"}"#),
        by_body("user_id of nobody", r#"{"refresh":"<refresh:nobody>"}"#).returns(401, NO_ACCOUNT),
        by_body("user_id not a number", r#"{"refresh":"<refresh:word>"}"#).returns(401, INVALID),
        by_body("no user_id", r#"{"refresh":"<refresh:no user>"}"#).returns(
            401,
            r#"{"detail":"Token contained no recognizable user identification",
                "code":"token_not_valid"}"#,
        ),
        by_body("no exp", r#"{"refresh":"<refresh:no exp>"}"#)
            .returns(401, r#"{"detail":"Token has no 'exp' claim","code":"token_not_valid"}"#),
        by_body("inactive member", r#"{"refresh":"<refresh>"}"#)
            .after("suspended")
            .returns(401, NO_ACCOUNT),
        by_body("deleted member", r#"{"refresh":"<refresh>"}"#)
            .after("deleted")
            .returns(401, NO_ACCOUNT),
        by_body("malformed JSON", "{x").returns(400, MALFORMED),
        by_body("JSON array", "[]").returns(400, GOT_LIST),
        post(path, "unsupported media type")
            .body(ContentType::Plain, b"{}")
            .returns(415, UNSUPPORTED),
        get(path, "GET").returns(405, GET_NOT_ALLOWED),
    ]
}

fn verify(path: &'static str) -> Vec<Exchange> {
    let by_body = |name, body| post(path, name).json(body);
    let invalid = |name, body| by_body(name, body).returns(401, INVALID);
    let blacklisted = r#"{"non_field_errors":["Token is blacklisted"]}"#;
    vec![
        by_body("access token", r#"{"token":"<access>"}"#).returns(200, "{}"),
        by_body("refresh token", r#"{"token":"<refresh>"}"#).returns(200, "{}"),
        by_body("blacklisted refresh token", r#"{"token":"<refresh>"}"#)
            .after("logged out")
            .returns(400, blacklisted),
        by_body("replaced refresh token", r#"{"token":"<refresh>"}"#)
            .after("renewed")
            .returns(400, blacklisted),
        by_body("access token after logging out", r#"{"token":"<access>"}"#)
            .after("logged out")
            .returns(400, blacklisted),
        // The original looks at the signature alone.
        by_body("inactive member", r#"{"token":"<access>"}"#)
            .after("suspended")
            .returns(401, r#"{"detail":"User is inactive","code":"user_inactive"}"#),
        by_body("user_id of nobody", r#"{"token":"<access:nobody>"}"#).returns(401, NO_USER),
        by_body("no token_type", r#"{"token":"<access:no type>"}"#)
            .returns(401, r#"{"detail":"Token has no type","code":"token_not_valid"}"#),
        by_body("missing", "{}").returns(400, r#"{"token":["This field is required."]}"#),
        by_body("blank", r#"{"token":""}"#)
            .returns(400, r#"{"token":["This field may not be blank."]}"#),
        invalid("rubbish", r#"{"token":"rubbish"}"#),
        invalid("three parts of rubbish", r#"{"token":"<access:three parts>"}"#),
        invalid("signed with another key", r#"{"token":"<access:other key>"}"#),
        invalid("tampered signature", r#"{"token":"<access:tampered>"}"#),
        invalid("alg none", r#"{"token":"<access:none>"}"#),
        invalid("iat in the future", r#"{"token":"<access:iat>"}"#),
        invalid("nbf in the future", r#"{"token":"<access:nbf>"}"#),
        by_body("expired", r#"{"token":"<access:expired>"}"#)
            .returns(401, r#"{"detail":"Token is expired","code":"token_not_valid"}"#),
        by_body("expired refresh token", r#"{"token":"<refresh:expired>"}"#)
            .returns(401, r#"{"detail":"Token is expired","code":"token_not_valid"}"#),
        by_body("no jti", r#"{"token":"<access:no jti>"}"#)
            .returns(401, r#"{"detail":"Token has no id","code":"token_not_valid"}"#),
        by_body("no exp", r#"{"token":"<access:no exp>"}"#)
            .returns(401, r#"{"detail":"Token has no 'exp' claim","code":"token_not_valid"}"#),
        get(path, "GET").returns(405, GET_NOT_ALLOWED),
    ]
}

const WRONG_PAIR: &str = r#"{"detail":"No active account found with the given credentials",
    "code":"no_active_account"}"#;

fn token() -> Vec<Exchange> {
    let by_body = |name, body| post(PAIR, name).json(body);
    let wrong = |name, body| by_body(name, body).returns(401, WRONG_PAIR);
    let pair = r#"{"refresh":"<jwt>","access":"<jwt>"}"#;
    vec![
        by_body("ok", GOOD_LOGIN).returns(200, pair),
        post(PAIR, "ok, form-encoded")
            .body(ContentType::Form, b"email=<email>&password=correct+horse+battery+staple")
            .returns(200, pair),
        // The original ignores it there.
        by_body(
            "ok, an address in `username`",
            r#"{"username":"<email>","password":"correct horse battery staple"}"#,
        )
        .returns(200, pair),
        post("/api/token/", "ok, with last slash").json(GOOD_LOGIN).returns(200, pair),
        by_body("ok, bad credentials beside it", GOOD_LOGIN)
            .header("Bearer rubbish")
            .cookie("access", "rubbish")
            .returns(200, pair),
        wrong("bad address", r#"{"email":"ada","password":"wrong"}"#),
        wrong("wrong password", r#"{"email":"<email>","password":"wrong"}"#),
        wrong("unknown address", r#"{"email":"<new>","password":"wrong"}"#),
        wrong("inactive member", GOOD_LOGIN).after("suspended"),
        wrong("inactive member, wrong password", r#"{"email":"<email>","password":"wrong"}"#)
            .after("suspended"),
        by_body("missing everything", "{}").returns(400, NO_CREDENTIALS),
        post(PAIR, "no body at all").returns(400, NO_CREDENTIALS),
        by_body("missing password", r#"{"email":"<email>"}"#).returns(400, NO_PASSWORD),
        by_body("missing address", r#"{"password":"wrong"}"#)
            .returns(400, r#"{"email":["This field is required."]}"#),
        wrong("username in place of email", r#"{"username":"<email>","password":"wrong"}"#),
        by_body("a name in place of email", r#"{"username":"ada","password":"wrong"}"#)
            .returns(400, r#"{"email":["This field is required."]}"#),
        by_body("blank address", r#"{"email":" ","password":"wrong"}"#)
            .returns(400, r#"{"email":["This field may not be blank."]}"#),
        by_body("blank password", r#"{"email":"<email>","password":""}"#)
            .returns(400, r#"{"password":["This field may not be blank."]}"#),
        by_body("nulls", r#"{"email":null,"password":null}"#).returns(
            400,
            r#"{"email":["This field may not be null."],
                "password":["This field may not be null."]}"#,
        ),
        by_body("malformed JSON", "{x").returns(400, MALFORMED),
        by_body("JSON array", "[]").returns(400, GOT_LIST),
        post(PAIR, "unsupported media type")
            .body(ContentType::Plain, b"{}")
            .returns(415, UNSUPPORTED),
        get(PAIR, "GET").returns(405, GET_NOT_ALLOWED),
    ]
}

const NO_CREDENTIALS: &str =
    r#"{"email":["This field is required."],"password":["This field is required."]}"#;

fn token_refresh() -> Vec<Exchange> {
    let next = r#"{"access":"<jwt>","refresh":"<jwt>"}"#;
    let nothing = r#"{"refresh":["This field is required."]}"#;
    vec![
        post(NEXT, "ok, in the body").json(r#"{"refresh":"<refresh>"}"#).returns(200, next),
        post(NEXT, "form-encoded").body(ContentType::Form, b"refresh=<refresh>").returns(200, next),
        post("/api/token/refresh/", "with last slash")
            .json(r#"{"refresh":"<refresh>"}"#)
            .returns(200, next),
        post(NEXT, "nothing").json("{}").returns(400, nothing),
        post(NEXT, "no body at all").returns(400, nothing),
        post(NEXT, "a cookie is not looked at")
            .cookie("refresh", "<refresh>")
            .returns(400, nothing),
    ]
    .into_iter()
    .chain(refused_refresh(NEXT))
    .chain([post(BLACKLIST, "ok").json(r#"{"refresh":"<refresh>"}"#).returns(200, "{}")])
    .chain(refused_refresh(BLACKLIST))
    .collect()
}

const ADA: &str = r#"{"pk":"<number>","email":"<email>","name":"길동","gender":"",
    "date_of_birth":null,"email_verified":false}"#;

fn user() -> Vec<Exchange> {
    vec![
        get(USER, "GET").header("Bearer <access>").returns(
            200,
            r#"{"pk":"<number>","email":"<email>","name":"","gender":"",
                "date_of_birth":null,"email_verified":false}"#,
        ),
        get(USER, "GET, not signed in").returns(401, NOT_PROVIDED),
        request(Method::Patch, USER, "PATCH names")
            .cookie("access", "<access>")
            .json(r#"{"name":"길동"}"#)
            .returns(200, ADA),
        request(Method::Put, USER, "PUT names")
            .cookie("access", "<access>")
            .json(r#"{"name":"길동","gender":"","date_of_birth":null}"#)
            .returns(200, ADA),
        request(Method::Patch, USER, "PATCH address (read-only)")
            .header("Bearer <access>")
            .json(r#"{"name":"길동","email":"<new>","is_staff":true,"email_verified":true,"pk":1}"#)
            .returns(200, ADA),
        request(Method::Patch, USER, "everything wrong")
            .header("Bearer <access>")
            .json(r#"{"name":"a\nb","gender":null,"date_of_birth":7}"#)
            .returns(
                400,
                r#"{"name":["Control characters are not allowed."],
                    "gender":["This field may not be null."],
                    "date_of_birth":["Date has wrong format. Use one of these formats instead: YYYY-MM-DD."]}"#,
            ),
        request(Method::Patch, USER, "not signed in").json("{}").returns(401, NOT_PROVIDED),
        request(Method::Delete, USER, "DELETE").header("Bearer <access>").returns(
            405,
            r#"{"detail":"Method \"DELETE\" not allowed.","code":"method_not_allowed"}"#,
        ),
    ]
}

/// A user in the list.
macro_rules! listed_user {
    ($id:literal, $email:literal, $gender:literal, $role:literal) => {
        concat!(
            r#"{"url":"http://localhost:8000/api/users/"#,
            $id,
            r#"/","id":"#,
            $id,
            r#","email":""#,
            $email,
            r#"","name":"","gender":""#,
            $gender,
            r#"","date_of_birth":null,"is_active":true,"is_staff":"#,
            $role,
            r#","is_superuser":"#,
            $role,
            r#","email_verified":false,"#,
            r#""last_login_at":"<datetime>","created_at":"<datetime>","updated_at":"<datetime>"}"#
        )
    };
}

fn users() -> Vec<Exchange> {
    vec![
        get(USERS, "not signed in").returns(401, NOT_PROVIDED),
        // The original lists all users to every user, as a bare array.
        get(USERS, "list").header("Bearer <access>").returns(
            200,
            concat!(
                r#"{"next":null,"previous":null,"results":["#,
                listed_user!("<id>", "<email>", "", "false"),
                "]}"
            ),
        ),
        get("/api/users/", "list, with last slash").header("Bearer <access>").returns(
            200,
            concat!(
                r#"{"next":null,"previous":null,"results":["#,
                listed_user!("<id>", "<email>", "", "false"),
                "]}"
            ),
        ),
        get(MINE, "detail")
            .header("Bearer <access>")
            .returns(200, listed_user!("<id>", "<email>", "", "false")),
        // A user sees only their own account, and staff see all of them.
        get(THEIRS, "detail of another").header("Bearer <access>").returns(404, NOT_FOUND),
        get(THEIRS, "detail of another, as staff")
            .after("promoted")
            .header("Bearer <access>")
            .returns(200, listed_user!("<other>", "wire0@example.com", "", "false")),
        get("/api/users/999999", "no such member").header("Bearer <access>").returns(404, NOT_FOUND),
        get("/api/users/x", "id not a number").header("Bearer <access>").returns(404, NOT_FOUND),
        request(Method::Patch, THEIRS, "PATCH another member")
            .header("Bearer <access>")
            .json(r#"{"gender":"male"}"#)
            .returns(404, NOT_FOUND),
        request(Method::Patch, THEIRS, "PATCH another member, as staff")
            .after("promoted")
            .header("Bearer <access>")
            .json(r#"{"gender":"male"}"#)
            .returns(200, listed_user!("<other>", "wire0@example.com", "male", "false")),
        request(Method::Patch, MINE, "PATCH to an address in use")
            .after("promoted")
            .header("Bearer <access>")
            .json(r#"{"email":"wire0@example.com"}"#)
            .returns(400, r#"{"email":["user with this email address already exists."]}"#),
        request(Method::Patch, MINE, "PATCH bad gender")
            .header("Bearer <access>")
            .json(r#"{"gender":"x"}"#)
            .returns(400, r#"{"gender":["\"x\" is not a valid choice."]}"#),
        request(Method::Put, MINE, "PUT without email")
            .after("promoted")
            .header("Bearer <access>")
            .json("{}")
            .returns(400, r#"{"email":["This field is required."]}"#),
        post(USERS, "POST").header("Bearer <access>").json(r#"{"email":"<new>"}"#).returns(
            403,
            r#"{"detail":"You do not have permission to perform this action.","code":"permission_denied"}"#,
        ),
        post(USERS, "POST (no password field), as staff")
            .after("promoted")
            .header("Bearer <access>")
            .json(r#"{"email":"<new>"}"#)
            .returns(
                201,
                r#"{"url":"<address>","id":"<number>","email":"<new>","name":"","gender":"",
                    "date_of_birth":null,"is_active":true,"is_staff":false,"is_superuser":false,
                    "email_verified":false,"last_login_at":null,"created_at":"<datetime>",
                    "updated_at":"<datetime>"}"#,
            ),
        request(Method::Delete, THEIRS, "DELETE another member, as staff")
            .after("promoted")
            .header("Bearer <access>")
            .returns(204, ""),
        request(Method::Delete, USERS, "DELETE").header("Bearer <access>").returns(
            405,
            r#"{"detail":"Method \"DELETE\" not allowed.","code":"method_not_allowed"}"#,
        ),
    ]
}

fn emails() -> Vec<Exchange> {
    let sent = r#"{"detail":"Password reset e-mail has been sent."}"#;
    let ok = r#"{"detail":"ok"}"#;
    let verify = "/api/account/join/verify-email";
    let resend = "/api/account/join/resend-email";
    let registration_verify = "/api/account/registration/verify-email";
    let registration_resend = "/api/account/registration/resend-email";
    vec![
        post(RESET, "known address").json(r#"{"email":"<email>"}"#).returns(200, sent),
        post(RESET, "unknown address").json(r#"{"email":"<new>"}"#).returns(200, sent),
        post(RESET, "bad address")
            .json(r#"{"email":"ada"}"#)
            .returns(400, r#"{"email":["Enter a valid email address."]}"#),
        post(RESET, "bad credentials stop nobody")
            .json(r#"{"email":"<email>"}"#)
            .header("Bearer rubbish")
            .returns(200, sent),
        post(CONFIRM, "bad token")
            .json(
                r#"{"uid":"x","token":"rubbish","new_password1":"quiet evening by the river",
                    "new_password2":"quiet evening by the river"}"#,
            )
            .returns(400, r#"{"token":["Invalid value"]}"#),
        post(CONFIRM, "missing everything").json("{}").returns(
            400,
            r#"{"token":["This field is required."],
                "new_password1":["This field is required."],
                "new_password2":["This field is required."]}"#,
        ),
        post(verify, "bad key").json(r#"{"key":"rubbish"}"#).returns(404, NOT_FOUND),
        post(verify, "missing").json("{}").returns(400, r#"{"key":["This field is required."]}"#),
        post(resend, "known address").json(r#"{"email":"<email>"}"#).returns(200, ok),
        post(resend, "unknown address").json(r#"{"email":"<new>"}"#).returns(200, ok),
        post(registration_verify, "bad key").json(r#"{"key":"rubbish"}"#).returns(404, NOT_FOUND),
        post(registration_resend, "known address").json(r#"{"email":"<email>"}"#).returns(200, ok),
        post(registration_resend, "unknown address").json(r#"{"email":"<new>"}"#).returns(200, ok),
    ]
}

fn social_accounts() -> Vec<Exchange> {
    let disconnect = "/api/account/social/1/disconnect";
    let connect = "/api/account/social/myspace/connect";
    vec![
        get(SOCIAL_ACCOUNTS, "none connected").header("Bearer <access>").returns(200, "[]"),
        get(SOCIAL_ACCOUNTS, "nothing sent").returns(401, NOT_PROVIDED),
        post(disconnect, "unknown id").header("Bearer <access>").returns(404, NOT_FOUND),
        post("/api/account/social/x/disconnect", "id not a number")
            .header("Bearer <access>")
            .returns(404, NOT_FOUND),
        post(disconnect, "nothing sent").returns(401, NOT_PROVIDED),
        post(connect, "no such provider")
            .header("Bearer <access>")
            .json(r#"{"access_token":"x"}"#)
            .returns(404, NOT_FOUND),
        post(connect, "nothing sent").json("{}").returns(401, NOT_PROVIDED),
    ]
}

fn elsewhere() -> Vec<Exchange> {
    vec![
        get("/api/nothing", "404").returns(404, NOT_FOUND),
        post("/api/account/nothing", "404 under /account/").json("{}").returns(404, NOT_FOUND),
    ]
}

#[on_both]
async fn simplejwt_and_dj_rest_auth_clients_get_the_same_replies(env: TestEnv) {
    let app = env.app().await;
    let rows: Vec<_> = [
        joined(),
        join(),
        login(),
        mypage(),
        logout(),
        password_change(),
        passwords_that_differ().into(),
        account_refresh(),
        verify(VERIFY),
        verify("/api/account/token/verify"),
        token(),
        token_refresh(),
        user(),
        users(),
        emails(),
        social_accounts(),
        elsewhere(),
    ]
    .into_iter()
    .flatten()
    .collect();

    for (number, row) in rows.iter().enumerate() {
        // All rows sign up from one network, which is rate-limited.
        env.clock.advance(std::time::Duration::from_mins(1));
        row.check(&env, &app, number).await;
    }
}
