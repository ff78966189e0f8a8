//! What is told, how often, and to whom.

use hinoban_config::Dialect::{Monit, Toml};

use super::*;

fn told(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().flat_map(|d| &d.to).map(String::as_str).collect()
}

fn one() -> Vec<Recipient> {
    vec![recipient("ops@example.com", None)]
}

#[test]
fn a_failure_is_told_once_and_its_end_once() {
    let mut incidents = incidents(Monit, one());
    let mut count = |fact| incidents.handle(&event(0.0, "httpd", fact)).len();
    assert_eq!(count(Fact::Doubted(gone(1))), 0);
    assert_eq!(count(Fact::Failed(gone(1))), 1);
    assert_eq!((2..50).map(|n| count(Fact::Failed(gone(n)))).sum::<usize>(), 0);
    assert_eq!(count(Fact::EndingLearned(killed())), 0);
    assert_eq!(count(Fact::Recovered(back())), 1);
    assert_eq!(count(Fact::Failed(gone(1))), 1, "the next failure is another");
}

#[test]
fn each_change_is_news_also_after_a_crash() {
    let change = || Fact::Failed(Failure { class: Class::Size, changed: true, ..gone(1) });
    let mut incidents = incidents(Monit, one());
    incidents.restore("conf", 0, Class::Size);
    let mut count = |fact| incidents.handle(&event(0.0, "conf", fact)).len();
    assert_eq!([count(change()), count(change())], [1, 1]);
}

