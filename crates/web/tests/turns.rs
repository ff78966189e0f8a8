//! Services that wait for their turn, and services that were given up: in Monit's documents, on the page, as JSON.
#![allow(clippy::unwrap_used)] // in helpers of tests too

#[allow(unreachable_pub)]
mod world;

use hinoban_supervisor::{Cron, ServiceView, Turns, Watching};
use hinoban_web::monit;
use serde_json::{Value, json};
use world::serving::{Server, body, server};

const WHY: &str = "service restarted 3 times within 3 cycles(s) - unmonitor -- nobody looks at it any more; once it is \
                   mended: hinoban monitor svc";

fn pattern(text: &str) -> Cron {
    Cron::parse(text).unwrap().0
}

async fn serving(change: impl FnOnce(&mut ServiceView)) -> Server {
    let server = server(|_| ()).await;
    change(&mut server.double.status.lock().unwrap().as_mut().unwrap().services[0]);
    server
}

fn document(change: impl FnOnce(&mut ServiceView)) -> (String, String) {
    let mut status = world::status();
    change(&mut status.services[0]);
    let text = monit::status(&status, &world::about(), &[&status.services[0]]);
    (monit::document(&status, &world::about()), text)
}

#[test]
fn monit_knows_who_waits_and_for_what() {
    for (turns, element) in [
        (Turns::Nth(3), "<every><type>2</type><counter>2</counter><number>3</number></every>"),
        (Turns::At(pattern("0 4 * * 1")), "<every><type>3</type><cron>0 4 * * 1</cron></every>"),
        (Turns::Except(pattern("* 2-4 * * *")), "<every><type>4</type><cron>* 2-4 * * *</cron></every>"),
    ] {
        let (xml, text) = document(|view| {
            view.turns = turns;
            (view.waiting, view.passed_over) = (true, 2);
        });
        assert!(xml.contains(&format!("<pendingaction>0</pendingaction>{element}")), "{xml}");
        assert!(xml.contains("<monitor>5</monitor>"), "{xml}");
        assert!(
            text.contains("status                       \u{1b}[0;92mOK"),
            "it was looked at before: {text:?}"
        );
        assert!(text.contains("monitoring status            \u{1b}[0;37mWaiting"), "{text:?}");
    }
    let (xml, text) = document(|view| (view.waiting, view.watching) = (true, Watching::Initializing));
    assert!(xml.contains("<monitor>6</monitor>") && !xml.contains("<every>"), "{xml}");
    assert!(text.contains("status                       \u{1b}[0;37mWaiting"), "{text:?}");
}

#[tokio::test]
async fn what_was_given_up_says_why_and_what_to_do() {
    let given_up = |view: &mut ServiceView| {
        view.watching = Watching::No;
        view.gave_up = Some(WHY.into());
    };
    let (_, text) = document(given_up);
    assert!(text.contains(&format!("  given up                     \u{1b}[0;39m{WHY}")), "{text}");
    let server = serving(given_up).await;
    let page = server.get("/svc").await;
    assert!(page.contains(&format!("<p class='why'>{WHY}")), "{page}");
    assert!(server.get("/").await.contains(WHY), "and in the overview");
    let json: Value = serde_json::from_str(body(&server.get("/api/v1/services/svc").await)).unwrap();
    assert_eq!((&json["gave_up"], &json["reason"]["text"]), (&json!(WHY), &json!(WHY)));
}

#[tokio::test]
async fn what_was_given_up_is_wrong() {
    let given_up = |view: &mut ServiceView| {
        view.watching = Watching::No;
        view.gave_up = Some(WHY.into());
    };
    let server = serving(given_up).await;
    server.double.status.lock().unwrap().as_mut().unwrap().services.truncate(1);
    let page = server.get("/").await;
    assert!(page.contains(">Wrong now</h2>") && !page.contains("Nothing is wrong"), "{page}");
    assert!(
        page.contains("<title>(1) ") && page.contains("</span> Given up</span> <a href='/svc'>"),
        "{page}"
    );
    let json: Value = serde_json::from_str(body(&server.get("/api/v1/services").await)).unwrap();
    assert_eq!((&json["counts"]["given_up"], &json["counts"]["not_monitored"]), (&json!(1), &json!(0)));
    assert_eq!(json["services"][0]["state"], json!("given-up"));

    let mut status = world::status();
    given_up(&mut status.services[0]);
    let one = &[&status.services[0]];
    let about = |as_monit| monit::About { as_monit, ..world::about() };
    let summary = |as_monit| monit::summary(&status, &about(as_monit), one, false);
    assert!(summary(false).contains("Given up") && !summary(false).contains("Not monitored"));
    assert!(summary(true).contains("Not monitored"), "under a control file the words are Monit's");
    let down = |as_monit| monit::report(one, &about(as_monit), monit::Count::from_word("down"));
    assert_eq!((down(false).as_str(), down(true).as_str()), ("1\n", "0\n"));
}

#[tokio::test]
async fn programs_and_people_learn_when_a_service_is_looked_at() {
    let server = serving(|view| {
        view.turns = Turns::Except(pattern("* 2-4 * * *"));
        view.waiting = true;
    })
    .await;
    let json: Value = serde_json::from_str(body(&server.get("/api/v1/services/svc").await)).unwrap();
    let found = ["every_cycles", "at", "not_at", "waiting"].map(|member| &json[member]);
    assert_eq!(found, [&Value::Null, &Value::Null, &json!("* 2-4 * * *"), &json!(true)]);
    let page = server.get("/svc").await;
    assert!(page.contains("5 s, but not at * 2-4 * * *"), "{page}");
    assert!(page.contains("the last cycle was not its turn"), "{page}");
}
