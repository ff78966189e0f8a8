//! Services that depend on others, as they are shown.
#![allow(clippy::unwrap_used)] // in helpers of tests too

#[allow(unreachable_pub)]
mod world;

use world::serving::{body, server, status};

/// `svc` depends on two services, of which one is not well.
fn tied(status: &mut hinoban_supervisor::Status) {
    let svc = status.services.iter_mut().find(|view| &*view.name == "svc").unwrap();
    svc.depends_on = vec!["dead".into(), "größe & co".into()];
    svc.waits_for = vec!["dead".into()];
    svc.dependants = vec!["off".into()];
}

#[tokio::test]
async fn the_page_leads_to_what_it_depends_on_and_back() {
    let server = server(|_| ()).await;
    tied(server.double.status.lock().unwrap().as_mut().unwrap());
    let page = server.get("/svc").await;
    assert_eq!(status(&page), 200);
    for part in [
        "<dt>Waiting for</dt><dd><a href='/dead'>dead</a></dd>",
        "<dt>Depends on</dt><dd><a href='/dead'>dead</a>, <a href='/gr%C3%B6%C3%9Fe%20%26%20co'>größe &#38; co</a></dd>",
        "<dt>Needed by</dt><dd><a href='/off'>off</a></dd>",
    ] {
        assert!(body(&page).contains(part), "{part}: {page}");
    }
    let other = server.get("/dead").await;
    assert!(!other.contains("Depends on") && !other.contains("Needed by"), "{other}");
    let json: serde_json::Value =
        serde_json::from_str(body(&server.get("/api/v1/services/svc").await)).unwrap();
    assert_eq!(json["depends_on"], serde_json::json!(["dead", "größe & co"]));
    assert_eq!(
        (&json["dependants"], &json["waits_for"]),
        (&serde_json::json!(["off"]), &serde_json::json!(["dead"]))
    );
    let text = server.get("/_status?service=svc").await;
    assert!(text.contains("waiting for"), "{text}");
    let xml = server.get("/_status?format=xml").await;
    assert!(!xml.contains("depend"), "Monit's readers know no such element: {xml}");
}
