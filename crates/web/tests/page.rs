//! The pages and what belongs to them, as browsers get them.
#![allow(clippy::unwrap_used)] // in helpers of tests too

#[allow(unreachable_pub)]
mod world;

use std::time::Duration;

use hinoban_event::{Class, Doing};
use hinoban_supervisor::{LastAction, Programs};
use world::serving::{ADMIN, Server, body, server, status};

/// The value of a header field, by its name in lower case.
fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split_once("\r\n\r\n").unwrap().0;
    head.split("\r\n")
        .find_map(|line| line.split_once(": ").filter(|(n, _)| n.to_lowercase() == name).map(|f| f.1))
}

/// Every opened element is closed again, in order, and attributes stand in quotes.
fn check_form(page: &str) {
    const VOID: [&str; 4] = ["meta", "link", "input", "hr"];
    let mut open = Vec::new();
    for part in page.split('<').skip(1) {
        let (tag, _) = part.split_once('>').unwrap_or_else(|| panic!("<{part}"));
        assert_eq!(tag.matches('\'').count() % 2, 0, "<{tag}>");
        let name = tag.split([' ', '\n']).next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "</{name}>: {page}"),
            None if name.starts_with('!') || VOID.contains(&name) => (),
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

async fn all_pages(server: &Server) -> Vec<String> {
    let names: Vec<String> = {
        let status = server.double.status.lock().unwrap();
        status.as_ref().unwrap().services.iter().map(|view| view.name.to_string()).collect()
    };
    let mut pages = vec![server.get("/").await, server.get("/?refresh=10").await];
    for name in names {
        pages.push(server.get(&format!("/{}", name.replace(' ', "%20").replace('&', "%26"))).await);
    }
    pages
}

#[tokio::test]
async fn pages_are_whole_and_load_nothing_from_elsewhere() {
    let server = server(|_| ()).await;
    for page in all_pages(&server).await {
        assert_eq!(status(&page), 200, "{page}");
        check_form(body(&page));
        for forbidden in ["style=", "<style", "<script", "http://", "onclick", "secret"] {
            assert!(!body(&page).contains(forbidden), "{forbidden}: {page}");
        }
        let policy = field(&page, "content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'; style-src 'self'; img-src 'self'"), "{policy}");
        assert_eq!(field(&page, "cache-control"), Some("no-store"));
        assert!(page.contains("name='viewport'") && page.contains("<html lang='en'>"));
    }
}

#[tokio::test]
async fn the_style_sheet_is_kept_for_ever_and_brings_no_other_token() {
    let server = server(|_| ()).await;
    for page in [server.get("/").await, server.get("/nosuch").await] {
        let style =
            page.split_once("rel='stylesheet' href='").unwrap().1.split_once('\'').unwrap().0.to_owned();
        let sheet = server.get(&style).await;
        assert_eq!(field(&sheet, "content-type"), Some("text/css"));
        assert!(field(&sheet, "cache-control").unwrap().contains("immutable"), "{sheet}");
        assert_eq!(field(&sheet, "set-cookie"), None, "the form of the page has another one by now");
        assert!(body(&sheet).contains("prefers-color-scheme: dark"));
        assert_eq!(status(&server.ask(&format!("GET {style} HTTP/1.0\r\n\r\n")).await), 401);
    }
    assert_eq!(status(&server.get("/_assets/page-0.css").await), 404);
}

#[tokio::test]
async fn two_pages_side_by_side_both_work() {
    let server = server(|_| ()).await;
    let token = |page: &str| {
        let cookie = field(page, "set-cookie").unwrap();
        cookie.strip_prefix("securitytoken=").unwrap().split_once(';').unwrap().0.to_owned()
    };
    let first = token(&server.get("/svc").await);
    let get = format!("GET /off HTTP/1.0\r\n{ADMIN}Cookie: securitytoken={first}\r\n\r\n");
    let second = server.ask(&get).await;
    assert_eq!(token(&second), first);
    assert!(second.contains(&format!("name='securitytoken' value='{first}'")), "{second}");
    assert_ne!(token(&server.get("/svc").await), first, "another browser has another one");
}

#[tokio::test]
async fn the_overview_begins_with_what_is_wrong_and_why() {
    let server = server(|_| ()).await;
    let page = server.get("/").await;
    let wrong = page.split_once("<ul class='wrong'>").unwrap().1.split_once("</ul>").unwrap().0;
    let at = |text: &str| wrong.find(text).unwrap_or_else(|| panic!("{text}: {wrong}"));
    assert!(at("process 12 does not exist") < at("Connection failed"), "what is down comes first");
    assert!(at("</span> Down</span> <a href='/dead'>dead</a> <strong class='doing'>Restart under way") > 0);
    assert!(at("there is no /run/x.pid") < at("/proc/7/stat: permission denied; run as root"));
    assert!(!wrong.contains("/svc'") && !wrong.contains("/off'") && !wrong.contains("/new'"), "{wrong}");
    let number = wrong.matches("<li ").count();
    assert!(page.contains(&format!("<title>({number}) größe &#38; co</title>")), "{page}");
    assert!(page.contains("pid 13698 · up 30 min 10 s · CPU 12.5% · 42.2 MiB memory"), "{page}");
    assert!(page.contains("load 0.23 · CPU 6.5% · memory 1.6%"), "{page}");
    assert!(page.contains("queue.length 12"), "{page}");

    server.double.status.lock().unwrap().as_mut().unwrap().services.retain(|view| *view.name == *"svc");
    let page = server.get("/").await;
    assert!(page.contains(">Nothing is wrong</h2>") && page.contains("1 service:"), "{page}");
}

