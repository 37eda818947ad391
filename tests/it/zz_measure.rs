use std::time::Instant;

use crate::support::World;

on_both! {
    async fn rates(world: World) {
        let app = world.app().await;
        let mut root = app.promoted("root").await;
        app.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) \
             INSERT INTO users (email, email_canonical, name, created_at, updated_at) \
             SELECT 'p' || i || '@example.com', 'p' || i || '@example.com', 'Crowd', i, 0 FROM n").await;
        app.execute(
            "INSERT INTO audit_events (at, action, actor_id, target_id, ip, user_agent, request_id, details) \
             SELECT id * 1000, 'logged_in', id, (id * 7919) % 50000 + 1, '192.0.2.1', \
             'Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0', 'x', \
             '{\"changes\":{\"name\":[\"Ada\",\"Eve\"],\"is_active\":[true,false]}}' FROM users").await;
        app.execute("ANALYZE").await;
        for _ in 0..2 {
            for path in ["/admin/users.csv", "/admin/audit.csv"] {
                let before = Instant::now();
                let rows = root.get(path).await.bytes().split(|b| *b == b'\n').count();
                let rate = rows as f64 / before.elapsed().as_secs_f64();
                std::fs::write(format!("/tmp/measure{}", path.replace('/', "_")), "").ok();
                let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("MEASURE {path}: {rows} rows, {rate:.0} a second\n").as_bytes());
            }
        }
    }

    async fn overhead(world: World) {
        use sea_orm::{ConnectionTrait, Database, Statement};
        let app = world.app().await;
        let ours = app.ctx.db.reader();
        if ours.get_database_backend() == sea_orm::DbBackend::Sqlite { return; }
        let url = world.figment(&[]).find_value("database_url").expect("a URL").into_string().expect("a text");
        let mut options = sea_orm::ConnectOptions::new(url);
        options.sqlx_logging(false).max_connections(16);
        let plain = Database::connect(options).await.expect("opens");
        let ask = || Statement::from_sql_and_values(sea_orm::DbBackend::Postgres, "SELECT $1::bigint", [1_i64.into()]);
        for _ in 0..4 {
            let mut times = Vec::new();
            let before = Instant::now();
            for _ in 0..5000 { plain.query_one_raw(ask()).await.expect("one"); }
            times.push(before.elapsed().as_micros() / 5000);
            let before = Instant::now();
            for _ in 0..5000 { ours.query_one_raw(ask()).await.expect("one"); }
            times.push(before.elapsed().as_micros() / 5000);
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("MEASURE statement: plain {} us, ours {} us\n", times[0], times[1]).as_bytes());
        }
    }
}
