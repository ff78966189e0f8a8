//! What follows when a rule fails or holds: records are kept, people told, and actions begun.

use std::time::Duration;

use hinoban_config::{Branch, Condition, Dialect, Kind, Mode, Rate, Test, Then};
use hinoban_event::{Because, Class, Doing, Event, Fact, Failure, Recovery};
use hinoban_reading::{Now, Stamp, Total, Traffic, metrics};

use crate::flaw::Flaw;
use crate::machine::{Out, Scheduler};
use crate::record::{Record, Sample, State, Step};
use crate::watched::Watched;
use crate::wording::Tongue;
use crate::{Effect, Part, Remembered, Watching, change, condition_name, sight, wording};

impl Scheduler {
    /// One rule has seen something.
    pub(crate) fn sample(
        &mut self,
        now: Now,
        i: usize,
        rule: usize,
        failed: bool,
        early: bool,
        out: &mut Out,
    ) {
        let dialect = self.dialect;
        let dependants = if failed { self.dependants(i) } else { Vec::new() };
        let watched = &mut self.services[i];
        let service = watched.service.clone();
        let written = &service.rules[rule];
        let rate = if failed { written.fail.rate } else { written.ok.rate };
        watched.judged[rule].get_or_insert(now.stamp);
        let known = watched.records[rule].as_ref().is_some_and(|r| r.state == State::Failed);
        // A repair that the host did not bear is made as soon as it does.
        let held = failed && known && watched.is_held(rule);
        if early && rate != Rate::ONCE && !held {
            return;
        }
        let sample = match failed {
            true if change::is_news(written) => Sample::changed(dialect),
            true => Sample::Failed,
            false => Sample::Held,
        };
        // What is known to fail, and seen again before its turn, is news only if something can be done about it now.
        if early && sample == Sample::Failed && known {
            let then = &written.fail.then;
            if !watched.may_act(then) || !self.would_repair(now, i, rule, then, out) {
                return;
            }
        }
        let watched = &mut self.services[i];
        let record = match &mut watched.records[rule] {
            Some(record) => record,
            None if failed => watched.records[rule].insert(Box::new(Record::new(now.stamp))),
            None => return,
        };
        let failed_since = record.since;
        let flawed = record.class;
        let step = match early && rate != Rate::ONCE {
            true => record.again(),
            false => record.sample(sample, &written.fail, &written.ok, now),
        };
        let (times, since) = (record.times, record.since);
        let lasting = if failed { written.fail.lasting } else { written.ok.lasting };
        if let Some(lasting) = lasting.filter(|_| record.lasted(now.moment) == Some(Duration::ZERO)) {
            // Asked again when that time is over, and not only at the turn after it.
            let at = now.moment + lasting;
            watched.recheck = Some(watched.recheck.map_or(at, |before| before.min(at)));
        }
        let own = class_in(&service.kind, &written.when);
        let name = service.name.clone();
        if step == Step::Quiet {
            return;
        }
        let flaw = if failed { sight::flaw(watched, rule).map(Flaw::class) } else { flawed };
        // Slow, and then not there at all, is not the same failure: whoever knows of the one does not know of the other.
        let turned = step == Step::StillFailing && flaw != flawed;
        let (step, times, since) = if turned { (Step::Fail, 1, now.stamp) } else { (step, times, since) };
        let record = watched.records[rule].as_mut().filter(|_| failed && step != Step::Doubt);
        if let Some(record) = record {
            if turned { record.turn(flaw, now.stamp) } else { record.class = flaw }
        }
        let class = flaw.unwrap_or(own);
        if turned {
            let before = flawed.unwrap_or(own);
            out.push(Effect::Remember(Remembered::Recovered { service: name.clone(), rule, class: before }));
            self.turns(now, i, rule, (before, flaw), failed_since, early, out);
        }
        let watched = &self.services[i];
        let tongue = Tongue { dialect, zone: &self.zone };
        let sight = sight::sight(watched, rule, tongue).unwrap_or_default();
        match step {
            Step::Quiet => {}
            Step::Doubt | Step::Fail | Step::StillFailing => {
                let failure = Failure {
                    rule,
                    class,
                    reason: sight.reason,
                    text: sight.text,
                    detail: sight.detail,
                    changed: change::is_news(written),
                    then: match doing(&written.fail, service.mode) {
                        Doing::Start if dialect == Dialect::Toml && watched.finds_up(&Then::Start) => {
                            Doing::Alert
                        }
                        then => then,
                    },
                    able: watched.able(&written.fail.then),
                    since,
                    times,
                    ending: if class == Class::NonExist { watched.last_ending() } else { None },
                    lived: if class == Class::NonExist { watched.lived(now.moment) } else { None },
                    compared: sight.compared,
                    dependants,
                };
                if step == Step::Doubt {
                    self.emit(now, i, Fact::Doubted(failure), out);
                    return;
                }
                if step == Step::Fail {
                    let condition = condition_name(&written.when);
                    let failed = Remembered::Failed { service: name, rule, class, since, condition };
                    out.push(Effect::Remember(failed));
                }
                self.react(now, i, rule, step, Fact::Failed(failure), early, out);
            }
            Step::Recover => {
                self.comes_back(i);
                let watched = &mut self.services[i];
                out.push(Effect::Remember(Remembered::Recovered { service: name, rule, class }));
                let recovery = Recovery {
                    rule,
                    class,
                    text: sight.text,
                    then: doing(&written.ok, service.mode),
                    since: failed_since,
                    done: watched.done.clone(),
                    ending: if class == Class::NonExist { watched.ending.as_deref().cloned() } else { None },
                    compared: sight.compared,
                };
                if (0..service.rules.len()).all(|r| !watched.fails(r)) {
                    watched.done.clear();
                }
                self.react(now, i, rule, step, Fact::Recovered(recovery), early, out);
            }
        }
    }

