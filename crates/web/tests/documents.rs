//! What programs parse, letter by letter: service types in all their states.
#![allow(clippy::unwrap_used)] // in helpers of tests too

#[allow(unreachable_pub)]
mod world;

use hinoban_supervisor::{ServiceView, Status};
use hinoban_web::client;
use hinoban_web::monit::{self, Count};

fn all(status: &Status) -> Vec<&ServiceView> {
    status.services.iter().collect()
}

#[test]
fn xml_is_one_line_in_monits_order() {
    let document = monit::document(&world::status(), &world::about());
    assert!(document.is_ascii() && !document.contains('\n'));
    insta::assert_snapshot!(document.replace("><", ">\n<"));
}

#[test]
fn xml_2_moves_identity_and_names_into_attributes() {
    let document = monit::document2(&world::status(), &world::about());
    let (head, services) = document.split_once("<services>").unwrap();
    let (first, rest) = services.split_once("</service>").unwrap();
    let (_, groups) = rest.split_once("</services>").unwrap();
    insta::assert_snapshot!([head, first, groups].join("\n…\n").replace("><", ">\n<"));
}

#[test]
fn xml_keeps_its_form_whatever_things_are_called() {
    let mut status = world::status();
    status.services[0].name = "</name>\u{1}\u{fffe}\u{1f525}\"'&amp;".into();
    status.services[0].groups = vec!["a\"><b>".to_owned()];
    for document in [monit::document, monit::document2].map(|d| d(&status, &world::about())) {
        let mut open = Vec::new();
        let body = document.split_once("?>").unwrap().1.replace("<![CDATA[/%C3%A4?]]&gt;]]>", "");
        for tag in body.split('<').skip(1) {
            let (tag, text) = tag.split_once('>').unwrap();
            assert!(!text.contains('>'), "{text}");
            match tag.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{document}"),
                None if tag.starts_with("![CDATA[") => (),
                None => open.push(tag.split(' ').next().unwrap()),
            }
        }
        assert!(open.is_empty());
        assert!(document.contains("&lt;/name&gt;??&#128293;&quot;'&amp;amp;"), "{document}");
    }
}

#[test]
fn status_text_has_monits_keys_in_its_columns() {
    let status = world::status();
    let drawn = monit::status(&status, &world::about(), &all(&status));
    for line in drawn.lines().filter(|line| line.starts_with("  ")) {
        assert!(
            line.is_char_boundary(31) && line[..31].ends_with(' '),
            "the value begins in column 32: {line}"
        );
    }
    insta::assert_snapshot!(client::plain(&drawn));
}

#[test]
fn status_text_colours_what_fails() {
    let status = world::status();
    let drawn = monit::status(&status, &world::about(), &[&status.services[1], &status.services[5]]);
    insta::assert_snapshot!(drawn.replace('\x1b', "␛"));
}

#[test]
fn status_text_colours_the_values_that_a_failing_rule_is_about() {
    let mut status = world::status();
    let red = |status: &Status, name: &str| -> Vec<String> {
        let view = status.services.iter().find(|view| &*view.name == name).unwrap();
        let drawn = monit::status(status, &world::about(), &[view]);
        let lines = drawn.lines().filter_map(|line| line.split_once("\x1b[0;91m"));
        lines.map(|(key, _)| key.trim().to_owned()).collect()
    };
    assert_eq!(red(&status, "notes"), ["status", "permission", "size"]);
    assert_eq!(red(&status, "folder"), ["status"], "what is not known fails nothing");
    let root = status.services.iter_mut().find(|view| &*view.name == "rootfs").unwrap();
    root.failing = vec![hinoban_event::Class::Resource];
    let resources = [
        "status",
        "space free total",
        "inodes free",
        "read bytes",
        "disk read operations",
        "write bytes",
        "disk write operations",
    ];
    assert_eq!(red(&status, "rootfs"), resources);
}

#[test]
fn summary_is_a_table_by_type() {
    let mut status = world::status();
    status.services[0].name = "a name that is longer than its column".into();
    let drawn = monit::summary(&status, &world::about(), &all(&status), true);
    insta::assert_snapshot!(
        "summary_drawn",
        drawn.lines().take(5).collect::<Vec<_>>().join("\n").replace('\x1b', "␛")
    );
    insta::assert_snapshot!("summary_plain", client::plain(&drawn).replace(" \n", " $\n"));
}

#[test]
fn report_counts_each_service_once() {
    let status = world::status();
    insta::assert_snapshot!(monit::report(&all(&status), &world::about(), None));
    assert_eq!(monit::report(&all(&status), &world::about(), Count::from_word("Unmonitored")), "1\n");
    assert!(monit::report(&[], &world::about(), None).starts_with("up:             0 (0.0%)\n"));
}

#[test]
fn names_are_expressions_that_match_whole_names() {
    let mut status = world::status();
    status.services[3].name = "a.b".into();
    status.services[4].name = "axb".into();
    let found = |name: &str| -> Vec<String> {
        monit::matching(&status.services, name).iter().map(|view| view.name.to_string()).collect()
    };
    assert_eq!(found("s"), [""; 0]);
    assert_eq!(found("SVC"), ["svc"]);
    assert_eq!(found("^s"), ["svc"]);
    assert_eq!(found("a."), [""; 0]);
    assert_eq!(found("[a]..?"), ["a.b", "axb"]);
    assert_eq!(found("a.b"), ["a.b"], "a name that exists is no expression");
    assert_eq!(found("(("), [""; 0]);
}

