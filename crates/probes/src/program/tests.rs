#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use hinoban_probe::Cause;

use super::*;

/// Says what it is told to say.
#[derive(Debug)]
struct Script(Mutex<Option<Result<Ran, Unrun>>>);

#[async_trait]
impl Run for Script {
    async fn run(&self) -> Result<Ran, Unrun> {
        self.0.lock().unwrap().take().unwrap()
    }
}

fn exited(status: u8, out: &str, errors: &str) -> Ran {
    Ran {
        how: How::Exited { status },
        overdue: None,
        out: out.into(),
        errors: errors.into(),
        cut: false,
        took: Duration::from_millis(250),
    }
}

async fn look(speech: Speech, ran: Result<Ran, Unrun>) -> Result<Observation, ProbeError> {
    let mut probe = ProgramProbe::new(Arc::new(Script(Mutex::new(Some(ran)))), speech, 40);
    let deadline = tokio::time::Instant::now().into_std() + Duration::from_secs(60);
    let look = Look::new(deadline, Duration::from_secs(1_000_000), Cause::Due);
    let seen = probe.observe(&look).await;
    for reading in seen.iter().flat_map(|seen| &seen.readings) {
        assert!(probe.metrics().iter().any(|m| m.covers(&reading.name)), "{} is not declared", reading.name);
    }
    seen
}

fn int(seen: &Observation, metric: Metric) -> i64 {
    seen.get(&metric.name).and_then(Value::as_i64).unwrap()
}

fn said(seen: &Observation, metric: Metric) -> String {
    seen.get(&metric.name).map(Value::to_string).unwrap_or_default()
}

#[tokio::test]
async fn errors_come_first_and_blanks_at_the_ends_are_gone() {
    let seen = look(Speech::Plain, Ok(exited(3, "\n out\nmore \n\n", "bad\n"))).await.unwrap();
    assert_eq!(said(&seen, metrics::OUTPUT), "bad\n\n out\nmore");
    let long = look(Speech::Plain, Ok(exited(0, &"o".repeat(100), "bad"))).await.unwrap();
    assert_eq!(said(&long, metrics::OUTPUT), format!("bad\n{}", "o".repeat(36)), "both together are cut");
    assert_eq!((int(&seen, metrics::EXIT_STATUS), int(&seen, metrics::EXIT_SIGNAL)), (3, 0));
    assert_eq!(int(&seen, metrics::RUN_STARTED), 1_000_000);
    assert_eq!(seen.get("run.time"), Some(&Value::Real(0.25)));
    assert_eq!(seen.get("exit.reason"), None);
    assert!(seen.standing.is_up());
}

#[tokio::test]
async fn bytes_that_are_no_text_do_no_harm() {
    let ran = Ran { out: b"a\xff\0b \xc3".to_vec(), ..exited(0, "", "") };
    assert_eq!(
        said(&look(Speech::Plain, Ok(ran.clone())).await.unwrap(), metrics::OUTPUT),
        "a\u{fffd}\u{fffd}b \u{fffd}"
    );
    let cut = Ran { out: b"ab\xc3".to_vec(), cut: true, ..ran };
    assert_eq!(said(&look(Speech::Plain, Ok(cut)).await.unwrap(), metrics::OUTPUT), "ab");
}

#[tokio::test]
async fn a_death_by_signal_is_told_as_one_and_counts_as_its_number() {
    let killed = Ran { how: How::Signalled { signal: 11, core: false }, ..exited(0, "begun", "") };
    let seen = look(Speech::Plain, Ok(killed)).await.unwrap();
    assert_eq!((int(&seen, metrics::EXIT_STATUS), int(&seen, metrics::EXIT_SIGNAL)), (11, 11));
    assert!(
        said(&seen, metrics::EXIT_REASON).starts_with("killed by signal 11"),
        "{}",
        said(&seen, metrics::EXIT_REASON)
    );
    let overdue = Ran { overdue: Some(Duration::from_secs(5)), ..exited(0, "begun", "") };
    let seen = look(Speech::Plain, Ok(overdue)).await.unwrap();
    assert_eq!((int(&seen, metrics::EXIT_STATUS), int(&seen, metrics::EXIT_SIGNAL)), (9, 9));
    assert_eq!(said(&seen, metrics::EXIT_REASON), "timed out after 5 s");
}

