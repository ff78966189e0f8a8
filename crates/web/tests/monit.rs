//! The strictest client there is: `monit` itself as a command line against our server.
#![allow(clippy::unwrap_used)] // in helpers of tests too

#[allow(unreachable_pub)]
mod world;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use hinoban_web::{Listener, Options, User, Web};

/// A control file whose daemon seems to be this process, with our server as its HTTP interface.
fn control_file(folder: &Path, port: u16) -> std::path::PathBuf {
    let file = folder.join("monitrc");
    let at = |name: &str| folder.join(name).display().to_string();
    fs::write(folder.join("id"), "5de67d678ea4bbf7a97b07a3d9f30da1").unwrap();
    fs::write(folder.join("pid"), std::process::id().to_string()).unwrap();
    fs::write(
        &file,
        format!(
            "set daemon 5\nset pidfile {}\nset idfile {}\nset statefile {}\nset log {}\n\
             set httpd port {port} and use address 127.0.0.1\n  allow admin:monit\n\
             check process svc with pidfile /nonexistent\n  start program = \"/bin/true\"\n  group Apps\n",
            at("pid"),
            at("id"),
            at("state"),
            at("log")
        ),
    )
    .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

fn run(file: &Path, arguments: &[&str]) -> Output {
    Command::new("monit").arg("-c").arg(file).args(arguments).output().unwrap()
}

#[tokio::test]
async fn monits_command_line_works_against_this_server() {
    if Command::new("monit").arg("-V").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "monit is not installed");
        println!("passed over: monit is not installed");
        return;
    }
    let mut options = Options::new("5de67d678ea4bbf7a97b07a3d9f30da1", "/etc/hinoban.toml");
    options.listen = vec![Listener::Tcp { address: Some("127.0.0.1".to_owned()), port: 0, read_only: false }];
    options.users = vec![User { name: "admin".to_owned(), password: "monit".to_owned(), read_only: false }];
    let double = world::Double::new(world::status());
    let (web, problems) = Web::bind(options, double.clone()).await;
    assert!(problems.is_empty(), "{problems:?}");
    let port = web.addresses()[0].port();
    let server = tokio::spawn(web.run());

    let told = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let file = control_file(folder.path(), port);
        let says = |arguments: &[&str]| {
            let output = run(&file, arguments);
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{arguments:?}: {errors}");
            String::from_utf8(output.stdout).unwrap()
        };
        let refused = |arguments: &[&str]| {
            let output = run(&file, arguments);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}");
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let status = says(&["-B", "status", "svc"]);
        assert!(status.starts_with("Monit 5.33.0 uptime: 1h 2m\n\nProcess 'svc'\n"), "{status}");
        assert!(status.contains("\n  status                       OK\n"), "{status}");
        let summary = says(&["-B", "summary"]);
        assert!(
            summary
                .contains("\n svc                              OK                          Process       \n")
        );
        assert_eq!(says(&["report", "down"]), "5\n");
        assert!(says(&["-B", "-g", "apps", "summary"]).lines().count() > 2);
        assert_eq!(says(&["restart", "svc"]), "");
        assert!(refused(&["start", "nosuch"]).contains("There is no service named \"nosuch\""));
        assert!(refused(&["status", "nosuch"]).contains("Service 'nosuch' not found"));
    })
    .await;
    server.abort();
    told.unwrap();
    assert_eq!(double.told(), ["restart svc by admin from 127.0.0.1"]);
}
