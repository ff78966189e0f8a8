//! Signals: end, reload, wake up.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use hinoban::config::{Config, Loaded};
use hinoban::event::Level;
use hinoban::supervisor::Handle;
use hinoban_web::Options;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::flags::Flags;
use crate::load::{NotLoaded, load, name};
use crate::manager::Manager;
use crate::pidfile::{Pidfile, Refused};
use crate::places::Places;
use crate::run::courier_of;
use crate::voice::{Voice, trial};
use crate::{first, identity, pages, sys};

/// The signals we take.
#[derive(Debug)]
pub(crate) struct Signals {
    hup: Signal,
    usr1: Signal,
    term: Signal,
    int: Signal,
    /// Only as process 1, which containers end by it too; everybody else's SIGQUIT leaves a core.
    quit: Option<Signal>,
}

impl Signals {
    /// Takes them from now on. Needs a runtime.
    ///
    /// # Errors
    /// As sigaction(2).
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            hup: signal(SignalKind::hangup())?,
            usr1: signal(SignalKind::user_defined1())?,
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            quit: first::are_we().then(|| signal(SignalKind::quit())).transpose()?,
        })
    }

    /// Waits for SIGTERM or SIGINT, as process 1 for SIGQUIT too.
    pub(crate) async fn end(&mut self) {
        Self::ended(&mut self.term, &mut self.int, &mut self.quit).await;
    }

    async fn ended(term: &mut Signal, int: &mut Signal, quit: &mut Option<Signal>) {
        tokio::select! {
            _ = term.recv() => (),
            _ = int.recv() => (),
            _ = async { match quit { Some(quit) => quit.recv().await, None => std::future::pending().await } } => (),
        }
    }
}

/// Does what signals ask for.
#[derive(Debug)]
pub(crate) struct Steward {
    /// Which configuration.
    pub(crate) path: PathBuf,
    /// What was typed: it wins over every new configuration too.
    pub(crate) flags: Flags,
    /// Where our files are.
    pub(crate) places: Places,
    /// Who we are.
    pub(crate) id: String,
    /// The configuration at present.
    pub(crate) config: Config,
    /// The log.
    pub(crate) voice: Voice,
    /// Our pidfile; whoever ends the daemon removes it.
    pub(crate) pidfile: Rc<RefCell<Option<Pidfile>>>,
}

/// A configuration being read.
type Reading = oneshot::Receiver<Result<Read, NotLoaded>>;

/// A configuration, and what it takes the disk to know about it.
#[derive(Debug)]
struct Read {
    loaded: Loaded,
    /// Who we are by its id file, if that can be had.
    id: Option<String>,
    /// Whether its log can be written; otherwise a sentence that says why not.
    log: Result<(), String>,
}

/// How often we see whether the log can be written.
const GLANCE: Duration = Duration::from_secs(2);

/// How long after a start or a reload what only that needed is given back.
const SETTLED: Duration = Duration::from_secs(3);

impl Steward {
    /// Says in the pidfile who runs.
    ///
    /// # Errors
    /// As writing it.
    pub(crate) fn sign(&self) -> io::Result<()> {
        self.pidfile.borrow_mut().as_mut().map_or(Ok(()), Pidfile::sign)
    }

