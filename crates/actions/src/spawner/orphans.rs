//! Orphans: processes that became our children because their parents ended, as all do whose ancestor is process 1.

use super::Spawner;
use crate::sys;

impl Spawner {
    /// Collects ended children of the calling thread that this spawner did not start. How many there were.
    ///
    /// For process 1 of a container, on its first thread: the kernel gives that thread the processes whose parents have
    /// ended (exit(2), pid_namespaces(7)), and they stay zombies until it has collected them. Each costs a pid. To be
    /// called after SIGCHLD; when nothing has ended it is one system call.
    ///
    /// Children that the spawner started are left to whoever waits for them: those of its threads the kernel does not
    /// even show here (`__WNOTHREAD` of waitid(2)), and those whose thread has ended meanwhile it remembers by number.
    /// Any other child of this thread is collected, so a program that starts some itself must not call this.
    pub fn collect_orphans(&self) -> usize {
        let keeper = &self.shared.keeper;
        let mut collected = 0;
        while let Some(pid) = sys::ended_child() {
            if keeper.is_ours(pid) {
                // It stands before all others until its own waiter comes. Its turn is within the same wake of the
                // runtime or of the spawner's thread; the others need not wait for it.
                let ended = sys::children().into_iter().filter(|pid| !keeper.is_ours(*pid));
                return collected + ended.filter(|pid| sys::collect(*pid)).count();
            }
            if !sys::collect(pid) {
                break;
            }
            collected += 1;
        }
        collected
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use hinoban_action::{Action, Errand};
    use hinoban_event::{Doing, Event, Fact};
    use tokio::time::Instant;

    use crate::{Program, ProgramOptions, Spawner, SpawnerOptions};

    #[tokio::test]
    async fn a_child_is_ours_from_its_birth_until_its_own_waiter_has_collected_it() {
        for std_only in [false, true] {
            let spawner = Spawner::start(SpawnerOptions::default());
            if std_only {
                spawner.use_std();
            }
            let keeper = spawner.shared.keeper.clone();
            let cause = Event { id: 1, at: Default::default(), service: "svc".into(), fact: Fact::Seen };
            let run = |script: &str, time: Duration| {
                let mut errand = Errand::new("svc", Doing::Exec, (Instant::now() + time).into_std());
                let born = Arc::new(Mutex::new(None));
                let (noted, at_birth) = (born.clone(), keeper.clone());
                errand.spawned = Some(Arc::new(move |identity| {
                    *noted.lock().unwrap() = Some((identity.pid, at_birth.is_ours(identity.pid)));
                }));
                let program = Program::new(ProgramOptions::new(["/bin/sh", "-c", script]), spawner.clone());
                let cause = cause.clone();
                async move {
                    let result = program.act(&cause, &errand).await;
                    (result, born.lock().unwrap().unwrap())
                }
            };
            let (result, (pid, ours)) = run("exit 7", Duration::from_secs(60)).await;
            assert_eq!(result.unwrap().exit, Some(hinoban_reading::How::Exited { status: 7 }));
            assert!(ours && !keeper.is_ours(pid));
            // One that nobody waits for any more is still ours: the spawner's thread collects it.
            let (result, (pid, ours)) = run("exec sleep 1000", Duration::from_millis(200)).await;
            assert!(result.is_err() && ours);
            for _ in 0..3000 {
                if !keeper.is_ours(pid) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(!keeper.is_ours(pid));
            assert_eq!(spawner.collect_orphans(), 0);
        }
    }
}
