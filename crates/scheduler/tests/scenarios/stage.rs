//! Plays a scenario on the simulated host.

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Config, Kind, Service};
use hinoban_event::Doing;
use hinoban_scheduler::sim::World;
use hinoban_scheduler::{ServiceView, Watching};

use crate::happening::{Happening, Manner};
use crate::script::Script;
use crate::timetable::{self, Timetable};

/// The host, and what has been noted of it.
struct Stage<'a> {
    script: &'a Script,
    world: World,
    /// The configuration in force.
    config: Arc<Config>,
    deeds: Vec<(Duration, String)>,
    /// How far the wall clock runs ahead from which event on.
    skews: Vec<(usize, i64)>,
    /// What services read before they read something else.
    before: Vec<(String, Manner)>,
    /// What an orderly end left half done.
    left: Vec<(Duration, String)>,
}

/// Plays it, and gives what came of it.
pub(crate) fn play(script: &Script) -> Timetable {
    let config = script.config.clone();
    let world = World::new(&config, Duration::ZERO);
    let mut stage = Stage {
        script,
        world,
        config,
        deeds: Vec::new(),
        skews: Vec::new(),
        before: Vec::new(),
        left: Vec::new(),
    };
    for (at, happening) in &script.happens {
        stage.run(*at);
        stage.happens(happening);
    }
    stage.run(script.until);
    let Stage { world, deeds, skews, left, .. } = stage;
    let mut lines = timetable::joined(&world.events, deeds, &skews);
    for (time, line) in left {
        let at = lines.iter().position(|(when, _)| *when > time).unwrap_or(lines.len());
        lines.insert(at, (time, line));
    }
    let views = world.scheduler.view();
    let of_interest = views.iter().filter(|view| !matches!(view.kind, Kind::System));
    Timetable { lines, finally: of_interest.map(|view| stands(&world, view)).collect() }
}

impl Stage<'_> {
    /// Until this time, counted from the beginning.
    fn run(&mut self, until: Duration) {
        let now = self.world.now().elapsed();
        self.world.run(until.checked_sub(now).unwrap());
        // While the configuration is the one under which they were done.
        let new = &self.world.deeds[self.deeds.len()..];
        let service = |name: &str| -> Option<&Service> {
            self.config.services.iter().find(|s| s.name == name).map(AsRef::as_ref)
        };
        let lines = new.iter().map(|deed| {
            (deed.at.elapsed(), timetable::deed(&deed.service, service(&deed.service), &deed.act))
        });
        self.deeds.extend(lines.collect::<Vec<_>>());
    }

    fn happens(&mut self, happening: &Happening) {
        let world = &mut self.world;
        match happening {
            Happening::Lives(names) => names.iter().for_each(|name| world.appear(name)),
            Happening::Ends(name, how) => world.end(name, how.clone()),
            Happening::Behaves(names, manner) => names.iter().for_each(|name| {
                self.before.extend(before(world, name, manner));
                manner.of(world.of(name), true);
            }),
            Happening::Recovers(names, manner) => names.iter().for_each(|name| {
                manner.of(world.of(name), false);
                let same =
                    |(whose, what): &(String, Manner)| whose == name && what.reading() == manner.reading();
                if let Some(at) = self.before.iter().rposition(same) {
                    let (_, reading) = self.before.remove(at);
                    reading.of(world.of(name), true);
                }
            }),
            Happening::Asks(doing, Some(name)) => world.command(name, doing.clone()),
            Happening::Asks(doing, None) => self.all(doing),
            Happening::Crash => world.crash(&self.config),
            Happening::Boot => world.reboot(&self.config),
            Happening::End => world.scheduler.end(),
            Happening::EndAndStart => {
                let at = world.now().elapsed();
                let under_way = world.scheduler.under_way().then(|| "a program still runs".to_owned());
                let left = world.scheduler.halfway().into_iter().chain(under_way);
                self.left.extend(left.map(|sentence| (at, format!("left: {sentence}"))));
                world.crash(&self.config);
            }
            Happening::Reload => {
                self.config = self.script.later.clone().unwrap();
                world.reload(&self.config);
            }
            Happening::Clock(by) => {
                let skew = self.skews.last().map_or(0, |(_, skew)| *skew) + by;
                self.skews.push((world.events.len(), skew));
                world.set_clock(*by);
            }
        }
    }

    /// As whoever asks for all of them does.
    fn all(&mut self, doing: &Doing) {
        let ids = self.world.scheduler.services().map(|(id, _)| id).collect();
        for id in self.world.scheduler.in_order(ids, doing) {
            let name = self.world.scheduler.service(id).unwrap().name.clone();
            self.world.command(&name, doing.clone());
        }
    }
}

/// What a service reads now that is to read something else.
fn before(world: &mut World, name: &str, manner: &Manner) -> Option<(String, Manner)> {
    let metric = manner.reading()?;
    let (metric, value) = world.of(name).reads.iter().find(|(known, _)| known.name == metric)?.clone();
    Some((name.to_owned(), Manner::Reads(metric, value)))
}

/// How a service stands.
fn stands(world: &World, view: &ServiceView) -> String {
    let lives = match view.kind {
        Kind::Host { .. } => String::new(),
        _ if world.lives(&view.name) => " lives,".to_owned(),
        _ => " is gone,".to_owned(),
    };
    let watched = match view.watching {
        Watching::No => "not watched",
        Watching::Initializing => "not yet looked at",
        Watching::Yes if view.waiting => "waiting for its turn",
        Watching::Yes => "watched",
    };
    let sep = if lives.is_empty() { "," } else { "" };
    format!("{}{lives}{sep} {watched}", view.name)
}