#[test]
fn who_asked_is_reminded_at_each_so_manyth_look() {
    let recipients = vec![
        recipient("once@example.com", None),
        recipient("fourth@example.com", Some(4)),
        recipient("third@example.com", Some(3)),
    ];
    let mut incidents = incidents(Monit, recipients);
    let mut who = |n| {
        let deliveries = incidents.handle(&event(f64::from(n), "httpd", Fact::Failed(gone(n))));
        told(&deliveries).into_iter().map(|to| to.split_once('@').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(who(1), ["once", "fourth", "third"]);
    let rest: Vec<_> = (2..=12).map(&mut who).collect();
    let none: Vec<String> = vec![];
    assert_eq!(rest[0], none);
    assert_eq!(rest[1], ["third"]);
    assert_eq!(rest[2], ["fourth"]);
    assert_eq!(rest[10], ["fourth", "third"]);
    assert_eq!(rest.concat().len(), 3 + 4);
}

#[test]
fn an_address_written_twice_gets_one_mail() {
    let mut incidents = incidents(Monit, vec![recipient("a@b", None), recipient("a@b", Some(2))]);
    assert_eq!(told(&incidents.handle(&event(0.0, "httpd", Fact::Failed(gone(1))))), ["a@b"]);
    assert_eq!(told(&incidents.handle(&event(1.0, "httpd", Fact::Failed(gone(2))))), ["a@b"], "the reminder");
}

#[test]
fn without_recipients_nothing_is_sent() {
    assert!(incidents(Toml, vec![]).handle(&event(0.0, "httpd", Fact::Failed(gone(1)))).is_empty());
}

#[test]
fn what_nothing_is_to_be_done_about_nobody_hears_of() {
    let mut incidents = incidents(Monit, one());
    let failure = Failure { then: Doing::Nothing, ..gone(1) };
    assert!(incidents.handle(&event(0.0, "httpd", Fact::Failed(failure))).is_empty());
    let recovery = Recovery { then: Doing::Nothing, ..back() };
    assert!(incidents.handle(&event(1.0, "httpd", Fact::Recovered(recovery))).is_empty());
}

#[test]
fn a_start_that_keeps_failing_in_the_same_way_is_told_once() {
    let mut incidents = incidents(Monit, one());
    let mut count = |fact| incidents.handle(&event(0.0, "httpd", fact)).len();
    assert_eq!(count(start_failed("10:32:55 [4803] no memory")), 1);
    assert_eq!(count(start_failed("10:33:01 [5011] no memory")), 0, "other times and pids are no news");
    assert_eq!(count(start_failed("10:33:07 [5012] no configuration")), 1, "another trouble is");
    let because = || Because::Rule { text: "process is not running".into() };
    assert_eq!(count(ended(Doing::Start, because(), true)), 1);
    assert_eq!(count(ended(Doing::Start, because(), true)), 0);
    assert_eq!(count(start_failed("no configuration")), 1, "after a success it is news again");
}

#[test]
fn a_start_that_somebody_got_to_work_may_fail_again_with_news() {
    let mut incidents = incidents(Monit, one());
    let mut count = |fact| incidents.handle(&event(0.0, "httpd", fact)).len();
    assert_eq!((count(start_failed("no memory")), count(start_failed("no memory"))), (1, 0));
    assert_eq!(count(ended(Doing::Start, by_command(), true)), 1);
    assert_eq!(count(start_failed("no memory")), 1);
}

#[test]
fn the_exit_status_is_never_taken_for_noise() {
    let mut incidents = incidents(Monit, one());
    let mut count = |status| {
        let Fact::Ended { doing, because, ok, report } = start_failed("") else { unreachable!() };
        let report = Report { exit: Some(How::Exited { status }), ..report };
        incidents.handle(&event(0.0, "httpd", Fact::Ended { doing, because, ok, report })).len()
    };
    assert_eq!((count(3), count(3), count(4)), (1, 0, 1));
}

#[test]
fn a_start_that_works_again_is_told_by_the_recovery_alone_in_our_own_form() {
    let mut incidents = incidents(Toml, one());
    let mut count = |fact| incidents.handle(&event(0.0, "httpd", fact)).len();
    count(start_failed("no memory"));
    assert_eq!(count(ended(Doing::Start, Because::Rule { text: String::new() }, true)), 0);
    assert_eq!(count(Fact::Recovered(back())), 1);
}

#[test]
fn not_being_able_to_look_is_told_once_until_all_can_be_seen_again() {
    let mut incidents = incidents(Monit, one());
    let mut count = |fact| incidents.handle(&event(0.0, "httpd", fact)).len();
    let unseen = || Fact::NotSeen { why: "no permission".into() };
    assert_eq!((count(unseen()), count(unseen())), (1, 0), "its pidfile, then its port");
    assert_eq!((count(Fact::Seen), count(Fact::Seen)), (0, 1));
    assert_eq!(count(Fact::Seen), 0);
    assert_eq!(count(unseen()), 1);
}

#[test]
fn what_an_earlier_life_told_is_not_told_again() {
    let mut incidents = incidents(Monit, vec![recipient("a@b", Some(3))]);
    incidents.restore("httpd", 0, Class::NonExist);
    let mut count = |service: &str, n| incidents.handle(&event(0.0, service, Fact::Failed(gone(n)))).len();
    assert_eq!((count("httpd", 1), count("httpd", 2), count("httpd", 3)), (0, 0, 1), "but reminded of");
    assert_eq!(count("other", 1), 1);
    assert_eq!(incidents.handle(&event(9.0, "httpd", Fact::Recovered(back()))).len(), 1);
}

#[test]
fn what_a_crash_kept_from_people_is_told_afterwards() {
    let mut incidents = incidents(Monit, one());
    let mut count = |n| incidents.handle(&event(0.0, "httpd", Fact::Failed(gone(n)))).len();
    assert_eq!((count(5), count(6)), (1, 0), "restored by the scheduler as failing, unknown here");
}

#[test]
fn what_is_no_longer_watched_starts_anew() {
    let mut incidents = incidents(Monit, one());
    incidents.handle(&event(0.0, "httpd", Fact::NotSeen { why: "no permission".into() }));
    incidents.handle(&event(0.0, "httpd", Fact::Monitoring { on: false }));
    assert!(incidents.handle(&event(1.0, "httpd", Fact::Seen)).is_empty());
    assert_eq!(
        incidents.handle(&event(2.0, "httpd", Fact::NotSeen { why: "no permission".into() })).len(),
        1
    );
}

#[test]
fn a_message_id_is_the_same_for_the_same_event_and_another_for_another() {
    let id = |dialect, event: &Event| incidents(dialect, one()).handle(event).remove(0).id;
    let failed = event(0.0, "httpd", Fact::Failed(gone(1)));
    let first = id(Monit, &failed);
    assert_eq!(first, id(Monit, &failed));
    assert!(first.starts_with("1795429973250000.42.") && first.ends_with("@web1"), "{first}");
    let others = [
        event(1.0, "httpd", Fact::Failed(gone(1))),
        event(0.0, "mysql", Fact::Failed(gone(1))),
        event(0.0, "httpd", Fact::Recovered(back())),
        Event { id: 43, ..failed.clone() },
    ];
    for other in others {
        assert_ne!(id(Monit, &other), first);
    }
}

#[test]
fn sender_and_id_follow_the_options() {
    let from = |dialect, from: Option<&str>| {
        let zone = TimeZone::UTC;
        let mut options = options(dialect, one(), zone);
        options.format.from = from.map(str::to_owned);
        options.mail_host = Some("mail.example.com".to_owned());
        let delivery = Incidents::new(options).handle(&event(0.0, "httpd", Fact::Failed(gone(1)))).remove(0);
        assert!(delivery.id.ends_with("@mail.example.com"));
        delivery.from
    };
    assert_eq!(from(Monit, None), "monit@web1");
    assert_eq!(from(Toml, None), "hinoban@web1");
    assert_eq!(from(Monit, Some("watch-$HOST@example.com")), "watch-web1@example.com");
}

#[test]
fn a_start_that_brings_no_process_fails_in_one_way_however_that_looks() {
    let mut all = incidents(Dialect::Toml, one());
    let mut tells = |trouble: &str, status: u8, output: &str| {
        let mut fact = start_failed(output);
        if let Fact::Ended { report, .. } = &mut fact {
            report.trouble = Some(trouble.to_owned());
            report.exit = Some(How::Exited { status });
        }
        all.handle(&event(0.0, "httpd", fact)).len()
    };
    let zombie = "its process did not appear within 2 s: the process with pid 7 has ended; its parent PID 1 (init) has not \
                  collected it yet (a zombie)";
    assert_eq!(tells(zombie, 0, ""), 1);
    assert_eq!(
        tells("its process did not appear within 2 s: there is no process 7, which /a.pid names", 0, ""),
        0
    );
    assert_eq!(tells("its process did not appear within 2 s: there is no pidfile /a.pid", 0, ""), 0);
    assert_eq!(tells("its process 8 ended right after its start", 0, ""), 0);
    assert_eq!(tells(zombie, 1, ""), 1, "another exit status is news");
    assert_eq!(tells(zombie, 1, "no such file"), 1, "and what it prints");
    assert_eq!(tells("timed out after 2 s", 1, "no such file"), 1);
}

#[test]
fn each_way_in_which_what_rules_run_fails_is_told_once() {
    let mut all = incidents(Dialect::Toml, one());
    let failed = |doing: Doing, output: &str| {
        let mut fact = start_failed(output);
        if let Fact::Ended { doing: was, .. } = &mut fact {
            *was = doing;
        }
        fact
    };
    let mut tells = |fact: Fact| all.handle(&event(0.0, "httpd", fact)).len();
    let page = || Doing::Custom("page".into());
    // Two of them by turns, and a start that fails as well.
    for told in [1, 0, 0] {
        assert_eq!(tells(failed(Doing::Exec, "pid 12: no route")), told);
        assert_eq!(tells(failed(page(), "no route")), told);
        assert_eq!(tells(failed(Doing::Start, "no such file")), told);
    }
    let because = || Because::Rule { text: "gone".into() };
    assert_eq!(tells(ended(Doing::Exec, because(), true)), 0);
    assert_eq!(tells(failed(Doing::Exec, "pid 13: no route")), 1, "it had worked in between");
    assert_eq!(tells(failed(Doing::Start, "no such file")), 0, "which says nothing of the start");
}

#[test]
fn giving_up_is_told_to_everybody_with_each_reminder_and_holding_back_too() {
    let mut incidents = incidents(Toml, one());
    let mut count = |fact| incidents.handle(&event(0.0, "shop", fact)).len();
    for times in 1..=3 {
        assert_eq!(count(gave_up(times)), 1, "for the {times}. time");
    }
    assert_eq!(count(held()), 1);
    assert_eq!(count(Fact::ClockJumped { by: 3600 }), 0, "a line of the log is enough");
}

#[test]
fn a_reminder_of_a_failure_does_not_say_that_it_is_restarted_when_that_was_given_up() {
    let mut incidents = incidents(Toml, vec![recipient("a@b", Some(1))]);
    let mut body = |fact| incidents.handle(&event(0.0, "httpd", fact)).pop().map(|mail| mail.body);
    assert!(body(Fact::Failed(gone(1))).unwrap().contains("It is being restarted."));
    body(gave_up(1));
    let given_up = body(Fact::Failed(gone(2))).unwrap();
    assert!(!given_up.contains("It is being restarted."), "{given_up}");
    assert!(given_up.contains("Once it is mended: hinoban restart httpd\n"), "{given_up}");
    // An operator restarts it: from then on its rules do, too.
    let because = Because::Command { by: "cli".into() };
    body(Fact::Began { doing: Doing::Start, command: None, because });
    assert!(body(Fact::Failed(gone(3))).unwrap().contains("It is being restarted."));
}
