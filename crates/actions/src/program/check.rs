use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hinoban_action::ActionError;
use hinoban_reading::How;
use rustix::process::Signal;
use tokio::time::{Instant, timeout, timeout_at};

use crate::spawner::{Child, Request, Spawner, Wanted, without_nul};
use crate::sys::Plan;

/// Time for a program that was asked to end, before it is killed.
const ASKED: Duration = Duration::from_secs(2);

/// Time for a program that was killed to be gone.
const KILLED: Duration = Duration::from_millis(500);

/// A program that is run in order to learn something, and how it is run.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// The program and its arguments. A program named without a slash is looked for in `PATH`. No shell is involved.
    pub words: Vec<String>,
    /// User to run as. By default, the supervisor's. Only root may change it.
    pub uid: Option<u32>,
    /// Group to run as. By default, the supervisor's.
    pub gid: Option<u32>,
    /// Supplementary groups. By default, the supervisor's.
    pub groups: Option<Vec<u32>>,
    /// The service that wants to know; the program finds it in `MONIT_SERVICE`.
    pub service: String,
    /// How many bytes are kept of standard output, and as many of standard error, counted from the beginning.
    pub output: usize,
    /// Time for all of it.
    pub timeout: Duration,
}

/// A program that was run to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// How it ended.
    pub how: How,
    /// Whether its time was over, so that it was ended.
    pub overdue: bool,
    /// What it printed to its standard output, as it came.
    pub out: Vec<u8>,
    /// What it printed to its standard error, as it came.
    pub errors: Vec<u8>,
    /// Whether it printed more than was kept.
    pub cut: bool,
    /// How long it ran.
    pub took: Duration,
}

/// Runs a program directly, without a shell, in order to learn how it ends and what it prints.
///
/// It gets: a session of its own; an empty standard input; a pipe for its output and another for its errors, which are
/// read whatever it prints; the environment of the [`Spawner`] and `MONIT_SERVICE`; no other descriptor; no signal
/// blocked or ignored.
///
/// A run ends with the program itself. What it leaves behind may go on writing into the pipes, and is not waited for. When
/// its time is over it and its process group get SIGTERM, and two seconds later SIGKILL. One whose run is given up is killed
/// with its group. When the supervisor itself is killed, the program gets SIGTERM from the kernel, alone.
#[derive(Debug)]
pub struct Check {
    options: CheckOptions,
    spawner: Arc<Spawner>,
    /// One that could not be killed.
    stuck: Mutex<Option<Child>>,
}

impl Check {
    /// A program to be run through this spawner. Nothing is looked at yet.
    pub fn new(options: CheckOptions, spawner: Arc<Spawner>) -> Self {
        Self { options, spawner, stuck: Mutex::new(None) }
    }

    /// Runs it once.
    ///
    /// # Errors
    /// [`ActionError::NotRunnable`] if it cannot be run as it is; anything else if it was not possible to find out: no
    /// process could be made, or the one of an earlier run cannot be killed.
    pub async fn run(&self) -> Result<Ran, ActionError> {
        self.free().await?;
        let request = Request { plan: self.plan()?, output: Wanted::First(self.options.output) };
        let begin = Instant::now();
        let deadline = begin + self.options.timeout;
        let mut child = match timeout_at(deadline, self.spawner.spawn(request)).await {
            Ok(child) => Running(Some(child?)),
            Err(_) => {
                let text = "its exec hangs; see whether the server of its files answers";
                return Err(ActionError::Transient(format!("{} did not begin in time: {text}", self.path())));
            }
        };
        let how = match timeout_at(deadline, child.wait()).await {
            Ok(how) => how?,
            Err(_) => return self.end(child, begin).await,
        };
        Ok(child.ran(how, false, begin))
    }

    /// Ends one whose time is over.
    async fn end(&self, mut child: Running, begin: Instant) -> Result<Ran, ActionError> {
        child.signal(Signal::TERM);
        if timeout(ASKED, child.ended()).await.is_err() {
            child.signal(Signal::KILL);
        }
        if timeout(KILLED, child.ended()).await.is_err() {
            *self.stuck.lock().unwrap_or_else(PoisonError::into_inner) = child.0.take();
            return Err(self.hangs());
        }
        // Its children that did not heed the first signal.
        child.signal(Signal::KILL);
        let how = child.wait().await?;
        Ok(child.ran(how, true, begin))
    }

    /// Whether a second one may be started: none hangs any more.
    async fn free(&self) -> Result<(), ActionError> {
        let stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut child) = stuck.map(|child| Running(Some(child))) else { return Ok(()) };
        if timeout(KILLED, child.wait()).await.is_ok() {
            return Ok(());
        }
        *self.stuck.lock().unwrap_or_else(PoisonError::into_inner) = child.0.take();
        Err(self.hangs())
    }

    fn hangs(&self) -> ActionError {
        ActionError::Transient(format!(
            "{} hangs in the kernel and cannot be killed; it is not started a second time. See whether the disk or the \
             server of its files answers",
            self.path()
        ))
    }

    /// How it is called where anybody may read it: its arguments may hold secrets.
    fn path(&self) -> &str {
        self.options.words.first().map(String::as_str).unwrap_or_default()
    }

    fn plan(&self) -> Result<Plan, ActionError> {
        let options = &self.options;
        let Some(word) = options.words.first().filter(|word| !word.is_empty()) else {
            return Err(ActionError::NotRunnable("the command is empty; name a program".to_owned()));
        };
        let text = |word: &String| without_nul(word.clone().into_bytes());
        Ok(Plan {
            path: text(word),
            argv: options.words.iter().map(text).collect(),
            envp: self.spawner.environment_with(&[("MONIT_SERVICE", options.service.clone())]),
            directory: None,
            uid: options.uid,
            gid: options.gid,
            groups: options.groups.clone(),
            nofile_soft: self.spawner.nofile_soft(),
            ignore_hangup: false,
            tied: true,
            roll: None,
            log: None,
        })
    }
}

/// A program whose run may be given up: then it is killed.
struct Running(Option<Child>);

impl Running {
    async fn wait(&mut self) -> Result<How, ActionError> {
        let Some(child) = &mut self.0 else {
            return Ok(How::Unknown { why: "it has been given up".to_owned() });
        };
        child.wait().await.map_err(|e| ActionError::Transient(format!("it cannot be waited for: {e}")))
    }

    async fn ended(&self) {
        if let Some(child) = &self.0 {
            // A runtime that cannot watch it has said so before.
            let _ = child.ended().await;
        }
    }

    fn signal(&self, signal: Signal) {
        self.0.iter().for_each(|child| child.signal_group(signal));
    }

    fn ran(&self, how: How, overdue: bool, begin: Instant) -> Ran {
        let took = begin.elapsed();
        let (out, errors, cut) = self.0.as_ref().map(Child::outputs).unwrap_or_default();
        Ran { how, overdue, out, errors, cut, took }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
