//! The example for embedders does what it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[path = "../examples/embed.rs"]
mod embed;

#[tokio::test]
async fn the_embedded_supervisor_sees_the_long_queue_and_drains_it() {
    let depth = Arc::new(AtomicI64::new(0));
    let told = embed::supervise(depth.clone()).await.expect("it ends by itself");
    assert_eq!(depth.load(Ordering::Relaxed), 0, "the custom action ran");
    let failed = "'queue' queue.depth of 250 matches resource limit [queue.depth > 100]";
    assert!(told.iter().any(|line| line == failed), "{told:?}");
    assert!(told.iter().any(|line| line == "'queue' queue.depth check succeeded [current queue.depth = 0]"));
}
