//! The daemon: everything put together before there is a thread or a runtime, then run until somebody ends it.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use hinoban::config::{Config, Dialect, Loaded, Mistakes};
use hinoban::event::{Event, Level};
use hinoban::journal::{Journal, OpenError};
use hinoban::supervisor::{Courier, Ended, Registry, Supervisor};
use hinoban::{Spawner, SpawnerOptions, courier, shipped};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::daemon::{Ready, Side, detach};
use crate::first::{self, Orphanage};
use crate::flags::Flags;
use crate::load::{name, told};
use crate::manager::{Manager, VARIABLES};
use crate::pidfile::{Pidfile, Refused};
use crate::places::Places;
use crate::signals::{Signals, Steward};
use crate::terminal::{complain, say};
use crate::voice::{Voice, trial};
use crate::{identity, pages, zone};

/// What is needed to run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What was typed.
    pub(crate) flags: Flags,
    /// Which configuration.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) loaded: Loaded,
    /// Where our files are.
    pub(crate) places: Places,
}

/// Everything that ships, its programs with our environment and the limit of open files that we had.
pub(crate) fn registry(nofile_soft: Option<u64>) -> Registry {
    shipped(spawner(nofile_soft))
}

/// Starts programs with our environment, but for what our service manager told us alone.
fn spawner(nofile_soft: Option<u64>) -> Arc<Spawner> {
    let environment = std::env::vars_os().filter(|(name, _)| !VARIABLES.iter().any(|ours| name == ours));
    Spawner::start(SpawnerOptions {
        environment: environment.collect(),
        nofile_soft,
        zone: Some(zone::of_host()),
    })
}

/// Finds the mistakes that only the registry can see.
///
/// # Errors
/// Those mistakes, with the texts they are in.
pub(crate) fn bind(loaded: &Loaded) -> Result<(), Mistakes> {
    let built = Supervisor::builder(loaded.config.clone(), registry(None)).build();
    // Who asks for this ends soon, and is not kept waiting while all of it is taken apart.
    built.map(std::mem::forget).map_err(|mistakes| placed(mistakes, loaded))
}

/// Mistakes of binding, with the texts they are in: the registry does not have those.
fn placed(mut mistakes: Mistakes, loaded: &Loaded) -> Mistakes {
    mistakes.sources = loaded.warnings.sources.clone();
    mistakes
}

/// What is to be logged once there may be a thread that does it.
pub(crate) type Notice = (Level, String);

/// Opens the journal. If it cannot be used, the rest works without, and the notice says so. Nothing is logged here: the
/// first line makes a thread, and a process with threads cannot go to the background.
///
/// # Errors
/// If another supervisor uses it.
pub(crate) fn journal(places: &Places) -> Result<(Journal, Option<Notice>), String> {
    match Journal::open(&places.statefile) {
        Ok((journal, _, notice)) => Ok((journal, notice.map(|notice| (Level::Warning, notice)))),
        Err(why @ OpenError::Locked(_)) => Err(why.to_string()),
        Err(why) => {
            let notice = format!("{why}; until then a restart forgets what was stopped");
            Ok((Journal::volatile(), Some((Level::Error, notice))))
        }
    }
}

/// Puts a supervisor together that keeps its history in this file, sends messages by `courier` and tells `listener` what happens.
///
/// # Errors
/// Mistakes that only the registry can see.
pub(crate) fn supervisor(
    loaded: &Loaded,
    registry: Registry,
    journal: Journal,
    history: Option<PathBuf>,
    courier: Option<Box<dyn Courier>>,
    listener: impl Fn(&Event) + Send + 'static,
) -> Result<Supervisor, Mistakes> {
    let mut builder = Supervisor::builder(loaded.config.clone(), registry)
        .journal(journal)
        .courier(courier)
        .zone(zone::of_host())
        .listen(listener);
    if let Some(path) = history {
        builder = builder.history(path).at_rest(crate::sys::give_back);
    }
    if let Some((id, time)) = boot() {
        builder = builder.boot(id, time);
    }
    builder.build().map_err(|mistakes| placed(mistakes, loaded))
}

