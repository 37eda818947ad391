//! The list of users as a file for spreadsheets.

use crate::admin::users::{CSV, insert, records};
use crate::support::{TestEnv, on_both};

#[on_both]
async fn the_csv_matches_the_list(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let nasty = [
        "=HYPERLINK(\"http://x\")",
        "+1",
        "-1",
        "@SUM(A1)",
        "Comma, Quote \" End",
        "홍길동",
        "semi;colon",
        "'already",
        "plain",
        "",
    ];
    let addresses: Vec<_> = (0..nasty.len()).map(|it| format!("n{it}@example.com")).collect();
    let rows: Vec<_> = addresses.iter().map(String::as_str).zip(nasty.iter().copied()).collect();
    insert(&app, &rows).await;
    app.execute("UPDATE users SET email = '=cmd@example.com' WHERE email = 'n8@example.com'").await;
    let events = "SELECT COUNT(*) FROM audit_events";
    let before = app.query_number(events).await;

    let page = root.get(&format!("{CSV}?sort=created_at&is_staff=false")).await;

    assert_eq!(page.status(), 200);
    let kind = page.header("content-type");
    assert_eq!(kind, Some("text/csv; charset=utf-8; header=present"));
    let disposition = page.header("content-disposition");
    assert_eq!(disposition, Some("attachment; filename=\"users.csv\""));
    let lines = records(&page);
    let headings =
        "id,email,name,is_active,is_staff,is_superuser,verified,last_login_at,created_at";
    assert_eq!(lines[0].join(","), headings);
    let names: Vec<_> = lines[1..].iter().map(|line| line[2].as_str()).collect();
    assert_eq!(
        names,
        [
            "'=HYPERLINK(\"http://x\")",
            "'+1",
            "'-1",
            "'@SUM(A1)",
            "Comma, Quote \" End",
            "홍길동",
            "semi;colon",
            "'already",
            "plain",
            "",
        ]
    );
    assert_eq!(lines[9][1], "'=cmd@example.com");
    let line = lines[1][3..].join(",");
    assert_eq!(line, "true,false,false,false,,1970-01-01T00:00:00Z");
    assert!(page.bytes().starts_with(&[0xef, 0xbb, 0xbf]), "Excel knows UTF-8 by it");
    assert_eq!(app.query_number(events).await, before, "looking writes nothing");
    assert_eq!(records(&root.get(&format!("{CSV}?q=nobody")).await).len(), 1);
    let long = format!("{CSV}?q={}", "x".repeat(300));
    assert_eq!(root.get(&long).await.status(), 400);
}
