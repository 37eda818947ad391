//! The pictures of the README and of the documentation, in `docs/pictures/`.
//!
//! A usual run takes them and throws them away, so that they can always be taken; with
//! `DAEMUN_SCREENSHOTS=docs` they replace those that are there.

use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;

use color_quant::NeuQuant;
use png::{ColorType, Compression, Decoder, Encoder};

use crate::support::{Site, TestEnv, User, environment, eventually, run_test};

/// Every reader of the README loads all of them.
const MOST_BYTES: usize = 60 * 1024;

const ADA: &str = "ada@example.com";

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
    (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

const USERS: [(&str, &str); 9] = [
    ("grace@example.com", "Grace Hopper"),
    ("jiwoo@example.com", "김지우"),
    ("katherine@example.com", "Katherine Johnson"),
    ("seoyeon@example.com", "이서연"),
    ("margaret@example.com", "Margaret Hamilton"),
    ("minjun@example.com", "박민준"),
    ("barbara@example.com", "Barbara Liskov"),
    ("haeun@example.com", "최하은"),
    ("radia@example.com", "Radia Perlman"),
];

async fn is_taken(user: &User<'_>, name: &str, window: (u32, u32)) {
    user.prefers("light").await;
    user.hides_scrollbars().await;
    user.has_a_window(window, 1).await;
    let picture = with_a_palette(&user.picture().await);
    assert!(picture.len() <= MOST_BYTES, "{name} has {} bytes", picture.len());
    if environment("DAEMUN_SCREENSHOTS").is_some_and(|wanted| wanted == "docs") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
        std::fs::write(folder.join(name), picture).expect("a file");
    }
}

/// The same picture in its 256 best colours, which is a third of the bytes.
fn with_a_palette(picture: &[u8]) -> Vec<u8> {
    let mut reader = Decoder::new(Cursor::new(picture)).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a picture that fits")];
    let info = reader.next_frame(&mut pixels).expect("its pixels");
    let channels = info.color_type.samples();
    let pixels: Vec<_> =
        pixels.chunks_exact(channels).flat_map(|it| [it[0], it[1], it[2], u8::MAX]).collect();
    let colors = NeuQuant::new(1, 256, &pixels);
    let places: Vec<_> = pixels
        .chunks_exact(4)
        .map(|pixel| u8::try_from(colors.index_of(pixel)).expect("one of 256"))
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, info.width, info.height);
    encoder.set_color(ColorType::Indexed);
    encoder.set_palette(colors.color_map_rgb());
    encoder.set_compression(Compression::High);
    let mut writer = encoder.write_header().expect("a head");
    writer.write_image_data(&places).expect("a picture");
    writer.finish().expect("an end");
    bytes
}

async fn on_a_phone(env: TestEnv, site: &Site) {
    let phone = env.visitor(site).await;
    phone.calls_itself(IPHONE).await;
    phone.signs_up(ADA).await;
    phone.opens("/account/profile").await;
    phone.sends("/account/profile", &[("name", "Ada Lovelace")]).await;
    phone.opens(&site.link_to(ADA, "/account/email/verify/").await).await;
    phone.sends("/account/link", &[]).await;
    let ada = env.reader_of("ko", site).await;
    ada.opens("/account/login").await;
    is_taken(&ada, "log-in.png", (390, 660)).await;
    ada.logs_in(ADA).await;
    is_taken(&ada, "my-page.png", (390, 900)).await;
    phone.opens("/account/sessions").await;
    is_taken(&phone, "sessions.png", (390, 1080)).await;
}

async fn at_the_desk(env: TestEnv, site: &Site) {
    let root = env.visitor(site).await;
    root.logs_in("root@example.com").await;
    root.opens("/admin/users/import").await;
    let mut list = String::from("email,name\n");
    for (email, name) in USERS {
        let _ = writeln!(list, "{email},{name}");
    }
    root.uploads("file", &site.keeps("admin.users.csv", &list)).await;
    root.sends("/admin/users/import", &[]).await;
    root.sends("/admin/users/import", &[]).await;
    eventually("everybody is there", async || {
        root.opens("/admin/users").await;
        root.sees("tbody tr:nth-child(11)").await
    })
    .await;
    is_taken(&root, "people.png", (1280, 860)).await;
    root.opens("/admin/users/2").await;
    is_taken(&root, "person.png", (1280, 960)).await;
}

#[test]
fn the_pictures_of_the_documentation_can_be_taken() {
    run_test(true, async |env| {
        let site = Site::opens();
        on_a_phone(env, &site).await;
        at_the_desk(env, &site).await;
    });
}
