//! What was asked for, and by whom it is done: the daemon that runs, or this process.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use hinoban::config::{Algorithm, Config, Dialect};
use hinoban::event::Doing;
use hinoban_web::client::{Format, plain};
use rustix::process::Signal;

use crate::convert::convert;
use crate::flags::{self, Answer, Flags};
use crate::load::{find, load, name, shown, told};
use crate::pidfile::Running;
use crate::places::Places;
use crate::procmatch::procmatch;
use crate::reach::{Daemon, found, mine, reachable, through};
use crate::run::{self, Plan};
use crate::sums::sum;
use crate::terminal::{complain, has_colours, say, show};
use crate::voice::trial;
use crate::{constants, demo, identity, local, shadow, simulate};

/// How long `quit` waits for the daemon to end: its last messages may take some seconds to leave.
const FAREWELL: Duration = Duration::from_secs(15);

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verb {
    /// None: be a daemon.
    Daemon,
    /// Do this to services.
    Act(Doing),
    Status,
    Summary,
    Report,
    Incidents,
    Incident,
    Explain,
    Simulate,
    Shadow,
    Procmatch,
    Convert,
    Reload,
    Quit,
    Validate,
}

impl Verb {
    /// Upper and lower case are the same.
    fn of(word: Option<&str>) -> Result<Self, String> {
        Ok(match word.map(str::to_lowercase).as_deref() {
            None => Verb::Daemon,
            Some("start") => Verb::Act(Doing::Start),
            Some("stop") => Verb::Act(Doing::Stop),
            Some("restart") => Verb::Act(Doing::Restart),
            Some("monitor") => Verb::Act(Doing::Monitor),
            Some("unmonitor") => Verb::Act(Doing::Unmonitor),
            Some("status") => Verb::Status,
            Some("summary") => Verb::Summary,
            Some("report") => Verb::Report,
            Some("incidents") => Verb::Incidents,
            Some("incident") => Verb::Incident,
            Some("explain") => Verb::Explain,
            Some("simulate") => Verb::Simulate,
            Some("shadow") => Verb::Shadow,
            Some("reload") => Verb::Reload,
            Some("quit") => Verb::Quit,
            Some("validate") => Verb::Validate,
            Some("procmatch") => Verb::Procmatch,
            Some("convert") => Verb::Convert,
            Some(_) => {
                let word = word.unwrap_or_default();
                return Err(format!("Invalid argument -- {word}  (-h will show valid arguments)"));
            }
        })
    }

    /// Refuses to end the supervisor where a service was named, under any configuration.
    fn alone(&self, words: &[String]) -> Result<(), String> {
        match (self, words) {
            (Verb::Quit, [_, name, ..]) => Err(needless("quit", name)),
            _ => Ok(()),
        }
    }
}

/// What to say of a name behind a command that takes none.
fn needless(word: &str, name: &str) -> String {
    let instead = match word {
        "quit" => format!("to stop a service: hinoban stop {name}"),
        "reload" => format!("to start a service again: hinoban restart {name}"),
        _ => format!("to see one service: hinoban status {name}"),
    };
    format!("{word} takes no name; {instead}")
}

/// Prints the digests of a file, or of standard input, in Monit's lines; the newest kind last.
fn digests(file: Option<&Path>) -> Result<ExitCode, String> {
    let shown = file.map_or_else(|| "stdin".to_owned(), |file| file.display().to_string());
    let unreadable = |why: io::Error| format!("{shown}: {why}");
    let mut bytes = Vec::new();
    let [sha1, md5, sha256] = match file {
        Some(file) => [Algorithm::Sha1, Algorithm::Md5, Algorithm::Sha256]
            .map(|algorithm| File::open(file).and_then(|file| sum(file, algorithm))),
        None => {
            io::stdin().lock().read_to_end(&mut bytes).map_err(unreadable)?;
            [Algorithm::Sha1, Algorithm::Md5, Algorithm::Sha256].map(|algorithm| sum(&bytes[..], algorithm))
        }
    };
    say(format!("SHA1({shown}) = {}", sha1.map_err(unreadable)?));
    say(format!("MD5({shown})  = {}", md5.map_err(unreadable)?));
    say(format!("SHA256({shown}) = {}", sha256.map_err(unreadable)?));
    Ok(ExitCode::SUCCESS)
}

