//! Who saw what, and when: troubles of each service, as we and as Monit noticed them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hinoban::event::{Event, Fact};
use hinoban::reading::Stamp;
use hinoban_web::client::Standing;

/// Something that happened, for the list.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) at: Stamp,
    pub(super) service: String,
    /// `here` or `Monit`.
    pub(super) who: &'static str,
    pub(super) text: String,
}

/// A trouble of a service.
#[derive(Debug, Default)]
struct Trouble {
    ours: Option<Stamp>,
    theirs: Option<Stamp>,
    /// It stood when the watching began: nobody was first.
    stood: bool,
    /// It is over for us, and for Monit.
    over: (bool, bool),
}

#[derive(Debug, Default)]
struct Book {
    seen: Option<Standing>,
    /// The process that Monit had seen last.
    seen_pid: Option<u64>,
    /// Rules of ours that fail.
    failing: BTreeSet<usize>,
    troubles: Vec<Trouble>,
}

/// What was noticed so far.
#[derive(Debug, Default)]
pub(super) struct Account(BTreeMap<String, Book>);

/// A trouble that was over for one of us so long ago is not what the other notices now.
const APART: Duration = Duration::from_secs(120);

impl Book {
    /// The trouble that goes on, or that `theirs` or we have yet to notice; a new one if there is none.
    fn trouble(&mut self, at: Stamp, theirs: bool) -> &mut Trouble {
        let apart = |a: Stamp, b: Stamp| a.since(b).max(b.since(a)) > APART;
        let fits = |trouble: &Trouble| {
            let (mine, other) = match theirs {
                true => (trouble.theirs, trouble.ours),
                false => (trouble.ours, trouble.theirs),
            };
            let over = if theirs { trouble.over.1 } else { trouble.over.0 };
            match (mine, other) {
                (Some(_), _) => !over,
                (None, Some(other)) => trouble.over == (false, false) || !apart(other, at),
                (None, None) => false,
            }
        };
        let found = self.troubles.iter().rposition(fits);
        let place = found.unwrap_or_else(|| {
            self.troubles.push(Trouble::default());
            self.troubles.len() - 1
        });
        &mut self.troubles[place]
    }
}

impl Account {
    /// Whether Monit watches this service, as far as it was asked.
    fn watched(&self, service: &str) -> bool {
        self.0.get(service).and_then(|book| book.seen.as_ref()).is_some_and(|seen| seen.monitor != 0)
    }

    /// Takes down what we noticed; what is worth a row of it. `would` says what a rule asks for.
    pub(super) fn ours(&mut self, event: &Event, would: impl Fn(usize) -> String) -> Option<Row> {
        if !self.watched(&event.service) {
            return None;
        }
        let row = |text| Some(Row { at: event.at, service: event.service.to_string(), who: "here", text });
        let book = self.0.entry(event.service.to_string()).or_default();
        match &event.fact {
            Fact::Failed(failure) if failure.times <= 1 || failure.changed => {
                let trouble = book.trouble(event.at, false);
                trouble.ours.get_or_insert(event.at);
                trouble.over.0 = failure.changed;
                if !failure.changed {
                    book.failing.insert(failure.rule);
                }
                row(format!("{}: {}", failure.text, would(failure.rule)))
            }
            Fact::Recovered(recovery) => {
                book.failing.remove(&recovery.rule);
                if book.failing.is_empty() {
                    for trouble in book.troubles.iter_mut().filter(|trouble| trouble.ours.is_some()) {
                        trouble.over.0 = true;
                    }
                }
                row(recovery.text.clone())
            }
            Fact::NotSeen { why } => row(format!("could not look: {why}")),
            _ => None,
        }
    }