#[test]
fn what_a_terminal_would_obey_is_written_out() {
    let mut status = world::status();
    status.services[0].name = "a\u{1b}[2J\nService 'b'".into();
    let about = world::about();
    let all = all(&status);
    for drawn in [monit::status(&status, &about, &all), monit::summary(&status, &about, &all, false)] {
        let drawn = client::plain(&drawn);
        assert!(drawn.contains("a#033[2J#012Service 'b'"), "{drawn}");
        assert!(!drawn.contains(|c: char| c.is_control() && c != '\n'), "{drawn:?}");
        assert!(!drawn.lines().any(|line| line.starts_with("Service 'b'")), "{drawn}");
    }
}

#[test]
fn what_is_masked_is_no_part_of_a_document() {
    let mut status = world::status();
    let mut masked = 0;
    for test in status.services.iter_mut().flat_map(|view| &mut view.tests) {
        if let hinoban_supervisor::Test::Port(port) = &mut test.test
            && let hinoban_supervisor::Protocol::Http(http) = &mut port.protocol
        {
            http.request = Some("/p?token=SECRET".to_owned());
            http.masked = Some("/p?token=***".to_owned());
            masked += 1;
        }
        if let hinoban_supervisor::Test::Url(url) = &mut test.test {
            url.url = "https://h/p?token=SECRET".to_owned();
            url.masked = Some("https://h/p?token=***".to_owned());
            masked += 1;
        }
    }
    let document = monit::document(&status, &world::about());
    assert_eq!(document.matches("<![CDATA[/p?token=***]]>").count(), masked);
    assert!(masked > 1 && !document.contains("SECRET"), "{document}");
}

/// As Monit 5.33 shows the same file, directory and pipe.
#[test]
fn checksums_directories_and_pipes_are_shown_as_monit_shows_them() {
    use hinoban_event::Class;
    use hinoban_reading::metrics;
    use hinoban_supervisor::Kind;
    let status = world::status();
    let notes = status.services.iter().find(|view| &*view.name == "notes").unwrap();
    let mut file = notes.clone();
    let sum = "b1946ac92492d2347c6235b4d2611184";
    file.observation = file.observation.map(|seen| seen.with(&metrics::CHECKSUM_MD5, sum));
    file.failing = vec![Class::Checksum, Class::Timestamp];
    let mut directory = notes.clone();
    (directory.name, directory.kind) = ("spool".into(), Kind::Directory { path: "/srv/spool".into() });
    let mut fifo = notes.clone();
    (fifo.name, fifo.kind) = ("events".into(), Kind::Fifo { path: "/run/events".into() });

    let shown = monit::status(&status, &world::about(), &[&file]);
    let checksum = shown.lines().find(|line| line.contains("checksum")).unwrap();
    assert_eq!(checksum, format!("  checksum                     \x1b[0;91m{sum} (MD5)\x1b[0m"));
    let red = shown.lines().filter(|line| line.contains("\x1b[0;91m")).count();
    assert_eq!(red, 5, "the status, three times and the checksum: {shown}");
    for view in [&directory, &fifo] {
        let shown = monit::status(&status, &world::about(), &[view]);
        assert!(shown.contains("  permission ") && shown.contains("  modify timestamp "), "{shown}");
        assert!(!shown.contains("  size "), "a file has a size: {shown}");
    }

    let mut three = status.clone();
    three.services = vec![file, directory, fifo];
    let document = monit::document(&three, &world::about());
    let services: Vec<&str> = document.split("<service type=").collect();
    let node = "<mode>4750</mode><uid>0</uid><gid>33</gid><timestamps><access>1795429948</access>\
                <change>1795429922</change><modify>-1</modify></timestamps>";
    assert!(
        services[1].starts_with("\"2\"")
            && services[1].contains(&format!(
                "{node}<size>13952</size><checksum type=\"MD5\">{sum}</checksum></service>"
            )),
        "{}",
        services[1]
    );
    for (service, code) in [(services[2], "\"1\""), (services[3], "\"6\"")] {
        assert!(service.starts_with(code) && service.contains(&format!("{node}</service>")), "{service}");
    }
}

/// The attribute as Monit 5.33 shows it; the group, which it does not know, only where a rule had it read.
#[test]
fn a_security_attribute_and_a_control_group_have_their_lines() {
    use hinoban_reading::metrics as m;
    let status = world::status();
    let lives = |view: &&ServiceView| {
        let up = view.observation.as_ref().is_some_and(|seen| seen.standing.is_up());
        up && matches!(view.kind, hinoban_supervisor::Kind::Process { .. })
    };
    let mut view = status.services.iter().find(lives).unwrap().clone();
    let shown = |view: &ServiceView| client::plain(&monit::status(&status, &world::about(), &[view]));
    let before = shown(&view);
    assert!(before.contains("  security attribute           -\n") && !before.contains("cgroup"), "{before}");
    let seen = view.observation.take().unwrap();
    let seen = seen.with(&m::SECURITY, "docker-default (enforce)").with(&m::CGROUP_MEMORY, 256i64 << 20);
    let seen = seen.with(&m::CGROUP_MEMORY_LIMIT, 1i64 << 30).with(&m::CGROUP_MEMORY_PERCENT, 25.0);
    view.observation = Some(seen.with(&m::CGROUP_OOM_KILLS, 2i64).with(&m::CGROUP_PIDS, 12i64));
    let shown = shown(&view);
    for line in [
        "  security attribute           docker-default (enforce)\n",
        "  cgroup memory                256 MB [25.0% of 1 GB limit]\n",
        "  cgroup pids                  12\n",
        "  cgroup OOM kills             2\n",
    ] {
        assert!(shown.contains(line), "{line}{shown}");
    }
}
