//! Who hears of which events of which services, and in what form.

use hinoban_config::Dialect::Monit;
use hinoban_config::{Events, MailFormat};

use super::*;

/// Options in which `local` speaks for httpd.
fn with_local(dialect: Dialect, all: Vec<Recipient>, local: Vec<Recipient>) -> Incidents {
    let mut options = options(dialect, all, TimeZone::UTC);
    options.local.insert("httpd".into(), local);
    Incidents::new(options)
}

fn of(address: &str, events: Events) -> Recipient {
    Recipient { events, ..recipient(address, None) }
}

fn told(incidents: &mut Incidents, event: &Event) -> Vec<String> {
    incidents.handle(event).into_iter().flat_map(|delivery| delivery.to).collect()
}

#[test]
fn only_whoever_asked_for_this_class_hears_of_it() {
    let exist = Events::named("nonexist").unwrap();
    let all =
        vec![of("a@x", exist), of("b@x", exist.others()), of("c@x", Events::ALL), of("d@x", Events::NONE)];
    let mut some = incidents(Monit, all);
    assert_eq!(told(&mut some, &event(0.0, "httpd", Fact::Failed(gone(1)))), ["a@x", "c@x"]);
    let failed = Fact::Failed(Failure { class: Class::Resource, ..gone(1) });
    assert_eq!(told(&mut some, &event(1.0, "httpd", failed)), ["b@x", "c@x"]);
    assert_eq!(told(&mut some, &event(2.0, "httpd", Fact::Recovered(back()))), ["a@x", "c@x"]);
}

#[test]
fn what_a_service_says_of_an_address_is_all_that_counts_there() {
    let exist = Events::named("nonexist").unwrap();
    let all = || vec![of("a@x", Events::ALL), of("b@x", Events::ALL), of("c@x", Events::ALL)];
    // One hears of other things only, one of nothing, one is new.
    let local = vec![of("A@x", exist.others()), of("b@x", Events::NONE), of("new@x", Events::ALL)];
    let mut some = with_local(Monit, all(), local);
    assert_eq!(told(&mut some, &event(0.0, "httpd", Fact::Failed(gone(1)))), ["new@x", "c@x"]);
    assert_eq!(told(&mut some, &event(0.0, "mysql", Fact::Failed(gone(1)))), ["a@x", "b@x", "c@x"]);
    // A reload lets everybody hear again.
    some.set_options(options(Monit, all(), TimeZone::UTC));
    assert_eq!(told(&mut some, &event(2.0, "httpd", Fact::Recovered(back()))), ["a@x", "b@x", "c@x"]);
}

#[test]
fn a_local_reminder_is_for_its_service_alone() {
    let local = vec![recipient("a@x", Some(2))];
    let mut some = with_local(Monit, vec![recipient("a@x", None)], local);
    for service in ["httpd", "mysql"] {
        told(&mut some, &event(0.0, service, Fact::Failed(gone(1))));
    }
    assert_eq!(told(&mut some, &event(1.0, "httpd", Fact::Failed(gone(2)))), ["a@x"]);
    assert_eq!(told(&mut some, &event(1.0, "mysql", Fact::Failed(gone(2)))), [""; 0]);
}

#[test]
fn each_form_is_a_message_of_its_own_and_each_field_falls_back() {
    let format = |subject: &str| {
        Some(Box::new(MailFormat { subject: Some(subject.to_owned()), ..MailFormat::default() }))
    };
    let sms = Recipient {
        format: Some(Box::new(MailFormat {
            from: Some("Watch <watch@$HOST>".into()),
            message: Some("$SERVICE: $EVENT\r\non $HOST".into()),
            ..MailFormat::default()
        })),
        ..recipient("sms@x", None)
    };
    let short = Recipient { format: format("$EVENT $ACTION"), ..recipient("short@x", None) };
    let mut options =
        options(Monit, vec![recipient("a@x", None), sms, short, recipient("b@x", None)], TimeZone::UTC);
    options.format.subject = Some("[$HOST] $SERVICE $EVENT".into());
    options.format.reply_to = Some("ops@x".into());
    let found = Incidents::new(options).handle(&event(0.0, "httpd", Fact::Failed(gone(1))));
    let heads: Vec<_> = found.iter().map(|d| (d.to.join(","), d.from.as_str(), d.subject.as_str())).collect();
    assert_eq!(
        heads,
        [
            ("a@x,b@x".to_owned(), "monit@web1", "[web1] httpd Does not exist"),
            ("sms@x".to_owned(), "\"Watch\" <watch@web1>", "[web1] httpd Does not exist"),
            ("short@x".to_owned(), "monit@web1", "Does not exist restart"),
        ]
    );
    assert_eq!(found[1].body, "httpd: Does not exist\non web1\n", "what somebody wrote is all there is");
    assert!(found[2].body.contains("Your faithful employee") && found[2].body.contains("To look closer"));
    assert!(found.iter().all(|d| d.reply_to.as_deref() == Some("ops@x")));
    let mut ids: Vec<_> = found.iter().map(|d| &d.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3, "{ids:?}");
}

#[test]
fn what_a_variable_brings_may_name_one_that_comes_after_it() {
    let mut options = options(Monit, vec![recipient("ops@x", None)], TimeZone::UTC);
    options.format.message = Some("$DESCRIPTION / $ACTION".into());
    let failed = Fact::Failed(Failure { text: "$ACTION, but not $HOST".into(), ..gone(1) });
    let found = Incidents::new(options).handle(&event(0.0, "httpd", failed)).remove(0);
    assert_eq!(found.body, "restart, but not $HOST / restart\n");
}