/// Does what a command line asks for, the name of the program first.
pub(crate) fn obey(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let flags = match flags::read(arguments) {
        Ok(flags) => flags,
        Err(Answer::Told(text)) => {
            say(text);
            return ExitCode::SUCCESS;
        }
        Err(Answer::Refused(text)) => return refuse(text),
        Err(Answer::Digests(file)) => return done(digests(file.as_deref())),
    };
    flags.warnings.iter().for_each(complain);
    if let [word, rest @ ..] = flags.words.as_slice()
        && word == demo::VERB
    {
        return demo::serve(rest);
    }
    done(attempt(flags))
}

fn refuse(text: impl AsRef<str>) -> ExitCode {
    complain(text);
    ExitCode::FAILURE
}

fn done(result: Result<ExitCode, String>) -> ExitCode {
    result.unwrap_or_else(refuse)
}

fn attempt(flags: Flags) -> Result<ExitCode, String> {
    // What is asked of the file or about the instance is answered whatever command stands beside it, as Monit does.
    let verb = match flags.test || flags.id || flags.reset_id {
        true => Verb::Daemon,
        false => Verb::of(flags.words.first().map(String::as_str))?,
    };
    verb.alone(&flags.words)?;
    if verb == Verb::Convert {
        return convert(&flags);
    }
    if verb == Verb::Procmatch {
        return procmatch(&flags.words);
    }
    let path = find(&flags)?;
    let loaded = load(&path, &flags).map_err(|why| why.text())?;
    if let (Verb::Reload | Verb::Validate, [word, name, ..]) = (&verb, flags.words.as_slice()) {
        // Monit reloads, and shows the service: scripts may rely on both.
        match loaded.config.dialect {
            Dialect::Toml => return Err(needless(word, name)),
            Dialect::Monit if verb == Verb::Reload => complain(needless(word, name)),
            Dialect::Monit => {}
        }
    }
    let places = Places::of(&loaded.config);
    let plan = Plan { flags, path, loaded, places };
    let rehearses = verb == Verb::Simulate;
    if (!rehearses && !plan.flags.fail.is_empty())
        || (!rehearses && verb != Verb::Shadow && plan.flags.lasts.is_some())
    {
        return Err("Options --fail and --for go with `simulate`, --for with `shadow` too".to_owned());
    }
    if plan.flags.test {
        let result = test(&plan);
        // The process ends here: taking thousands of services apart would be a sixth of all the work.
        std::mem::forget(plan);
        return result;
    }
    let asks = verb != Verb::Daemon || plan.flags.id || plan.flags.reset_id;
    // Monit shows what it goes by whatever it is asked.
    if plan.flags.verbose > 0 && (plan.loaded.config.dialect == Dialect::Monit || !asks) {
        show(&(constants::seen(&plan) + &constants::of(&plan)));
    }
    if plan.flags.id {
        introduce(&plan)?;
        plan.places.prepare()?;
        say(format!("{} ID: {}", name(&plan.loaded.config), identity::know(&plan.places.idfile)?));
        return Ok(ExitCode::SUCCESS);
    }
    if plan.flags.reset_id {
        return reset_id(&plan);
    }
    match verb {
        Verb::Daemon => begin(plan),
        Verb::Act(doing) => act(plan, doing),
        Verb::Status | Verb::Summary | Verb::Report => {
            let daemon = reachable(&plan)?.ok_or_else(|| not_running(&plan.loaded.config))?;
            ask(&plan, &daemon, &verb).map(|()| ExitCode::SUCCESS)
        }
        Verb::Incidents => incidents(&plan),
        Verb::Incident => incident(&plan),
        Verb::Explain => explain(&plan),
        Verb::Simulate => simulate::simulate(&plan),
        Verb::Shadow => shadow::shadow(plan),
        Verb::Procmatch => procmatch(&plan.flags.words),
        Verb::Convert => convert(&plan.flags),
        Verb::Reload => reload(&plan),
        Verb::Quit => quit(&plan),
        Verb::Validate => validate(plan),
    }
}

