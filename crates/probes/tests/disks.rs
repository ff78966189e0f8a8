//! The file system probe beside df(1), on a tmpfs and on a disk of our own: a file that is a device (loop(4)).
#![allow(clippy::unwrap_used, clippy::print_stderr)] // these may panic and talk

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, Wake};
use hinoban_probes::FilesystemProbe;
use hinoban_reading::Observation;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

async fn look(probe: &mut FilesystemProbe, cause: Cause) -> Observation {
    let deadline = Instant::now() + Duration::from_secs(60);
    probe.observe(&Look::new(deadline.into_std(), Duration::ZERO, cause)).await.unwrap()
}

fn real(seen: &Observation, name: &str) -> f64 {
    seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:?}")).as_f64().unwrap()
}

fn run(line: &str) -> Result<String, String> {
    let mut words = line.split(' ');
    let output =
        Command::new(words.next().unwrap()).args(words).output().map_err(|e| format!("{line}: {e}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(format!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// A mounted file system of our own, which ends with it.
struct Mounted {
    _dir: TempDir,
    point: PathBuf,
    device: Option<String>,
}

impl Mounted {
    /// `None`, and a word about it, where this user or this machine cannot.
    fn new(disk: bool) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let point = std::fs::canonicalize(dir.path()).unwrap().join("point");
        std::fs::create_dir(&point).unwrap();
        let (image, shown) = (dir.path().join("image"), point.display().to_string());
        let made = match disk {
            false => run(&format!("mount -t tmpfs -o size=8m,nr_inodes=500 hinoban {shown}")).map(|_| None),
            true => {
                std::fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
                run(&format!("mkfs.ext4 -q -m 10 {}", image.display())).and_then(|_| {
                    let device =
                        run(&format!("losetup --find --show {}", image.display()))?.trim().to_owned();
                    match run(&format!("mount {device} {shown}")) {
                        Ok(_) => Ok(Some(device)),
                        Err(why) => {
                            let _ = run(&format!("losetup -d {device}"));
                            Err(why)
                        }
                    }
                })
            }
        };
        match made {
            Ok(device) => Some(Self { _dir: dir, point, device }),
            Err(why) => {
                // A kernel without loop devices cannot be helped.
                let possible = !disk || Path::new("/dev/loop-control").exists();
                let wanted = std::env::var("CI").as_deref() == Ok("true");
                assert!(!(wanted && possible), "no file system of our own: {why}");
                eprintln!("passed over: no file system of our own ({why})");
                None
            }
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run(&format!("umount -l {}", self.point.display()));
        if let Some(device) = &self.device {
            let _ = run(&format!("losetup -d {device}"));
        }
    }
}

/// What df prints in these columns, in bytes.
fn df(point: &Path) -> [f64; 6] {
    let columns = "size,used,avail,itotal,iused,iavail";
    let text = run(&format!("df -B1 --output={columns} {}", point.display())).unwrap();
    let numbers: Vec<f64> =
        text.lines().nth(1).unwrap().split_whitespace().map(|n| n.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

fn alike(seen: &Observation, point: &Path) {
    let names = [
        "space.total.bytes",
        "space.bytes",
        "space.available.bytes",
        "inodes.total",
        "inodes.used",
        "inodes.free",
    ];
    assert_eq!(names.map(|name| real(seen, name)), df(point), "{names:?}");
}

#[tokio::test]
async fn what_df_prints_is_what_we_read() {
    for disk in [false, true] {
        let Some(mounted) = Mounted::new(disk) else { continue };
        let mut probe = FilesystemProbe::new(mounted.point.clone());
        alike(&look(&mut probe, Cause::Due).await, &mounted.point);
        let file = std::fs::File::create(mounted.point.join("x")).unwrap();
        std::io::Write::write_all(&mut &file, &[7; 3 << 20]).unwrap();
        file.sync_all().unwrap();
        let seen = look(&mut probe, Cause::Due).await;
        alike(&seen, &mounted.point);
        assert!(real(&seen, "space.bytes") >= f64::from(3 << 20));
        // What is kept for root is free, but not available.
        let kept = real(&seen, "space.free.bytes") - real(&seen, "space.available.bytes");
        assert_eq!(kept > 0.0, disk, "{kept}");
        assert_eq!(seen.get("disk.write.bytes").is_some(), disk, "a tmpfs lies on no disk");
    }
}

#[tokio::test]
async fn what_is_written_to_a_disk_is_counted_and_timed() {
    let Some(mounted) = Mounted::new(true) else { return };
    let mut probe = FilesystemProbe::new(mounted.device.clone().unwrap().into());
    let before = look(&mut probe, Cause::Due).await;
    let file = std::fs::File::create(mounted.point.join("x")).unwrap();
    std::io::Write::write_all(&mut &file, &[7; 4 << 20]).unwrap();
    file.sync_all().unwrap();
    sleep(Duration::from_millis(150)).await;
    let after = look(&mut probe, Cause::Due).await;
    assert!(real(&after, "disk.write.bytes") - real(&before, "disk.write.bytes") >= f64::from(4 << 20));
    assert!(real(&after, "disk.write.rate") > 0.0 && real(&after, "disk.write.operations.rate") > 0.0);
    assert!(real(&after, "service.time.write") >= 0.0);
}

#[tokio::test]
async fn flags_that_a_remount_changes_are_told_at_once() {
    let Some(mounted) = Mounted::new(false) else { return };
    let mut probe = FilesystemProbe::new(mounted.point.clone());
    let before = look(&mut probe, Cause::Due).await;
    let flags = |seen: &Observation| seen.get("filesystem.flags").unwrap().to_string();
    assert!(flags(&before).starts_with("rw,"), "{before:?}");
    let wakes = probe.wakes();
    let [Wake::Fd(fd)] = wakes.as_slice() else { panic!("{wakes:?}") };
    run(&format!("mount -o remount,ro {}", mounted.point.display())).unwrap();
    let mut fds = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::PRI)];
    assert_eq!(
        poll(&mut fds, Some(&Timespec { tv_sec: 30, tv_nsec: 0 })).unwrap(),
        1,
        "the mount table changed"
    );
    let after = look(&mut probe, Cause::Early).await;
    assert!(flags(&after).starts_with("ro,"), "{after:?}");
}
