//! What was, as programs and people get it.
#![allow(clippy::unwrap_used)] // in helpers of tests too

#[allow(unreachable_pub)]
mod world;

use hinoban_event::Doing;
use hinoban_reading::{Stamp, Unit};
use hinoban_supervisor::{
    CommandError, Explanation, HistoryError, Incident, Point, Readings, Series, Status, Unexplained, Unkept,
    Vitals,
};
use hinoban_web::{Backend, Options, Web};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use world::serving::{ADMIN, VIEWER, body, status, talk, tcp, user};
use world::{Double, LOOKED};

/// A backend that has a past.
#[derive(Clone)]
struct Old {
    now: Double,
    /// Nothing could be written, or so much was.
    unkept: bool,
    empty: bool,
}

fn past() -> Vec<Incident> {
    let at = |back: i64| json!(LOOKED.micros() - back * 1_000_000);
    let steps = json!([
        { "at": at(60), "kind": "seen", "text": "connection <refused>\u{1b}[31m" },
        { "at": at(60), "kind": "decided", "text": "restart" },
    ]);
    let end = json!([{ "at": at(1), "kind": "outcome", "text": "it is up" }]);
    let cause = json!({ "identity": { "pid": 7, "start": 9 }, "how": { "Signalled": { "signal": 9, "core": false } },
        "source": "Pidfd", "confidence": "Certain" });
    let second = json!({ "id": 2, "service": "svc", "class": "connection", "text": "connection <refused>",
        "opened": at(60), "closed": at(1), "cause": cause, "attributed": "db", "dependants": ["app"],
        "first": steps, "left_out": 3, "last": end });
    let first = json!({ "id": 1, "service": "gone", "class": "nonexist", "text": "down", "opened": at(90), "first": [] });
    let third = json!({ "id": 3, "service": "left", "class": "nonexist", "text": "down", "opened": at(50), "closed": at(41),
        "over": "unwatched", "first": [] });
    [third, second, first].into_iter().map(|incident| serde_json::from_value(incident).unwrap()).collect()
}

impl Backend for Old {
    async fn status(&self) -> Option<Status> {
        self.now.status().await
    }

    async fn vitals(&self) -> Option<Vitals> {
        self.now.vitals().await
    }

    async fn explain(&self, name: String) -> Result<Explanation, Unexplained> {
        self.now.explain(name).await
    }

    async fn command(&self, names: Vec<String>, doing: Doing, by: String) -> Result<(), CommandError> {
        self.now.command(names, doing, by).await
    }

    async fn incidents(&self, service: Option<String>, limit: usize) -> Result<Vec<Incident>, HistoryError> {
        let of = |incident: &Incident| service.as_ref().is_none_or(|name| **name == *incident.service);
        let list = if self.empty { Vec::new() } else { past() };
        Ok(list.into_iter().filter(of).take(limit).collect())
    }

    async fn unkept(&self) -> Option<Unkept> {
        self.unkept.then(|| Unkept { since: LOOKED, why: "No space left on device".to_owned() })
    }

    async fn incident(&self, id: u64) -> Result<Option<Incident>, HistoryError> {
        Ok(past().into_iter().find(|incident| incident.id == id))
    }

    async fn series(&self, service: String) -> Result<Vec<Series>, HistoryError> {
        let series = |part: &str, metric: &'static str| Series {
            service: service.as_str().into(),
            part: part.into(),
            metric: metric.into(),
            unit: Unit::Seconds,
        };
        Ok(if service == "svc" {
            vec![series("x:80", "response.time"), series("", "uptime")]
        } else {
            vec![]
        })
    }

    async fn over_time(
        &self,
        _service: String,
        part: Option<String>,
        metric: String,
        (from, to): (Stamp, Stamp),
        points: usize,
    ) -> Result<Readings, HistoryError> {
        if metric != "uptime" || part.is_some_and(|part| !part.is_empty()) {
            return Ok(Readings { unit: None, points: vec![] });
        }
        let point =
            Point { at: from, count: points as u32, min: 0.5, mean: to.since(from).as_secs_f64(), max: 1e9 };
        Ok(Readings { unit: Some(Unit::Seconds), points: vec![point] })
    }
}