fn not_running(config: &Config) -> String {
    let name = name(config);
    format!("{name}: the {} daemon is not running", name.to_lowercase())
}

fn test(plan: &Plan) -> Result<ExitCode, String> {
    run::bind(&plan.loaded).map_err(|mistakes| told(&mistakes))?;
    let warnings = &plan.loaded.warnings;
    match plan.loaded.config.dialect {
        // Scripts read Monit's lines.
        Dialect::Monit if !warnings.list.is_empty() => complain(told(warnings)),
        _ => warn(plan),
    }
    trial(plan.loaded.config.log.as_ref(), false)?;
    if plan.flags.verbose > 0 {
        show(&constants::seen(plan));
    }
    introduce(plan)?;
    if plan.flags.verbose > 0 {
        show(&constants::of(plan));
    }
    say("Control file syntax OK");
    Ok(ExitCode::SUCCESS)
}

/// Under a control file, has an identity made and told where Monit does.
fn introduce(plan: &Plan) -> Result<(), String> {
    match plan.loaded.config.dialect {
        Dialect::Monit => identity::introduce(&plan.places.idfile),
        Dialect::Toml => Ok(()),
    }
}

fn warn(plan: &Plan) {
    if !plan.loaded.warnings.list.is_empty() {
        complain(shown(&plan.loaded.warnings));
    }
}

fn begin(plan: Plan) -> Result<ExitCode, String> {
    let control = plan.loaded.config.dialect == Dialect::Monit;
    if let Some(daemon) = found(&plan)? {
        // Monit wakes it all the same, and scripts may rely on that.
        if plan.loaded.config.foreground && !control {
            return Err(format!(
                "{} daemon with PID {} runs already; end it with `quit` before starting one in the foreground",
                name(&plan.loaded.config),
                daemon.pid
            ));
        }
        awaken(&plan, &daemon)?;
        return Ok(ExitCode::SUCCESS);
    }
    if plan.loaded.config.every.is_none() && plan.loaded.config.foreground && control {
        return Err(
            "How often to look is not said, and who stays in the foreground looks again and again: write \
                    `set daemon 30`, or give -d 30"
                .to_owned(),
        );
    }
    trial(plan.loaded.config.log.as_ref(), true)?;
    introduce(&plan)?;
    if plan.loaded.config.every.is_none() {
        warn(&plan);
        return Ok(local::once(plan));
    }
    // In the foreground, the log is on the terminal too, and has them.
    if !run::foreground(&plan.loaded.config) {
        warn(&plan);
    }
    Ok(run::daemon(plan))
}

fn awaken(plan: &Plan, daemon: &Running) -> Result<(), String> {
    signal(daemon, Signal::USR1)?;
    say(format!("{} daemon with PID {} awakened", name(&plan.loaded.config), daemon.pid));
    Ok(())
}

fn signal(daemon: &Running, signal: Signal) -> Result<(), String> {
    daemon
        .signal(signal)
        .map_err(|why| format!("Cannot send a signal to the daemon with PID {}: {why}", daemon.pid))
}

fn act(plan: Plan, doing: Doing) -> Result<ExitCode, String> {
    let given = &plan.flags.words[1..];
    if plan.flags.group.is_none() && given.is_empty() {
        return Err(format!("Please specify a service name or 'all' after {}", doing.word()));
    }
    let all = given.iter().any(|word| word.eq_ignore_ascii_case("all"));
    let Some(daemon) = reachable(&plan)? else {
        let names = heads(&plan, &doing, targets(&plan, all)?);
        introduce(&plan)?;
        return Ok(local::act(plan, doing, names));
    };
    // Whom `all` and a group mean is for the daemon to say: what it runs may differ from the file since.
    let names = match (members(&plan, &daemon)?, all) {
        (Some(names), _) => heads(&plan, &doing, names),
        (None, true) => vec![EVERYTHING.to_owned()],
        (None, false) => given.to_vec(),
    };
    through(&plan, &daemon, |client| client.act(&doing, &names))?;
    Ok(ExitCode::SUCCESS)
}

