//! The file system probe against this machine's mounts, and some of its own where it may mount.
#![allow(clippy::unwrap_used, clippy::print_stderr)] // these may panic and talk

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hinoban_probe::{Cause, Look, Probe, Wake};
use hinoban_probes::{FileProbe, FilesystemProbe, PidfileProcess};
use hinoban_reading::{Observation, ReasonKind};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

async fn look_for(probe: &mut FilesystemProbe, cause: Cause) -> Observation {
    let deadline = Instant::now() + Duration::from_secs(60);
    probe.observe(&Look::new(deadline.into_std(), Duration::ZERO, cause)).await.unwrap()
}

async fn look(name: impl Into<PathBuf>) -> Observation {
    look_for(&mut FilesystemProbe::new(name.into()), Cause::Due).await
}

fn real(seen: &Observation, name: &str) -> f64 {
    seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:?}")).as_f64().unwrap()
}

fn text(seen: &Observation, name: &str) -> String {
    seen.get(name).unwrap_or_else(|| panic!("no {name} in {seen:?}")).to_string()
}

fn not_mounted(seen: &Observation) -> &str {
    let reason = seen.standing.reason().expect("it is not up");
    assert_eq!(reason.kind, ReasonKind::NotMounted);
    &reason.text
}

/// A folder with mounts in it, which end with it.
struct Scene {
    dir: TempDir,
    number: u32,
    mounted: Vec<PathBuf>,
}

