//! Whatever is entered in whatever order: the entries that a state gives say the same as those that made it.

use hinoban_event::{Class, Doing};
use hinoban_journal::{Branch, Entry, GivenUp, Known, Letter, Repairs, State};
use hinoban_reading::{Identity, Stamp, Value};
use proptest::prelude::*;

fn entry() -> impl Strategy<Value = Entry> {
    let service = || prop_oneof!["a", "b", "[é\n\"]{1,3}"].prop_map(|name: String| name.into());
    let class = || prop_oneof![Just(Class::NonExist), Just(Class::Connection)];
    let doing = || prop_oneof![Just(Doing::Restart), Just(Doing::Custom("fail over".into()))];
    let stamp = || any::<i64>().prop_map(Stamp::from_micros);
    let message = || proptest::option::of("[a-z]{3}");
    prop_oneof![
        ("[a-z]{2}", any::<i64>()).prop_map(|(boot_id, boot_time)| Entry::Boot { boot_id, boot_time }),
        (service(), any::<bool>()).prop_map(|(service, on)| Entry::Monitoring {
            service,
            on,
            why: (!on).then(|| "a rule".to_owned())
        }),
        (service(), 0..3u32, any::<u32>()).prop_map(|(service, restarts, cycles)| Entry::Restarts {
            service,
            restarts,
            cycles
        }),
        (service(), 0..2u32, stamp(), proptest::option::of((doing(), stamp(), 1..9u32))).prop_map(
            |(service, lived, at, gave_up)| {
                let given_up = |(doing, since, times)| {
                    Box::new(GivenUp {
                        doing,
                        text: "in vain".to_owned(),
                        since,
                        told: None,
                        times,
                        lived: true,
                        gone: false,
                    })
                };
                let gave_up = gave_up.filter(|_| lived > 0).map(given_up);
                let at = if lived > 0 { at } else { Stamp::default() };
                Entry::Repairs { service, repairs: Repairs { lived, at, gave_up, ..Repairs::default() } }
            }
        ),
        (service(), "[ab]", proptest::option::of(value())).prop_map(|(service, condition, value)| {
            Entry::Baseline { service, condition, value: value.map(Known) }
        }),
        (0..5u64, service(), doing(), stamp()).prop_map(|(id, service, doing, at)| Entry::Intent {
            id,
            service,
            doing,
            at,
            whole: None,
            by: (id > 1).then(|| "admin".to_owned()),
            part_of: (id > 1).then(|| "db".to_owned()),
            branch: (id > 2).then(|| {
                let (rule, condition, text) = (1, "missing".to_owned(), "gone".to_owned());
                Box::new(Branch { rule, condition, recovery: id > 3, nth: id as usize - 3, text })
            }),
        }),
        (0..4u64, any::<(u32, u64)>())
            .prop_map(|(intent, (pid, start))| Entry::Spawned { intent, identity: Identity { pid, start } }),
        (0..4u64, any::<bool>()).prop_map(|(intent, ok)| Entry::Done { intent, ok }),
        (service(), 0..2usize, class(), stamp(), message(), message()).prop_map(
            |(service, rule, class, since, message_id, condition)| Entry::Failed {
                service,
                rule,
                class,
                since,
                message_id,
                condition
            }
        ),
        ("[ab]", stamp(), message(), "[é\n\"]{1,3}").prop_map(|(id, at, reply_to, body)| {
            let (from, to, subject) = ("a@b".into(), vec!["c@d".into()], "s".into());
            Entry::Owed(Box::new(Letter { id, at, from, reply_to, to, subject, body }))
        }),
        "[ab]".prop_map(|id| Entry::Carried { id }),
        (service(), 0..2usize, class()).prop_map(|(service, rule, class)| Entry::Recovered {
            service,
            rule,
            class
        }),
        service().prop_map(|service| Entry::Forgotten { service }),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Real),
        "[é\n\"]{0,3}".prop_map(Value::Text)
    ]
}

fn fold(entries: impl IntoIterator<Item = Entry>) -> State {
    let mut state = State::default();
    entries.into_iter().for_each(|entry| state.apply(&entry));
    state
}

proptest! {
    #[test]
    fn a_state_gives_entries_that_give_it_again(entries in proptest::collection::vec(entry(), 0..60)) {
        let state = fold(entries);
        prop_assert_eq!(fold(state.entries()), state);
    }

    #[test]
    fn an_entry_is_one_line_and_reads_as_itself(entry in entry()) {
        let line = serde_json::to_string(&entry).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry);
    }
}

#[test]
fn a_file_of_this_version_stays_readable() {
    // Written out: a renamed field would orphan every state file in the field.
    let file = [
        r#"{"entry":"boot","boot_id":"5d0a","boot_time":1795000000}"#,
        r#"{"entry":"monitoring","service":"data","on":false}"#,
        r#"{"entry":"intent","id":8,"service":"httpd","doing":"restart","at":1795429973000000}"#,
        r#"{"entry":"spawned","intent":8,"identity":{"pid":4711,"start":123456}}"#,
        r#"{"entry":"done","intent":7,"ok":true}"#,
        r#"{"entry":"failed","service":"httpd","rule":0,"class":"nonexist","since":1795429973000000,"message_id":null}"#,
        r#"{"entry":"recovered","service":"httpd","rule":1,"class":"connection"}"#,
        r#"{"entry":"forgotten","service":"gone"}"#,
        r#"{"entry":"repairs","service":"shop","repairs":{"lived":5,"gone":1,"at":1795429973000000,"open":false,"tried":6,"helped":1,"gave_up":{"doing":"restart","text":"in vain","since":1795429973000000,"times":2}}}"#,
        r#"{"entry":"repairs","service":"shop","repairs":{"lived":5,"gone":1,"at":1795429973000000,"open":false,"tried":6,"helped":1,"gave_up":{"doing":"restart","text":"in vain","since":1795429973000000,"times":2,"lived":true,"gone":true},"spent":[1795429973000000],"held":1795429973000000}}"#,
        r#"{"entry":"baseline","service":"conf","condition":"size/1","value":4711}"#,
        r#"{"entry":"baseline","service":"conf","condition":"load/1","value":{"real":"0.25"}}"#,
        r#"{"entry":"baseline","service":"conf","condition":"size/1","value":null}"#,
    ];
    for line in file {
        let entry: Entry = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&entry).unwrap(), line);
    }
}

#[test]
fn what_was_over_before_it_was_entered_is_over() {
    let intent = |id| Entry::Intent {
        id,
        service: "child".into(),
        doing: Doing::Stop,
        at: Stamp::from_micros(1),
        whole: None,
        by: Some("operator".to_owned()),
        part_of: None,
        branch: None,
    };
    let boot = || Entry::Boot { boot_id: "5d0a".into(), boot_time: 1 };
    let mut state = State::default();
    for entry in [boot(), Entry::Done { intent: 5, ok: false }, intent(5), intent(6)] {
        state.apply(&entry);
    }
    let open: Vec<u64> = state.in_flight().map(|flight| flight.id).collect();
    assert_eq!(open, [6]);
    // Numbers are given anew by the next life.
    for entry in [Entry::Done { intent: 7, ok: true }, boot(), intent(7)] {
        state.apply(&entry);
    }
    assert_eq!(state.in_flight().count(), 2);
}