    /// What a rule failed of before is over, for it fails of something else now. Only where that is known is it good news.
    #[allow(clippy::too_many_arguments)] // one step of one rule, as in `react`
    fn turns(
        &mut self,
        now: Now,
        i: usize,
        rule: usize,
        (before, flaw): (Class, Option<Class>),
        since: Stamp,
        early: bool,
        out: &mut Out,
    ) {
        let watched = &self.services[i];
        // Of the time of an answer and of the certificate only the first that is wrong is told.
        let known = flaw.is_some() && before != Class::Timestamp;
        let (then, text) = match known {
            true => {
                let then = doing(&watched.service.rules[rule].ok, watched.service.mode);
                (then, sight::connection(watched, rule).unwrap_or_default())
            }
            false => (Doing::Nothing, "what was wrong before is not known any more".to_owned()),
        };
        let (done, ending, compared) = (watched.done.clone(), None, None);
        let fact =
            Fact::Recovered(Recovery { rule, class: before, text, then, since, done, ending, compared });
        match known {
            true => self.react(now, i, rule, Step::Recover, fact, early, out),
            false => drop(self.emit(now, i, fact, out)),
        }
    }

    /// Tells, and begins what the rule asks for. The act leaves before the telling.
    #[allow(clippy::too_many_arguments)] // one step of one rule: naming a struct for it would hide more than it shows
    fn react(&mut self, now: Now, i: usize, rule: usize, step: Step, fact: Fact, early: bool, out: &mut Out) {
        let event = self.note(now, i, fact);
        let tell = out.len();
        let watched = &mut self.services[i];
        let service = watched.service.clone();
        let recovery = step == Step::Recover;
        let branch = if recovery { &service.rules[rule].ok } else { &service.rules[rule].fail };
        let times = watched.records[rule].as_ref().map_or(1, |r| r.times);
        let fresh = step != Step::StillFailing;
        // What runs beside leaves before anything is done to the service itself.
        let first = branch.also.iter().zip(1..).chain([(&branch.then, 0)]);
        for (_, nth) in first.filter(|(then, _)| runs(then, fresh, times)) {
            self.send(now, i, (rule, recovery, nth), &event, out);
        }
        match &branch.then {
            Then::Unmonitor => self.unwatch_all(now, i, Some(&event), out),
            Then::Start | Then::Restart | Then::Stop => {
                self.repair(now, i, rule, &branch.then, &event, early, out);
            }
            _ => {}
        }
        // The event comes before what it led to, but after the act itself has left.
        let at =
            out[tell..].iter().position(|e| matches!(e, Effect::Emit(_))).map_or(out.len(), |p| tell + p);
        out.insert(at, Effect::Emit(event));
    }

    /// A rule wants the service started, restarted or stopped, now. Whether that is done is decided here alone.
    #[allow(clippy::too_many_arguments)] // one step of one rule, as in `react`
    fn repair(
        &mut self,
        now: Now,
        i: usize,
        rule: usize,
        then: &Then,
        event: &Event,
        early: bool,
        out: &mut Out,
    ) {
        let watched = &mut self.services[i];
        if self.ending || watched.task.is_some() {
            return;
        }
        if !watched.may_act(then) {
            // A repair that is not made, because of the mode or for want of a program, counts as one, and in Monit's
            // dialect so does a start of what is up.
            if *then != Then::Stop && (self.dialect == Dialect::Monit || !watched.finds_up(then)) {
                self.count_restart(i, out);
            }
            return;
        }
        if !self.permits(now, i, rule, then, event, early, out) {
            return;
        }
        self.services[i].acts(now.moment);
        if *then != Then::Stop {
            self.count_restart(i, out);
        }
        self.begin(now, i, shown(then, Mode::Active), because(event), event.clone(), None, out);
    }