impl Scene {
    /// `None`, and a word about it, where this user may not mount.
    fn new() -> Option<Self> {
        static SCENES: AtomicU32 = AtomicU32::new(0);
        let number = SCENES.fetch_add(1, Ordering::Relaxed);
        let mut scene = Self { dir: tempfile::tempdir().unwrap(), number, mounted: Vec::new() };
        match scene.tmpfs("probe", "size=64k") {
            Ok(()) => Some(scene),
            Err(error) => {
                eprintln!("passed over: this user may not mount ({error})");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        std::fs::canonicalize(self.dir.path()).unwrap().join(name)
    }

    /// What is mounted there: a name that only we use.
    fn source(&self, name: &str) -> String {
        format!("hinoban-{name}-{}-{}", std::process::id(), self.number)
    }

    fn tmpfs(&mut self, name: &str, options: &str) -> rustix::io::Result<()> {
        let point = self.path(name);
        std::fs::create_dir_all(&point).unwrap();
        let options = std::ffi::CString::new(options).unwrap();
        let source = self.source(name);
        mount(source.as_str(), &point, "tmpfs", MountFlags::empty(), options.as_c_str())?;
        self.mounted.push(point);
        Ok(())
    }

    fn unmount(&mut self) {
        if let Some(point) = self.mounted.pop() {
            unmount(&point, UnmountFlags::DETACH).unwrap();
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        while !self.mounted.is_empty() {
            self.unmount();
        }
    }
}

#[tokio::test]
async fn the_root_is_measured() {
    let mut probe = FilesystemProbe::new("/".into());
    let seen = look_for(&mut probe, Cause::Due).await;
    assert!(seen.standing.is_up());
    let total = real(&seen, "space.total.bytes");
    assert!(real(&seen, "space.bytes") <= total && total > 0.0);
    assert!((real(&seen, "space.bytes") + real(&seen, "space.free.bytes") - total).abs() < 1.0);
    assert!((real(&seen, "space.percent") + real(&seen, "space.free.percent") - 100.0).abs() < 1e-9);
    assert!(real(&seen, "space.available.bytes") <= real(&seen, "space.free.bytes"));
    assert_eq!(real(&seen, "permission") as u32, std::fs::metadata("/").unwrap().mode() & 0o7777);
    for reading in &seen.readings {
        assert!(
            probe.metrics().iter().any(|m| m.name == reading.name && m.unit == reading.unit),
            "{reading:?}"
        );
    }
}

#[tokio::test]
async fn proc_has_no_blocks_no_inodes_and_no_disk() {
    let seen = look("/proc").await;
    assert_eq!(text(&seen, "filesystem.type"), "proc");
    assert_eq!(real(&seen, "space.total.bytes"), 0.0);
    assert_eq!(real(&seen, "space.percent"), 0.0);
    for absent in ["inodes.total", "inodes.percent", "disk.read.bytes", "service.time"] {
        assert_eq!(seen.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn a_folder_that_is_no_mount_point_names_the_file_system_it_lies_on() {
    let seen = look("/proc/sys/kernel").await;
    let right =
        "/proc/sys/kernel is no mount point, but a directory on the file system mounted at /proc; use that";
    // In a container that very folder may be a mount of its own, or lie on one.
    if !not_mounted(&seen).contains("mounted at /proc/") {
        assert_eq!(not_mounted(&seen), right);
    }
}

#[tokio::test]
async fn the_device_of_the_root_leads_to_it_with_its_disk() {
    let root = std::fs::metadata("/").unwrap().dev();
    let (major, minor) = (rustix::fs::major(root), rustix::fs::minor(root));
    let table = std::fs::read_to_string("/proc/diskstats").unwrap_or_default();
    let has_disk =
        table.lines().any(|l| l.split_whitespace().take(2).eq([major.to_string(), minor.to_string()]));
    if !has_disk {
        eprintln!("passed over: the root of this machine lies on no disk of its own");
        return;
    }
    let mut probe = FilesystemProbe::new(format!("{major}:{minor}").into());
    let first = look_for(&mut probe, Cause::Due).await;
    assert!(first.standing.is_up(), "{first:?}");
    assert!(real(&first, "disk.read.bytes") > 0.0);
    assert_eq!(first.get("disk.read.rate"), None, "one look gives no rate");
    sleep(Duration::from_millis(150)).await;
    let second = look_for(&mut probe, Cause::Due).await;
    for rate in ["disk.read.rate", "disk.write.operations.rate", "service.time", "service.time.write"] {
        assert!(real(&second, rate) >= 0.0);
    }

    // The same by a node of that device, through a link; permission and owner are then the node's.
    let dir = tempfile::tempdir().unwrap();
    let node = dir.path().join("node");
    let (block, mode) = (rustix::fs::FileType::BlockDevice, rustix::fs::Mode::from_raw_mode(0o600));
    if rustix::fs::mknodat(rustix::fs::CWD, &node, block, mode, root).is_err() {
        eprintln!("passed over: this user may not make devices");
        return;
    }
    symlink(&node, dir.path().join("link")).unwrap();
    let seen = look(dir.path().join("link")).await;
    assert_eq!(real(&seen, "space.total.bytes"), real(&second, "space.total.bytes"));
    assert_eq!(real(&seen, "permission"), f64::from(0o600));
}

#[tokio::test]
async fn a_mount_is_found_by_its_point_a_link_and_its_source() {
    let Some(mut scene) = Scene::new() else { return };
    scene.tmpfs("data", "size=1m,mode=750").unwrap();
    let point = scene.path("data");
    std::fs::write(point.join("x"), vec![0; 256 << 10]).unwrap();
    symlink(&point, scene.path("link")).unwrap();
    for name in [point.clone(), scene.path("link"), point.join("."), scene.source("data").into()] {
        let seen = look(name.clone()).await;
        assert!(seen.standing.is_up(), "{name:?}: {seen:?}");
        assert_eq!(text(&seen, "filesystem.type"), "tmpfs");
        assert_eq!(real(&seen, "space.total.bytes"), f64::from(1 << 20));
        assert_eq!(real(&seen, "space.percent"), 25.0);
        assert_eq!(real(&seen, "inodes.used"), 2.0, "the folder and the file");
        assert_eq!(real(&seen, "permission"), f64::from(0o750));
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let line = mounts.lines().find(|l| l.split(' ').nth(1) == point.to_str()).unwrap();
        assert_eq!(text(&seen, "filesystem.flags"), line.split(' ').nth(3).unwrap());
        assert_eq!(seen.get("disk.read.bytes"), None);
    }
}

#[tokio::test]
async fn a_bind_mount_has_its_own_flags_and_permission() {
    let Some(mut scene) = Scene::new() else { return };
    let (inner, bound) = (scene.path("probe/inner"), scene.path("bound"));
    std::fs::create_dir(&inner).unwrap();
    std::fs::set_permissions(&inner, PermissionsExt::from_mode(0o711)).unwrap();
    std::fs::create_dir(&bound).unwrap();
    mount_bind(&inner, &bound).unwrap();
    scene.mounted.push(bound.clone());
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID;
    rustix::mount::mount_remount(&bound, flags, c"").unwrap();

    let seen = look(bound).await;
    assert!(text(&seen, "filesystem.flags").starts_with("ro,nosuid"), "{seen:?}");
    assert_eq!(real(&seen, "permission"), f64::from(0o711));
    let whole = look(scene.source("probe")).await;
    assert!(text(&whole, "filesystem.flags").starts_with("rw"), "by source it is the whole, not the part");
}

#[tokio::test]
async fn the_upper_of_two_mounts_counts_and_the_lower_is_hidden() {
    let Some(mut scene) = Scene::new() else { return };
    scene.tmpfs("over", "size=1m").unwrap();
    let point = scene.path("over");
    let lower = scene.source("over");
    mount("hinoban-upper", &point, "tmpfs", MountFlags::empty(), c"size=2m").unwrap();
    scene.mounted.push(point.clone());
    assert_eq!(real(&look(&point).await, "space.total.bytes"), f64::from(2 << 20));
    let seen = look(lower.clone()).await;
    assert!(not_mounted(&seen).ends_with("hides it"), "{seen:?}");
    scene.unmount();
    assert_eq!(real(&look(lower).await, "space.total.bytes"), f64::from(1 << 20));
}

#[tokio::test]
async fn unmounting_wakes_and_is_seen() {
    let Some(mut scene) = Scene::new() else { return };
    let point = scene.path("probe");
    let mut probe = FilesystemProbe::new(point.clone());
    assert!(look_for(&mut probe, Cause::Due).await.standing.is_up());
    let wakes = probe.wakes();
    let [Wake::Fd(fd)] = wakes.as_slice() else { panic!("{wakes:?}") };
    scene.unmount();
    let mut fds = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::PRI)];
    let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
    assert_eq!(poll(&mut fds, Some(&patience)).unwrap(), 1, "the mount table changed");

    let seen = look_for(&mut probe, Cause::Early).await;
    assert!(not_mounted(&seen).starts_with(point.to_str().unwrap()), "{seen:?}");
    let mount_point = Path::new(not_mounted(&seen).rsplit(' ').nth(2).unwrap().trim_end_matches(';'));
    assert!(point.starts_with(mount_point), "it names the file system the empty folder lies on");

    scene.tmpfs("probe", "size=64k").unwrap();
    assert!(look_for(&mut probe, Cause::Early).await.standing.is_up());
}

/// A mount whose server never answers: FUSE, with nobody behind it. It ends when the descriptor is closed.
fn hung(point: &Path) -> Option<OwnedFd> {
    use rustix::fs::{Mode, OFlags, open};
    let server = open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", server.as_raw_fd());
    let options = std::ffi::CString::new(options).unwrap();
    mount("nobody", point, "fuse.hinoban", MountFlags::empty(), options.as_c_str()).ok()?;
    Some(server)
}

#[tokio::test]
async fn a_hung_mount_is_named_in_time_and_a_dead_one_is_down() {
    let Some(mut scene) = Scene::new() else { return };
    let point = scene.path("hung");
    std::fs::create_dir(&point).unwrap();
    let Some(server) = hung(&point) else {
        eprintln!("passed over: this machine has no FUSE for us");
        return;
    };
    scene.mounted.push(point.clone());

    let mut probes: [Box<dyn Probe>; 3] = [
        Box::new(FilesystemProbe::new(point.clone())),
        Box::new(FileProbe::new(point.join("x"))),
        Box::new(PidfileProcess::new(point.join("x.pid"))),
    ];
    for probe in &mut probes {
        for _ in 0..2 {
            let deadline = Instant::now() + Duration::from_millis(150);
            let error =
                probe.observe(&Look::new(deadline.into_std(), Duration::ZERO, Cause::Due)).await.unwrap_err();
            let words =
                format!("the fuse.hinoban file system mounted at {} does not answer", point.display());
            assert!(error.to_string().starts_with(&words), "{error}");
        }
        assert!(probe.wakes().iter().all(|w| matches!(w, Wake::Fd(_))), "a path there may not be watched");
    }

    drop(server);
    // A look that waited for the first question gets its answer; the next asks again.
    let deadline = Instant::now() + Duration::from_secs(60);
    let circumstances = Look::new(deadline.into_std(), Duration::ZERO, Cause::Due);
    let [filesystem, file, _] = &mut probes;
    filesystem.observe(&circumstances).await.unwrap();
    let seen = filesystem.observe(&circumstances).await.unwrap();
    let reason = seen.standing.reason().expect("it is down");
    assert!(reason.text.ends_with("the program behind it has ended; mount it again"), "{reason}");
    let error = file.observe(&circumstances).await.unwrap_err();
    assert!(error.to_string().contains("the program behind its mount has ended"), "{error}");
}

/// Ends the mount after a while, so that a look that hangs there fails its test instead of stopping it.
fn not_for_ever(server: OwnedFd) -> std::sync::mpsc::Sender<()> {
    let (over, wait) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let _ = wait.recv_timeout(Duration::from_secs(10));
        drop(server);
    });
    over
}

#[tokio::test]
async fn a_way_that_comes_to_lead_to_a_hung_mount_hangs_nobody() {
    let Some(mut scene) = Scene::new() else { return };
    let point = scene.path("hung");
    std::fs::create_dir(&point).unwrap();
    let Some(server) = hung(&point) else {
        eprintln!("passed over: this machine has no FUSE for us");
        return;
    };
    scene.mounted.push(point.clone());
    let _over = not_for_ever(server);

    let (folder, link) = (scene.path("folder"), scene.path("link"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("x"), "1").unwrap();
    symlink(folder.join("x"), &link).unwrap();
    let mut probes: [(Box<dyn Probe>, bool); 4] = [
        (Box::new(FileProbe::new(link.clone())), true),
        (Box::new(FileProbe::new(folder.join("x"))), true),
        (Box::new(PidfileProcess::new(link.clone())), false),
        (Box::new(PidfileProcess::new(folder.join("x"))), false),
    ];
    for (probe, is_file) in &mut probes {
        let deadline = Instant::now() + Duration::from_secs(60);
        let seen = probe.observe(&Look::new(deadline.into_std(), Duration::ZERO, Cause::Due)).await;
        assert!(!*is_file || seen.unwrap().standing.is_up());
        assert!(probe.wakes().iter().any(|w| !matches!(w, Wake::Fd(_))), "it lies here");
    }

    // The mount table does not change any more; the links do.
    std::fs::remove_file(&link).unwrap();
    symlink(point.join("x"), &link).unwrap();
    std::fs::rename(&folder, scene.path("old")).unwrap();
    symlink(&point, &folder).unwrap();
    for (probe, _) in &mut probes {
        let deadline = Instant::now() + Duration::from_millis(300);
        let error =
            probe.observe(&Look::new(deadline.into_std(), Duration::ZERO, Cause::Due)).await.unwrap_err();
        assert!(error.to_string().contains("does not answer"), "{error}");
        assert!(probe.wakes().iter().all(|w| matches!(w, Wake::Fd(_))), "a path there may not be watched");
    }
}

/// The kernel wakes nobody for what it changes by itself: a mount point that moves with a folder above it is as silent as
/// a file system that becomes read-only.
#[tokio::test]
async fn what_the_kernel_changes_in_silence_is_found_at_the_next_turn() {
    let Some(mut scene) = Scene::new() else { return };
    scene.tmpfs("above/point", "size=1m").unwrap();
    let mut probe = FilesystemProbe::new(scene.source("above/point").into());
    assert!(look_for(&mut probe, Cause::Due).await.standing.is_up());
    std::fs::rename(scene.path("above"), scene.path("moved")).unwrap();
    *scene.mounted.last_mut().unwrap() = scene.path("moved/point");
    sleep(Duration::from_millis(1100)).await;
    let seen = look_for(&mut probe, Cause::Due).await;
    assert!(seen.standing.is_up(), "{seen:?}");
}
