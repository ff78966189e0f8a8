//! Being process 1 of a container: every process whose parent ends becomes our child, and we alone can collect it.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hinoban::Spawner;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};

/// How long an orphan stays a zombie where only a zombie shows how it ended.
const SHOWN: Duration = Duration::from_millis(20);

/// Signals that come together count once, and the kernel may list nothing beside a child that is another's: then the
/// rest is found after this time at the latest.
const AT_LEAST: Duration = Duration::from_secs(10);

/// Whether we are process 1.
pub(crate) fn are_we() -> bool {
    std::process::id() == 1
}

/// Collects orphans as they end.
#[derive(Debug)]
pub(crate) struct Orphanage {
    spawner: Arc<Spawner>,
    ended: Signal,
    /// Whether this kernel tells how a process ended after it has been collected: `PIDFD_INFO_EXIT`, Linux 6.15.
    remembered: bool,
}

impl Orphanage {
    /// One for this process, if it is the first; all others leave orphans to whoever is. Needs a runtime.
    ///
    /// # Errors
    /// As sigaction(2).
    pub(crate) fn new(spawner: Arc<Spawner>) -> io::Result<Option<Self>> {
        if !are_we() {
            return Ok(None);
        }
        let release = rustix::system::uname().release().to_string_lossy().into_owned();
        let remembered = version(&release) >= (6, 15);
        Ok(Some(Self { spawner, ended: signal(SignalKind::child())?, remembered }))
    }

    /// Collects for ever. To be awaited on the first thread, before whatever looks at processes: where the kernel
    /// remembers endings, each turn of that thread collects first, so that a look meets no zombie that is our fault.
    pub(crate) async fn run(mut self) {
        if self.remembered {
            return poll_fn(|context| {
                self.spawner.collect_orphans();
                while self.ended.poll_recv(context).is_ready() {
                    self.spawner.collect_orphans();
                }
                Poll::Pending
            })
            .await;
        }
        loop {
            let _ = timeout(AT_LEAST, self.ended.recv()).await;
            sleep(SHOWN).await;
            self.spawner.collect_orphans();
        }
    }
}

/// The first two numbers of a release such as `6.12.1-arch1`; zeros where there are none.
fn version(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_release_is_compared_by_number() {
        assert!(version("6.9.12-300.fc40.x86_64") < (6, 15) && version("6.15-rc3") >= (6, 15));
        assert_eq!((version("10.0.3"), version("unknown")), ((10, 0), (0, 0)));
    }
}