    /// Takes down how services stand with Monit; what is worth a row of it. `first`: when the watching begins.
    pub(super) fn theirs(&mut self, standings: Vec<Standing>, first: bool) -> Vec<Row> {
        let mut rows = Vec::new();
        for now in standings {
            let book = self.0.entry(now.name.clone()).or_default();
            let at = Stamp::from_micros(now.collected);
            let mut say = |text: String| {
                rows.push(Row { at, service: now.name.clone(), who: "Monit", text });
            };
            let Some(before) = book.seen.replace(now.clone()) else {
                if now.monitor == 0 {
                    say("does not watch it: left out until it does".to_owned());
                } else if now.status != 0 {
                    say(format!("says that it is not well (status {})", now.status));
                    let trouble = book.trouble(at, true);
                    (trouble.theirs, trouble.stood) = (Some(at), first);
                }
                continue;
            };
            if (before.monitor == 0) != (now.monitor == 0) {
                say(if now.monitor == 0 { "watches it no more" } else { "watches it again" }.to_owned());
            }
            let fell = before.status == 0 && now.status != 0;
            if fell {
                say(format!("says that it is not well (status {})", now.status));
                book.trouble(at, true).theirs.get_or_insert(at);
            }
            let known = book.seen_pid.take();
            book.seen_pid = now.pid.or(before.pid).or(known);
            if let (Some(old), Some(new)) = (before.pid.or(known), now.pid)
                && old != new
            {
                say(format!("started it again: pid {old} became {new}"));
                let trouble = book.trouble(at, true);
                trouble.theirs.get_or_insert(at);
                trouble.over.1 = now.status == 0;
            }
            if before.status != 0 && now.status == 0 {
                if now.monitor != 0 {
                    say("says that it is well".to_owned());
                }
                for trouble in book.troubles.iter_mut().filter(|trouble| trouble.theirs.is_some()) {
                    trouble.over.1 = true;
                }
            }
        }
        rows
    }

    /// The table at the end. Services that had no trouble are counted, not listed.
    pub(super) fn summary(&self) -> String {
        let mut out = String::new();
        let (mut well, mut leads) = (0, Vec::new());
        for (name, book) in &self.0 {
            let troubles = &book.troubles;
            if troubles.is_empty() {
                well += 1;
                continue;
            }
            let both: Vec<_> = troubles.iter().filter(|t| t.ours.is_some() && t.theirs.is_some()).collect();
            let count = |so: fn(&Trouble) -> bool| troubles.iter().filter(|t| so(t)).count();
            let ours = count(|t| t.theirs.is_none());
            let theirs = count(|t| t.ours.is_none());
            let own: Vec<f64> = both
                .iter()
                .filter(|trouble| !trouble.stood)
                .filter_map(|t| Some((t.theirs?.micros() - t.ours?.micros()) as f64 / 1e6))
                .collect();
            let lead = match mean(&own) {
                Some(mean) => format!("{mean:+.3} s"),
                None => "-".to_owned(),
            };
            leads.extend(own);
            out += &format!("{name:<31} {:>8} {ours:>8} {theirs:>10} {lead:>14}\n", both.len());
        }
        let head = format!(
            "{:<31} {:>8} {:>8} {:>10} {:>14}\n",
            "Service", "Both saw", "Only we", "Only Monit", "We were ahead"
        );
        let table = if out.is_empty() { String::new() } else { head + &out };
        let mean = mean(&leads)
            .map(|mean| format!("; where both saw it, we were {mean:+.3} s ahead of Monit on average"));
        format!("{table}{well} services had no trouble{}\n", mean.unwrap_or_default())
    }
}

