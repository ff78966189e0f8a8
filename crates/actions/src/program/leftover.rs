use std::time::Duration;

use async_trait::async_trait;
use hinoban_action::{Action, ActionError, Errand, Outcome};
use hinoban_event::Event;
use hinoban_reading::Identity;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::{Instant, timeout, timeout_at};

use super::GRACE;
use crate::spawner::start_time;
use crate::sys;

/// Sees programs through that an earlier life of the supervisor had started, and did not live to see end.
///
/// They are not our children, so how they end cannot be learned; that they have ended can. Those that have not by the
/// deadline are killed, as they would have been.
#[derive(Debug)]
pub struct Leftover(Vec<Identity>);

impl Leftover {
    /// These programs. Ones that have ended meanwhile, or whose pid is another's by now, are passed over.
    pub fn new(programs: Vec<Identity>) -> Self {
        Self(programs)
    }
}

#[async_trait]
impl Action for Leftover {
    async fn act(&self, _cause: &Event, errand: &Errand) -> Result<Outcome, ActionError> {
        let begin = Instant::now();
        for identity in &self.0 {
            let Some(pid) = i32::try_from(identity.pid).ok().and_then(Pid::from_raw) else { continue };
            let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            // The descriptor is of whoever has the pid now: invariant 9.
            if start_time(identity.pid) != Some(identity.start) {
                continue;
            }
            let ended = async {
                let watched = sys::watch(std::os::fd::AsFd::as_fd(&pidfd))?;
                watched.readable().await.map(drop)
            };
            tokio::pin!(ended);
            match timeout_at(Instant::from_std(errand.deadline), &mut ended).await {
                Ok(Ok(())) => {}
                Ok(Err(e)) => {
                    return Err(ActionError::Transient(format!("{identity} cannot be waited for: {e}")));
                }
                Err(_) => {
                    // It fails only if it has ended by itself.
                    let _ = pidfd_send_signal(&pidfd, Signal::KILL);
                    if timeout(GRACE, ended).await.is_err() {
                        return Err(ActionError::Transient(format!(
                            "{identity}, begun before the supervisor was restarted, hangs and cannot be killed; see \
                             whether the server of its files answers"
                        )));
                    }
                    return Err(ActionError::TimedOut { after: Duration::ZERO, output: String::new() });
                }
            }
        }
        Ok(Outcome { took: begin.elapsed(), ..Outcome::default() })
    }

    fn describe(&self) -> Option<String> {
        Some("what was begun before the supervisor was restarted".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use hinoban_event::{Doing, Fact};

    use super::*;

    async fn see_through(identity: Identity, time: Duration) -> Result<Outcome, ActionError> {
        let cause = Event { id: 1, at: Default::default(), service: "db".into(), fact: Fact::Seen };
        let errand = Errand::new("db", Doing::Start, (Instant::now() + time).into_std());
        Leftover::new(vec![identity]).act(&cause, &errand).await
    }

    #[tokio::test]
    async fn a_program_of_an_earlier_life_is_waited_for_and_killed_when_its_time_is_over() {
        let mut sleep = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let identity = Identity { pid: sleep.id(), start: start_time(sleep.id()).unwrap() };
        let stranger = Identity { start: identity.start + 1, ..identity };
        assert!(see_through(stranger, Duration::from_secs(20)).await.is_ok(), "the pid of somebody else");
        assert!(sleep.try_wait().unwrap().is_none(), "who is left alone");
        let result = see_through(identity, Duration::from_millis(50)).await;
        assert!(matches!(result, Err(ActionError::TimedOut { .. })));
        assert!(!sleep.wait().unwrap().success());
        assert!(see_through(identity, Duration::from_secs(20)).await.is_ok(), "it has ended");
    }
}
