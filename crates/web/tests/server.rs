//! The server over real sockets on loopback: who gets in, what is answered, who waits for whom.
#![allow(clippy::unwrap_used)] // in helpers of tests too

#[allow(unreachable_pub)]
mod world;

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::time::Duration;

use hinoban_web::client::{Client, ClientError, Format, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use world::serving::{ADMIN, COOKIE, LONG, VIEWER, body, server, status, talk, tcp, unix};

#[tokio::test]
async fn answers_have_the_form_that_clients_of_monit_expect() {
    let server = server(|_| ()).await;
    assert!(server.problems.is_empty(), "{:?}", server.problems);
    let answer = server.get("/_status?format=xml&level=full").await;
    let (head, xml) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some("HTTP/1.0 200 OK"));
    let fields: Vec<&str> = lines.collect();
    for field in ["Server: monit 5.33.0", "Connection: close", "Content-Type: text/xml"] {
        assert!(fields.contains(&field), "{head}");
    }
    assert!(fields.contains(&&*format!("Content-Length: {}", xml.len())), "{head}");
    let token = fields.iter().find_map(|f| f.strip_prefix("Set-Cookie: securitytoken=")).unwrap();
    assert!(token.split_once(';').unwrap().0.len() == 32 && token.ends_with("; HttpOnly; SameSite=strict"));
    assert!(
        xml.contains(&format!("<httpd><address>127.0.0.1</address><port>{}</port>", server.port)),
        "{xml}"
    );

    assert_eq!(body(&server.get("/_ping").await), "pong");
    assert_eq!(body(&server.get("/_GETID").await), "5de67d678ea4bbf7a97b07a3d9f30da1");
    assert!(body(&server.get("/_status2?format=XML").await).contains("<services><service name=\"svc\">"));
    assert_eq!(body(&server.get("/_report?type=total").await), "13\n");
    assert!(body(&server.get("/_status?service=SV.&service=").await).contains("'svc'"));
    assert!(body(&server.get("/_summary?group=www").await).contains(" new "));
    assert!(!body(&server.get("/_summary?group=www").await).contains(" svc "));
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_words_that_clients_read() {
    let server = server(|_| ()).await;
    for (path, code, message) in [
        ("/nosuch%20thing", 404, "There is no service named \"nosuch thing\""),
        ("/_statusx", 404, "There is no service named \"_statusx\""),
        ("/_doaction", 404, "There is no service named \"_doaction\""),
        ("/_status/", 404, "There is no service named \"_status/\""),
        ("/favicon.ico", 404, "There is no service named \"favicon.ico\""),
        ("/_status?service=zzz", 400, "Service 'zzz' not found"),
        ("/_summary?group=z%3Cz", 400, "Service group 'z&lt;z' not found"),
        ("/_report?type=bogus", 400, "Invalid report type: 'bogus'"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(status(&answer), code, "{path}: {answer}");
        let page = body(&answer);
        assert!(page.contains("<head><title>4") && page.ends_with("</html>\r\n"), "{page}");
        assert_eq!(page.lines().count(), 1, "programs read the first line alone: {page}");
        assert!(page.contains(&format!("</h2>{message}<hr>")), "{page}");
        assert!(!answer.contains("Set-Cookie"), "{answer}");
    }
    let long = format!("/_status?service={}", "x".repeat(600));
    assert_eq!(status(&server.get(&long).await), 400);
    for method in ["HEAD", "PUT", "OPTIONS"] {
        assert_eq!(
            status(&server.ask(&format!("{method} / HTTP/1.0\r\n{ADMIN}\r\n")).await),
            501,
            "{method}"
        );
    }
    server.double.status.lock().unwrap().take();
    assert_eq!(status(&server.get("/_status").await), 503);
}

#[tokio::test]
async fn nobody_sees_anything_without_logging_in() {
    let server = server(|_| ()).await;
    for login in ["", "Authorization: Basic YWRtaW46eA==\r\n", "Authorization: Bearer monit\r\n"] {
        for path in ["/", "/_status", "/_ping", "/svc", "/nosuch"] {
            let answer = server.ask(&format!("GET {path} HTTP/1.0\r\n{login}\r\n")).await;
            assert_eq!(status(&answer), 401, "{path} {login}");
            assert!(
                answer.to_lowercase().contains("\r\nwww-authenticate: basic realm=\"monit\"\r\n"),
                "{answer}"
            );
        }
    }
    assert_eq!(status(&server.ask(&format!("GET /_ping HTTP/1.0\r\n{VIEWER}\r\n")).await), 200);
}

#[tokio::test]
async fn a_post_without_its_token_does_nothing() {
    let server = server(|_| ()).await;
    for (cookie, body) in [
        ("", "action=stop&service=svc&securitytoken=t0"),
        (COOKIE, "action=stop&service=svc"),
        (COOKIE, "action=stop&service=svc&securitytoken=t1"),
        ("Cookie: xsecuritytoken=t0\r\n", "action=stop&service=svc&securitytoken=t0"),
    ] {
        for path in ["/_doaction", "/svc", "/_status"] {
            let answer = server.post(path, &format!("{ADMIN}{cookie}"), body).await;
            assert_eq!(status(&answer), 403, "{path} {cookie} {body}");
            assert!(answer.contains("</h2>Invalid CSRF Token<hr>"), "{answer}");
        }
    }
    assert!(server.double.told().is_empty());
}

#[tokio::test]
async fn a_good_post_is_done_and_redirected() {
    let server = server(|_| ()).await;
    let fields = format!("{ADMIN}{COOKIE}");
    let answer =
        server.post("/_doaction", &fields, "action=restart&service=D.*&service=off&securitytoken=t0").await;
    assert!(answer.starts_with("HTTP/1.0 302 Moved Temporarily\r\n"), "{answer}");
    assert!(answer.contains("\r\nLocation: /\r\n"), "a page that exists: {answer}");

    let answer = server.post("/SVC", &fields, "action=STOP&securitytoken=t0").await;
    assert!(status(&answer) == 302 && answer.contains("\r\nLocation: /SVC\r\n"), "{answer}");
    assert!(body(&answer).contains("stop pending"), "{answer}");

    let answer = server.post("/gr%C3%B6%C3%9Fe%20&%20co", &fields, "action=unmonitor&securitytoken=t0").await;
    assert!(answer.contains("\r\nLocation: /gr%C3%B6%C3%9Fe%20%26%20co\r\n"), "{answer}");
    assert_eq!(
        server.double.told(),
        [
            "restart dead,doubtful,off by admin from 127.0.0.1",
            "stop svc by admin from 127.0.0.1",
            "unmonitor größe & co by admin from 127.0.0.1",
        ]
    );

    let answer = server.post("/_status", &fields, "format=text&service=svc&securitytoken=t0").await;
    assert!(status(&answer) == 302 && body(&answer).starts_with("Monit 5.33.0 uptime: "), "{answer}");
}

#[tokio::test]
async fn a_post_that_means_nothing_does_nothing() {
    let server = server(|_| ()).await;
    let fields = format!("{ADMIN}{COOKIE}");
    for (path, body, code) in [
        ("/_doaction", "action=stop&service=svc&service=zzz", 400),
        ("/_doaction", "action=bogus&service=svc", 400),
        ("/_doaction", "service=svc", 302),
        ("/_doaction", "action=stop", 302),
        ("/svc", "action=exec", 400),
        ("/zzz", "action=stop", 404),
    ] {
        let answer = server.post(path, &fields, &format!("{body}&securitytoken=t0")).await;
        assert_eq!(status(&answer), code, "{path} {body}: {answer}");
    }
    let huge = format!("action=stop&service=svc&securitytoken=t0&x={}", "x".repeat(100_000));
    assert_eq!(status(&server.post("/_doaction", &fields, &huge).await), 400);
    assert!(server.double.told().is_empty());
}

#[tokio::test]
async fn who_may_only_look_commands_nothing() {
    let read_only_socket = server(|options| options.listen = vec![tcp(true)]).await;
    let read_only_user = server(|_| ()).await;
    for (server, login) in [(&read_only_socket, ADMIN), (&read_only_user, VIEWER)] {
        let fields = format!("{login}{COOKIE}");
        for (path, body) in [("/_doaction", "action=stop&service=svc"), ("/svc", "action=stop")] {
            let answer = server.post(path, &fields, &format!("{body}&securitytoken=t0")).await;
            assert_eq!(status(&answer), 403, "{answer}");
            assert!(answer.contains("You do not have sufficient privileges"), "{answer}");
        }
        let answer = server.post("/_status", &fields, "format=text&securitytoken=t0").await;
        assert_eq!(status(&answer), 302, "looking is allowed: {answer}");
        let page = server.ask(&format!("GET /svc HTTP/1.0\r\n{login}\r\n")).await;
        assert!(status(&page) == 200 && !page.contains("<button"), "{page}");
        assert!(server.double.told().is_empty());
    }
}

#[tokio::test]
async fn pages_escape_names_and_carry_the_token_of_their_cookie() {
    let server = server(|_| ()).await;
    let mut status = world::status();
    status.services[0].name = "<b>'x/y".into();
    *server.double.status.lock().unwrap() = Some(status);
    let page = server.get("/").await;
    assert!(page.contains("<a href='/%3Cb%3E%27x%2Fy'>&#60;b&#62;&#39;x/y</a>"), "{page}");
    let page = server.get("/%3Cb%3E%27x%2Fy").await;
    assert!(page.contains("<h1>&#60;b&#62;&#39;x/y</h1>") && page.contains("<dd>13698</dd>"), "{page}");
    let token = page.split_once("Set-Cookie: securitytoken=").unwrap().1.split_once(';').unwrap().0;
    assert!(page.contains(&format!("name='securitytoken' value='{token}'")), "{page}");
}

#[tokio::test]
async fn clients_from_elsewhere_are_reset_before_they_say_a_word() {
    let server = server(|options| options.hosts = vec!["192.0.2.0/24".to_owned()]).await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("no waiting");
    assert!(read.is_err() && answer.is_empty(), "{read:?} {answer:?}");

    let open = world::serving::server(|options| {
        options.hosts = vec!["localhost".to_owned()];
        options.users.clear();
    })
    .await;
    assert_eq!(status(&open.ask("GET /_ping HTTP/1.0\r\n\r\n").await), 200, "no users: no log-in");
    let closed = world::serving::server(|options| {
        options.users.clear();
        options.closed = true;
        options.anonymous = true;
    })
    .await;
    let answer = closed.ask("GET /_ping HTTP/1.0\r\n\r\n").await;
    assert_eq!(status(&answer), 401, "somebody may who cannot be told from others: nobody gets in");
    assert!(answer.contains("Server: monit\r\n"), "{answer}");
}

#[tokio::test]
async fn a_port_that_nobody_may_use_is_not_opened() {
    let server = server(|options| options.users.clear()).await;
    assert_eq!(server.port, 0);
    assert!(
        server.problems.iter().any(|p| p.contains("no connections are allowed")),
        "{:?}",
        server.problems
    );
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let server = server(|_| ()).await;
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    let line = format!("X-Y: {}\r\n", "z".repeat(8000));
    let flood = async {
        stream.write_all(b"GET / HTTP/1.0\r\n").await?;
        for _ in 0..10_000 {
            stream.write_all(line.as_bytes()).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let flood = tokio::time::timeout(LONG, flood).await.expect("the server reads on or closes");
    assert!(flood.is_err(), "80 MB of header were taken");
}

#[tokio::test]
async fn slow_clients_delay_nobody() {
    let server = server(|_| ()).await;
    let mut slow = Vec::new();
    for start in ["", "GET / HT", "GET / HTTP/1.0\r\nX: ", "POST / HTTP/1.0\r\nContent-Length: 9\r\n\r\n"] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    assert_eq!(body(&server.get("/_ping").await), "pong");
    for mut stream in slow {
        // They are not kept for ever.
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.expect("it is ended");
    }
}

#[tokio::test]
async fn a_unix_socket_is_private_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.sock");
    // What a killed server left.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());

    let first = server(|options| {
        options.listen = vec![unix(&path, Some(0o600))];
        options.hosts = vec!["192.0.2.1".to_owned()];
        options.users.clear();
    })
    .await;
    assert!(first.problems.is_empty(), "{:?}", first.problems);
    let there = std::fs::metadata(&path).unwrap();
    assert!(there.file_type().is_socket() && there.permissions().mode() & 0o777 == 0o600);
    let answer =
        talk(UnixStream::connect(&path).await.unwrap(), "GET /_status?format=xml HTTP/1.0\r\n\r\n").await;
    assert_eq!(status(&answer), 200, "no list of hosts keeps a local socket out");
    assert!(
        answer.contains(&format!("<httpd><unixsocket>{}</unixsocket></httpd>", path.display())),
        "{answer}"
    );

    let second = server(|options| options.listen = vec![unix(&path, None), tcp(false)]).await;
    assert!(second.problems[0].contains("another program listens there"), "{:?}", second.problems);
    assert_eq!(body(&second.get("/_ping").await), "pong", "the other listener works");

    first.task.abort();
    let taken_over = async {
        loop {
            if let Ok(stream) = UnixStream::connect(&path).await {
                let answer = talk(stream, "GET /_ping HTTP/1.0\r\n\r\n").await;
                if status(&answer) == 401 {
                    break; // the second one wants a log-in
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, taken_over).await.expect("it is bound once it is free");

    second.task.abort();
    let gone = async {
        while path.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, gone).await.expect("the file goes with its socket");
}

#[tokio::test]
async fn something_else_than_a_socket_is_never_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    std::fs::write(&path, "data").unwrap();
    let server = server(|options| options.listen = vec![unix(&path, None)]).await;
    assert!(server.problems[0].contains("something else than a socket"), "{:?}", server.problems);
    drop(server);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");
}

#[tokio::test]
async fn our_command_line_understands_our_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.sock");
    let server = server(|options| options.listen.push(unix(&path, Some(0o600)))).await;
    let double = server.double.clone();
    let port = server.port;
    let asked = tokio::task::spawn_blocking(move || {
        for target in [Target::Tcp { host: "127.0.0.1".to_owned(), port }, Target::Unix(path)] {
            let mut client = Client::new(target);
            let refused = client.summary(&[], None);
            assert!(matches!(refused, Err(ClientError::Refused { status: 401, .. })), "{refused:?}");
            client.credentials = Some(("admin".to_owned(), "monit".to_owned()));
            let svc = ["svc".to_owned()];
            assert!(client.status(&svc, None, Format::Text).unwrap().contains("Process 'svc'"));
            assert!(client.status(&[], None, Format::Xml).unwrap().starts_with("<?xml"));
            assert_eq!(client.report(Some("www"), Some("initialising")).unwrap(), "1\n");
            assert!(client.summary(&[], Some("apps")).unwrap().contains(" svc "));
            client.act(&hinoban_event::Doing::Start, &svc).unwrap();
            let unknown = client.act(&hinoban_event::Doing::Start, &["b c".to_owned()]).unwrap_err();
            assert_eq!(unknown.to_string(), "There is no service named \"b c\"");
        }
        let nobody = Client::new(Target::Unix("/nonexistent/x.sock".into())).report(None, None).unwrap_err();
        assert!(nobody.to_string().starts_with("cannot connect to /nonexistent/x.sock"), "{nobody}");
    });
    asked.await.unwrap();
    assert_eq!(
        double.told(),
        ["start svc by admin from 127.0.0.1", "start svc by admin from the local socket"]
    );
}

#[tokio::test]
async fn who_is_turned_away_is_told_as_monit_tells_it() {
    let server = server(|_| ()).await;
    for authorization in [
        "",
        "Authorization: Basic YWRtaW46eA==\r\n", // admin:x
        "Authorization: Basic bm9ib2R5Ong=\r\n", // nobody:x
        "Authorization: Basic YWRtaW46\r\n",     // admin:
    ] {
        let answer = server.ask(&format!("GET / HTTP/1.0\r\n{authorization}\r\n")).await;
        assert_eq!(status(&answer), 401, "{authorization}");
    }
    server.post("/svc", ADMIN, "action=stop").await;
    server.post("/svc", &format!("{VIEWER}{COOKIE}"), "action=stop&securitytoken=t0").await;
    server.get("/nosuch").await;
    let denied = "HttpRequest: access denied -- client [127.0.0.1]: ";
    let error = "HttpRequest: error -- client [127.0.0.1]: HTTP/1.0 403 ";
    assert_eq!(
        *server.refused.lock().unwrap(),
        [
            format!("{denied}wrong password for user 'admin'"),
            format!("{denied}unknown user 'nobody'"),
            format!("{denied}wrong password for user 'admin'"),
            format!("{error}Invalid CSRF Token"),
            format!("{error}You do not have sufficient privileges to access this page"),
        ],
        "a browser begins without a log-in, and a page that is not there is nobody's fault"
    );

    let closed = world::serving::server(|options| options.hosts = vec!["192.0.2.0/24".to_owned()]).await;
    let mut stream = TcpStream::connect(("127.0.0.1", closed.port)).await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    assert_eq!(*closed.refused.lock().unwrap(), ["Denied connection from non-authorized client [127.0.0.1]"]);
}

#[tokio::test]
async fn whoever_guesses_passwords_keeps_nobody_out() {
    let server = server(|_| ()).await;
    let wrong = "GET / HTTP/1.0\r\nAuthorization: Basic YWRtaW46eA==\r\n\r\n";
    for _ in 0..11 {
        server.ask(wrong).await;
    }
    // More than are served at once: while they wait for their answer, they take no place.
    let mut guesses = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        stream.write_all(wrong.as_bytes()).await.unwrap();
        guesses.push(stream);
    }
    assert_eq!(status(&server.get("/_ping").await), 200);
    for mut stream in guesses {
        let mut answer = String::new();
        tokio::time::timeout(LONG, stream.read_to_string(&mut answer)).await.expect("an answer").unwrap();
        assert_eq!(status(&answer), 401);
    }
    assert_eq!(server.refused.lock().unwrap().len(), 10);
}

#[tokio::test]
async fn pages_of_other_sites_command_nothing() {
    let server = server(|_| ()).await;
    let good = format!("{ADMIN}{COOKIE}Host: 127.0.0.1:2812\r\n");
    let body = "action=stop&securitytoken=t0";
    for field in [
        "Origin: http://evil.example",
        "Origin: null",
        "Origin: http://127.0.0.1:80",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        let answer = server.post("/svc", &format!("{good}{field}\r\n"), body).await;
        assert_eq!(status(&answer), 403, "{field}: {answer}");
        assert!(answer.contains("</h2>This was sent by a page of another site"), "{answer}");
    }
    assert!(server.double.told().is_empty());
    for field in ["Origin: http://127.0.0.1:2812", "Sec-Fetch-Site: same-origin"] {
        let answer = server.post("/svc", &format!("{good}{field}\r\n"), body).await;
        assert_eq!(status(&answer), 302, "{field}: {answer}");
    }
    let looked = server.ask(&format!("GET / HTTP/1.0\r\n{ADMIN}Origin: http://evil.example\r\n\r\n")).await;
    assert_eq!(status(&looked), 200, "its answer is kept from that page by the browser");
}

#[tokio::test]
async fn without_users_a_name_of_somebody_elses_is_not_answered() {
    let open = |options: &mut hinoban_web::Options| {
        options.hosts = vec!["localhost".to_owned()];
        options.users.clear();
        options.names = vec!["Tower.example".to_owned()];
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.sock");
    let server = server(|options| {
        open(options);
        options.listen.push(unix(&path, None));
    })
    .await;
    let asked =
        async |host: &str| status(&server.ask(&format!("GET /_ping HTTP/1.1\r\nHost: {host}\r\n\r\n")).await);
    for host in ["127.0.0.1:2812", "[::1]", "localhost:2812", "tower.EXAMPLE:2812"] {
        assert_eq!(asked(host).await, 200, "{host}");
    }
    assert_eq!(asked("evil.example:2812").await, 403);
    assert!(
        server.refused.lock().unwrap()[0].contains("403 Without users this server answers only to its own")
    );
    let local = UnixStream::connect(&path).await.unwrap();
    let answer = talk(local, "GET /_ping HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert_eq!(status(&answer), 200, "no browser comes through a unix socket");
}

#[tokio::test]
async fn our_command_line_asks_the_server_who_is_in_a_group() {
    let server = server(|_| ()).await;
    let mut client = Client::new(Target::Tcp { host: "127.0.0.1".to_owned(), port: server.port });
    client.credentials = Some(("admin".to_owned(), "monit".to_owned()));
    let found =
        tokio::task::spawn_blocking(move || ["WWW", "nosuch"].map(|group| client.members(group).unwrap()));
    let [members, none] = found.await.unwrap();
    assert!(members.contains(&"new".to_owned()) && none.is_empty(), "{members:?} {none:?}");
}