fn mean(all: &[f64]) -> Option<f64> {
    (!all.is_empty()).then(|| all.iter().sum::<f64>() / all.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: f64, status: u64, monitor: u64, pid: Option<u64>) -> Vec<Standing> {
        let mut standing = Standing::default();
        (standing.name, standing.collected) = ("web".to_owned(), (at * 1e6) as i64);
        (standing.status, standing.monitor, standing.pid) = (status, monitor, pid);
        vec![standing]
    }

    fn event(at: f64, json: &str) -> Event {
        let text =
            format!("{{\"id\": 1, \"at\": {}, \"service\": \"web\", \"fact\": {json}}}", (at * 1e6) as i64);
        serde_json::from_str(&text).unwrap()
    }

    fn failed(at: f64) -> Event {
        event(
            at,
            r#"{ "failed": { "rule": 0, "class": "nonexist", "reason": null, "text": "process is not running",
               "detail": null, "then": "alert", "able": false, "since": 0, "times": 1, "ending": null, "lived": null,
               "compared": null } }"#,
        )
    }

    fn recovered(at: f64) -> Event {
        event(
            at,
            r#"{ "recovered": { "rule": 0, "class": "nonexist", "text": "process is running", "detail": null,
               "then": "alert", "done": [], "since": 0, "ending": null, "compared": null } }"#,
        )
    }

    fn would(_: usize) -> String {
        "would restart it".to_owned()
    }

    #[test]
    fn a_death_that_both_see_is_one_trouble_and_the_head_start_is_counted() {
        let mut account = Account::default();
        assert_eq!(account.theirs(seen(100.0, 0, 1, Some(7)), true), []);
        let row = account.ours(&failed(103.12), would).unwrap();
        assert_eq!((row.who, row.text.as_str()), ("here", "process is not running: would restart it"));
        // Restarted between two questions: nothing shows but the new process.
        account.ours(&recovered(131.5), would).unwrap();
        let rows = account.theirs(seen(131.62, 0, 1, Some(9)), false);
        assert_eq!(rows[0].text, "started it again: pid 7 became 9");
        let summary = account.summary();
        assert!(summary.contains("+28.500 s"), "{summary}");
        let line: Vec<_> = summary.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(line, ["web", "1", "0", "0", "+28.500", "s"]);
    }

    #[test]
    fn what_one_alone_saw_is_counted_apart() {
        let mut account = Account::default();
        account.theirs(seen(100.0, 0, 1, Some(7)), true);
        account.ours(&failed(101.0), would).unwrap();
        account.ours(&recovered(102.0), would).unwrap();
        account.theirs(seen(700.0, 32, 1, Some(7)), false);
        account.theirs(seen(701.0, 0, 1, Some(7)), false);
        let summary = account.summary();
        let line: Vec<_> = summary.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(line, ["web", "0", "1", "1", "-"], "{summary}");
    }

    #[test]
    fn a_process_that_is_gone_for_a_while_is_started_once() {
        let mut account = Account::default();
        account.theirs(seen(100.0, 0, 1, Some(7)), true);
        account.ours(&failed(101.0), would).unwrap();
        assert_eq!(account.theirs(seen(105.0, 512, 1, None), false).len(), 1);
        assert_eq!(account.theirs(seen(110.0, 512, 1, None), false), []);
        let rows = account.theirs(seen(115.0, 0, 1, Some(8)), false);
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert!(account.summary().contains("+4.000 s"), "{}", account.summary());
    }

    #[test]
    fn what_monit_does_not_watch_is_left_out() {
        let mut account = Account::default();
        assert_eq!(
            account.theirs(seen(100.0, 0, 0, None), true)[0].text,
            "does not watch it: left out until it does"
        );
        assert_eq!(account.ours(&failed(101.0), would), None);
        assert_eq!(account.theirs(seen(102.0, 0, 1, None), false)[0].text, "watches it again");
        assert!(account.ours(&failed(103.0), would).is_some());
    }

    #[test]
    fn what_stood_at_the_beginning_is_nobodys_head_start() {
        let mut account = Account::default();
        account.theirs(seen(90.0, 32, 1, Some(7)), true);
        account.ours(&failed(100.0), would).unwrap();
        let summary = account.summary();
        assert!(summary.contains("web") && !summary.contains(" s ahead"), "{summary}");
    }
}