struct Server {
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn begin() -> Self {
        Self::of(false, false).await
    }

    async fn of(unkept: bool, empty: bool) -> Self {
        let mut options = Options::new("5de67d678ea4bbf7a97b07a3d9f30da1", "/etc/hinoban.toml");
        options.listen = vec![tcp(false)];
        options.users = vec![user("admin", "monit", false), user("viewer", "look", true)];
        let (web, _) = Web::bind(options, Old { now: Double::new(world::status()), unkept, empty }).await;
        let port = web.addresses()[0].port();
        Self { port, task: tokio::spawn(web.run()) }
    }

    async fn ask(&self, path: &str, login: &str) -> String {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        talk(stream, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{login}\r\n")).await
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.ask(path, ADMIN).await;
        (status(&answer), body(&answer).to_owned())
    }

    async fn data(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

#[tokio::test]
async fn incidents_are_listed_the_newest_first_and_told_one_by_one() {
    let server = Server::begin().await;
    let all = server.data("/api/v1/incidents").await;
    let ids: Vec<_> = all["incidents"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [3, 2, 1]);
    assert_eq!(all["unkept"], Value::Null);
    let by: Vec<_> =
        all["incidents"].as_array().unwrap().iter().map(|one| one["closed_by"].clone()).collect();
    assert_eq!(by, [json!("unwatched"), Value::Null, Value::Null]);
    assert_eq!(server.data("/api/v1/incidents?limit=1").await["incidents"].as_array().unwrap().len(), 1);
    let own = &server.data("/api/v1/incidents?service=SVC").await["incidents"];
    assert_eq!((own.as_array().unwrap().len(), &own[0]["closed"]), (1, &json!("2026-11-23T10:32:52.13419Z")));
    assert_eq!(server.data("/api/v1/incidents?service=gone").await["incidents"][0]["closed"], Value::Null);

    let one = server.data("/api/v1/incidents/2").await;
    assert_eq!((&one["attributed_to"], &one["dependants"]), (&json!("db"), &json!(["app"])));
    assert_eq!((&one["cause"]["how"], &one["cause"]["signal"]), (&json!("signalled"), &json!(9)));
    let kinds: Vec<_> = one["timeline"].as_array().unwrap().iter().map(|step| step["kind"].clone()).collect();
    assert_eq!(kinds, ["seen", "decided", "outcome"]);
    assert_eq!((&one["left_out"], &one["left_out_after"]), (&json!(3), &json!(2)));

    for (path, code) in [
        ("/api/v1/incidents/9", 404),
        ("/api/v1/incidents/x", 404),
        ("/api/v1/incidents?service=nobody", 404),
        ("/api/v1/incidents?limit=0", 400),
        ("/api/v1/incidents?limit=many", 400),
    ] {
        let (status, body) = server.get(path).await;
        assert_eq!(status, code, "{path}: {body}");
        assert!(body.starts_with("{\"error\":"), "{path}: {body}");
    }
}

#[tokio::test]
async fn people_get_a_table_and_a_timeline_that_no_text_can_spoil() {
    let server = Server::begin().await;
    let (_, list) = server.get("/api/v1/incidents?format=text").await;
    let lines: Vec<_> = list.lines().collect();
    assert!(lines[0].trim_start().starts_with("ID ") && lines.len() == 4, "{list}");
    assert!(lines[1].ends_with("down (then no longer watched)"), "{list}");
    let (_, left) = server.get("/api/v1/incidents/3?format=text").await;
    assert!(left.contains("after 9 s, then no longer watched"), "{left}");
    assert!(
        lines[2].contains("59 s") && lines[2].contains("PID 7 was killed by signal 9 (SIGKILL)"),
        "{list}"
    );
    assert!(lines[3].contains("1 min 30 s+") && lines[3].contains("gone"), "{list}");
    let (_, one) = server.get("/api/v1/incidents/2?format=text").await;
    assert!(!one.contains('\u{1b}'), "{one}");
    for part in ["put down to db", "needed by   app", "(3 more are not kept)", "+59 s  outcome  it is up"] {
        assert!(one.contains(part), "{part}\n{one}");
    }
    let (_, page) = server.get("/svc").await;
    assert!(page.contains("<h2 id='failures'>Latest failures</h2>"), "{page}");
    assert!(
        page.contains("connection &lt;refused&gt;") || page.contains("connection &#60;refused&#62;"),
        "{page}"
    );
    let (_, page) = server.get("/dead").await;
    assert!(!page.contains("Latest failures"), "it never failed");
}

#[tokio::test]
async fn that_nothing_is_known_to_have_failed_is_not_said_when_nothing_could_be_written() {
    const NOTE: &str = "The history cannot be written since 23 Nov 2026 ";
    let server = Server::of(true, true).await;
    let (status, text) = server.get("/api/v1/incidents?format=text").await;
    assert!(status == 503 && text.contains(NOTE) && !text.contains("Nothing has failed"), "{status} {text}");
    assert!(text.contains(": No space left on device; what failed since may be missing"), "{text}");
    let json = server.data("/api/v1/incidents").await;
    assert_eq!(json["unkept"]["why"], "No space left on device");
    let server = Server::of(true, false).await;
    let (status, text) = server.get("/api/v1/incidents?format=text").await;
    assert!(status == 200 && text.contains("connection <refused>") && text.contains(NOTE), "{status} {text}");
}

#[tokio::test]
async fn readings_over_time_are_what_was_asked_for() {
    let server = Server::begin().await;
    let kept = server.data("/api/v1/services/svc/history").await;
    assert_eq!(kept["series"][1], json!({ "part": "x:80", "metric": "response.time", "unit": "seconds" }));
    let day = server.data("/api/v1/services/SVC/history?metric=uptime").await;
    assert_eq!(
        (&day["service"], &day["unit"], &day["to"]),
        (&json!("svc"), &json!("seconds"), &json!("2026-11-23T10:32:53.13419Z"))
    );
    assert_eq!((&day["points"][0]["mean"], &day["points"][0]["count"]), (&json!(86_400.0), &json!(200)));
    let hour =
        "/api/v1/services/svc/history?metric=uptime&from=2026-11-23T09:00:00Z&to=1795428000&points=7&part=";
    let hour = server.data(hour).await;
    assert_eq!(
        (&hour["from"], &hour["to"]),
        (&json!("2026-11-23T09:00:00Z"), &json!("2026-11-23T10:00:00Z"))
    );
    assert_eq!(hour["points"][0]["count"], 7);
    for (path, code) in [
        ("svc/history?metric=nix", 404),
        ("nobody/history", 404),
        ("svc/history?metric=uptime&from=yesterday", 400),
        ("svc/history?metric=uptime&from=2026-11-23T10:00:00Z&to=9999-01-01T00:00:00Z", 400),
        ("svc/history?metric=uptime&to=9300000000", 400),
        ("svc/history?metric=uptime&from=1795428000&to=1795428000", 400),
        ("svc/history?metric=uptime&points=0", 400),
        ("svc/history?metric=uptime&points=100000", 400),
    ] {
        let (status, body) = server.get(&format!("/api/v1/services/{path}")).await;
        assert_eq!(status, code, "{path}: {body}");
    }
}

#[tokio::test]
async fn who_may_look_may_look_back_and_nobody_else() {
    let server = Server::begin().await;
    for path in ["/api/v1/incidents", "/api/v1/incidents/1", "/api/v1/services/svc/history"] {
        assert_eq!(status(&server.ask(path, VIEWER).await), 200, "{path}");
        assert_eq!(status(&server.ask(path, "").await), 401, "{path}");
    }
}

#[tokio::test]
async fn a_supervisor_without_a_history_says_so() {
    let server = world::serving::server(|_| ()).await;
    let answer = server.get("/api/v1/incidents").await;
    assert_eq!(status(&answer), 404);
    assert!(body(&answer).contains("No history is kept"), "{answer}");
    assert_eq!(status(&server.get("/svc").await), 200);
}
