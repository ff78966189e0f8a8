//! Each kind of mail as its reader sees it.

use hinoban_config::Dialect::{Monit, Toml};

use hinoban_reading::{Confidence, Killer, OutOfMemory, Reached};

use super::*;

/// The mail because of the last of these events, in each dialect.
fn mails(events: &[Event]) -> String {
    let mail = |dialect| {
        let mut incidents = incidents(dialect, vec![recipient("ops@example.com", Some(5))]);
        let last = events.iter().map(|event| incidents.handle(event)).last().unwrap();
        match last.as_slice() {
            [] => "(none)\n".to_owned(),
            [mail] => format!(
                "From: {}\nTo: {}\nSubject: {}\nMessage-Id: <{}>\n\n{}",
                mail.from,
                mail.to.join(", "),
                mail.subject,
                mail.id,
                mail.body
            ),
            _ => panic!("more than one mail for one event"),
        }
    };
    format!("=== under a control file\n{}\n=== under our own configuration\n{}", mail(Monit), mail(Toml))
}

macro_rules! reads {
    ($name:ident, $($event:expr),+) => {
        #[test]
        fn $name() {
            let mails = mails(&[$($event),+]);
            insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(stringify!($name), mails) });
        }
    };
}

reads!(killed_and_being_restarted, event(0.0004, "httpd", Fact::Failed(gone(1))));

reads!(killed_nobody_knows_how_yet, {
    let failure = Failure { ending: None, ..gone(1) };
    event(0.0004, "httpd", Fact::Failed(failure))
});

reads!(killed_and_it_could_not_be_known_how, {
    let why = "this kernel cannot tell it of another's child; Linux 6.15 or newer can";
    let ending = Ending::unknown(killed().identity, why);
    event(0.0004, "httpd", Fact::Failed(Failure { ending: Some(ending), ..gone(1) }))
});

/// httpd was killed by the kernel.
fn starved() -> Ending {
    let reached = Reached::Group { path: "/system.slice/httpd.service".to_owned(), limit: Some(32 << 20) };
    let (source, confidence) = (Source::KernelLog, Confidence::Certain);
    let memory = OutOfMemory { reached, used: Some(31 << 20), source, confidence };
    Ending { killer: Some(Box::new(Killer::Memory(memory))), ..killed() }
}

reads!(killed_because_memory_ran_out, {
    event(0.0004, "httpd", Fact::Failed(Failure { ending: Some(starved()), ..gone(1) }))
});

reads!(killed_by_somebody, {
    let ending = Ending { killer: Some(Box::new(Killer::Other)), ..killed() };
    event(0.0004, "httpd", Fact::Failed(Failure { ending: Some(ending), ..gone(1) }))
});

reads!(never_ran_and_only_told, {
    let detail = Some("/run/httpd.pid does not exist".to_owned());
    let failure = Failure { detail, then: Doing::Alert, ending: None, lived: None, ..gone(1) };
    event(0.0, "httpd", Fact::Failed(failure))
});

reads!(port_fails_after_three_looks, {
    let failure = Failure {
        rule: 1,
        class: Class::Connection,
        text: "failed protocol test [HTTP] at [127.0.0.1]:80/ [TCP/IP] -- Connection refused".into(),
        then: Doing::Restart,
        ending: None,
        lived: None,
        ..gone(1)
    };
    event(60.0, "httpd", Fact::Failed(failure))
});

reads!(load_is_high_on_the_host_itself, {
    let failure = Failure {
        rule: 0,
        class: Class::Resource,
        text: "loadavg (1min) of 9.2 matches resource limit [loadavg (1min) > 8.0]".into(),
        compared: Some(Box::new(compared(&metrics::LOAD_1, 9.25, ">", 8.0))),
        then: Doing::Exec,
        ending: None,
        lived: None,
        ..gone(1)
    };
    event(0.0, "web1", Fact::Failed(failure))
});

reads!(repairs_were_given_up, event(0.0, "shop", gave_up(1)));

reads!(a_reminder_of_what_was_given_up, event(10_800.0, "shop", gave_up(3)));

reads!(a_restart_is_put_off, event(0.0, "shop", held()));

