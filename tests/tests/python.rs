//! A Python program with the `websockets` package, as users have it.

use natter_tests::fixture::World;
use natter_tests::process::Launch;
use natter_tests::programs::python;
use natter_tests::stack::Shape;
use natter_tests::story;

story! {
    async fn a_python_program_chats(shape: Shape) {
        let stack = shape.start_with(&World::of_the_documentation()).await;
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/chat.py");
        let launch = Launch::new("chat.py", &python()).arguments([program, &format!("http://{}", stack.edge(0))]);
        // The stack needs this thread for nothing: its processes are its own.
        launch.run().succeeded();
    }
}