/// The services of the group that was named, as the daemon knows it; `None`: none was named.
fn members(plan: &Plan, daemon: &Daemon) -> Result<Option<Vec<String>>, String> {
    let Some(group) = &plan.flags.group else { return Ok(None) };
    let names = through(plan, daemon, |client| client.members(group))?;
    if names.is_empty() { Err(no_group(group)) } else { Ok(Some(names)) }
}

/// Of a group that is to be restarted, those that nothing else of the group is restarted with: the members that depend on
/// another member, however far, come with that one.
fn heads(plan: &Plan, doing: &Doing, names: Vec<String>) -> Vec<String> {
    if *doing != Doing::Restart || plan.flags.group.is_none() {
        return names;
    }
    let services = &plan.loaded.config.services;
    let of = |name: &str| services.iter().find(|service| service.name.eq_ignore_ascii_case(name));
    let among = |name: &str| names.iter().any(|member| member.eq_ignore_ascii_case(name));
    let below = |name: &str| {
        let mut above: Vec<&str> = vec![name];
        let mut at = 0;
        while let Some(name) = above.get(at) {
            at += 1;
            for parent in of(name).into_iter().flat_map(|service| &service.depends_on) {
                if !above.iter().any(|known| known.eq_ignore_ascii_case(&parent.name)) {
                    above.push(&parent.name);
                }
            }
        }
        above.into_iter().skip(1).any(among)
    };
    names.iter().filter(|name| !below(name)).cloned().collect()
}

/// The pattern of every name.
const EVERYTHING: &str = ".*";

fn no_group(group: &str) -> String {
    format!("Group '{group}' not found")
}

/// Which services are meant while no daemon runs; `all` and groups become names by what the file says, patterns are left
/// to whoever does it.
fn targets(plan: &Plan, all: bool) -> Result<Vec<String>, String> {
    let services = &plan.loaded.config.services;
    if let Some(group) = &plan.flags.group {
        let of_group = services.iter().filter(|s| s.groups.iter().any(|g| g.eq_ignore_ascii_case(group)));
        let names: Vec<_> = of_group.map(|s| s.name.clone()).collect();
        return if names.is_empty() { Err(no_group(group)) } else { Ok(names) };
    }
    if all {
        return Ok(services.iter().map(|s| s.name.clone()).collect());
    }
    Ok(plan.flags.words[1..].to_vec())
}

/// Shows what the daemon says.
fn ask(plan: &Plan, daemon: &Daemon, verb: &Verb) -> Result<(), String> {
    let names = plan.flags.words[1..].to_vec();
    let group = plan.flags.group.as_deref();
    let answer = through(plan, daemon, |client| match verb {
        Verb::Summary => client.summary(&names, group),
        Verb::Report => client.report(group, names.first().map(String::as_str)),
        _ => client.status(&names, group, Format::Text),
    })?;
    show(&if has_colours() && !plan.flags.batch && !plan.loaded.config.batch {
        answer
    } else {
        plain(&answer)
    });
    Ok(())
}

