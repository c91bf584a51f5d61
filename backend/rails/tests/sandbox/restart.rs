//! Stop, kill -9, start again: nothing that was answered is lost, nothing happens twice.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use souk_crypto::rowsum::mix64;
use souk_rails::rail::{FetchBy, OpKind, PayMethod, Rail, RailState};
use souk_rails::sandbox::client::{SandboxRail, TIMEOUTS};
use souk_rails::sandbox::server::{Sandbox, SandboxError, serve};

use crate::rig::{self, Rig, by, op};

/// Names the data folder for a copy of this program that is to be the server.
const CHILD: &str = "SOUK_SANDBOX_TEST_DIR";

#[tokio::test]
async fn a_stop_and_a_start_change_nothing() {
    let rig = Rig::start().await;
    for number in 1..=5 {
        rig.rail.begin(&op(number, OpKind::Pay, 100), &by(PayMethod::Mandate)).await.unwrap();
    }
    let mut before = rig.truth().await;
    let rig = rig.restart().await;
    let mut after = rig.truth().await;
    // How far deliveries were at the stop is not fixed.
    (before["webhooks"], after["webhooks"]) = Default::default();
    assert_eq!(before, after);
    // Keys are remembered, numbers go on.
    rig.rail.begin(&op(1, OpKind::Pay, 100), &by(PayMethod::Mandate)).await.unwrap();
    rig.rail.begin(&op(6, OpKind::Pay, 100), &by(PayMethod::Mandate)).await.unwrap();
    assert_eq!(rig.truth().await["payments"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn one_folder_has_one_process() {
    let rig = Rig::start().await;
    rig.truth().await;
    let second = Sandbox::start(rig::config(rig.dir.path(), None)).await.unwrap();
    assert!(matches!(second.stop().await, Err(SandboxError::Database(_))));
}

/// Not a test of its own: the server process that [`killed_at_any_time`] starts and kills.
#[tokio::test]
async fn server_process() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\nlistening {}", listener.local_addr().unwrap());
    serve(rig::config(Path::new(&dir), None), listener, std::future::pending()).await.unwrap();
}

struct Process {
    child: Child,
    base: String,
}

impl Process {
    fn start(dir: &Path) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "restart::server_process", "--nocapture"])
            .env(CHILD, dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| line.unwrap().strip_prefix("listening ").map(str::to_owned));
        Process { child, base: format!("http://{}", address.expect("the server did not start")) }
    }

    /// SIGKILL.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_time() {
    const ROUNDS: u64 = 6;
    const CALLS: u64 = 40;
    let dir = tempfile::tempdir().unwrap();
    let rail = |base: &str| SandboxRail::new(base, rig::secrets(), TIMEOUTS).unwrap();
    let mut answered = Vec::new();
    for round in 0..ROUNDS {
        let mut process = Process::start(dir.path());
        let (done, mut finished) = tokio::sync::mpsc::unbounded_channel();
        for lane in 0..4 {
            let (rail, done) = (rail(&process.base), done.clone());
            tokio::spawn(async move {
                for number in (0..CALLS).filter(|number| number % 4 == lane) {
                    let number = round * CALLS + number;
                    let begun = rail.begin(&op(number, OpKind::Pay, 100), &by(PayMethod::Mandate)).await;
                    let _ = done.send((number, begun.ok().map(|action| action.payment().clone())));
                }
            });
        }
        drop(done);
        // Dies in the middle of whatever it is doing when it has given that many answers.
        let answers_before_kill = 1 + mix64(round) % (CALLS - 4);
        let mut answers = 0;
        while let Some((number, payment)) = finished.recv().await {
            answered.extend(payment.map(|payment| (number, payment)));
            answers += 1;
            if answers == answers_before_kill {
                process.kill();
            }
        }
    }
    assert!(answered.len() < (ROUNDS * CALLS) as usize, "no call was cut off");
    let process = Process::start(dir.path());
    let rail = rail(&process.base);
    for (number, payment) in answered {
        let found = rail.fetch(FetchBy::PaymentOf(op(number, OpKind::Pay, 100).op_id)).await;
        assert_eq!(found, Ok(RailState::Payment(payment)), "{number} was answered and is lost");
    }
    for number in 0..ROUNDS * CALLS {
        rail.begin(&op(number, OpKind::Pay, 100), &by(PayMethod::Mandate)).await.unwrap();
    }
    let truth = rig::http().get(format!("{}/_control/truth", process.base)).send().await.unwrap();
    let truth: serde_json::Value = serde_json::from_slice(&truth.bytes().await.unwrap()).unwrap();
    assert_eq!(truth["balanced"], true);
    assert_eq!(truth["payments"].as_array().unwrap().len() as u64, ROUNDS * CALLS);
    assert_eq!(truth["books"][0]["merchant"]["minor"], (ROUNDS * CALLS * 100).to_string());
}
