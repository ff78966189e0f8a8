//! Chromium without a window, driven through its debugging pipe: messages of JSON, each ended by a NUL, on descriptors
//! 3 and 4 (`--remote-debugging-pipe`; <https://chromedevtools.github.io/devtools-protocol/>).

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use crate::common::{PATIENCE, World, pause, wait_for, wait_until};

pub(crate) const CHROMIUM: &str = "/usr/bin/chromium";

/// A browser with one page open, in which no script runs.
pub(crate) struct Chromium {
    child: Child,
    orders: File,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What the browser complained of: what a policy forbade, what could not be loaded.
    complaints: Vec<String>,
}

impl Chromium {
    /// Starts one that keeps its files in the folder of the test.
    pub(crate) fn new(world: &World) -> Self {
        let [orders, answers] = ["orders", "answers"].map(|name| {
            let path = world.path(name);
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            path
        });
        let options = "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                       --disable-background-networking --remote-debugging-pipe";
        let script =
            format!("exec {CHROMIUM} {options} --user-data-dir=\"$3\" about:blank 3<\"$1\" 4>\"$2\"");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, "sh"]).args([&orders, &answers, &world.path("chromium")]);
        command.env("HOME", world.dir()).current_dir(world.dir());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Each waits for its other end.
        let orders = File::options().write(true).open(orders).unwrap();
        let answers = BufReader::new(File::open(answers).unwrap());
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { return };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut new = Self { child, orders, messages, session: None, last: 0, complaints: Vec::new() };
        let target = new.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        new.session =
            Some(new.ask("Target.attachToTarget", attach)["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Network", "Log", "DOM", "Accessibility"] {
            new.ask(&format!("{domain}.enable"), json!({}));
        }
        new.ask("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
        new
    }

    /// Sends this `Authorization` with each request from now on.
    pub(crate) fn log_in(&mut self, authorization: &str) {
        let headers = json!({ "headers": { "Authorization": authorization } });
        self.ask("Network.setExtraHTTPHeaders", headers);
    }

    /// Goes there.
    pub(crate) fn open(&mut self, url: &str) {
        let went = self.ask("Page.navigate", json!({ "url": url }));
        assert!(went["errorText"].is_null(), "{url}: {went}");
    }

    /// Waits until the page says this, and gives all that it says.
    pub(crate) fn shows(&mut self, text: &str) -> String {
        let mut last = String::new();
        wait_for(&format!("the page to show {text:?}"), || {
            last = self.text();
            last.contains(text).then(|| last.clone())
        })
    }

    /// Presses the one thing with this role and this name, as those who do not see the page know it.
    pub(crate) fn press(&mut self, role: &str, name: &str) {
        let found =
            self.find(role, name).unwrap_or_else(|| panic!("no {role} is called {name:?}: {}", self.text()));
        let node = json!({ "backendNodeId": found["backendDOMNodeId"] });
        self.ask("DOM.scrollIntoViewIfNeeded", node.clone());
        let quad = self.ask("DOM.getBoxModel", node)["model"]["content"].clone();
        let middle = |a: usize, b: usize| (quad[a].as_f64().unwrap() + quad[b].as_f64().unwrap()) / 2.0;
        for kind in ["mousePressed", "mouseReleased"] {
            let at = json!({
                "type": kind, "x": middle(0, 4), "y": middle(1, 5), "button": "left", "clickCount": 1
            });
            self.ask("Input.dispatchMouseEvent", at);
        }
    }

    /// Whether there is something with this role and this name that can be used.
    pub(crate) fn offers(&mut self, role: &str, name: &str) -> bool {
        self.find(role, name).is_some_and(|found| {
            let properties = found["properties"].as_array().cloned().unwrap_or_default();
            !properties.iter().any(|p| p["name"] == "disabled" && p["value"]["value"] == true)
        })
    }

    /// Makes the window so wide, in this scheme of colours. Gives the width that the page needs in it.
    pub(crate) fn resize(&mut self, width: u32, scheme: &str) -> u32 {
        let mobile = width < 600;
        let metrics = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": mobile });
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.ask("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
        let width_of = |size: &Value| size["width"].as_f64().unwrap().round() as u32;
        // The layout follows the new size in its own time: what is too wide is asked for again.
        let mut needed = u32::MAX;
        for _ in 0..100 {
            needed = width_of(&self.ask("Page.getLayoutMetrics", json!({}))["cssContentSize"]);
            if needed <= width {
                break;
            }
            pause(Duration::from_millis(50));
        }
        needed
    }

    /// Writes a picture of the whole page to this file.
    pub(crate) fn picture(&mut self, file: &Path) {
        let shot = self.ask("Page.captureScreenshot", json!({ "captureBeyondViewport": true }));
        let mut decoder = Command::new("base64");
        let decoder = decoder.arg("-d").stdin(Stdio::piped()).stdout(File::create(file).unwrap());
        let mut decoder = decoder.spawn().unwrap();
        decoder.stdin.take().unwrap().write_all(shot["data"].as_str().unwrap().as_bytes()).unwrap();
        assert!(decoder.wait().unwrap().success());
    }

    /// What the browser complained of so far.
    pub(crate) fn complaints(&mut self) -> &[String] {
        self.ask("Page.getLayoutMetrics", json!({}));
        &self.complaints
    }

    fn find(&mut self, role: &str, name: &str) -> Option<Value> {
        let root = self.try_ask("DOM.getDocument", json!({})).ok()?["root"]["nodeId"].clone();
        let query = json!({ "nodeId": root, "accessibleName": name, "role": role });
        self.try_ask("Accessibility.queryAXTree", query).ok()?["nodes"].get(0).cloned()
    }

    /// All texts of the page, with one blank between them.
    fn text(&mut self) -> String {
        // While it is loaded anew there is none.
        let Ok(document) = self.try_ask("DOM.getDocument", json!({ "depth": -1 })) else {
            return String::new();
        };
        let mut out = Vec::new();
        texts(&document["root"], &mut out);
        out.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.try_ask(method, parameters).unwrap_or_else(|why| panic!("{method}: {why}"))
    }

    fn try_ask(&mut self, method: &str, parameters: Value) -> Result<Value, String> {
        self.last += 1;
        let mut order = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            order["sessionId"] = session.as_str().into();
        }
        self.orders.write_all(format!("{order}\0").as_bytes()).unwrap();
        loop {
            let message = self.messages.recv_timeout(PATIENCE).map_err(|why| why.to_string())?;
            if message["method"] == "Log.entryAdded" {
                self.complaints.push(message["params"]["entry"].to_string());
            }
            if message["id"] == self.last {
                return match message.get("error") {
                    Some(why) => Err(why.to_string()),
                    None => Ok(message["result"].clone()),
                };
            }
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.orders.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        if !std::thread::panicking() {
            wait_until("chromium's end", || matches!(self.child.try_wait(), Ok(Some(_))));
        }
    }
}

fn texts(node: &Value, out: &mut Vec<String>) {
    if node["nodeType"] == 3 {
        out.push(node["nodeValue"].as_str().unwrap_or_default().to_owned());
    }
    if let Some(children) = node["children"].as_array() {
        children.iter().filter(|child| child["nodeName"] != "HEAD").for_each(|child| texts(child, out));
    }
}
