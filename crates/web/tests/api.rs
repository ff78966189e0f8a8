//! What programs get as JSON.
#![allow(clippy::unwrap_used)] // in helpers of tests too

#[allow(unreachable_pub)]
mod world;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use hinoban_event::Doing;
use hinoban_reading::{Identity, metrics};
use hinoban_supervisor::{GivenUp, LastAction, LimitView, PatienceView, Repairs, RuleState};
use serde_json::{Value, json};
use world::serving::{ADMIN, COOKIE, VIEWER, body, server, status};

fn parsed(answer: &str) -> Value {
    assert!(answer.contains("\r\nContent-Type: application/json\r\n"), "{answer}");
    assert!(answer.contains("\r\nCache-Control: no-store\r\n"), "{answer}");
    serde_json::from_str(body(answer)).unwrap_or_else(|why| panic!("{why}: {answer}"))
}

#[tokio::test]
async fn all_services_stand_in_one_document() {
    let server = server(|_| ()).await;
    let answer = server.get("/api/v1/services").await;
    assert_eq!(status(&answer), 200);
    assert!(!answer.contains("secret"), "{answer}");
    let all = parsed(&answer);
    assert_eq!(all["host"], "größe & co");
    assert_eq!(all["now"], "2026-11-23T10:32:53.13419Z");
    assert_eq!(all["every_seconds"], 5.0);
    let services = all["services"].as_array().unwrap();
    assert_eq!(all["counts"]["total"], services.len());
    for state in ["up", "failing", "down", "not-seen", "unknown", "not-monitored"] {
        let so = services.iter().filter(|service| service["state"] == state).count();
        assert!(so > 0 && all["counts"][state.replace('-', "_")] == so, "{state}: {}", all["counts"]);
    }
    let of = |name: &str, key: &str| -> Value {
        services.iter().find(|service| service["name"] == name).unwrap()[key].clone()
    };
    for (name, kind, state) in [
        ("svc", "process", "up"),
        ("lhost", "host", "failing"),
        ("größe & co", "system", "up"),
        ("dead", "process", "down"),
        ("doubtful", "process", "down"),
        ("off", "process", "not-monitored"),
        ("new", "process", "unknown"),
        ("blind", "process", "not-seen"),
        ("queue", "custom", "up"),
    ] {
        assert_eq!((of(name, "type"), of(name, "state")), (kind.into(), state.into()), "{name}");
    }
    assert_eq!(of("dead", "reason"), json!({ "kind": "process-gone", "text": "process 12 does not exist" }));
    assert_eq!(of("dead", "since"), "2026-11-23T10:31:53.13419Z");
    assert_eq!(of("dead", "doing"), "restart");
    assert_eq!(of("dead", "failing"), json!(["nonexist"]));
    let ending = of("dead", "ending");
    assert_eq!((&ending["how"], &ending["signal"]), (&"signalled".into(), &9.into()));
    assert_eq!(of("blind", "reason")["text"], "/proc/7/stat: permission denied; run as root");
    assert_eq!(of("off", "monitored"), false);
    assert_eq!(of("new", "last_look"), Value::Null);
    let memory = json!({ "name": "memory.bytes", "unit": "bytes", "value": 22_111_000 });
    assert!(of("svc", "readings").as_array().unwrap().contains(&memory));
    let refused = &of("lhost", "tests")[1];
    assert_eq!((&refused["standing"], &refused["reason"]["kind"]), (&"down".into(), &"refused".into()));
    assert_eq!(of("lhost", "tests")[4]["standing"], Value::Null, "no result yet");
}

/// Names of all members, however deep.
fn members(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(members_of) => {
            for (name, value) in members_of {
                out.insert(name.clone());
                members(value, out);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| members(value, out)),
        _ => (),
    }
}

#[tokio::test]
async fn every_member_is_in_the_reference() {
    let server = server(|_| ()).await;
    {
        let mut status = server.double.status.lock().unwrap();
        let view = &mut status.as_mut().unwrap().services[0];
        let mut compares = world::rule("if cpu > 80%", false);
        compares.limit = Some(cpu_limit());
        view.rules = vec![compares];
        view.identity = Some(Identity { pid: 1, start: 2 });
        let (text, since) = (String::new(), world::LOOKED);
        let gave_up =
            GivenUp { doing: Doing::Restart, text, since, told: None, times: 1, lived: true, gone: false };
        let repairs = Repairs { gave_up: Some(Box::new(gave_up)), ..Repairs::default() };
        view.patience = Some(PatienceView { repairs, ..PatienceView::default() });
        view.last_action = Some(LastAction {
            doing: Doing::Restart,
            ok: true,
            at: world::LOOKED,
            took: Duration::from_millis(312),
            by: None,
            text: "restarted in 312 ms".to_owned(),
        });
    }
    let mut names = BTreeSet::new();
    members(&parsed(&server.get("/api/v1/services").await), &mut names);
    assert!(names.contains("took_seconds") && names.contains("operator"), "{names:?}");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/REFERENCE.md");
    let page = fs::read_to_string(page).unwrap();
    let part = page.split_once("\n### JSON\n").unwrap().1.split_once("\n## ").unwrap().0;
    let missing: Vec<_> = names.iter().filter(|name| !part.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "not in the reference: {missing:?}");
}

