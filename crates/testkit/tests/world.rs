//! The scripted world keeps to its script, and its time to the runtime's.

use std::time::Duration;

use hinoban_action::{Action, ActionError, Errand, Outcome};
use hinoban_event::{Doing, Event, Fact};
use hinoban_probe::{Probe, ProbeError, Wake};
use hinoban_reading::{Metric, Observation, Stamp, Unit};
use hinoban_testkit::{Answer, Recorder, Script, WallClock, look_once};
use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::time::{Instant, sleep, timeout};

const LIMIT: Duration = Duration::from_secs(5);
const DEPTH: Metric = Metric::new("queue.depth", Unit::Count);

fn cause() -> Event {
    Event { id: 1, at: Stamp::default(), service: "httpd".into(), fact: Fact::Seen }
}

fn errand(doing: Doing) -> Errand {
    Errand::new("httpd", doing, (Instant::now() + LIMIT).into_std())
}

#[tokio::test(start_paused = true)]
async fn a_script_answers_what_is_queued_and_then_what_was_set() {
    let (script, clock) = (Script::new(), WallClock::default());
    let mut probe = script.probe();
    script.once(Answer::down("first"));
    script.once(Answer::cannot_look(ProbeError::Denied("second".into())));
    script.set(Answer::absent("from then on"));
    let mut texts = Vec::new();
    for _ in 0..4 {
        texts.push(match look_once(&mut probe, LIMIT, &clock).await {
            Ok(seen) => seen.standing.reason().map_or("up".to_owned(), ToString::to_string),
            Err(error) => error.to_string(),
        });
    }
    assert_eq!(texts, ["first", "second", "from then on", "from then on"]);
    script.up();
    assert!(look_once(&mut probe, LIMIT, &clock).await.unwrap().standing.is_up());
}

#[tokio::test(start_paused = true)]
async fn delays_pass_on_the_runtimes_clock_and_looks_are_written_down() {
    let (script, clock) = (Script::new(), WallClock::default());
    let mut probe = script.probe();
    let began = Instant::now();
    script.once(Answer::up().after(Duration::from_secs(3)));
    script.once(Answer::hangs());
    assert!(look_once(&mut probe, LIMIT, &clock).await.is_ok());
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    assert_eq!(look_once(&mut probe, LIMIT, &clock).await, Err(ProbeError::Overdue(LIMIT)));
    let looks = script.looks();
    assert_eq!(looks.iter().map(|look| look.answered).collect::<Vec<_>>(), [true, false]);
    assert_eq!(looks[1].at - looks[0].at, Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_test_can_wait_for_the_nth_look_and_the_nth_act() {
    let (script, recorder, clock) = (Script::new(), Recorder::new(), WallClock::default());
    let mut probe = script.probe();
    let busy = async {
        for _ in 0..3 {
            sleep(Duration::from_secs(1)).await;
            look_once(&mut probe, LIMIT, &clock).await.unwrap();
        }
        recorder.act(&cause(), &errand(Doing::Start)).await.unwrap();
    };
    let waits = async {
        let began = Instant::now();
        script.looked(2).await;
        assert_eq!(began.elapsed(), Duration::from_secs(2));
        recorder.acted(1).await;
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        script.looked(1).await;
    };
    tokio::join!(busy, waits);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "as scripted")]
async fn a_scripted_panic_panics() {
    let script = Script::new();
    script.set(Answer::panics("as scripted"));
    let _ = look_once(&mut script.probe(), LIMIT, &WallClock::default()).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "queue.depth")]
async fn a_reading_that_is_not_declared_is_found_out() {
    let script = Script::new();
    script.set(Answer::sees(Observation::up().with(&DEPTH, 7u32)));
    let _ = look_once(&mut script.probe(), LIMIT, &WallClock::default()).await;
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_is_declared_passes() {
    let script = Script::measuring([DEPTH]);
    script.set(Answer::sees(Observation::up().with(&DEPTH, 7u32)));
    assert!(look_once(&mut script.probe(), LIMIT, &WallClock::default()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_script_can_wake_whoever_watches_until_the_next_look() {
    let (script, clock) = (Script::new().waking(), WallClock::default());
    let mut probe = script.probe();
    let wakes = probe.wakes();
    let [Wake::Fd(fd)] = wakes.as_slice() else { panic!("{wakes:?}") };
    let rings = || {
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&Timespec::default())).unwrap() == 1
    };
    assert!(!rings());
    script.wake();
    script.wake();
    assert!(rings());
    look_once(&mut probe, LIMIT, &clock).await.unwrap();
    assert!(!rings());
}

#[tokio::test(start_paused = true)]
async fn a_recorder_writes_down_answers_as_told_and_has_consequences() {
    let (script, recorder, clock) = (Script::new(), Recorder::new(), WallClock::default());
    script.down("not started yet");
    let world = script.clone();
    recorder.on_act(move |errand| {
        if errand.doing == Doing::Start {
            world.up()
        }
    });
    recorder.once(Duration::from_secs(2), Err(ActionError::Transient("busy".into())));

    let began = Instant::now();
    assert!(recorder.act(&cause(), &errand(Doing::Start)).await.unwrap_err().is_transient());
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    let mut probe = script.probe();
    assert!(
        !look_once(&mut probe, LIMIT, &clock).await.unwrap().standing.is_up(),
        "a failure has no consequence"
    );
    recorder.set(Duration::from_secs(1), Ok(Outcome::default()));
    assert_eq!(recorder.act(&cause(), &errand(Doing::Start)).await.unwrap().took, Duration::from_secs(1));
    assert!(look_once(&mut probe, LIMIT, &clock).await.unwrap().standing.is_up());
    assert_eq!(recorder.in_short(), ["httpd start", "httpd start"]);

    let dropped = timeout(Duration::from_millis(1), recorder.act(&cause(), &errand(Doing::Stop))).await;
    assert!(dropped.is_err());
    assert_eq!(recorder.acts().iter().map(|act| act.ended).collect::<Vec<_>>(), [true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn the_wall_clock_stands_and_goes_with_the_runtimes_and_can_be_set() {
    let clock = WallClock::default();
    assert_eq!(clock.now(), clock.now());
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(clock.stamp().since(WallClock::EPOCH), Duration::from_secs(3600));
    clock.set(Stamp::from_micros(5_000_000));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(clock.stamp(), Stamp::from_micros(6_000_000));
    assert_eq!(clock.now().moment.elapsed(), Duration::from_secs(3601), "the runtime's clock did not notice");
}
