//! A scenario, as it is written: sections whose lines are indented.

use std::sync::Arc;
use std::time::Duration;

use hinoban_config::{Config, NoSurroundings, toml};

use crate::clock::{self, When};
use crate::happening::Happening;

/// What a scenario says.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) config: Arc<Config>,
    /// The configuration that a reload brings.
    pub(crate) later: Option<Arc<Config>>,
    /// In the order of time.
    pub(crate) happens: Vec<(Duration, Happening)>,
    pub(crate) until: Duration,
    /// As written; what comes again and again stands where its time puts it.
    pub(crate) expected: Vec<(When, String)>,
    /// How each service stands at the end, in the order of the configuration.
    pub(crate) finally: Vec<String>,
}

/// One section: its head, the number of its first line, and its lines.
struct Section<'a> {
    head: &'a str,
    first: usize,
    lines: Vec<&'a str>,
}

impl<'a> Section<'a> {
    /// The lines that say something, without their indentation, each with its number.
    fn said(&self) -> impl Iterator<Item = (usize, &'a str)> {
        let numbered = self.lines.iter().enumerate().map(|(at, line)| (self.first + at, line.trim()));
        numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
    }
}

impl Script {
    /// Reads it, or gives every mistake, with the number of its line.
    pub(crate) fn read(text: &str) -> Result<Self, Vec<String>> {
        let mut reader = Reader::default();
        for section in reader.sections(text) {
            reader.section(&section);
        }
        let Reader { config, later, mut happens, until, mut expected, repeated, finally, mut mistakes } =
            reader;
        for (missing, head) in [
            (config.is_none(), "toml:` or `control file:"),
            (until.is_none(), "happens:` with a line `until …"),
            (finally.is_empty(), "at the end:"),
        ] {
            mistakes.extend(missing.then(|| format!("there is no section `{head}`")));
        }
        let (Some(config), Some(until), true) = (config, until, mistakes.is_empty()) else {
            return Err(mistakes);
        };
        for (line, at, happening) in &happens {
            mistakes.extend((*at > until).then(|| format!("line {line}: it comes after the end")));
            let known = |name: &&&String| !config_of(&config, &later).any(|service| service == name.as_str());
            mistakes.extend(
                happening
                    .services()
                    .iter()
                    .filter(known)
                    .map(|name| format!("line {line}: there is no service `{name}`")),
            );
            let later_one = matches!(happening, Happening::Reload) && later.is_none();
            mistakes.extend(
                later_one.then(|| {
                    format!("line {line}: there is no section `later toml:` or `later control file:`")
                }),
            );
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        happens.sort_by_key(|(_, at, _)| *at);
        for (when, what) in repeated {
            let behind = expected.iter().rposition(|(before, _): &(When, String)| before.first <= when.first);
            expected.insert(behind.map_or(0, |at| at + 1), (when, what));
        }
        let happens = happens.into_iter().map(|(_, at, happening)| (at, happening)).collect();
        Ok(Self { config, later, happens, until, expected, finally })
    }
}

fn config_of<'a>(config: &'a Config, later: &'a Option<Arc<Config>>) -> impl Iterator<Item = &'a str> {
    let both = config.services.iter().chain(later.iter().flat_map(|later| &later.services));
    both.map(|service| service.name.as_str())
}

#[derive(Default)]
struct Reader {
    config: Option<Arc<Config>>,
    later: Option<Arc<Config>>,
    happens: Vec<(usize, Duration, Happening)>,
    until: Option<Duration>,
    expected: Vec<(When, String)>,
    /// What comes again and again, to be put between those.
    repeated: Vec<(When, String)>,
    finally: Vec<String>,
    mistakes: Vec<String>,
}

impl Reader {
    fn sections<'a>(&mut self, text: &'a str) -> Vec<Section<'a>> {
        let mut sections: Vec<Section<'a>> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let inside = line.is_empty() || line.starts_with(' ');
            match sections.last_mut() {
                _ if line.starts_with('#') => {}
                Some(section) if inside => section.lines.push(line),
                None if line.is_empty() => {}
                _ if inside => self.mistakes.push(format!("line {}: it stands in no section", at + 1)),
                _ => sections.push(Section { head: line, first: at + 2, lines: Vec::new() }),
            }
        }
        sections
    }

    fn section(&mut self, section: &Section<'_>) {
        match section.head {
            "toml:" => self.config = self.config(section, false),
            "control file:" => self.config = self.config(section, true),
            "later toml:" => self.later = self.config(section, false),
            "later control file:" => self.later = self.config(section, true),
            "happens:" => {
                for (number, line) in section.said() {
                    if let Err(mistake) = self.happening(number, line) {
                        self.mistakes.push(format!("line {number}: {mistake}"));
                    }
                }
            }
            "expected:" => {
                for (number, line) in section.said() {
                    if let Err(mistake) = self.expectation(line) {
                        self.mistakes.push(format!("line {number}: {mistake}"));
                    }
                }
            }
            "at the end:" => self.finally = section.said().map(|(_, line)| line.to_owned()).collect(),
            head => self.mistakes.push(format!("line {}: no section is called `{head}`", section.first - 1)),
        }
    }

    fn config(&mut self, section: &Section<'_>, control_file: bool) -> Option<Arc<Config>> {
        let lines = section.lines.iter().map(|line| line.strip_prefix("    ").unwrap_or(line));
        // Its lines have the numbers of the scenario.
        let text = "\n".repeat(section.first - 1) + &lines.collect::<Vec<_>>().join("\n");
        let read = match control_file {
            true => hinoban_monitrc::parse("/scenario".as_ref(), &text, &NoSurroundings),
            false => toml::parse("/scenario".as_ref(), &text, &NoSurroundings),
        };
        match read {
            Ok(loaded) => return Some(Arc::new(loaded.config)),
            Err(mistakes) => self.mistakes.push(mistakes.to_string()),
        }
        None
    }

    fn happening(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some(time) = line.strip_prefix("until ") {
            self.until = Some(clock::read(time)?);
            return Ok(());
        }
        let (when, what) = line.split_once(": ").ok_or("it has no `: ` behind its time")?;
        if let Some((from, to)) = when.strip_prefix("from ").and_then(|times| times.split_once(" to ")) {
            let happening = Happening::read(what)?;
            let end = happening.end().ok_or_else(|| format!("`{what}` has no end; write `at`"))?;
            self.happens.push((number, clock::read(from)?, happening));
            self.happens.push((number, clock::read(to)?, end));
            return Ok(());
        }
        let times =
            when.strip_prefix("at ").ok_or_else(|| format!("`{when}` is no time; write `at {when}`"))?;
        for time in times.split(", ") {
            self.happens.push((number, clock::read(time)?, Happening::read(what)?));
        }
        Ok(())
    }

    fn expectation(&mut self, line: &str) -> Result<(), String> {
        let (when, what) = line.split_once(": ").ok_or("it has no `: ` behind its time")?;
        let Some((every, range)) = when.strip_prefix("every ").and_then(|when| when.split_once(" from "))
        else {
            self.expected.push((When::read(when)?, what.to_owned()));
            return Ok(());
        };
        let (from, to) = range.split_once(" to ").ok_or("write `every 1m from 1m to 5m`")?;
        let (every, mut at, to) = (clock::read(every)?, clock::read(from)?, clock::read(to)?);
        if every.is_zero() {
            return Err("no time passes between one and the next".to_owned());
        }
        while at <= to {
            self.repeated.push((When { first: at, last: at }, what.to_owned()));
            at += every;
        }
        Ok(())
    }
}