    /// Does what signals ask for. The first that asks us to end has the supervisor end in order; the second ends this.
    pub(crate) async fn attend(
        mut self,
        signals: Signals,
        handle: Handle,
        manager: &Manager,
        web: watch::Sender<Options>,
        door: watch::Sender<Options>,
    ) {
        let Signals { mut hup, mut usr1, mut term, mut int, mut quit } = signals;
        let mut reading: Option<Reading> = None;
        let mut ending = false;
        let mut glance = tokio::time::interval(GLANCE);
        glance.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut settled = Some(Instant::now() + SETTLED);
        loop {
            let settle = settled;
            let read = async {
                match reading.as_mut() {
                    Some(reading) => reading.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // Whoever ends takes nothing new on.
                _ = hup.recv(), if !ending => {
                    manager.reloading().await;
                    let what = format!("Reinitializing {} -- control file '{}'", name(&self.config), self.path.display());
                    self.voice.say(Level::Info, what);
                    reading = Some(self.read());
                }
                loaded = read => {
                    reading = None;
                    settled = Some(Instant::now() + SETTLED);
                    self.voice.rotate();
                    let died = || NotLoaded::File("the thread that read the configuration died".to_owned());
                    match loaded.unwrap_or_else(|_| Err(died())) {
                        Ok(read) => self.take_on(read, &handle, &web, &door).await,
                        Err(why) => self.keep(why),
                    }
                    manager.reloaded().await;
                }
                _ = glance.tick() => self.voice.look(),
                () = async { sleep_until(settle.unwrap_or_else(Instant::now)).await }, if settle.is_some() => {
                    settled = None;
                    sys::forget_the_start();
                }
                _ = usr1.recv() => {
                    self.voice.say(Level::Info, "Awakened by User defined signal 1");
                    handle.wake();
                }
                () = Signals::ended(&mut term, &mut int, &mut quit) => {
                    if std::mem::replace(&mut ending, true) {
                        return;
                    }
                    // It would keep the second signal waiting for as long as the supervisor takes to end.
                    reading = None;
                    manager.stopping().await;
                    handle.stop();
                }
            }
        }
    }

    /// Reads the configuration on a thread of its own: user databases and file systems may hang.
    fn read(&self) -> Reading {
        let (send, receive) = oneshot::channel();
        let (path, flags) = (self.path.clone(), self.flags.clone());
        let made = std::thread::Builder::new().name("reload".into()).spawn(move || {
            let read = load(&path, &flags).map(|loaded| {
                let id = identity::know(&Places::of(&loaded.config).idfile).ok();
                let log = trial(loaded.config.log.as_ref(), true);
                Read { loaded, id, log }
            });
            let _ = send.send(read);
        });
        if let Err(why) = made {
            let (send, receive) = oneshot::channel();
            let _ = send.send(Err(NotLoaded::File(format!("no thread to read the configuration: {why}"))));
            return receive;
        }
        receive
    }

    /// A bad configuration never stops a running daemon: invariant 11.
    fn keep(&self, why: NotLoaded) {
        for line in why.lines() {
            self.voice.say(Level::Error, line);
        }
        self.voice.say(
            Level::Error,
            format!(
                "going on with the configuration of before; mend '{}' and reload again",
                self.path.display()
            ),
        );
    }

    async fn take_on(
        &mut self,
        read: Read,
        handle: &Handle,
        web: &watch::Sender<Options>,
        door: &watch::Sender<Options>,
    ) {
        let Read { mut loaded, id, log } = read;
        if let Some(id) = id {
            self.id = id;
        }
        let sources = loaded.warnings.sources.clone();
        for line in loaded.warnings.lines() {
            self.voice.say(Level::Warning, line);
        }
        // One pass is for those who were started for one.
        loaded.config.every = loaded.config.every.or(self.config.every);
        let config = loaded.config;
        let places = Places::of(&config);
        let mail = |config: &Config| config.mail.over(&config.tls_defaults());
        let same = mail(&config) == mail(&self.config);
        let new_courier = if same { None } else { courier_of(&config, &places) };
        if let Err(mut mistakes) = handle.reload(config.clone(), new_courier).await {
            mistakes.sources = sources;
            return self.keep(NotLoaded::Mistakes(mistakes));
        }
        match log {
            Ok(()) => self.voice.reopen(config.log.as_ref()),
            Err(why) => self.voice.say(Level::Error, format!("{why}; going on with the log of before")),
        }
        self.move_to(&places);
        let file = self.path.display().to_string();
        let changed = |new: Options| {
            move |old: &mut Options| {
                let changed = *old != new;
                *old = new;
                changed
            }
        };
        web.send_if_modified(changed(pages::options(&config, &self.id, &file)));
        door.send_if_modified(changed(pages::door(&config, &places, &self.id, &file)));
        self.places = places;
        self.config = config;
    }

    /// Takes another pidfile where the configuration names one now.
    fn move_to(&self, places: &Places) {
        if places.statefile != self.places.statefile {
            let what = "another state file is used from the next start on, not by a reload";
            self.voice.say(Level::Warning, what);
        }
        let mut pidfile = self.pidfile.borrow_mut();
        if pidfile.as_ref().is_none_or(|old| old.path() == places.pidfile) {
            return;
        }
        let taken = places.prepare().and_then(|()| {
            let mut new = Pidfile::take(&places.pidfile).map_err(|why| match why {
                Refused::Running => "another daemon runs with it".to_owned(),
                Refused::Foreign { pid, name } => format!("{name} runs with it as PID {pid}"),
                Refused::System(why) => why.to_string(),
            })?;
            new.sign().map_err(|why| why.to_string())?;
            Ok(new)
        });
        match taken {
            Ok(new) => {
                if let Some(old) = pidfile.replace(new) {
                    old.remove();
                }
            }
            Err(why) => self.voice.say(
                Level::Error,
                format!("cannot use the pidfile '{}': {why}; keeping the old one", places.pidfile.display()),
            ),
        }
    }
}
