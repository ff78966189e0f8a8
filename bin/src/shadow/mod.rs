//! `hinoban shadow`: watches beside a Monit that runs, does nothing, and says where the two decide otherwise.
//!
//! The supervisor of this process has the services of the control file, all of them passive and without programs; it
//! keeps nothing on disk, opens no port and tells nobody. What Monit does is asked of its HTTP interface, with the
//! name and password that the control file gives; a restart between two questions shows by another process.

mod account;
mod quiet;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use hinoban::config::{Allow, Config, Dialect, Listen, units};
use hinoban::event::Event;
use hinoban::journal::Journal;
use hinoban::reading::Stamp;
use hinoban_web::client::{Client, Standing, Target};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::load::told;
use crate::run::{Plan, registry, runtime, supervisor};
use crate::signals::Signals;
use crate::terminal::{complain, say, show};
use crate::zone;
use account::{Account, Row};
use quiet::{Quiet, quiet};

/// How often Monit is asked.
const PAUSE: Duration = Duration::from_secs(1);

/// Watches until the time is over or somebody ends it, then shows the table.
///
/// # Errors
/// If there is no Monit to watch beside, or the configuration cannot be bound.
pub(crate) fn shadow(mut plan: Plan) -> Result<ExitCode, String> {
    let config = &plan.loaded.config;
    if config.dialect != Dialect::Monit {
        return Err(
            "shadow watches beside a Monit, under Monit's control file: hinoban -c /etc/monit/monitrc shadow"
                .to_owned(),
        );
    }
    let lasts = match &plan.flags.lasts {
        None => None,
        Some(text) => Some(
            units::duration(text)
                .ok()
                .filter(|time| !time.is_zero() && *time <= Duration::from_secs(366 * 86_400))
                .ok_or_else(|| {
                    format!("'{text}' is no time up to a year; write it with its unit: --for 1h")
                })?,
        ),
    };
    if config.every.is_none() {
        return Err(
            "The control file says nothing of how often to look (set daemon), and -d neither".to_owned()
        );
    }
    let client = client(config).ok_or(
        "Monit is asked over its HTTP interface, and the control file opens none: add `set httpd unixsocket \
         /run/monit.sock allow NAME:PASSWORD`, and `monit reload`",
    )?;
    let first = client.standings().map_err(|why| {
        format!("Monit does not answer ({why}); start it, and see that the control file lets us in (allow)")
    })?;
    let Quiet { config, would, left_out } = quiet(&plan.loaded.config);
    plan.loaded.config = config;
    let (sender, events) = mpsc::unbounded_channel();
    let listener = move |event: &Event| drop(sender.send(event.clone()));
    let runtime = runtime()?;
    let supervisor = supervisor(&plan.loaded, registry(None), Journal::volatile(), None, None, listener);
    let supervisor = supervisor.map_err(|mistakes| told(&mistakes))?;
    say(format!("Watching {} services beside Monit; nothing is executed, and nobody is told.", first.len()));
    for name in &left_out {
        say(format!("{name} is left out: to look at it is to run its program, and Monit does that"));
    }
    let would = |event: &Event, rule: usize| {
        would
            .get(&(event.service.to_string(), rule))
            .cloned()
            .unwrap_or_else(|| "would tell of it".to_owned())
    };
    let account = runtime.block_on(async {
        let handle = supervisor.handle();
        tokio::select! {
            ended = supervisor.run() => {
                ended.map_err(|why| format!("The supervisor could not begin: {why}"))?;
                Err("The supervisor ended too early".to_owned())
            }
            account = attend(events, client, first, lasts, would) => {
                handle.stop();
                account
            }
        }
    });
    runtime.shutdown_background();
    show(&format!("\n{}", account?.summary()));
    Ok(ExitCode::SUCCESS)
}

/// Writes down what both notice, and shows it as it comes.
async fn attend(
    mut events: mpsc::UnboundedReceiver<Event>,
    client: Client,
    first: Vec<Standing>,
    lasts: Option<Duration>,
    would: impl Fn(&Event, usize) -> String,
) -> Result<Account, String> {
    let mut signals = Signals::new().map_err(|why| format!("Cannot take signals: {why}"))?;
    let mut account = Account::default();
    account.theirs(first, true).iter().for_each(print);
    let end = lasts.map(|lasts| Instant::now() + lasts);
    let over = async {
        match end {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    let mut asked = interval(PAUSE);
    asked.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (answer, mut answers) = mpsc::channel(1);
    let (mut asking, mut silent) = (false, false);
    if io::stdout().is_terminal() {
        say("Ctrl-C ends it and shows a table.");
    }
    loop {
        tokio::select! {
            () = &mut over => return Ok(account),
            () = signals.end() => return Ok(account),
            Some(event) = events.recv() => {
                if let Some(row) = account.ours(&event, |rule| would(&event, rule)) {
                    print(&row);
                }
            }
            _ = asked.tick(), if !asking => {
                asking = true;
                let (client, answer) = (client.clone(), answer.clone());
                // Monit may not answer for a while, and we look on meanwhile.
                tokio::task::spawn_blocking(move || drop(answer.blocking_send(client.standings())));
            }
            Some(standings) = answers.recv() => {
                asking = false;
                match standings {
                    Ok(standings) => {
                        silent = false;
                        account.theirs(standings, false).iter().for_each(print);
                    }
                    Err(why) if !silent => {
                        silent = true;
                        complain(format!("Monit does not answer: {why}; asking again every second"));
                    }
                    Err(_) => {}
                }
            }
        }
    }
}

fn print(row: &Row) {
    say(format!("{}  {:<20} {:<6} {}", clock(row.at), row.service, row.who, row.text));
}

/// `12:00:03.120` of this host's zone.
fn clock(at: Stamp) -> String {
    let time = Timestamp::from_microsecond(at.micros()).unwrap_or_default();
    time.to_zoned(zone::of_host()).strftime("%H:%M:%S%.3f").to_string()
}

/// Who asks the Monit of this control file: as its own command line does, where it listens and with the first password
/// that is for more than reading.
fn client(config: &Config) -> Option<Client> {
    let users = || {
        config.web.allow.iter().filter_map(|allow| match allow {
            Allow::User(user) => Some(user),
            _ => None,
        })
    };
    let user = users().find(|user| !user.read_only).or_else(|| users().next());
    let mut target = config.web.listen.iter().map(|listen| match listen {
        Listen::Tcp { address, port, .. } => {
            Target::Tcp { host: address.clone().unwrap_or_else(|| "localhost".to_owned()), port: *port }
        }
        Listen::Unix { path, .. } => Target::Unix(path.clone()),
    });
    Some(Client {
        target: target.next_back()?,
        credentials: user.map(|user| (user.name.clone(), user.password.reveal().to_owned())),
    })
}