reads!(what_others_depend_on_is_gone, {
    let dependants = vec!["app".into(), "web".into()];
    event(0.0, "httpd", Fact::Failed(Failure { dependants, ..gone(1) }))
});

reads!(what_others_depend_on_is_gone_and_nothing_is_done, {
    let (then, dependants) = (Doing::Alert, vec!["app".into()]);
    event(0.0, "httpd", Fact::Failed(Failure { then, dependants, ..gone(1) }))
});

reads!(a_dependant_did_not_come_back, {
    let because = Because::Dependency { service: "db".into(), by: Some("admin from 127.0.0.1".into()) };
    event(9.0, "httpd", ended(Doing::Restart, because, false))
});

reads!(a_log_file_is_too_big, {
    let failure = Failure {
        rule: 1,
        class: Class::Size,
        reason: None,
        text: "size test failed for /var/log/app.log -- current size is 13.6 kB".into(),
        compared: Some(Box::new(compared(&metrics::SIZE, 13_933.0, ">", 8_192.0))),
        then: Doing::Alert,
        ..quiet()
    };
    event(125.0, "app.log", Fact::Failed(failure))
});

reads!(a_file_has_changed, {
    let failure = Failure {
        class: Class::Size,
        changed: true,
        reason: None,
        text: "size for /etc/app.conf changed to 22 B".into(),
        then: Doing::Alert,
        dependants: vec!["app".into()],
        ..quiet()
    };
    event(0.0, "conf", Fact::Failed(failure))
});

reads!(a_file_system_is_nearly_full, {
    let failure = Failure {
        rule: 1,
        class: Class::Resource,
        reason: None,
        text: "space usage 92.4% matches resource limit [space usage > 90.0%]".into(),
        compared: Some(Box::new(compared(&metrics::SPACE_PERCENT, 92.44, ">", 90.0))),
        then: Doing::Alert,
        ..quiet()
    };
    event(0.0, "data", Fact::Failed(failure))
});

reads!(a_file_is_missing_and_nothing_can_make_it, {
    let failure = Failure {
        reason: Some(ReasonKind::FileAbsent),
        text: "file doesn't exist".into(),
        detail: Some("/srv/app/pid: /srv/app does not exist".into()),
        able: false,
        ..quiet()
    };
    event(0.0, "app.pid", Fact::Failed(failure))
});

reads!(a_file_system_is_not_mounted, {
    let failure = Failure {
        reason: Some(ReasonKind::NotMounted),
        text: "unable to read filesystem '/data' state".into(),
        detail: Some("/data is a directory on the file system mounted at /; use that".into()),
        ..quiet()
    };
    event(0.0, "data", Fact::Failed(failure))
});

reads!(a_file_system_is_mounted_again, {
    let text = "succeeded getting filesystem statistics for '/data'".into();
    event(61.0, "data", Fact::Recovered(Recovery { text, done: vec![], ending: None, ..back() }))
});

reads!(a_directory_is_where_a_file_should_be, {
    let failure = Failure {
        rule: 1,
        class: Class::Invalid,
        reason: Some(ReasonKind::WrongType),
        text: "is neither a regular file nor a socket".into(),
        detail: Some("/srv/app.conf is a directory".into()),
        ..quiet()
    };
    event(0.0, "app.conf", Fact::Failed(failure))
});

reads!(given_up_and_no_longer_watched, {
    let failure = Failure {
        rule: 2,
        class: Class::Timeout,
        text: "service restarted 5 times within 5 cycles(s) - unmonitor".into(),
        then: Doing::Unmonitor,
        ending: None,
        lived: None,
        ..gone(1)
    };
    event(0.0, "my httpd", Fact::Failed(failure))
});

reads!(what_others_depend_on_is_given_up_and_they_go_with_it, {
    let failure = Failure {
        rule: 2,
        class: Class::Timeout,
        text: "was restarted 3 times within 5 cycles".into(),
        then: Doing::Unmonitor,
        ending: None,
        lived: None,
        dependants: vec!["app".into(), "my shop".into()],
        ..gone(1)
    };
    event(0.0, "db", Fact::Failed(failure))
});