/// Shows what failed: of a service, or of all.
fn incidents(plan: &Plan) -> Result<ExitCode, String> {
    let daemon = keeper(plan)?;
    match members(plan, &daemon)?.as_deref().unwrap_or(&plan.flags.words[1..]) {
        [] => show(&through(plan, &daemon, |client| client.incidents(None))?),
        names => {
            for (nth, name) in names.iter().enumerate() {
                let text = through(plan, &daemon, |client| client.incidents(Some(name)))?;
                show(&if nth > 0 { format!("\n{text}") } else { text });
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows failures with all that was seen, decided and done.
fn incident(plan: &Plan) -> Result<ExitCode, String> {
    let [_, ids @ ..] = plan.flags.words.as_slice() else { return Ok(ExitCode::FAILURE) };
    if ids.is_empty() {
        return Err(
            "incident takes a number, as `hinoban incidents` lists them: hinoban incident ID".to_owned()
        );
    }
    let daemon = keeper(plan)?;
    for (nth, word) in ids.iter().enumerate() {
        let id: u64 = word.parse().map_err(|_| {
            format!("incident takes a number, and {word} is none; to see those of a service: hinoban incidents {word}")
        })?;
        let text = through(plan, &daemon, |client| client.incident(id))?;
        show(&if nth > 0 { format!("\n{text}") } else { text });
    }
    Ok(ExitCode::SUCCESS)
}

/// The daemon, which has the history open.
fn keeper(plan: &Plan) -> Result<Daemon, String> {
    let called = name(&plan.loaded.config);
    reachable(plan)?.ok_or_else(|| {
        format!(
            "{called}: the {} daemon is not running, and it is the one to ask what failed; start it, then ask again",
            called.to_lowercase()
        )
    })
}

/// Shows why services stand as they do, as the daemon says it.
fn explain(plan: &Plan) -> Result<ExitCode, String> {
    let [_, names @ ..] = plan.flags.words.as_slice() else { return Ok(ExitCode::FAILURE) };
    if names.is_empty() && plan.flags.group.is_none() {
        return Err("explain takes the name of a service: hinoban explain NAME".to_owned());
    }
    let called = name(&plan.loaded.config);
    let daemon = reachable(plan)?.ok_or_else(|| {
        format!(
            "{called}: the {} daemon is not running, and only it knows how services stand; start it, or see with \
             `simulate` what it would do",
            called.to_lowercase()
        )
    })?;
    let members = members(plan, &daemon)?;
    for (nth, name) in members.as_deref().unwrap_or(names).iter().enumerate() {
        let text = through(plan, &daemon, |client| client.explain(name))?;
        show(&if nth > 0 { format!("\n{text}") } else { text });
    }
    Ok(ExitCode::SUCCESS)
}

fn reload(plan: &Plan) -> Result<ExitCode, String> {
    // Nobody is sent to read what cannot be used.
    run::bind(&plan.loaded).map_err(|mistakes| told(&mistakes))?;
    warn(plan);
    let called = name(&plan.loaded.config);
    let daemon = mine(plan)?;
    say(format!("Reinitializing {} daemon", called.to_lowercase()));
    match daemon {
        Some(daemon) => signal(&daemon, Signal::HUP)?,
        None => say(format!("{called} daemon is not running")),
    }
    Ok(ExitCode::SUCCESS)
}

fn quit(plan: &Plan) -> Result<ExitCode, String> {
    let called = name(&plan.loaded.config);
    let Some(daemon) = mine(plan)? else {
        say(format!("{called} daemon is not running"));
        return Ok(ExitCode::SUCCESS);
    };
    signal(&daemon, Signal::TERM)?;
    if !daemon.ended(FAREWELL) {
        return Err(format!(
            "{called} daemon with pid [{}] was told to end, but has not yet; see its log",
            daemon.pid
        ));
    }
    say(format!("{called} daemon with pid [{}] killed", daemon.pid));
    Ok(ExitCode::SUCCESS)
}

fn validate(plan: Plan) -> Result<ExitCode, String> {
    // Monit's clients know that its validate never succeeds.
    let monit = plan.loaded.config.dialect == Dialect::Monit;
    let code = match mine(&plan)? {
        Some(daemon) => {
            awaken(&plan, &daemon)?;
            ask(&plan, &Daemon::Known(daemon), &Verb::Status)?;
            ExitCode::SUCCESS
        }
        None => {
            introduce(&plan)?;
            local::once(plan)
        }
    };
    Ok(if monit { ExitCode::FAILURE } else { code })
}

fn reset_id(plan: &Plan) -> Result<ExitCode, String> {
    let called = name(&plan.loaded.config);
    let daemon = found(plan)?;
    show(&format!("Reset {called} Id? [y/N]> "));
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if !answer.trim().eq_ignore_ascii_case("y") {
        if plan.loaded.config.dialect == Dialect::Toml {
            say("The id is unchanged");
        }
        return Ok(ExitCode::SUCCESS);
    }
    plan.places.prepare()?;
    let file = &plan.places.idfile;
    let id = identity::make(file)?;
    say(match plan.loaded.config.dialect {
        Dialect::Monit => identity::told(file, &id),
        Dialect::Toml => format!("New {called} Id: {id}"),
    });
    if let Some(daemon) = daemon {
        signal(&daemon, Signal::HUP)?;
    }
    Ok(ExitCode::SUCCESS)
}
