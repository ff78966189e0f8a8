//! What a journal remembers over restarts, crashes, damage, and full disks.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a helper of a test may fail it

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hinoban_event::{Class, Doing};
use hinoban_journal::{Entry, Journal, Letter, OpenError, State};
use hinoban_reading::{Identity, Stamp};

fn monitoring(service: &str, on: bool) -> Entry {
    Entry::Monitoring { service: service.into(), on, why: None }
}

/// One of each kind, telling a short story: httpd died, and the supervisor did so while it was restarting it.
fn owed(id: &str) -> Entry {
    let (at, text) = (Stamp::from_micros(1_795_429_973_000_000), String::new());
    let (from, to) = ("hinoban@vm".into(), vec!["admin@vm".into()]);
    let letter = Letter { id: id.into(), at, from, reply_to: None, to, subject: "down".into(), body: text };
    Entry::Owed(Box::new(letter))
}

fn story() -> Vec<Entry> {
    let class = Class::NonExist;
    let service = || "httpd".into();
    let since = Stamp::from_micros(1_795_429_973_000_000);
    let identity = Identity { pid: 4711, start: 123_456 };
    vec![
        Entry::Boot { boot_id: "5d0a".into(), boot_time: 1_795_000_000 },
        monitoring("data", false),
        Entry::Intent {
            id: 7,
            service: "mysql".into(),
            doing: Doing::Start,
            at: since,
            whole: None,
            by: None,
            part_of: None,
            branch: None,
        },
        Entry::Done { intent: 7, ok: true },
        Entry::Failed { service: service(), rule: 0, class, since, message_id: None, condition: None },
        Entry::Failed {
            service: service(),
            rule: 0,
            class,
            since,
            message_id: Some("1.2.3@vm".into()),
            condition: Some("missing".into()),
        },
        owed("1.2.3@vm"),
        owed("1.2.4@vm"),
        Entry::Carried { id: "1.2.3@vm".into() },
        Entry::Intent {
            id: 8,
            service: service(),
            doing: Doing::Stop,
            at: since,
            whole: Some(Doing::Restart),
            by: Some("admin".into()),
            part_of: None,
            branch: None,
        },
        Entry::Spawned { intent: 8, identity },
        Entry::Failed { service: "mysql".into(), rule: 2, class, since, message_id: None, condition: None },
        Entry::Recovered { service: "mysql".into(), rule: 2, class },
        monitoring("gone", true),
        Entry::Forgotten { service: "gone".into() },
    ]
}

fn fold(entries: &[Entry]) -> State {
    let mut state = State::default();
    entries.iter().for_each(|entry| state.apply(entry));
    state
}

