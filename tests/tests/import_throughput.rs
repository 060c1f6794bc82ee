//! How long a million messages take from Django to Natter, and comparing them. It prints, and judges nothing:
//! `cargo build --release --bins && cargo test --release -p natter-tests --test import_throughput -- --ignored --nocapture`

use std::time::Instant;

use natter_tests::fixture::World;
use natter_tests::moving::Move;
use natter_tests::stack::Shape;

#[tokio::test]
#[ignore = "a measurement"]
async fn a_million_messages() {
    let moving = Move::begins(Shape::Real, &World::default()).await;
    moving.at_django(
        "INSERT INTO accounts_account (id, password, is_superuser, username, first_name, last_name, is_staff, is_active,
             date_joined, email, created_at, updated_at)
         SELECT n, 'pbkdf2_sha256$1000000$' || md5(n::text) || '$' || md5(n::text), FALSE, 'somebody-' || n, '', '', FALSE,
             TRUE, now(), n || '@example.com', now(), now() FROM generate_series(1, 10000) n;
         INSERT INTO chat_conversation (id, created_at) SELECT n, now() FROM generate_series(1, 20000) n;
         INSERT INTO chat_conversation_participants (conversation_id, account_id)
         SELECT n, 1 + (n + side * 17) % 10000 FROM generate_series(1, 20000) n, generate_series(0, 1) side;
         INSERT INTO chat_message (content, attachment, timestamp, is_read, read_at, is_deleted, conversation_id, sender_id)
         SELECT 'A sentence of about the length that people type into a chat, number ' || n, '',
             timestamptz '2025-01-01' + n * interval '1 second', n % 3 > 0,
             CASE WHEN n % 3 > 0 THEN timestamptz '2025-01-01' + n * interval '2 seconds' END, FALSE,
             1 + n % 20000, 1 + n % 20000 % 10000 FROM generate_series(1, 1000000) n;
         ANALYZE;",
    );
    for (what, more) in [("import", &[][..]), ("again", &[]), ("check", &["--check"]), ("dry run", &["--dry-run"])] {
        let begun = Instant::now();
        let finished = moving.runs(more);
        println!("{what}: {:.1} s\n{}{}", begun.elapsed().as_secs_f64(), finished.stdout, finished.stderr);
    }
}
