//! The conversation against scripted peers.
#![allow(clippy::unwrap_used)] // helpers of tests, which may panic

use std::time::Duration;

use hinoban_protocols::http::{Error, Extent, Limits, Part, Request, Response, exchange};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Plays a server that reads the request, sends these pieces and closes.
async fn ask(extent: Extent, limits: Limits, pieces: Vec<Vec<u8>>) -> Result<Response, Error> {
    let (mut ours, mut theirs) = tokio::io::duplex(1024);
    tokio::spawn(async move {
        let mut request = [0; 1024];
        let n = theirs.read(&mut request).await.unwrap();
        assert!(request[..n].ends_with(b"\r\n\r\n"));
        for piece in pieces {
            if theirs.write_all(&piece).await.is_err() {
                return;
            }
        }
    });
    let request = Request::get("/").host("h").prepare().unwrap();
    exchange(&mut ours, &request, extent, &limits).await
}

async fn says(extent: Extent, text: &str) -> Result<Response, Error> {
    ask(extent, Limits::default(), vec![text.as_bytes().to_vec()]).await
}

#[tokio::test]
async fn the_status_line_is_enough_when_nothing_else_is_asked() {
    assert_eq!(says(Extent::Status, "HTTP/1.1 404 Not Found\r\n").await.unwrap().status, 404);
    assert_eq!(says(Extent::Status, "HTTP/1.0 200\n").await.unwrap().status, 200);
    assert_eq!(
        says(Extent::Status, "HTTP/1.1 200").await.unwrap().status,
        200,
        "cut off, but the number is whole"
    );
    assert_eq!(says(Extent::Status, "ICY 200 OK\r\n").await.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_not_http_is_quoted() {
    for text in ["220 hello smtp\r\n", "HTTP/1.1 abc\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1\r\n", "\r\n"] {
        let error = says(Extent::Status, text).await.unwrap_err();
        assert!(matches!(&error, Error::NotHttp { line } if line == text.trim_end()), "{text:?}: {error:?}");
    }
    let error = says(Extent::Status, "\x1b[2Jboo\r\n").await.unwrap_err();
    assert_eq!(error.to_string(), "HTTP error: Cannot parse HTTP status in response: .[2Jboo");
}

#[tokio::test]
async fn an_early_end_is_told_from_nonsense() {
    assert!(matches!(says(Extent::Status, "").await, Err(Error::Closed { received: 0 })));
    let cut = says(Extent::Header, "HTTP/1.1 200 OK\r\nA: b\r\n").await;
    assert!(matches!(cut, Err(Error::Closed { received: 23 })), "{cut:?}");
    let cut = says(Extent::Body, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await;
    assert!(matches!(cut, Err(Error::Closed { .. })), "{cut:?}");
}

#[tokio::test]
async fn all_three_framings_of_a_body_are_read() {
    let body = |r: Result<Response, Error>| String::from_utf8(r.unwrap().body).unwrap();
    assert_eq!(body(says(Extent::Body, "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcdef").await), "abc");
    assert_eq!(body(says(Extent::Body, "HTTP/1.1 200 OK\r\n\r\nto the end").await), "to the end");
    let chunks =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
    assert_eq!(body(says(Extent::Body, chunks).await), "abc0123456789");
    assert_eq!(body(says(Extent::Header, chunks).await), "", "not asked for");
}

#[tokio::test]
async fn headers_are_found_whatever_their_case() {
    let response = says(Extent::Header, "HTTP/1.1 200 OK\r\nX-Thing:  a: b \r\n\r\n").await.unwrap();
    assert_eq!(response.header("x-thing"), Some("a: b"));
}

#[tokio::test]
async fn an_endless_peer_is_cut_off() {
    let limits = Limits::default();
    let line = vec![vec![b'x'; 1000]; 1000];
    let error = ask(Extent::Status, limits, line).await.unwrap_err();
    assert!(matches!(error, Error::TooLong { part: Part::Line, limit: 8192 }), "{error:?}");

    let mut fields = vec![b"HTTP/1.1 200 OK\r\n".to_vec()];
    fields.extend(vec![b"a:b\r\n".to_vec(); 100_000]);
    let error = ask(Extent::Header, limits, fields).await.unwrap_err();
    assert!(matches!(error, Error::TooLong { part: Part::Header, limit: 65536 }), "{error:?}");

    let mut long = vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()];
    long.extend(vec![vec![b'y'; 1000]; 1000]);
    let response = ask(Extent::Body, Limits { body: 10_000, ..limits }, long).await.unwrap();
    assert!(response.truncated);
    assert_eq!(response.body.len(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_dripping_peer_is_the_callers() {
    let (mut ours, mut theirs) = tokio::io::duplex(64);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if theirs.write_all(b"H").await.is_err() {
                return;
            }
        }
    });
    let request = Request::get("/").prepare().unwrap();
    // The peer never reads either: the request does not even fit the pipe.
    let limits = Limits::default();
    let talk = exchange(&mut ours, &request, Extent::Status, &limits);
    assert!(tokio::time::timeout(Duration::from_secs(5), talk).await.is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_pieces_do_not_matter(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        head in prop::sample::select(vec![
            "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ]),
        cut in 0usize..300,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let whole = [head.as_bytes(), &bytes].concat();
        let (a, b) = whole.split_at(cut.min(whole.len()));
        let once = runtime.block_on(ask(Extent::Body, Limits::default(), vec![whole.clone()]));
        let twice = runtime.block_on(ask(Extent::Body, Limits::default(), vec![a.to_vec(), b.to_vec()]));
        prop_assert_eq!(format!("{once:?}"), format!("{twice:?}"));
    }
}
