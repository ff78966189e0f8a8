//! What is told where there is much to tell of: by whom it is written must not show.
#![allow(clippy::unwrap_used)] // in helpers of tests too

#[allow(unreachable_pub)]
mod world;

use serde_json::{Value, json};
use world::serving::{body, server, status};

#[tokio::test]
async fn how_late_looks_begin_is_told() {
    let server = server(|_| ()).await;
    let answer = server.get("/api/v1/host").await;
    assert_eq!(status(&answer), 200);
    let host: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(host["services"], world::status().services.len());
    assert!(host["now"].as_str().unwrap().ends_with('Z'), "{host}");
    let lateness = &host["lateness"];
    assert_eq!(lateness["looks"], 4);
    assert_eq!((&lateness["p99_seconds"], &lateness["longest_seconds"]), (&json!(0.04), &json!(0.04)));
    let half = lateness["p50_seconds"].as_f64().unwrap();
    assert!((0.001..0.00125).contains(&half), "{half}");
    let buckets = lateness["buckets"].as_array().unwrap();
    let counts: Vec<u64> = buckets.iter().map(|bucket| bucket["looks"].as_u64().unwrap()).collect();
    assert_eq!(counts, [3, 1]);
}

#[tokio::test]
async fn a_thousand_services_are_told_of_as_ten_are() {
    let server = server(|_| ()).await;
    let mut known = world::status();
    let view = known.services[0].clone();
    for n in 0..1100 {
        let mut more = view.clone();
        more.name = format!("more{n}").into();
        known.services.push(more);
    }
    *server.double.status.lock().unwrap() = Some(known);
    for (path, kind) in [
        ("/", "text/html"),
        ("/_status?format=xml", "text/xml"),
        ("/_status2?format=xml", "text/xml"),
        ("/api/v1/services", "application/json"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(status(&answer), 200, "{path}");
        assert!(answer.contains(&format!("\r\nContent-Type: {kind}")), "{path}: {}", &answer[..400]);
        assert!(answer.matches("more").count() >= 1100, "{path}");
        for name in ["more0<", "more0\"", "more1099<", "more1099\""].chunks(2) {
            assert!(name.iter().any(|name| answer.contains(name)), "{name:?} in {path}");
        }
    }
}