#[tokio::test]
async fn what_cannot_be_run_has_no_status() {
    let why = "/x is not executable; chmod +x makes it so";
    for speech in [Speech::Plain, Speech::Nagios, Speech::Json] {
        let seen = look(speech, Err(Unrun::NotRunnable(why.to_owned()))).await.unwrap();
        assert_eq!(said(&seen, metrics::RUN_ERROR), why);
        assert_eq!(seen.get("exit.status"), None);
    }
    let failed = look(Speech::Plain, Err(Unrun::Failed("no process".into()))).await;
    assert_eq!(failed, Err(ProbeError::Failed("no process".into())));
}

#[tokio::test]
async fn a_plug_in_has_a_state_and_performance_data() {
    let load = "WARNING - load 5|load1=5.0;4;8";
    for (status, state) in
        [(0, "ok"), (1, "warning"), (2, "critical"), (3, "unknown"), (4, "unknown"), (255, "unknown")]
    {
        let seen = look(Speech::Nagios, Ok(exited(status, load, "noise"))).await.unwrap();
        assert_eq!(said(&seen, metrics::PLUGIN_STATE), state);
        assert_eq!(said(&seen, metrics::OUTPUT), "WARNING - load 5");
        assert_eq!(seen.get("perf.load1"), Some(&Value::Real(5.0)));
    }
    let killed = Ran { how: How::Signalled { signal: 1, core: false }, ..exited(0, "", "last words") };
    let seen = look(Speech::Nagios, Ok(killed)).await.unwrap();
    assert_eq!(said(&seen, metrics::PLUGIN_STATE), "critical", "signal 1 is no warning");
    assert_eq!(said(&seen, metrics::OUTPUT), "last words", "who prints no output may print errors");
}

#[tokio::test]
async fn json_that_is_none_is_a_look_that_failed_unless_the_program_did() {
    let seen = look(Speech::Json, Ok(exited(0, r#"{"depth": 5}"#, "a warning"))).await.unwrap();
    assert_eq!(seen.get("json.depth"), Some(&Value::Int(5)));
    assert_eq!(said(&seen, metrics::OUTPUT), "a warning");
    let error = look(Speech::Json, Ok(exited(0, "{\"depth\": }", ""))).await.unwrap_err();
    assert!(error.to_string().contains("line 1 column 11"), "{error}");
    let error = look(Speech::Json, Ok(Ran { cut: true, ..exited(0, "{\"depth\": ", "") })).await.unwrap_err();
    assert!(error.to_string().contains("output-limit"), "{error}");
    let seen = look(Speech::Json, Ok(exited(1, "", "no database"))).await.unwrap();
    assert_eq!(said(&seen, metrics::OUTPUT), "no database");
}

#[tokio::test]
async fn of_a_flood_the_beginning_is_kept_and_that_is_told() {
    let flood = "o".repeat(200 << 10);
    let run = Arc::new(Script(Mutex::new(Some(Ok(exited(0, &flood, ""))))));
    let mut probe = ProgramProbe::new(run, Speech::Plain, 256 << 10);
    let deadline = tokio::time::Instant::now().into_std() + Duration::from_secs(60);
    let seen = probe.observe(&Look::new(deadline, Duration::ZERO, Cause::Due)).await.unwrap();
    assert_eq!(said(&seen, metrics::OUTPUT).len(), KEPT);
    assert!(probe.limits()[0].contains("the first 64 KiB"), "{:?}", probe.limits());
}

/// A large answer is read where nobody else waits for it.
#[tokio::test]
async fn a_large_answer_is_read_whole() {
    let many: Vec<String> = (0..9000).map(|n| format!("\"m{n}\": {n}")).collect();
    let answer = format!("{{\"first\": 1, \"rest\": {{{}}}}}", many.join(","));
    assert!(answer.len() > KEPT);
    let seen = look(Speech::Json, Ok(exited(0, &answer, ""))).await.unwrap();
    assert_eq!(seen.get("json.first"), Some(&Value::Int(1)));
}
