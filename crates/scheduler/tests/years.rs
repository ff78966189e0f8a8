//! Years of troubles, made up from seeds: whatever happens, in whatever order, what must never happen does not, and what
//! must happen does. And every kind of input has met every state that it can meet.
//!
//! `HINOBAN_SIM_INPUTS` says how many inputs the machine is to have at least, and `HINOBAN_SIM_SEED` where to begin.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hinoban_scheduler::sim::{Script, Visits};

/// As many as a change must pass.
const INPUTS: u64 = 1_000_000;

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.replace('_', "").parse().unwrap())
}

#[test]
fn whatever_happens_what_must_hold_holds() {
    let (wanted, first) = (number("HINOBAN_SIM_INPUTS", INPUTS), number("HINOBAN_SIM_SEED", 1));
    let (next, inputs) = (AtomicU64::new(first), AtomicU64::new(0));
    let (failed, over) = (Mutex::new(None::<u64>), AtomicBool::new(false));
    let visits = Mutex::new(Visits::new());
    let work = || {
        while inputs.load(Ordering::Relaxed) < wanted && !over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let outcome = Script::of(seed).play(false);
            inputs.fetch_add(outcome.inputs, Ordering::Relaxed);
            let mut visits = visits.lock().unwrap();
            outcome.visits.into_iter().for_each(|(key, n)| *visits.entry(key).or_default() += n);
            if outcome.broken.is_some() {
                failed.lock().unwrap().get_or_insert(seed);
                over.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let seeds = next.load(Ordering::Relaxed) - first;
    println!("{} inputs in {seeds} trials, from seed {first}", inputs.load(Ordering::Relaxed));
    if let Some(seed) = *failed.lock().unwrap() {
        let script = Script::of(seed).minimal();
        let outcome = script.play(true);
        println!("{script}");
        outcome.timeline.iter().for_each(|line| println!("{line}"));
        panic!("seed {seed}: {:#?}", outcome.broken);
    }
}