    /// Makes those tests once more that have said the same for as long as their rules ask.
    pub(crate) fn ask_what_lasts(&mut self, now: Now, i: usize, out: &mut Out) {
        let watched = &self.services[i];
        if watched.task.is_some()
            || watched.watching == Watching::No
            || !watched.is_up()
            || self.rests(i, false)
        {
            return;
        }
        let lasted = |rule: &usize| {
            let Some(record) = &watched.records[*rule] else { return false };
            let written = &watched.service.rules[*rule];
            let branch = if record.state == State::Failed { &written.ok } else { &written.fail };
            branch.lasting.is_some_and(|time| record.lasted(now.moment).is_some_and(|lasted| lasted >= time))
        };
        let rules: Vec<usize> = watched.test_rules().filter(lasted).collect();
        for rule in rules {
            self.look(i, Part::Test(rule), true, out);
        }
    }

    /// A look ended without having seen anything, or sees again.
    pub(crate) fn could_not_look(
        &mut self,
        now: Now,
        i: usize,
        part: Part,
        why: Option<String>,
        out: &mut Out,
    ) {
        let Some(looks) = self.services[i].looks(part) else { return };
        match (looks.not_seen.clone(), why) {
            (None, Some(why)) => {
                looks.not_seen = Some(why.clone());
                self.emit(now, i, Fact::NotSeen { why }, out);
            }
            (Some(_), Some(why)) => looks.not_seen = Some(why),
            (Some(_), None) => {
                looks.not_seen = None;
                self.emit(now, i, Fact::Seen, out);
            }
            (None, None) => {}
        }
    }
}

/// Classes that fail now.
pub(crate) fn failing(watched: &Watched) -> Vec<Class> {
    let mut classes: Vec<Class> = watched.failures().map(|(_, class)| class).collect();
    if watched.subject.not_seen.is_some() || watched.tests.iter().flatten().any(|t| t.not_seen.is_some()) {
        classes.push(Class::Data);
    }
    classes.sort();
    classes.dedup();
    classes
}

/// The class of the events of a rule of a service of this kind: of a network interface, being there is having a link.
pub(crate) fn class_in(kind: &Kind, when: &Condition) -> Class {
    match (kind, class(when)) {
        (Kind::Network { .. }, Class::NonExist | Class::Exist) => Class::Link,
        (_, class) => class,
    }
}

/// The class of the events of a rule, whatever it is about.
pub(crate) fn class(when: &Condition) -> Class {
    match when {
        Condition::Missing => Class::NonExist,
        Condition::Exists => Class::Exist,
        Condition::WrongType => Class::Invalid,
        Condition::Restarts { .. } => Class::Timeout,
        Condition::Test { test: Test::Ping(_), .. } => Class::Icmp,
        Condition::Test { .. } => Class::Connection,
        Condition::Compare { metric, .. } => class_of(metric).unwrap_or(Class::Resource),
        Condition::Changed { metric, .. } => class_of(metric).unwrap_or(Class::Status),
        Condition::Differs { metric } => class_of(metric).unwrap_or(Class::Checksum),
        Condition::Matches { metric, .. } => class_of(metric).unwrap_or(Class::Content),
        Condition::Content { .. } => Class::Content,
        _ => Class::Resource,
    }
}

