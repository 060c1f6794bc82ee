//! Coming back and hearing what one missed.

use natter_tests::stack::Shape;
use natter_tests::story;

story! {
    async fn a_client_that_reconnects_hears_what_it_missed(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let seen = bob.hears(ana.says("one").await).await;
        bob.drops_the_line();
        let missed = ana.says("two").await;
        bob.reconnects_after(seen).await;
        bob.catches_up_on([missed], seen).await;
    }
}

story! {
    /// In order, each once, then the word that this was all, then what is new.
    async fn what_was_missed_comes_in_order_and_once(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let one = ana.says("one").await;
        let seen = bob.hears(one.clone()).await;
        bob.drops_the_line();
        let two = ana.says("two").await;
        let missed = [two.clone(), ana.edits(&one, "first").await, ana.says("three").await, ana.deletes(&two).await];

        bob.reconnects_after(seen).await;
        bob.catches_up_on(missed, seen).await;
        bob.hears(ana.says("four").await).await;
    }
}

story! {
    /// Typing is not replayed, and who missed nothing is told so.
    async fn who_missed_nothing_is_told_so(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let mut tablet = bob.elsewhere().on_edge(1);
        tablet.joins(ana.conversation()).await;
        let one = ana.says("one").await;
        tablet.hears(one.clone()).await;
        let seen = bob.hears(one).await;
        bob.drops_the_line();
        ana.types(true).await;
        tablet.hears_typing(&ana, true).await;
        bob.reconnects_after(seen).await;
        bob.catches_up_on([], seen).await;
        bob.hears(ana.says("two").await).await;
    }
}

story! {
    /// Further behind than any room keeps in memory, and on the edge where nobody else is.
    async fn a_long_absence_is_made_up_for(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        let seen = bob.hears(ana.says("start").await).await;
        bob.drops_the_line();
        let mut missed = Vec::new();
        for number in 0..600 {
            missed.push(ana.says(&number.to_string()).await);
        }
        bob.reconnects_after(seen).await;
        bob.catches_up_on(missed, seen).await;
        bob.hears(ana.says("end").await).await;
    }
}

story! {
    /// From the very beginning: everything that was ever said and is not too old for the log.
    async fn since_nought_tells_everything(shape: Shape) {
        let stack = shape.start().await;
        let (mut ana, mut bob) = stack.two_in_a_chat().await;
        bob.drops_the_line();
        let all = [ana.says("one").await, ana.says("two").await];
        bob.reconnects_after(0).await;
        bob.catches_up_on(all, 0).await;
    }
}
