//! What repairs came to: as JSON, on the page, in `status`.
#![allow(clippy::unwrap_used)] // in helpers of tests too

#[allow(unreachable_pub)]
mod world;

use hinoban_event::Doing;
use hinoban_supervisor::{GivenUp, PatienceView, Repairs, RuleView, ServiceView};
use hinoban_web::monit;
use serde_json::{Value, json};
use world::serving::{Server, body, server};

const TEXT: &str = "Connection refused -- restarted 5 times in vain; it is not restarted again until it is well, but \
                    looked at all the same; once it is mended: hinoban restart svc";

fn given_up() -> PatienceView {
    let (since, text) = (world::LOOKED, TEXT.to_owned());
    let gave_up =
        GivenUp { doing: Doing::Restart, text, since, told: None, times: 2, lived: true, gone: false };
    let gave_up = Some(Box::new(gave_up));
    let repairs = Repairs {
        lived: 5,
        gone: 1,
        at: world::LOOKED,
        open: false,
        tried: 7,
        helped: 1,
        gave_up,
        ..Repairs::default()
    };
    PatienceView { repairs, next: None, held: None }
}

fn held() -> PatienceView {
    let repairs = Repairs { lived: 1, at: world::LOOKED, open: true, ..Repairs::default() };
    PatienceView {
        repairs,
        next: Some(world::LOOKED),
        held: Some("3 restarts within 1 min on this host".into()),
    }
}

fn with(view: &mut ServiceView, patience: PatienceView) {
    let rule: RuleView = world::rule("if failed port 80", true);
    view.rules = vec![rule];
    view.failing = vec![hinoban_event::Class::Connection];
    view.patience = Some(patience);
}

async fn serving(patience: PatienceView) -> Server {
    let server = server(|_| ()).await;
    with(&mut server.double.status.lock().unwrap().as_mut().unwrap().services[0], patience);
    server
}

#[tokio::test]
async fn programs_read_how_often_and_whether_it_helped_and_what_comes_next() {
    let of = async |patience| {
        let server = serving(patience).await;
        let answer = server.get("/api/v1/services/svc").await;
        let value: Value = serde_json::from_str(body(&answer)).unwrap();
        value["repairs"].clone()
    };
    let expected = json!({
        "in_row": 6, "last": "2026-11-23T10:32:53.13419Z", "helped": 1, "tried": 7, "next": null, "held": null,
        "gave_up": { "since": "2026-11-23T10:32:53.13419Z", "text": TEXT, "told": 2 },
    });
    assert_eq!(of(given_up()).await, expected);
    let repairs = of(held()).await;
    assert_eq!(repairs["next"], "2026-11-23T10:32:53.13419Z");
    assert_eq!(repairs["held"], "3 restarts within 1 min on this host");
    assert_eq!(repairs["gave_up"], Value::Null);
}

#[tokio::test]
async fn the_page_says_why_it_does_not_come_back() {
    let server = serving(given_up()).await;
    let page = server.get("/svc").await;
    assert!(page.contains("restarted 5 times in vain"), "{page}");
    assert!(page.contains("1 of 7 times"), "{page}");
    let server = serving(held()).await;
    let page = server.get("/svc").await;
    assert!(page.contains("3 restarts within 1 min on this host"), "{page}");
    assert!(page.contains("Next repair"), "{page}");
}

#[test]
fn status_has_lines_for_it_only_where_there_is_patience() {
    let text = |patience: Option<PatienceView>| {
        let mut status = world::status();
        if let Some(patience) = patience {
            with(&mut status.services[0], patience);
        }
        monit::status(&status, &world::about(), &[&status.services[0]])
    };
    let shown = text(Some(given_up()));
    for key in ["given up  ", "given up since  ", "repairs in a row  ", "repairs that helped  "] {
        assert!(shown.contains(&format!("\n  {key}")), "{key}: {shown}");
    }
    assert!(text(Some(held())).contains("\n  repair put off  "));
    let plain = text(None);
    assert!(!plain.contains("repair") && !plain.contains("given up"), "{plain}");
}
