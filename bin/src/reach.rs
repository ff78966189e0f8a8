//! The daemon that a command is for: whether it runs, whose it is, and which ways lead to it.

use std::os::unix::fs::MetadataExt;

use hinoban::config::Dialect;
use hinoban_web::client::{Client, ClientError};

use crate::pages;
use crate::pidfile::{Refused, Running, foreign, is_closed, running};
use crate::places::Places;
use crate::run::{self, Plan};

/// The daemon that runs with our pidfile.
///
/// # Errors
/// If that cannot be found out. Also if a Monit runs with it: two would undo each other's work.
pub(crate) fn found(plan: &Plan) -> Result<Option<Running>, String> {
    let path = &plan.places.pidfile;
    let daemon =
        running(path).map_err(|why| format!("Cannot look at the pidfile '{}': {why}", path.display()))?;
    match foreign(path) {
        Some((pid, name)) if daemon.is_none() => {
            Err(run::refused(&plan.places, Refused::Foreign { pid, name }))
        }
        _ => Ok(daemon),
    }
}

/// A daemon that can be asked.
pub(crate) enum Daemon {
    /// It runs with our pidfile, or is ours to know of.
    Known(Running),
    /// Another user's. Whether it runs is for it to say, at the doors that it has under this configuration.
    Others(Places),
}

/// The daemon to ask: the one that runs with our pidfile, or else the one of the user whose configuration this is.
///
/// # Errors
/// As [`found`].
pub(crate) fn reachable(plan: &Plan) -> Result<Option<Daemon>, String> {
    match closed(plan) {
        Some(places) => Ok(Some(Daemon::Others(places))),
        None => Ok(found(plan)?.map(Daemon::Known)),
    }
}

/// The daemon to send a signal to.
///
/// # Errors
/// As [`found`]. Also if it is another user's, who alone may do that, with root.
pub(crate) fn mine(plan: &Plan) -> Result<Option<Running>, String> {
    match closed(plan) {
        Some(places) => Err(format!(
            "The daemon with the pidfile '{}' is another user's; only that user and root can do this",
            places.pidfile.display()
        )),
        None => found(plan),
    }
}

/// Where the daemon has its files, if this configuration is another user's, who alone may open the lock that says
/// whether it runs.
fn closed(plan: &Plan) -> Option<Places> {
    let us = rustix::process::geteuid();
    if us.is_root() {
        return None;
    }
    if is_closed(&plan.places.pidfile) {
        return Some(plan.places.clone());
    }
    // Files that the configuration does not name are elsewhere for root than for us.
    let roots = std::fs::metadata(&plan.path).is_ok_and(|found| found.uid() == 0);
    Some(Places::of_root(&plan.loaded.config)).filter(|places| roots && is_closed(&places.pidfile))
}

/// Asks this daemon, by the first way that leads to it.
pub(crate) fn through<T>(
    plan: &Plan,
    daemon: &Daemon,
    ask: impl Fn(&Client) -> Result<T, ClientError>,
) -> Result<T, String> {
    let (places, pid) = match daemon {
        Daemon::Known(running) => (&plan.places, Some(running.pid)),
        Daemon::Others(places) => (places, None),
    };
    let mut refusals = Vec::new();
    for client in pages::clients(&plan.loaded.config, places, pid) {
        match ask(&client) {
            Ok(answer) => return Ok(answer),
            Err(why @ (ClientError::Connect { .. } | ClientError::Refused { status: 401 | 403, .. })) => {
                refusals.push(why);
            }
            Err(why) => return Err(why.to_string()),
        }
    }
    let door = places.door.display();
    Err(match (refusals.first(), pid) {
        (Some(first @ ClientError::Connect { target, .. }), Some(pid)) => {
            let why = first.to_string();
            let why = why.split_once("; see whether").map_or(why.as_str(), |(why, _)| why);
            format!(
                "{why}; the daemon with PID {pid} runs, but does not listen at {target}: its log says why. It tries again \
                 every 2 s, and at once after `hinoban reload`"
            )
        }
        (Some(first), Some(_)) => first.to_string(),
        (None, Some(pid)) => format!(
            "No way leads to the daemon with PID {pid}: another process listens at '{door}', where its state file \
             would have its socket; give the same -s and -c as the daemon"
        ),
        (_, None) => {
            let whys: Vec<_> = refusals.iter().map(ToString::to_string).collect();
            format!(
                "The daemon is another user's, and its socket is for that user and root: run this as root, or have \
                 the configuration listen ({}) and let you in ({})",
                match plan.loaded.config.dialect {
                    Dialect::Toml => "[web]",
                    Dialect::Monit => "set httpd",
                },
                whys.join("; ")
            )
        }
    })
}