fn write(path: &Path, entries: &[Entry]) {
    let (mut journal, _, _) = Journal::open(path).unwrap();
    entries.iter().for_each(|entry| journal.append(entry).unwrap());
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    (folder, path)
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_entered_is_there_after_a_restart() {
    let (_folder, path) = folder();
    write(&path, &story());
    let (_journal, state, notice) = Journal::open(&path).unwrap();
    assert_eq!(notice, None);
    assert!(!state.booted("5d0a") && state.booted("another"));
    assert_eq!(state.boot_time(), Some(1_795_000_000));
    assert_eq!(state.monitored("data"), Some(false));
    assert_eq!(state.monitored("httpd"), None);
    let flights: Vec<_> = state.in_flight().collect();
    assert_eq!((flights.len(), flights[0].id, &flights[0].doing), (1, 8, &Doing::Stop));
    assert_eq!(flights[0].processes, [Identity { pid: 4711, start: 123_456 }]);
    assert_eq!(state.next_intent(), 9);
    let failing: Vec<_> = state.failing().collect();
    assert_eq!((failing.len(), &*failing[0].service), (1, "httpd"));
    assert_eq!(failing[0].message_id.as_deref(), Some("1.2.3@vm"));
    assert_eq!(failing[0].condition.as_deref(), Some("missing"));
    assert_eq!(state.owed().map(|letter| &*letter.id).collect::<Vec<_>>(), ["1.2.4@vm"]);
    let services: Vec<String> = state.services().iter().map(ToString::to_string).collect();
    assert_eq!(services, ["data", "httpd"]);
}

#[test]
fn a_first_start_counts_as_one_after_a_boot() {
    assert!(Journal::volatile().state().booted("5d0a"));
}

#[test]
fn wherever_a_crash_tears_the_log_what_stood_before_is_kept_and_nobody_is_bothered() {
    let (_folder, path) = folder();
    write(&path, &story());
    let text = fs::read(&path).unwrap();
    // Each opening waits for the disk, so not at every byte.
    for cut in (0..text.len()).step_by(29) {
        fs::write(&path, &text[..cut]).unwrap();
        let whole = text[..cut].iter().filter(|byte| **byte == b'\n').count();
        {
            let (mut journal, state, notice) = Journal::open(&path).unwrap();
            assert_eq!((state, notice), (fold(&story()[..whole]), None), "cut after {cut} bytes");
            journal.append(&monitoring("next", true)).unwrap();
        }
        assert_eq!(Journal::open(&path).unwrap().1.monitored("next"), Some(true), "cut after {cut} bytes");
    }
}

#[test]
fn a_damaged_log_is_set_aside_each_time_and_what_stood_before_goes_on() {
    let (folder, path) = folder();
    for (round, aside) in [(1, "state.damaged-1"), (2, "state.damaged-2")] {
        let _ = fs::remove_file(&path);
        write(&path, &story());
        let mut text = fs::read_to_string(&path).unwrap().replace("\"mysql\"", "\"my\0");
        text.push_str(&format!("round {round}\n"));
        fs::write(&path, &text).unwrap();

        let (_journal, state, notice) = Journal::open(&path).unwrap();
        let notice = notice.unwrap();
        assert!(notice.contains("line 3") && notice.contains(aside), "{notice}");
        assert_eq!(state, fold(&story()[..2]));
        assert_eq!(fs::read_to_string(folder.path().join(aside)).unwrap(), text);
    }
    assert_eq!(names(&folder), ["state", "state.damaged-1", "state.damaged-2"]);
    assert_eq!(Journal::open(&path).unwrap().2, None, "said once only");
}

#[test]
fn an_endless_line_is_damage_and_is_not_read_into_memory() {
    let (folder, path) = folder();
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(Journal::open(&path).unwrap().2.unwrap().contains("line 1"));
    assert_eq!(names(&folder), ["state", "state.damaged-1"]);
}

#[test]
fn monits_own_state_file_is_kept_beside_ours() {
    let record = |length: usize| {
        let mut record = b"svc".to_vec();
        record.resize(length, 0);
        record
    };
    let version_4 = [&0i32.to_ne_bytes()[..], &4i32.to_ne_bytes(), &[0; 8], &record(392)].concat();
    let version_0 = [&2i32.to_ne_bytes()[..], &record(300), &record(300)].concat();
    for text in [version_4, version_0] {
        let (folder, path) = folder();
        fs::write(&path, &text).unwrap();
        let (mut journal, state, notice) = Journal::open(&path).unwrap();
        assert_eq!(state, State::default());
        assert!(notice.unwrap().contains("state.monit"));
        journal.append(&monitoring("svc", true)).unwrap();
        assert_eq!(fs::read(folder.path().join("state.monit")).unwrap(), text);
        assert_eq!(names(&folder), ["state", "state.monit"]);
    }
}

#[test]
fn one_file_serves_one_supervisor() {
    let (_folder, path) = folder();
    let (journal, ..) = Journal::open(&path).unwrap();
    let second = Journal::open(&path).unwrap_err();
    assert!(matches!(second, OpenError::Locked(_)), "{second}");
    drop(journal);
    Journal::open(&path).unwrap();
}

#[test]
fn a_device_or_a_folder_is_refused_and_left_alone() {
    for path in ["/dev/null", "/tmp"] {
        let error = Journal::open(path).unwrap_err();
        assert!(matches!(error, OpenError::NotAFile(_)), "{error}");
    }
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn only_the_owner_can_read_it_even_if_others_could_before() {
    let (_folder, path) = folder();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _journal = Journal::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_long_log_becomes_short_without_losing_what_is_entered_meanwhile() {
    let (folder, path) = folder();
    let (mut journal, ..) = Journal::open(&path).unwrap();
    story().iter().for_each(|entry| journal.append(entry).unwrap());
    let mut on = false;
    let compaction = loop {
        on = !on;
        journal.append(&monitoring("flapping", on)).unwrap();
        if let Some(compaction) = journal.compaction() {
            break compaction;
        }
    };
    assert!(fs::metadata(&path).unwrap().len() > 1 << 20);
    journal.append(&monitoring("meanwhile", true)).unwrap();
    assert!(journal.compaction().is_none(), "one at a time");
    let compacted = compaction.run();
    journal.append(&monitoring("meanwhile", false)).unwrap();
    journal.adopt(compacted).unwrap();
    journal.append(&monitoring("after", true)).unwrap();

    assert!(fs::metadata(&path).unwrap().len() < 4096);
    assert!(matches!(Journal::open(&path), Err(OpenError::Locked(_))), "the lock stays with the name");
    let expected = journal.state().clone();
    drop(journal);
    let (_journal, state, notice) = Journal::open(&path).unwrap();
    assert_eq!((&state, notice), (&expected, None));
    assert_eq!((state.monitored("meanwhile"), state.monitored("after")), (Some(false), Some(true)));
    assert_eq!(names(&folder), ["state"]);
}

/// As a process does it that is to become the program.
fn enter(mut log: &fs::File, intent: u64, identity: Identity) {
    use std::io::Write;
    let [before, between, after] = Journal::spawned_line(intent);
    let (pid, start) = (identity.pid.to_string(), identity.start.to_string());
    let line = [&before[..], pid.as_bytes(), &between, start.as_bytes(), &after].concat();
    log.write_all(&line).unwrap();
}

#[test]
fn who_enters_itself_while_the_log_becomes_short_stays_in_it() {
    let (_folder, path) = folder();
    let mut journal = Journal::open(&path).unwrap().0;
    story().iter().for_each(|entry| journal.append(entry).unwrap());
    let log = journal.file().unwrap();
    let by = |start| Identity { pid: 4711, start };
    enter(&log.read().unwrap(), 8, by(1));
    let compaction = loop {
        journal.append(&monitoring("flapping", true)).unwrap();
        if let Some(compaction) = journal.compaction() {
            break compaction;
        }
    };
    enter(&log.read().unwrap(), 8, by(2));
    let compacted = compaction.run();
    enter(&log.read().unwrap(), 8, by(3));
    journal.adopt(compacted).unwrap();
    enter(&log.read().unwrap(), 8, by(4));
    drop(log);
    drop(journal);
    let (_journal, state, _) = Journal::open(&path).unwrap();
    let processes = &state.in_flight().next().unwrap().processes;
    assert_eq!(processes[1..], [by(1), by(2), by(3), by(4)]);
}

#[test]
fn a_failed_compaction_costs_nothing_but_length() {
    let (_folder, path) = folder();
    let (mut journal, ..) = Journal::open(&path).unwrap();
    let compaction = loop {
        journal.append(&monitoring("flapping", true)).unwrap();
        if let Some(compaction) = journal.compaction() {
            break compaction;
        }
    };
    drop(compaction);
    journal.append(&monitoring("meanwhile", true)).unwrap();
    journal.adopt(Err(std::io::ErrorKind::StorageFull.into())).unwrap_err();
    assert!(journal.compaction().is_none(), "not tried again at once");
    drop(journal);
    assert_eq!(Journal::open(&path).unwrap().1.monitored("meanwhile"), Some(true));
}

/// A file system of 64 KiB, unmounted when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "none"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI must be able to mount a tmpfs");
            println!("passed over: no right to mount a small file system");
        }
        mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_an_error_and_then_no_longer() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (path, ballast) = (disk.0.path().join("state"), disk.0.path().join("ballast"));
    let (mut journal, ..) = Journal::open(&path).unwrap();
    journal.append(&monitoring("before", true)).unwrap();
    let _ = fs::write(&ballast, vec![0; 1 << 20]);
    // The last page of the log still has room for some entries, the first that does not fit goes in half.
    let long = "x".repeat(700);
    let failures =
        (0..20).filter(|n| journal.append(&monitoring(&format!("{n}{long}"), true)).is_err()).count();
    assert!(failures > 10, "{failures} of 20 failed");
    fs::remove_file(&ballast).unwrap();
    journal.append(&monitoring("after", true)).unwrap();
    drop(journal);

    let (_journal, state, notice) = Journal::open(&path).unwrap();
    assert_eq!(notice, None);
    assert_eq!((state.monitored("before"), state.monitored("after")), (Some(true), Some(true)));
}

#[test]
fn a_full_disk_at_the_start_forgets_nothing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let path = disk.0.path().join("state");
    write(&path, &story());
    let _ = fs::write(disk.0.path().join("ballast"), vec![0; 1 << 20]);
    let (_journal, state, notice) = Journal::open(&path).unwrap();
    assert_eq!(state, fold(&story()));
    assert!(notice.unwrap().contains("could not be made shorter"));
}

