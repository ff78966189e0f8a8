//! Runs a command: start, stop, restart and exec.

mod check;
mod environment;
mod kill;
mod leftover;

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hinoban_action::{Action, ActionError, Errand, Outcome};
use hinoban_event::{Doing, Event};
use tokio::time::{Instant, timeout, timeout_at};

pub use check::{Check, CheckOptions, Ran};
pub use kill::Kill;
pub use leftover::Leftover;

use crate::spawner::{Child, Request, Spawner, Wanted, without_nul};
use crate::sys::Plan;

/// Bytes of output kept by default.
pub const OUTPUT: usize = 4096;

/// How long a killed program may take to be gone before it is left to the spawner to collect.
const GRACE: Duration = Duration::from_millis(500);

/// A command and how it is run.
#[derive(Debug, Clone)]
pub struct ProgramOptions {
    /// The program and its arguments. A program named without a slash is looked for in `PATH`. No shell is involved.
    pub words: Vec<String>,
    /// User to run as. By default, the supervisor's. Only root may change it.
    pub uid: Option<u32>,
    /// Group to run as. By default, the supervisor's, even if a user is given, as in Monit 5.33;
    /// [`groups_of`](crate::groups_of) tells a user's.
    pub gid: Option<u32>,
    /// Supplementary groups. By default, the supervisor's.
    pub groups: Option<Vec<u32>>,
    /// Working directory. By default, the supervisor's.
    pub directory: Option<PathBuf>,
    /// Whether the service is a process, so that `MONIT_PROCESS_*` are set. By default, they are set when the errand
    /// holds a reading called `pid`.
    pub process: bool,
    /// How many bytes of output are kept, counted from the end. By default, [`OUTPUT`].
    pub output: usize,
    /// What happens to a program that has not ended by the deadline. By default, it is killed.
    pub overdue: Overdue,
}

/// What happens to a program that has not ended by the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overdue {
    /// SIGKILL, to the program itself and not to its children: what a start script has started lives on.
    #[default]
    Kill,
    /// Nothing: it runs on, and is collected when it ends. For programs that are run and not waited for.
    Leave,
}

impl ProgramOptions {
    /// This command, with everything else by default.
    pub fn new(words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            words: words.into_iter().map(Into::into).collect(),
            uid: None,
            gid: None,
            groups: None,
            directory: None,
            process: false,
            output: OUTPUT,
            overdue: Overdue::Kill,
        }
    }
}

/// Runs a command directly, without a shell, and waits for its end.
///
/// The program gets: a session of its own; an empty standard input; one pipe for standard output and error, so that
/// [`Outcome::output`] holds them as they came; the environment of the [`Spawner`] and `MONIT_*`; no other descriptor;
/// no signal blocked or ignored, except SIGHUP, which is ignored in start, stop and restart programs as under Monit.
///
/// The attempt ends when the program itself has ended, whatever became of its children. A daemon that it leaves behind
/// with the pipe may go on writing there: it neither blocks nor is it told of a closed pipe while the supervisor lives.
#[derive(Debug)]
pub struct Program {
    options: ProgramOptions,
    spawner: Arc<Spawner>,
}

impl Program {
    /// A program to be run through this spawner. Nothing is looked at yet: a missing file is an error of the attempt.
    pub fn new(options: ProgramOptions, spawner: Arc<Spawner>) -> Self {
        Self { options, spawner }
    }

    /// The command in one string, words joined by blanks.
    pub fn line(&self) -> String {
        self.options.words.join(" ")
    }

    fn plan(&self, cause: &Event, errand: &Errand) -> Result<Plan, ActionError> {
        let Some(word) = self.options.words.first().filter(|word| !word.is_empty()) else {
            return Err(ActionError::NotRunnable("the command is empty; name a program".to_owned()));
        };
        let added = environment::of(cause, errand, self.options.process, self.spawner.zone());
        let text = |word: &String| without_nul(word.clone().into_bytes());
        Ok(Plan {
            path: text(word),
            argv: self.options.words.iter().map(text).collect(),
            envp: self.spawner.environment_with(&added),
            directory: self.options.directory.clone().map(|d| without_nul(d.into_os_string().into_vec())),
            uid: self.options.uid,
            gid: self.options.gid,
            groups: self.options.groups.clone(),
            nofile_soft: self.spawner.nofile_soft(),
            roll: errand.roll.clone(),
            log: None,
            tied: false,
            ignore_hangup: matches!(errand.doing, Doing::Start | Doing::Stop | Doing::Restart),
        })
    }

    /// Waits until the deadline; what is there to say if it has not ended by then.
    async fn see_through(
        &self,
        child: &mut Child,
        begin: Instant,
        deadline: Instant,
    ) -> Result<Outcome, ActionError> {
        match timeout_at(deadline, child.wait()).await {
            Ok(Ok(how)) => Ok(Outcome { exit: Some(how), output: child.output(), took: begin.elapsed() }),
            Ok(Err(e)) => {
                Err(ActionError::Transient(format!("{} runs, but cannot be waited for: {e}", self.line())))
            }
            Err(_) => {
                if self.options.overdue == Overdue::Kill {
                    child.kill();
                    // One that does not die at once is stuck in the kernel; the spawner collects it when it is gone.
                    let _ = timeout(GRACE, child.wait()).await;
                }
                Err(ActionError::TimedOut { after: given(begin, deadline), output: child.output() })
            }
        }
    }
}

#[async_trait]
impl Action for Program {
    async fn act(&self, cause: &Event, errand: &Errand) -> Result<Outcome, ActionError> {
        let begin = Instant::now();
        let deadline = Instant::from_std(errand.deadline);
        let plan = self.plan(cause, errand)?;
        let request = Request { plan, output: Wanted::Last(self.options.output) };
        let mut child = match timeout_at(deadline, self.spawner.spawn(request)).await {
            Ok(Ok(child)) => child,
            Ok(Err(e)) => return Err(e),
            // The exec hangs. Should it ever come through, the spawner kills what comes of it.
            Err(_) => {
                return Err(ActionError::TimedOut { after: given(begin, deadline), output: String::new() });
            }
        };
        if let (Some(spawned), Some(identity)) = (&errand.spawned, child.identity()) {
            spawned(identity);
        }
        self.see_through(&mut child, begin, deadline).await
    }

    fn describe(&self) -> Option<String> {
        Some(self.line())
    }
}

/// The time it was given, without the noise of the clock: `60 s`, not `59.999874 s`.
fn given(begin: Instant, deadline: Instant) -> Duration {
    let exact = deadline.saturating_duration_since(begin);
    let grain = if exact >= Duration::from_secs(1) { 0.1 } else { 0.001 };
    Duration::from_secs_f64((exact.as_secs_f64() / grain).round() * grain)
}

#[cfg(test)]
mod tests;