fn cpu_limit() -> LimitView {
    LimitView {
        metric: metrics::CPU.name,
        unit: Some(metrics::CPU.unit),
        value: Some(81.5.into()),
        operator: ">",
        limit: 80.0.into(),
    }
}

#[tokio::test]
async fn one_service_is_found_by_any_name_it_may_have() {
    let server = server(|_| ()).await;
    {
        let mut status = server.double.status.lock().unwrap();
        let view = &mut status.as_mut().unwrap().services[0];
        view.name = "A/b c".into();
        let mut counting = world::rule("if cpu > 80%", false);
        counting.state = RuleState::Counting { seen: 2, of: 3 };
        counting.limit = Some(cpu_limit());
        let mut lasting = world::rule("if load > 5 for 2 min", false);
        lasting.state =
            RuleState::Lasting { time: Duration::from_millis(40_500), of: Duration::from_secs(120) };
        view.rules = vec![world::rule("if failed port 80", true), counting, lasting];
    }
    for path in ["/api/v1/services/a%2Fb%20c", "/api/v1/services/A/b%20c"] {
        let service = parsed(&server.get(path).await);
        assert_eq!(service["name"], "A/b c");
        assert_eq!(service["rules"][0]["last"], "if failed port 80: it did not");
        let rule = &service["rules"][1];
        assert_eq!(
            (&rule["state"], &rule["counted"], &rule["needed"]),
            (&"counting".into(), &2.into(), &3.into())
        );
        let rule = &service["rules"][2];
        assert_eq!(
            (&rule["state"], &rule["lasted_seconds"], &rule["needed_seconds"]),
            (&"lasting".into(), &40.5.into(), &120.0.into())
        );
        let rule = &service["rules"][1];
        assert_eq!(
            rule["compared"],
            json!({ "metric": "cpu.percent", "unit": "percent", "value": 81.5, "operator": ">", "limit": 80.0 })
        );
        assert_eq!(service["rules"][0]["since"], "2026-11-23T10:32:53.13419Z");
    }
}

#[tokio::test]
async fn who_may_not_or_asks_wrongly_is_told_in_json() {
    let server = server(|_| ()).await;
    for (request, code, text) in [
        (
            format!("GET /api/v1/services/nosuch HTTP/1.0\r\n{ADMIN}\r\n"),
            404,
            "There is no service named \"nosuch\"",
        ),
        (format!("GET /api/v2 HTTP/1.0\r\n{ADMIN}\r\n"), 404, "There is nothing here"),
        ("GET /api/v1/services HTTP/1.0\r\n\r\n".to_owned(), 401, "User name or password"),
        (
            format!(
                "POST /api/v1/services/svc HTTP/1.0\r\n{ADMIN}{COOKIE}Content-Length: 16\r\n\r\nsecuritytoken=t0"
            ),
            405,
            "Only GET",
        ),
    ] {
        let answer = server.ask(&request).await;
        assert_eq!(status(&answer), code, "{answer}");
        let error = &parsed(&answer)["error"];
        assert_eq!(error["status"], code, "{answer}");
        assert!(error["text"].as_str().unwrap().starts_with(text), "{answer}");
    }
    let viewer = server.ask(&format!("GET /api/v1/services HTTP/1.0\r\n{VIEWER}\r\n")).await;
    assert_eq!(status(&viewer), 200, "looking is allowed");
    server.double.status.lock().unwrap().take();
    assert_eq!(parsed(&server.get("/api/v1/services").await)["error"]["status"], 503);
}

#[tokio::test]
async fn a_service_is_explained_as_text_and_as_data() {
    let server = server(|_| ()).await;
    let text = server.get("/api/v1/services/SVC/explain").await;
    assert_eq!(status(&text), 200);
    assert!(text.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{text}");
    assert_eq!(
        body(&text),
        "svc\n\nHow it stands\n  It is up.\n\nWhat would happen next\n  If it died <now>, it would be started.\n"
    );
    let paragraphs = json!([
        { "about": "standing", "heading": "How it stands", "sentences": ["It is up."] },
        {
            "about": "next",
            "heading": "What would happen next",
            "sentences": ["If it died <now>, it would be started."],
        },
    ]);
    let accepts = format!(
        "GET /api/v1/services/svc/explain HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n{ADMIN}\r\n"
    );
    for data in [server.get("/api/v1/services/svc/explain?format=json").await, server.ask(&accepts).await] {
        assert_eq!(parsed(&data), json!({ "service": "svc", "paragraphs": paragraphs }));
    }
    let none = server.get("/api/v1/services/svd/explain").await;
    assert_eq!(status(&none), 404);
    assert_eq!(parsed(&none)["error"]["text"], "There is no service named \"svd\"; did you mean \"svc\"?");
    let stranger = server.ask("GET /api/v1/services/svc/explain HTTP/1.0\r\n\r\n").await;
    assert_eq!(status(&stranger), 401);
    let viewer = server.ask(&format!("GET /api/v1/services/svc/explain HTTP/1.0\r\n{VIEWER}\r\n")).await;
    assert_eq!(status(&viewer), 200, "whoever may look may ask why");

    server.double.status.lock().unwrap().as_mut().unwrap().services[0].name = "svc/explain".into();
    let named = server.get("/api/v1/services/svc/explain").await;
    assert_eq!(parsed(&named)["name"], "svc/explain", "a name is a name before anything else");
}