/// Who carries messages to people under this configuration.
pub(crate) fn courier_of(config: &Config, places: &Places) -> Option<Box<dyn Courier>> {
    let host = config.system().map_or("localhost", |system| system.name.as_str());
    courier(&config.mail.over(&config.tls_defaults()), host, Some(places.queue.clone()))
}

/// Which boot of the host this is: proc(5), `sys/kernel/random/boot_id` and `btime` of `stat`.
fn boot() -> Option<(String, i64)> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let time = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())?;
    Some((id.trim().to_owned(), time))
}

/// Lets us open as many files as the hard limit allows. Gives back the soft limit there was.
fn raise_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    current.filter(|_| raised.is_ok())
}

/// A runtime for this thread.
///
/// # Errors
/// A sentence, if the system has no descriptors for it.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|why| format!("Cannot set up the event loop: {why}"))
}

/// Runs the daemon: in the background unless told otherwise, until it is ended.
pub(crate) fn daemon(plan: Plan) -> ExitCode {
    match begin(plan) {
        Ok(code) => code,
        Err(why) => {
            complain(why);
            ExitCode::FAILURE
        }
    }
}

/// Whether a daemon stays where it was started. A container ends when its first process does.
pub(crate) fn foreground(config: &Config) -> bool {
    config.foreground || first::are_we()
}

fn begin(plan: Plan) -> Result<ExitCode, String> {
    plan.places.prepare()?;
    trial(plan.loaded.config.log.as_ref(), true)?;
    let taken = Pidfile::take(&plan.places.pidfile).map_err(|why| refused(&plan.places, why))?;
    let pidfile = Rc::new(RefCell::new(Some(taken)));
    let begun = with_pidfile(plan, pidfile.clone());
    // In the parent of a daemon that did not come up, too: it holds the lock as long as it lives, so the file is
    // nobody else's.
    if begun.is_err()
        && let Some(pidfile) = pidfile.take()
    {
        pidfile.remove();
    }
    begun
}

