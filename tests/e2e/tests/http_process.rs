//! The backend as its users start it: `souk serve` beside `souk sandbox-rail`, asked over sockets, stopped by a signal.
//!
//! What the API answers is tested in `souk-http`; here only what a process adds: the program's options, the address on
//! its first line, two processes that find each other, bytes that are no HTTP, the stop.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// What a test waits for at most; nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program beside the tests; `cargo build` makes it.
fn souk() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2).unwrap().join("souk");
    assert!(program.exists(), "{} is not there: type cargo build -p souk-server", program.display());
    program
}

struct Process {
    child: Child,
    /// Host and port.
    address: String,
}

impl Process {
    fn start(arguments: &[&str]) -> Process {
        let mut child = Command::new(souk()).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        Process { child, address: told["listening"].as_str().unwrap().to_owned() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// What comes back for these bytes until the connection ends.
    fn answer(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The server may close before it has read all.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str) -> (String, String) {
        let answer =
            self.answer(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes());
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// Asks it to stop; its exit code.
    fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Has ended already when the test was good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn serves_beside_its_rail_and_stops() {
    let dir = tempfile::tempdir().unwrap();
    let folder = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let rail = Process::start(&["sandbox-rail", "--listen", "127.0.0.1:0", "--data", &folder("rail")]);
    let rail_url = format!("http://{}", rail.address);
    let data = folder("souk");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data", &data, "--rail", &rail_url];
    let backend = Process::start(&serve);

    for path in ["/healthz", "/readyz"] {
        let (head, body) = backend.get(path);
        assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("souk-gen: 1"), "{head}");
        assert!(body.contains("\"ok\":true"), "{body}");
    }
    let committed =
        std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json"));
    assert_eq!(backend.get("/openapi.json").1, committed.unwrap());
    let (_, metrics) = backend.get("/metrics");
    assert!(
        metrics.contains("souk_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 1"),
        "{metrics}"
    );
    assert!(
        backend.get("/_sandbox/codes?contact=a@example.com").0.starts_with("HTTP/1.1 404"),
        "no sandbox was asked for"
    );

    let flood = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-a: b\r\n".repeat(20_000));
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000));
    for (bytes, expected) in [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), "HTTP/1.1 400"),
        (b"HELLO\r\n\r\n", "HTTP/1.1 400"),
        (b"GET /healthz HTTP/9.9\r\nhost: x\r\n\r\n", "HTTP/1.1 400"),
        (b"GET //healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "HTTP/1.1 404"),
        (b"GET /v1/devices HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\r\nconnection: close\r\n\r\n", "HTTP/1.1 401"),
        (b"POST /v1/auth/code HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400"),
        (b"POST /v1/auth/code HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400"),
        (flood.as_bytes(), "HTTP/1.1 431"),
        (long.as_bytes(), "HTTP/1.1 4"),
    ] {
        let answer = backend.answer(bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert!(answer.is_empty() || answer.starts_with(expected), "{shown:?}: {answer}");
    }
    assert!(backend.get("/healthz").0.starts_with("HTTP/1.1 200"), "and it still works");

    // A connection that is kept open does not hold the stop up.
    let _idle = backend.connect();
    assert_eq!(backend.stop(), Some(0));
    let again = Process::start(&serve);
    assert!(again.get("/healthz").0.starts_with("HTTP/1.1 200"));
    assert_eq!(again.stop(), Some(0));
    assert_eq!(rail.stop(), Some(0));
}