#[tokio::test]
async fn a_test_that_fails_is_told_in_the_words_of_its_rule() {
    let server = server(|_| ()).await;
    {
        let mut status = server.double.status.lock().unwrap();
        let host = &mut status.as_mut().unwrap().services[1];
        host.rules =
            ["zero", "one", "two", "three", "four"].map(|text| world::rule(text, text == "three")).into();
    }
    for page in [server.get("/").await, server.get("/lhost").await] {
        assert!(page.contains("three: it did not <span class='since'>since <time datetime='2026-"), "{page}");
    }
    let page = server.get("/lhost").await;
    assert!(page.contains("</span> Fails</td>") && page.contains("</span> Nothing seen yet</td>"), "{page}");
    assert!(page.contains("response time 1.7 ms</td>"), "{page}");
    assert!(
        server
            .get("/")
            .await
            .contains("<td role='cell' class='seen'>2 of 5 tests passed, slowest 33.7 ms</td>")
    );
}

#[tokio::test]
async fn a_repair_that_failed_is_told_where_people_look_first() {
    let server = server(|_| ()).await;
    {
        let mut status = server.double.status.lock().unwrap();
        for view in &mut status.as_mut().unwrap().services {
            view.last_action = Some(LastAction {
                doing: Doing::Start,
                ok: false,
                at: world::LOOKED,
                took: Duration::from_secs(2),
                by: None,
                text: "failed to start (exit status 3) -- no <memory>".to_owned(),
            });
        }
    }
    let said = "<p>failed to start (exit status 3) -- no &#60;memory&#62;</p>";
    let overview = server.get("/").await;
    assert_eq!(overview.matches(said).count(), overview.matches("<p class='what'>").count(), "{overview}");
    let page = server.get("/dead").await;
    let (top, rest) = page.split_once("<main>").unwrap();
    assert!(top.contains(&said.replace("<p>", "<p class='why'>")) && rest.contains("for a rule"), "{page}");
    let page = server.get("/svc").await;
    assert!(!page.split_once("<main>").unwrap().0.contains("failed to start"), "it is well since: {page}");
}

#[tokio::test]
async fn only_what_makes_sense_can_be_pressed_and_the_page_says_what_follows() {
    let server = server(|_| ()).await;
    let programs = |start: Option<&str>, stop: Option<&str>| Programs {
        start: start.map(str::to_owned),
        stop: stop.map(str::to_owned),
        restart: None,
    };
    {
        let mut status = server.double.status.lock().unwrap();
        let services = &mut status.as_mut().unwrap().services;
        for view in services.iter_mut().filter(|view| ["svc", "dead", "off"].contains(&&*view.name)) {
            view.programs = programs(Some("/etc/init.d/x"), (*view.name != *"off").then_some("/bin/stop"));
            view.identity = view
                .ending
                .as_ref()
                .map_or(Some(hinoban_reading::Identity { pid: 13698, start: 7 }), |_| None);
        }
    }
    let can = |page: &str| -> Vec<String> {
        let buttons = page.split("<button name='action' value='").skip(1);
        let able = buttons.filter(|rest| !rest.split_once('>').unwrap().0.contains("disabled"));
        able.map(|rest| rest.split_once('\'').unwrap().0.to_owned()).collect()
    };
    assert_eq!(can(&server.get("/svc").await), ["stop", "restart", "unmonitor"]);
    let dead = server.get("/dead").await;
    assert_eq!(can(&dead), ["start", "stop", "restart", "unmonitor"]);
    assert!(dead.contains("Runs /etc/init.d/x: there is nothing to stop."), "{dead}");
    let off = server.get("/off").await;
    assert_eq!(can(&off), ["start", "monitor"]);
    assert!(off.contains("It has no stop program. To leave it alone, end the monitoring."), "{off}");
    let host = server.get("/lhost").await;
    assert_eq!(can(&host), ["unmonitor"]);
    assert!(
        !host.contains("disabled") && host.contains("It has no program that starts, stops or restarts it.")
    );
}

#[tokio::test]
async fn a_page_is_loaded_again_only_while_something_is_done_or_if_asked() {
    let server = server(|_| ()).await;
    let again = |page: &str| page.contains("http-equiv='refresh'");
    assert!(!again(&server.get("/").await) && !again(&server.get("/svc").await));
    assert!(again(&server.get("/?refresh=10").await));
    let page = server.get("/dead").await;
    assert!(again(&page) && page.contains("Restart under way</strong>"), "{page}");
    {
        let mut status = server.double.status.lock().unwrap();
        let view = &mut status.as_mut().unwrap().services[0];
        view.doing = Some(Doing::Alert);
        view.failing = vec![Class::Action];
    }
    let page = server.get("/svc").await;
    assert!(
        !again(&page) && page.contains("</span> Up</span>"),
        "that somebody is told is no failure: {page}"
    );
}

#[tokio::test]
async fn the_page_says_why_and_what_would_happen_next() {
    let server = server(|_| ()).await;
    let page = server.get("/svc").await;
    let (_, why) = page.split_once("<h2 id='why'>Why?</h2>").unwrap_or_else(|| panic!("{page}"));
    assert!(
        why.contains(
            "<h3>What would happen next</h3>\n<p>If it died &#60;now&#62;, it would be started.</p>"
        ),
        "{page}"
    );
    assert!(why.contains("<a href='/api/v1/services/svc/explain'>"), "{page}");
    assert!(!page.contains("<h3>How it stands</h3>"), "that is on the page anyway: {page}");
}