/// Everything that follows once the pidfile is ours. After an error it is not needed any more.
fn with_pidfile(plan: Plan, pidfile: Rc<RefCell<Option<Pidfile>>>) -> Result<ExitCode, String> {
    let Plan { flags, path, loaded, places } = plan;
    let mut lacks = Vec::new();
    let config = &loaded.config;
    let foreground = foreground(config);
    let id = identity::know(&places.idfile)?;
    let voice = Voice::new(config.log.as_ref(), foreground, flags.verbose > 0);
    voice.spare_repeats(config.dialect == Dialect::Toml);
    let (journal, notice) = journal(&places)?;
    // What cannot remember its intents has no place for a history either.
    let history = journal.file().is_some().then(|| places.history.clone());
    let heard = voice.clone();
    let spawner = spawner(raise_limit());
    let courier = courier_of(config, &places);
    let registry = shipped(spawner.clone());
    let listener = move |event: &Event| heard.event(event);
    let supervisor = supervisor(&loaded, registry, journal, history, courier, listener);
    let supervisor = supervisor.map_err(|mistakes| told(&mistakes))?;
    let starting =
        format!("Starting Hinoban {} daemon{}", env!("CARGO_PKG_VERSION"), pages::announcement(config));
    let ready = if foreground {
        Ready::nobody()
    } else {
        match detach().map_err(|why| format!("Cannot go to the background: {why}"))? {
            Side::Parent(Ok(lacks)) => {
                lacks.lines().for_each(complain);
                say(starting);
                return Ok(ExitCode::SUCCESS);
            }
            Side::Parent(Err(why)) => return Err(why),
            Side::Daemon(ready) => ready,
        }
    };
    // Whoever unmounts what we were started from is not to wait for us.
    let _ = std::env::set_current_dir("/");
    voice.say(Level::Info, starting);
    if first::are_we() && !config.foreground {
        let what = "process 1 stays in the foreground: a container ends when its first process does";
        voice.say(Level::Info, what);
    }
    for line in loaded.warnings.lines() {
        voice.say(Level::Warning, line);
    }
    // With them goes the text of the configuration, which may be long.
    drop(loaded.warnings);
    if let Some((level, notice)) = notice {
        if level == Level::Error {
            lacks.push(notice.clone());
        }
        voice.say(level, notice);
    }
    let who = name(config);
    let steward = Steward {
        path,
        flags,
        places,
        id,
        config: loaded.config,
        voice: voice.clone(),
        pidfile: pidfile.clone(),
    };
    let lived = match runtime() {
        Ok(runtime) => {
            let lived = runtime.block_on(Box::pin(live(supervisor, spawner, steward, (ready, lacks))));
            // A name being resolved, a file system that hangs: nobody waits for them any more.
            runtime.shutdown_background();
            lived
        }
        Err(why) => {
            ready.failed(&why);
            Err(why)
        }
    };
    match &lived {
        Ok(()) => voice.say(Level::Info, format!("{who} daemon with pid [{}] stopped", std::process::id())),
        Err(why) => voice.say(Level::Error, why.as_str()),
    }
    voice.flush();
    if let Some(pidfile) = pidfile.take() {
        pidfile.remove();
    }
    Ok(if lived.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Why there is no daemon with this pidfile, and what to do about it.
pub(crate) fn refused(places: &Places, why: Refused) -> String {
    let path = places.pidfile.display();
    match why {
        Refused::Running => {
            format!("Another daemon runs with the pidfile '{path}'; end it with `quit` first")
        }
        Refused::Foreign { pid, name } => {
            format!(
                "{name} runs with the pidfile '{path}' (PID {pid}); end it first, or name another pidfile with -p"
            )
        }
        Refused::System(why) => format!("Cannot use the pidfile '{path}': {why}; name another one with -p"),
    }
}

/// Life of the daemon, from the first signal it can take to the last word.
async fn live(
    supervisor: Supervisor,
    spawner: Arc<Spawner>,
    steward: Steward,
    (ready, mut lacks): (Ready, Vec<String>),
) -> Result<(), String> {
    let handle = supervisor.handle();
    let failed = |ready: Ready, why: String| {
        ready.failed(&why);
        Err(why)
    };
    // Before anybody can know our number and send a signal.
    let signals = match Signals::new() {
        Ok(signals) => signals,
        Err(why) => return failed(ready, format!("Cannot take signals: {why}")),
    };
    let orphanage = match Orphanage::new(spawner) {
        Ok(orphanage) => orphanage,
        Err(why) => return failed(ready, format!("Cannot take signals: {why}")),
    };
    if let Err(why) = steward.sign() {
        return failed(
            ready,
            format!("Cannot write the pidfile '{}': {why}", steward.places.pidfile.display()),
        );
    }
    let file = steward.path.display().to_string();
    let (voice, id) = (steward.voice.clone(), steward.id.clone());
    let (web, wanted) = watch::channel(pages::options(&steward.config, &id, &file));
    let (door, door_wanted) = watch::channel(pages::door(&steward.config, &steward.places, &id, &file));
    let options = door_wanted.borrow().clone();
    let (first, problems) = pages::bind(options, &handle, &voice).await;
    lacks.extend(problems);
    let manager = Manager::of_environment().unwrap_or_else(|why| {
        voice.say(Level::Warning, why);
        Manager::default()
    });
    ready.up(&lacks);
    let orphans = async {
        match orphanage {
            Some(orphanage) => orphanage.run().await,
            None => std::future::pending().await,
        }
    };
    // Tasks of their own: not every wake of the supervisor is one of the pages. Whatever they wait for ends with them.
    let mut served = JoinSet::new();
    served.spawn(pages::serve(Some(first), door_wanted, handle.clone(), voice.clone()));
    served.spawn(pages::serve(None, wanted, handle.clone(), voice));
    let ended = tokio::select! {
        // In this order: whoever looks at processes comes after whoever collects them.
        biased;
        () = orphans => Ok(Ended::Stopped),
        ended = supervisor.run() => ended,
        // The rest ends only by being dropped, or because somebody does not want to wait for the supervisor.
        () = manager.attend(&handle) => Ok(Ended::Stopped),
        () = steward.attend(signals, handle.clone(), &manager, web, door) => Ok(Ended::Stopped),
    };
    served.shutdown().await;
    ended.map(drop).map_err(|why| format!("The supervisor could not begin: {why}"))
}
