//! The service manager that started us, if there is one: told when we are ready, reload and end, and that we are alive.
//!
//! The protocol is sd_notify(3): lines in a datagram to the socket that `NOTIFY_SOCKET` names. systemd speaks it, and so
//! do podman and some others.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::{SocketAddr, UnixDatagram as Blocking};
use std::rc::Rc;
use std::time::Duration;

use hinoban::supervisor::{Handle, Status, Watching};
use sd_notify::NotifyState;
use tokio::net::UnixDatagram;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// What a manager tells those it starts. None of it is meant for the programs that we start.
pub(crate) const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// How often the manager's line about us is brought up to date.
const CALM: Duration = Duration::from_secs(5);

/// How long a manager may take to have room for a datagram. Only this task waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the first looks may take until we say that we are ready all the same.
const FIRST_LOOKS: Duration = Duration::from_secs(1);

/// The line to the manager. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manager {
    socket: Option<Rc<UnixDatagram>>,
    /// Within this time it wants to hear of us.
    watchdog: Option<Duration>,
}

impl Manager {
    /// The manager that the environment names, if any. Needs a runtime.
    ///
    /// # Errors
    /// A sentence, if it cannot be reached.
    pub(crate) fn of_environment() -> Result<Self, String> {
        let Some(place) = std::env::var_os("NOTIFY_SOCKET").filter(|place| !place.is_empty()) else {
            return Ok(Self::default());
        };
        let watchdog = sd_notify::watchdog_enabled().filter(|time| !time.is_zero());
        Self::at(place.as_bytes(), watchdog).map_err(|why| {
            format!(
                "cannot tell the service manager at {} that we are up: {why}; if it waits for that (Type=notify), it \
                 will end us",
                std::ffi::OsString::from_vec(place.into_vec()).display()
            )
        })
    }

    /// `@` begins the name of a socket that is in no file system: unix(7).
    fn at(place: &[u8], watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match place {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
        };
        let socket = Blocking::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(Rc::new(UnixDatagram::from_std(socket)?)), watchdog })
    }

    /// The configuration is being read again.
    pub(crate) async fn reloading(&self) {
        // Without the time, systemd takes it for the end of an earlier reload.
        let Ok(now) = NotifyState::monotonic_usec_now() else { return };
        self.tell(&[NotifyState::Reloading, now]).await;
    }

    /// That is over, well or not: one of the two goes on.
    pub(crate) async fn reloaded(&self) {
        self.tell(&[NotifyState::Ready]).await;
    }

    /// We are ending.
    pub(crate) async fn stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("Ending")]).await;
    }

    /// Says that we are ready once the first looks are under way, and then for ever how things stand, and that the
    /// supervisor's loop answers. If it does not, the manager hears nothing, and restarts us.
    pub(crate) async fn attend(&self, handle: &Handle) {
        self.attend_to(async || handle.status().await).await;
    }

    async fn attend_to(&self, ask: impl AsyncFn() -> Option<Status>) {
        if self.socket.is_none() {
            return std::future::pending().await;
        }
        let _ = timeout(FIRST_LOOKS, begun(&ask)).await;
        self.tell(&[NotifyState::Ready]).await;
        let period = self.watchdog.map_or(CALM, |time| CALM.min(time / 2));
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = String::new();
        loop {
            ticks.tick().await;
            let Ok(Some(status)) = timeout(period, ask()).await else { continue };
            let now = summary(&status);
            let mut states = Vec::new();
            if self.watchdog.is_some() {
                states.push(NotifyState::Watchdog);
            }
            if now != told {
                states.push(NotifyState::Status(&now));
            }
            if !states.is_empty() {
                self.tell(&states).await;
            }
            told = now;
        }
    }

    /// A manager that does not listen is no reason to do anything else.
    async fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
        let _ = timeout(PATIENCE, socket.send(lines.join("\n").as_bytes())).await;
    }
}

/// Waits until something has been looked at, or nothing is to be for now.
async fn begun(ask: &impl AsyncFn() -> Option<Status>) {
    while let Some(status) = ask().await {
        let watched = |watching: Watching| watching != Watching::No;
        let waits = status.start_delay.is_zero() && status.services.iter().any(|s| watched(s.watching));
        if !waits || status.services.iter().any(|service| service.looked_at.is_some()) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// How things stand, in a line.
fn summary(status: &Status) -> String {
    const NAMED: usize = 3;
    let watched = status.services.iter().filter(|service| service.watching != Watching::No).count();
    let ill: Vec<&str> =
        status.services.iter().filter(|s| !s.failing.is_empty()).map(|service| &*service.name).collect();
    let named = ill.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ").replace('\n', " ");
    match ill.len() {
        0 => format!("Watching {watched} of {}; nothing is wrong", status.services.len()),
        n if n > NAMED => {
            format!("Watching {watched} of {}; wrong: {named} and {} more", status.services.len(), n - NAMED)
        }
        _ => format!("Watching {watched} of {}; wrong: {named}", status.services.len()),
    }
}

#[cfg(test)]
mod tests {
    use hinoban::reading::Stamp;

    use super::*;

    fn status() -> Status {
        Status {
            host: "box".into(),
            since: Stamp::default(),
            now: Stamp::default(),
            every: CALM,
            start_delay: Duration::ZERO,
            services: Vec::new(),
            limits: Default::default(),
        }
    }

    /// What the manager hears within `time`.
    async fn heard(ask: impl AsyncFn() -> Option<Status>, time: Duration) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let ear = Blocking::bind(&path).unwrap();
        ear.set_nonblocking(true).unwrap();
        let manager = Manager::at(path.as_os_str().as_bytes(), Some(Duration::from_secs(4))).unwrap();
        let _ = timeout(time, manager.attend_to(ask)).await;
        let mut told = Vec::new();
        let mut space = [0; 1024];
        while let Ok(n) = ear.recv(&mut space) {
            told.push(String::from_utf8(space[..n].to_vec()).unwrap());
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_while_the_loop_answers_and_not_longer() {
        let told = heard(async || Some(status()), Duration::from_secs(9)).await;
        assert_eq!(told[0], "READY=1");
        assert_eq!(told[1], "WATCHDOG=1\nSTATUS=Watching 0 of 0; nothing is wrong");
        assert_eq!(told[2..], ["WATCHDOG=1"; 4], "each 2 s");

        let asked = std::cell::Cell::new(0);
        let hangs_later = async || {
            asked.set(asked.get() + 1);
            if asked.get() > 3 {
                std::future::pending::<()>().await;
            }
            Some(status())
        };
        let told = heard(hangs_later, Duration::from_secs(60)).await;
        assert_eq!(told.iter().filter(|text| text.contains("WATCHDOG=1")).count(), 2, "{told:?}");
    }

    #[tokio::test]
    async fn a_socket_without_a_file_is_found_by_its_name() {
        let name = format!("hinoban-test-{}", std::process::id());
        let ear = Blocking::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let manager = Manager::at(format!("@{name}").as_bytes(), None).unwrap();
        manager.stopping().await;
        let mut space = [0; 64];
        let n = ear.recv(&mut space).unwrap();
        assert_eq!(&space[..n], b"STOPPING=1\nSTATUS=Ending");
        assert!(Manager::at(b"/no/such/socket", None).is_err());
    }
}
