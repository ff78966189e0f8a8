use async_trait::async_trait;
use hinoban_action::{Action, ActionError, Errand, Outcome};
use hinoban_event::Event;
use hinoban_reading::Identity;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::Instant;

use crate::spawner::start_time;

/// Ends one process by SIGKILL: that very one, or nobody. Does not wait for its end.
#[derive(Debug)]
pub struct Kill(Identity);

impl Kill {
    /// This process. If it has ended meanwhile, or its pid is another's by now, nothing is done.
    pub fn new(process: Identity) -> Self {
        Self(process)
    }
}

#[async_trait]
impl Action for Kill {
    async fn act(&self, _cause: &Event, _errand: &Errand) -> Result<Outcome, ActionError> {
        let begin = Instant::now();
        let Self(process) = self;
        let denied = |error: Errno| {
            let who = "only root and the user that it runs as may do that";
            match error {
                Errno::PERM => ActionError::Permanent(format!("process {}: {who}", process.pid)),
                error => ActionError::Permanent(format!("process {}: {error}", process.pid)),
            }
        };
        let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH);
        let sent = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty())).and_then(|pidfd| {
            // The descriptor is of whoever has the pid now: invariant 9.
            match start_time(process.pid) == Some(process.start) {
                true => pidfd_send_signal(&pidfd, Signal::KILL),
                false => Ok(()),
            }
        });
        match sent {
            Ok(()) | Err(Errno::SRCH) => Ok(Outcome { took: begin.elapsed(), ..Outcome::default() }),
            Err(error) => Err(denied(error)),
        }
    }

    fn describe(&self) -> Option<String> {
        Some(format!("kills {}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use hinoban_event::{Doing, Fact};

    use super::*;

    async fn kill(process: Identity) -> Result<Outcome, ActionError> {
        let cause = Event { id: 1, at: Default::default(), service: "db".into(), fact: Fact::Seen };
        let errand = Errand::new("db", Doing::Stop, (Instant::now() + Duration::from_secs(20)).into_std());
        Kill::new(process).act(&cause, &errand).await
    }

    #[tokio::test]
    async fn that_very_process_is_killed_and_nobody_who_has_its_pid() {
        let mut sleep = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let process = Identity { pid: sleep.id(), start: start_time(sleep.id()).unwrap() };
        assert!(kill(Identity { start: process.start + 1, ..process }).await.is_ok(), "somebody else's pid");
        assert!(sleep.try_wait().unwrap().is_none(), "who is left alone");
        assert!(kill(process).await.is_ok());
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&sleep.wait().unwrap()), Some(9));
        assert!(kill(process).await.is_ok(), "it has ended");
        assert!(kill(Identity { pid: u32::MAX, start: 1 }).await.is_ok(), "there is no such pid");
    }
}
