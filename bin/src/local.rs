//! What is done by this process itself: one look at everything, and commands while no daemon runs.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hinoban::config::{Dialect, Rule};
use hinoban::event::{Doing, Event, Fact};
use hinoban::journal::Journal;
use hinoban::supervisor::{Handle, Supervisor};
use hinoban_web::monit::matching;

use crate::load::told;
use crate::run::{Plan, courier_of, journal, registry, runtime, supervisor};
use crate::signals::Signals;
use crate::terminal::complain;
use crate::voice::Voice;

/// Who asked, in the log.
const WHO: &str = "command line";

/// Looks at everything once, repairs what has to be, and shows what happens.
pub(crate) fn once(mut plan: Plan) -> ExitCode {
    plan.loaded.config.every = None;
    let voice = Voice::new(plan.loaded.config.log.as_ref(), true, plan.flags.verbose > 0);
    let heard = voice.clone();
    let courier = courier_of(&plan.loaded.config, &plan.places);
    let run = || -> Result<bool, String> {
        let journal = remembering(&plan, &voice)?;
        let listener = move |event: &Event| {
            if !matches!(event.fact, Fact::Started { .. } | Fact::Stopped { .. }) {
                heard.event(event);
            }
        };
        let supervisor = supervisor(&plan.loaded, registry(None), journal, None, courier, listener);
        let supervisor = supervisor.map_err(|mistakes| told(&mistakes))?;
        complete(supervisor, |_| std::future::pending())
    };
    finish(run(), &voice)
}

/// Does this to services, by names or patterns, and waits until it is done. Under a control file nothing of it is
/// remembered, as Monit does: a daemon that is started later watches what was stopped here.
pub(crate) fn act(mut plan: Plan, doing: Doing, names: Vec<String>) -> ExitCode {
    // Nothing but what was asked for happens: no rule acts, and one look at the beginning is enough.
    plan.loaded.config.every = Some(Duration::from_secs(24 * 60 * 60));
    plan.loaded.config.start_delay = Duration::ZERO;
    for service in &mut plan.loaded.config.services {
        let service = Arc::make_mut(service);
        service.rules.retain(Rule::is_existence);
        for rule in &mut service.rules {
            rule.fail.then = hinoban::config::Then::Nothing;
            rule.ok.then = hinoban::config::Then::Nothing;
        }
    }
    let voice = Voice::new(plan.loaded.config.log.as_ref(), true, plan.flags.verbose > 0);
    let failed = Arc::new(AtomicBool::new(false));
    let run = || -> Result<bool, String> {
        let mut journal = remembering(&plan, &voice)?;
        if plan.loaded.config.dialect == Dialect::Monit {
            journal = Journal::volatile();
        }
        let (heard, fails) = (voice.clone(), failed.clone());
        let listener = move |event: &Event| match &event.fact {
            Fact::Began { command: Some(_), .. } => heard.event(event),
            Fact::Ended { ok: false, .. } => {
                fails.store(true, Ordering::Relaxed);
                heard.event(event);
            }
            _ => {}
        };
        let supervisor = supervisor(&plan.loaded, registry(None), journal, None, None, listener);
        let supervisor = supervisor.map_err(|mistakes| told(&mistakes))?;
        complete(supervisor, |handle| command(handle, doing, names))
    };
    let done = run().map(|ended| ended && !failed.load(Ordering::Relaxed));
    finish(done, &voice)
}

/// The journal that a daemon will read: what is stopped by hand stays stopped.
fn remembering(plan: &Plan, voice: &Voice) -> Result<Journal, String> {
    plan.places.prepare()?;
    let (journal, notice) = journal(&plan.places)?;
    if let Some((level, notice)) = notice {
        voice.say(level, notice);
    }
    Ok(journal)
}

fn finish(result: Result<bool, String>, voice: &Voice) -> ExitCode {
    voice.flush();
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            complain(why);
            ExitCode::FAILURE
        }
    }
}

/// Runs a supervisor until it ends by itself, `work` is done, or a signal ends it. `false` after a signal.
fn complete<F: Future<Output = Result<(), String>>>(
    supervisor: Supervisor,
    work: impl FnOnce(Handle) -> F,
) -> Result<bool, String> {
    let runtime = runtime()?;
    let result = runtime.block_on(Box::pin(async move {
        let handle = supervisor.handle();
        let mut signals = Signals::new().map_err(|why| format!("Cannot take signals: {why}"))?;
        let mut result = Ok(true);
        let waiter = async {
            tokio::select! {
                done = work(handle.clone()) => result = done.map(|()| true),
                () = signals.end() => result = Ok(false),
            }
            handle.stop();
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = supervisor.run() => ended,
            () = waiter => return Ok(true),
        };
        ended.map_err(|why| format!("The supervisor could not begin: {why}"))?;
        result
    }));
    runtime.shutdown_background();
    result
}

/// Sends a command, and waits until nothing more is to be done about it.
async fn command(handle: Handle, doing: Doing, names: Vec<String>) -> Result<(), String> {
    let gone = || "The supervisor ended too early".to_owned();
    let mut events = handle.subscribe();
    let status = handle.status().await.ok_or_else(gone)?;
    let mut targets: Vec<String> = Vec::new();
    for name in &names {
        let found = matching(&status.services, name);
        if found.is_empty() {
            return Err(format!("There is no service named \"{name}\""));
        }
        targets.extend(found.iter().map(|view| view.name.to_string()));
    }
    targets.dedup();
    handle.command(targets.clone(), doing, WHO).await.map_err(|why| why.to_string())?;
    loop {
        let status = handle.status().await.ok_or_else(gone)?;
        let mut ours = status.services.iter().filter(|view| targets.iter().any(|name| **name == *view.name));
        if ours.all(|view| view.pending.is_none() && view.doing.is_none()) {
            return Ok(());
        }
        // Each thing that happens may have been the last; the pause is for those that happen unheard.
        let _ = tokio::time::timeout(Duration::from_millis(200), events.recv()).await;
    }
}