/// The class of whatever is said of this metric, where it has one of its own.
fn class_of(metric: &str) -> Option<Class> {
    use metrics as m;
    let classes = [
        (m::PID, Class::Pid),
        (m::PPID, Class::PPid),
        (m::UID, Class::Uid),
        (m::EUID, Class::Uid),
        (m::GID, Class::Gid),
        (m::SECURITY, Class::Invalid),
        (m::SIZE, Class::Size),
        (m::PERMISSION, Class::Permission),
        (m::UPTIME, Class::Uptime),
        (m::LINKS, Class::Resource),
        (m::ACCESS_TIME, Class::Timestamp),
        (m::CHANGE_TIME, Class::Timestamp),
        (m::MODIFY_TIME, Class::Timestamp),
        (m::TIMESTAMP, Class::Timestamp),
        (m::ACCESS_AGE, Class::Timestamp),
        (m::CHANGE_AGE, Class::Timestamp),
        (m::MODIFY_AGE, Class::Timestamp),
        (m::TIMESTAMP_AGE, Class::Timestamp),
        (m::CHECKSUM_MD5, Class::Checksum),
        (m::CHECKSUM_SHA1, Class::Checksum),
        (m::CHECKSUM_SHA256, Class::Checksum),
        (m::FILESYSTEM_FLAGS, Class::FsFlag),
        (m::LINK_CAPACITY, Class::Speed),
        (m::LINK_SPEED, Class::Speed),
        (m::LINK_DUPLEX, Class::Speed),
        (m::SATURATION, Class::Saturation),
        (m::UPLOAD_SATURATION, Class::Saturation),
        (m::DOWNLOAD_SATURATION, Class::Saturation),
        (m::UPLOAD_ERRORS, Class::Link),
        (m::UPLOAD_ERRORS_RATE, Class::Link),
        (m::UPLOAD_DROPPED, Class::Link),
        (m::UPLOAD_DROPPED_RATE, Class::Link),
        (m::DOWNLOAD_ERRORS, Class::Link),
        (m::DOWNLOAD_ERRORS_RATE, Class::Link),
        (m::DOWNLOAD_DROPPED, Class::Link),
        (m::DOWNLOAD_DROPPED_RATE, Class::Link),
        (m::UPLOAD_RATE, Class::ByteOut),
        (m::UPLOAD_BYTES, Class::ByteOut),
        (m::UPLOAD_PACKETS, Class::PacketOut),
        (m::UPLOAD_PACKETS_RATE, Class::PacketOut),
        (m::DOWNLOAD_RATE, Class::ByteIn),
        (m::DOWNLOAD_BYTES, Class::ByteIn),
        (m::DOWNLOAD_PACKETS, Class::PacketIn),
        (m::DOWNLOAD_PACKETS_RATE, Class::PacketIn),
        (m::EXIT_STATUS, Class::Status),
        (m::EXIT_SIGNAL, Class::Status),
        (m::EXIT_REASON, Class::Status),
        (m::RUN_ERROR, Class::Status),
        (m::PLUGIN_STATE, Class::Status),
        (m::OUTPUT, Class::Content),
    ];
    let known = classes.into_iter().find(|(of, _)| *of.name == *metric).map(|(_, class)| class);
    known.or_else(|| {
        Some(match Total::parse(metric)?.of {
            Traffic::UploadBytes => Class::ByteOut,
            Traffic::UploadPackets => Class::PacketOut,
            Traffic::DownloadBytes => Class::ByteIn,
            Traffic::DownloadPackets => Class::PacketIn,
        })
    })
}

/// Whether a part of a branch is a program or an action that runs now: at the beginning, and again where that is asked for.
fn runs(then: &Then, fresh: bool, times: u32) -> bool {
    match then {
        Then::Exec { repeat, .. } => fresh || repeat.is_some_and(|n| n > 0 && times.is_multiple_of(n)),
        Then::Custom(_) => fresh,
        _ => false,
    }
}

/// What is told of a branch: what is done to the service, or else the first that runs beside.
pub(crate) fn doing(branch: &Branch, mode: Mode) -> Doing {
    match (shown(&branch.then, mode), branch.also.first()) {
        (Doing::Alert, Some(first)) => shown(first, mode),
        (doing, _) => doing,
    }
}

/// What is told of one of its parts: a passive service is not repaired, only told about.
pub(crate) fn shown(then: &Then, mode: Mode) -> Doing {
    let active = mode == Mode::Active;
    match then {
        Then::Nothing => Doing::Nothing,
        Then::Start if active => Doing::Start,
        Then::Stop if active => Doing::Stop,
        Then::Restart if active => Doing::Restart,
        Then::Unmonitor => Doing::Unmonitor,
        Then::Exec { .. } => Doing::Exec,
        Then::Custom(name) => Doing::Custom(name.clone()),
        _ => Doing::Alert,
    }
}

/// Why a rule has ended the watching of a service, its own or of what that depends on, and what to do next.
pub(crate) fn given_up(service: &str, event: &Event, then: &Doing) -> String {
    let text = match &event.fact {
        Fact::Failed(failure) => failure.text.clone(),
        Fact::Recovered(recovery) => recovery.text.clone(),
        _ => event.description(),
    };
    let text = match *event.service == *service {
        true => text,
        false => format!("went with {}, which it depends on: {text}", event.service),
    };
    // A start of those that went with it starts it as well; a start of it would leave them where they are.
    let with_it: &[_] = match &event.fact {
        Fact::Failed(failure) if *event.service == *service => &failure.dependants,
        _ => &[],
    };
    match wording::given_up(then, service) {
        Some(_) if !with_it.is_empty() => {
            let words: Vec<_> = with_it.iter().map(|name| wording::word(name)).collect();
            format!(
                "{text} -- nobody looks at it any more, nor at those that depend on it: {}; {}; once it is mended, to \
                 bring back all of them: hinoban start {}",
                with_it.join(", "),
                wording::happened(service),
                words.join(" ")
            )
        }
        Some(next) => format!("{text} -- {next}"),
        None => text,
    }
}

fn because(event: &Event) -> Because {
    Because::Rule { text: event.description() }
}