reads!(what_others_depend_on_is_stopped_and_they_with_it, {
    let (then, dependants) = (Doing::Stop, vec!["app".into()]);
    event(0.0, "db", Fact::Failed(Failure { then, dependants, ..gone(1) }))
});

reads!(reminder, event(1_500.0, "httpd", Fact::Failed(gone(50))));

reads!(back_after_a_restart, event(0.325, "httpd", Fact::Recovered(back())));

reads!(back_after_trouble, {
    let done = vec![
        "failed to start after 2040 ms (exit status 3) -- no memory\nfor 3 workers".into(),
        "restarted in 312 ms".into(),
    ];
    event(3_723.0, "httpd", Fact::Recovered(Recovery { done, ending: None, ..back() }))
});

reads!(load_is_well_again, {
    let recovery = Recovery {
        class: Class::Resource,
        text: "loadavg (1min) check succeeded [current loadavg (1min) = 0.5]".into(),
        compared: Some(Box::new(compared(&metrics::LOAD_1, 0.48, ">", 8.0))),
        done: vec![],
        ending: None,
        ..back()
    };
    event(125.0, "web1", Fact::Recovered(recovery))
});

reads!(
    start_failed_with_output,
    event(2.0, "httpd", start_failed("bind: address in use\n\x1b[31mgiving up\r\n"))
);

reads!(start_timed_out, {
    let report = Report {
        exit: None,
        output: String::new(),
        took: Duration::from_secs(60),
        trouble: Some("its process did not appear within 60 s: /run/httpd.pid does not exist".into()),
    };
    let because = Because::Rule { text: "process is not running".into() };
    event(60.0, "httpd", Fact::Ended { doing: Doing::Start, because, ok: false, report })
});

reads!(
    start_worked_after_it_had_failed,
    event(2.0, "httpd", start_failed("no memory")),
    event(9.0, "httpd", ended(Doing::Start, Because::Rule { text: "process is not running".into() }, true))
);

reads!(stopped_by_command, event(0.3, "httpd", ended(Doing::Stop, by_command(), true)));

reads!(command_failed, {
    let Fact::Ended { doing, ok, report, .. } = start_failed("bind: address in use") else { unreachable!() };
    event(2.0, "httpd", Fact::Ended { doing, because: by_command(), ok, report })
});

reads!(
    unmonitored_by_command,
    event(0.0, "httpd", Fact::Commanded { doing: Doing::Unmonitor, by: "admin from 127.0.0.1".into() })
);

reads!(could_not_be_looked_at, {
    let why =
        "may not read /run/httpd.pid (Permission denied); run as root, or give this user the right".into();
    event(0.0, "httpd", Fact::NotSeen { why })
});

reads!(
    can_be_looked_at_again,
    event(0.0, "httpd", Fact::NotSeen { why: "no descriptor left".into() }),
    event(90.0, "httpd", Fact::Seen)
);

reads!(supervisor_started, event(0.0, "web1", Fact::Started { who: "Hinoban 0.1.0".into() }));

reads!(
    supervisor_reloaded,
    event(
        0.0,
        "web1",
        Fact::Reloaded { added: vec!["mysql".into()], removed: vec![], changed: vec!["httpd".into()] }
    )
);

reads!(supervisor_stopped, event(0.0, "web1", Fact::Stopped { who: "Hinoban 0.1.0".into(), left: vec![] }));

reads!(
    supervisor_stopped_halfway,
    event(
        0.0,
        "web1",
        Fact::Stopped {
            who: "Hinoban 0.1.0".into(),
            left: vec!["httpd was stopped for a restart and has not been started again".into()]
        }
    )
);

#[test]
fn foreign_text_adds_no_header_and_no_control_character() {
    let text = "a\r\nBcc: all@example.com\r\n\r\nhello\x07".to_owned();
    for dialect in [Monit, Toml] {
        let mut incidents = incidents(dialect, vec![recipient("ops@example.com", None)]);
        let failure = Failure { text: text.clone(), ..gone(1) };
        let mail = incidents.handle(&event(0.0, "a\nb", Fact::Failed(failure))).remove(0);
        assert!(!mail.subject.contains(char::is_control), "{:?}", mail.subject);
        assert!(!mail.body.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{:?}", mail.body);
    }
}
