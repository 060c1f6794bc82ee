//! The threads at the door: they accept connections, read requests and let people in.

use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Handle, Runtime};

/// A runtime of its own for those who come, so that thousands who come at once do not stand in one queue with what happens in
/// the rooms: there the system sees to it that both get their share of the processors.
#[derive(Debug)]
pub(crate) struct Door {
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
}

impl Door {
    /// Half as many threads as there are processors. Panics if the system gives none.
    pub(crate) fn open() -> Self {
        let n_threads = available_parallelism().map_or(1, NonZero::get).div_ceil(2);
        let runtime = Builder::new_multi_thread().worker_threads(n_threads).thread_name("door").enable_all().build();
        Self { runtime: Some(runtime.expect("a process may have threads")) }
    }

    /// Where to spawn what is to be done there.
    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("it is there until it is dropped").handle()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // It is dropped on a thread that must not wait. Those who were there have gone, or are given up.
            runtime.shutdown_background();
        }
    }
}