#[test]
fn a_process_that_enters_itself_reads_as_if_we_had_entered_it() {
    let (_folder, path) = folder();
    let identity = Identity { pid: 4711, start: 99 };
    {
        let mut journal = Journal::open(&path).unwrap().0;
        story().iter().for_each(|entry| journal.append(entry).unwrap());
        enter(&journal.file().unwrap().read().unwrap(), 8, identity);
        journal.append(&Entry::Spawned { intent: 8, identity }).unwrap();
        journal.append(&monitoring("next", true)).unwrap();
    }
    let (_journal, state, notice) = Journal::open(&path).unwrap();
    assert_eq!((notice, state.monitored("next")), (None, Some(true)));
    let processes = &state.in_flight().next().unwrap().processes;
    assert_eq!(processes, &[Identity { pid: 4711, start: 123_456 }, identity]);
    assert!(Journal::volatile().file().is_none());
}

#[test]
fn a_day_of_flapping_stays_short() {
    let (_folder, path) = folder();
    let (mut journal, ..) = Journal::open(&path).unwrap();
    let (service, class, since) =
        (|| "httpd".into(), Class::NonExist, Stamp::from_micros(1_795_429_973_000_000));
    let letter = |id: &str| match owed(id) {
        Entry::Owed(mut letter) => {
            letter.body = "It is down, and this is what is known of it.\n".repeat(20);
            Entry::Owed(letter)
        }
        other => other,
    };
    let mut longest = 0;
    // A death, its repair and both messages every ten seconds.
    for flap in 0..8640u64 {
        let (down, up) = (format!("{flap}.1@vm"), format!("{flap}.2@vm"));
        let intent = Entry::Intent {
            id: flap,
            service: service(),
            doing: Doing::Start,
            at: since,
            whole: Some(Doing::Restart),
            by: None,
            part_of: None,
            branch: None,
        };
        let (message_id, condition) = (Some(down.clone()), Some("missing/aae5b2b3d27681b4".into()));
        let failed = Entry::Failed { service: service(), rule: 0, class, since, message_id, condition };
        let spawned = Entry::Spawned { intent: flap, identity: Identity { pid: 4711, start: flap } };
        journal.append_all(&[failed, letter(&down)]).unwrap();
        journal.append(&intent).unwrap();
        journal.append(&spawned).unwrap();
        journal.append(&Entry::Carried { id: down }).unwrap();
        journal.append(&Entry::Done { intent: flap, ok: true }).unwrap();
        journal.append_all(&[Entry::Recovered { service: service(), rule: 0, class }, letter(&up)]).unwrap();
        journal.append(&Entry::Carried { id: up }).unwrap();
        longest = longest.max(fs::metadata(&path).unwrap().len());
        if let Some(compaction) = journal.compaction() {
            journal.adopt(compaction.run()).unwrap();
        }
    }
    assert!(longest < 2 << 20, "{longest} bytes");
    drop(journal);
    assert!(fs::metadata(&path).unwrap().len() < 2 << 20);
    drop(Journal::open(&path).unwrap());
    assert!(fs::metadata(&path).unwrap().len() < 4096, "a start makes it as short as can be");
}
