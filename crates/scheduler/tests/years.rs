//! Years of troubles, made up from seeds: whatever happens, in whatever order, what must never happen does not, and what
//! must happen does. And every kind of input has met every state that it can meet.
//!
//! `HINOBAN_SIM_INPUTS` says how many inputs the machine is to have at least, and `HINOBAN_SIM_SEED` where to begin.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use hinoban_scheduler::sim::{Meets, Script, Situation, Visits};

/// As many as a change must pass.
const INPUTS: u64 = 3_000_000;

/// Within so many each combination is to be seen, be it ever so rare.
const LONG: u64 = 1_000_000_000;

/// So many scripts that break something are enough to look at.
const ENOUGH: usize = 40;

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.replace('_', "").parse().unwrap())
}

#[test]
fn whatever_happens_what_must_hold_holds() {
    let (wanted, first) = (number("HINOBAN_SIM_INPUTS", INPUTS), number("HINOBAN_SIM_SEED", 1));
    let (next, inputs) = (AtomicU64::new(first), AtomicU64::new(0));
    let broken = Mutex::new(BTreeMap::<&'static str, Vec<u64>>::new());
    let visits = Mutex::new(Visits::new());
    let enough = || broken.lock().unwrap().values().map(Vec::len).sum::<usize>() >= ENOUGH;
    let work = || {
        while inputs.load(Ordering::Relaxed) < wanted && !enough() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let outcome = Script::of(seed).play(false);
            inputs.fetch_add(outcome.inputs.max(1), Ordering::Relaxed);
            let mut visits = visits.lock().unwrap();
            outcome.visits.into_iter().for_each(|(key, n)| *visits.entry(key).or_default() += n);
            if let Some(what) = outcome.broken {
                broken.lock().unwrap().entry(what.invariant).or_default().push(seed);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let seeds = next.load(Ordering::Relaxed) - first;
    println!("{} inputs in {seeds} trials, from seed {first}", inputs.load(Ordering::Relaxed));
    let mut broken = broken.into_inner().unwrap();
    broken.values_mut().for_each(|seeds| seeds.sort());
    let visits = visits.into_inner().unwrap();
    show(&visits);
    if let Some((_, seeds)) = broken.iter().min_by_key(|(_, seeds)| seeds[0]) {
        let script = Script::of(seeds[0]).minimal();
        let outcome = script.play(true);
        println!("{script}");
        outcome.timeline.iter().for_each(|line| println!("{line}"));
        println!("{:#?}", outcome.broken);
        panic!("does not hold, with the seeds: {broken:#?}");
    }
    let seen = |at: &(Situation, Meets)| visits.contains_key(at);
    let all = Situation::ALL.iter().flat_map(|s| Meets::ALL.iter().map(move |m| (*s, *m)));
    let (mut missed, mut met) = (Vec::new(), Vec::new());
    for at in all.filter(|at| !once_in_a_life(*at)) {
        match (seen(&at), cannot(at)) {
            (false, None) => missed.push(at),
            (true, Some(why)) => met.push((at, why)),
            _ => {}
        }
    }
    assert!(met.is_empty(), "cannot be, and were: {met:#?}");
    let (rare, missed): (Vec<_>, Vec<_>) = missed.into_iter().partition(|at| rare(*at));
    println!("{} of them are rare, and have not been seen this time: {rare:?}", rare.len());
    assert!(missed.is_empty() || wanted < INPUTS, "never seen: {missed:?}");
    assert!(rare.is_empty() || wanted < LONG, "never seen: {rare:?}");
}

/// How often each input met each situation; `-`: it cannot.
fn show(visits: &Visits) {
    print!("{:>15}", "");
    Situation::ALL.iter().for_each(|s| print!("{:>13}", s.word()));
    println!();
    for meets in Meets::ALL {
        print!("{:>15}", meets.word());
        for situation in Situation::ALL {
            let at = (*situation, *meets);
            match visits.get(&at) {
                Some(n) => print!("{n:>13}"),
                None => print!("{:>13}", if cannot(at).is_some() { "-" } else { "never" }),
            }
        }
        println!();
    }
}

/// Why an input cannot meet a situation, if it cannot.
fn cannot((situation, meets): (Situation, Meets)) -> Option<&'static str> {
    use Meets::*;
    use Situation::*;
    let runs = matches!(situation, Starting | Stopping | Restarting | Leaving);
    let command = matches!(meets, Meets::Start | Stop | Meets::Restart | Monitor | Unmonitor);
    let looked = matches!(meets, SeenUp | SeenDown | SeenAbsent | Unable);
    let tested = matches!(meets, TestPasses | TestFails | TestUnable);
    match (situation, meets) {
        (_, Ran | TimedOut | NotRun) if !runs => Some("only a program that runs can end"),
        (Leaving, _) if command => Some("nobody sees it any more"),
        (Leaving, _) if tested => Some("its rules are judged no more"),
        (NotWatched | Leaving, ItsTurn) => Some("what is not watched has no turn"),
        (NotWatched, _) if looked || tested => {
            Some("what is asked before the watching ends is stale after it")
        }
        _ => None,
    }
}

/// Whether an input can meet a situation, but so rarely that nobody waits for it.
fn once_in_a_life(at: (Situation, Meets)) -> bool {
    // A reload has made a file of a process while that was to appear, or to go.
    matches!(at, (Situation::AwaitUp | Situation::AwaitDown, Meets::SeenAbsent))
}

/// Whether it takes longer than the default run until an input meets this situation.
fn rare((situation, meets): (Situation, Meets)) -> bool {
    use Meets::*;
    use Situation::*;
    let blind = matches!(meets, Unable | TestUnable | Stale);
    let once = matches!(meets, NoIntent | WakeAll | ClockJumped | Reloaded | Ended | ErrandOver | Woken);
    let busy =
        matches!(situation, Peeking | Clearing | Starting | Stopping | Restarting | AwaitUp | AwaitDown);
    let tested = matches!(meets, TestPasses | TestFails | TestUnable);
    let odd = matches!(meets, TimedOut | NotRun | SeenAbsent | SeenUp | SeenDown);
    let command = matches!(meets, Meets::Start | Stop | Meets::Restart | Monitor | Unmonitor);
    match situation {
        Leaving => true,
        Unseen => meets == Stale,
        Budget => meets != ItsTurn && meets != OtherTick,
        GivenUp | Pausing | Resting | Held | Initializing => blind || once || tested || command || odd,
        _ => busy && (blind || once || tested || command || odd),
    }
}
