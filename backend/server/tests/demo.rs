//! The first thing that a newcomer starts: `souk demo` from an empty folder trades by itself, goes on with its data at
//! the next start, and leaves nothing behind when it is stopped. The real program with its real processes.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

const SOUK: &str = env!("CARGO_BIN_EXE_souk");
/// Released trades of the first start.
const TRADES: u64 = 5;
/// Released trades of the second one.
const TRADES_MORE: u64 = 3;
/// One start may take so long, on a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(240);
/// Lines of the demo that a failure shows.
const LINES_SHOWN: usize = 30;

/// A running demo and what it has said.
struct Demo {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    said: watch::Receiver<usize>,
}

impl Demo {
    /// Small, five times as fast as people are, on any free port.
    fn start(folder: &Path, more: &[&str]) -> Demo {
        let mut child = Command::new(SOUK)
            .args(["demo", "--headless", "--listen", "127.0.0.1:0", "--pace", "5", "--products", "200"])
            .args(["--sellers", "2", "--buyers", "4", "--couriers", "2", "--folder"])
            .arg(folder)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (saying, said) = watch::channel(0);
        let kept = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok(Some(line)) = stderr.next_line().await {
                kept.lock().unwrap().push(line);
                saying.send_modify(|said| *said += 1);
            }
        });
        Demo { child, lines, said }
    }

    /// Waits until a line with this text has come.
    async fn until_said(&mut self, text: &str) {
        let lines = Arc::clone(&self.lines);
        let is_said = async {
            self.said.wait_for(|_| lines.lock().unwrap().iter().any(|line| line.contains(text))).await.is_ok()
        };
        match timeout(DEADLINE, is_said).await {
            Ok(true) => {}
            Ok(false) => panic!("the demo has ended without \"{text}\":\n{}", self.last_lines()),
            Err(_) => self.too_long(&format!("for \"{text}\"")).await,
        }
    }

    /// Waits for its end: exit code and standard output. No process of it may be left.
    async fn ended(mut self) -> Output {
        let children = children_of(self.child.id().unwrap());
        let mut stdout = Vec::new();
        let mut pipe = self.child.stdout.take().unwrap();
        let end = async { (pipe.read_to_end(&mut stdout).await, self.child.wait().await) };
        let Ok((read, status)) = timeout(DEADLINE, end).await else {
            return self.too_long("for its end").await;
        };
        read.unwrap();
        let status = status.unwrap();
        assert!(status.success(), "{status}:\n{}", self.last_lines());
        assert!(children.len() >= 2, "backend and rail were not there: {children:?}");
        let left: Vec<Process> = children.into_iter().filter(is_running).collect();
        for child in &left {
            signal("-KILL", child.pid);
        }
        assert!(left.is_empty(), "{left:?} left behind:\n{}", self.last_lines());
        Output { status, stdout, stderr: Vec::new() }
    }

    /// Ends it with all its processes and fails.
    async fn too_long<T>(&mut self, what: &str) -> T {
        let children = children_of(self.child.id().unwrap_or_default());
        self.child.start_kill().unwrap();
        for child in children {
            signal("-KILL", child.pid);
        }
        panic!("waited {DEADLINE:?} {what}; the last lines:\n{}", self.last_lines());
    }

    fn last_lines(&self) -> String {
        let lines = self.lines.lock().unwrap();
        lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // A test that fails elsewhere leaves no backend and no rail behind, either.
        for child in self.child.id().map(children_of).unwrap_or_default() {
            signal("-KILL", child.pid);
        }
    }
}

/// A process; numbers are used again, the time of the start tells two apart.
#[derive(Debug, PartialEq, Eq)]
struct Process {
    pid: u32,
    started: u64,
}

/// Parent and start of a process that runs; a dead one that nobody has buried does not.
fn stat(pid: u32) -> Option<(u32, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything; proc(5) counts the fields after it from 3.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    Some((fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

fn children_of(parent: u32) -> Vec<Process> {
    let names = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    let pids = names.filter_map(|name| name.to_str()?.parse().ok());
    pids.filter_map(|pid| {
        stat(pid).filter(|(of, _)| *of == parent).map(|(_, started)| Process { pid, started })
    })
    .collect()
}

fn is_running(process: &Process) -> bool {
    stat(process.pid).is_some_and(|(_, started)| started == process.started)
}

fn signal(name: &str, pid: u32) {
    std::process::Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
}

/// `souk ledger verify` on the demo's store.
fn assert_books_agree(folder: &Path) {
    let store = format!("sqlite:{}", folder.join("souk.db").display());
    let output =
        std::process::Command::new(SOUK).args(["ledger", "verify", "--store", &store]).output().unwrap();
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let sums = checked["sum_minor"].as_object().unwrap_or_else(|| panic!("{output:?}"));
    assert!(checked["ok"] == true && sums.values().all(|sum| *sum == 0), "{checked}");
    assert!(checked["transfers"].as_u64() > Some(0), "{checked}");
}

/// A start that ends by itself: its summary.
async fn trades(folder: &Path, trades: u64) -> Value {
    let mut demo = Demo::start(folder, &["--trades", &trades.to_string()]);
    demo.until_said("ESCROW").await;
    let output = demo.ended().await;
    let text = String::from_utf8_lossy(&output.stdout);
    let summary: Value = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(summary["released"].as_u64() >= Some(trades), "{summary}");
    let sum = |name: &str| {
        let sums = summary[name].as_object().unwrap_or_else(|| panic!("{name}: {summary}"));
        sums.values().map(|minor| minor.as_i64().unwrap()).sum::<i64>()
    };
    assert!(sum("released_minor") > 0, "{summary}");
    assert_eq!(sum("released_minor"), sum("sellers_minor") + sum("couriers_minor") + sum("fees_minor"));
    assert_books_agree(folder);
    summary
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_trades_goes_on_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let first = trades(folder.path(), TRADES).await;
    let devices = || std::fs::read_dir(folder.path().join("people")).unwrap().count();
    let people = devices();
    let second = trades(folder.path(), TRADES_MORE).await;
    assert_eq!(devices(), people, "the second start has not gone on with the same people");

    let mut third = Demo::start(folder.path(), &[]);
    third.until_said("ESCROW").await;
    signal("-INT", third.child.id().unwrap());
    third.ended().await;
    assert_books_agree(folder.path());
    eprintln!("{first}\n{second}");
}

/// The bench of whole orders prints a figure, from a folder that is not there yet.
#[test]
fn the_bench_of_orders_prints_its_figure() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bench");
    let output = std::process::Command::new(SOUK)
        .args(["bench", "orders", "--seconds", "1", "--warm-up", "1", "--in-flight", "2", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let figure: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(figure["ops"].as_u64() > Some(0), "{figure}");
}
