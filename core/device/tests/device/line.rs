//! A whole device, as shells have it, with a line to the server that a test puts up and down. The line is a socket on
//! loopback: what is tested is what is shipped.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use souk_device::clock::Now;
use souk_device::error::SoukError;
use souk_device::host::{DeviceHost, HttpAnswer, HttpRequest, SignerSource};
use souk_device::runtime::{Clock, Device, DeviceConfig};
use souk_domain::time::Span;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{START, Server};

/// Longest wait for a synchronisation, milliseconds; the longest that a device allows.
const SYNC_MS: u64 = 20_000;

/// The server, shared by all lines.
pub(crate) type Shared = Arc<Mutex<Server>>;

/// A clock that began at [`START`], for devices and server alike; it never says the same millisecond twice, so that of
/// two taps one is always the later.
#[derive(Clone)]
struct SinceStart(Instant, Arc<AtomicU64>);

impl SinceStart {
    fn begin() -> SinceStart {
        SinceStart(Instant::now(), Arc::default())
    }
}

impl Clock for SinceStart {
    fn now(&self) -> Now {
        let elapsed_ms = u64::try_from(self.0.elapsed().as_millis()).unwrap() + 1_000;
        let later = |last: u64| Some(elapsed_ms.max(last + 1));
        let last = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later).unwrap();
        let ms = elapsed_ms.max(last + 1);
        Now { mono_ms: ms, boot: 1, wall: START.plus(Span::from_millis(ms as i64)) }
    }
}

/// A device with its folder and its line.
pub(crate) struct Phone {
    pub(crate) device: Device,
    pub(crate) dir: TempDir,
    is_up: Arc<AtomicBool>,
    url: String,
    clock: SinceStart,
}

impl Phone {
    /// A signed-in device whose scopes are fresh.
    pub(crate) async fn joined(contact: &str, server: &Shared) -> Phone {
        let clock = SinceStart::begin();
        let is_up = Arc::new(AtomicBool::new(true));
        let url = listen(Arc::clone(server), clock.clone(), Arc::clone(&is_up)).await;
        // In memory where there is such a place: the tests are about what is written, not about how fast.
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
        let device = open(dir.path(), &url, &clock).await;
        let phone = Phone { device, dir, is_up, url, clock };
        phone.device.join(contact, "123456", contact, false).await.unwrap();
        phone.sync().await;
        phone
    }

    pub(crate) fn set_line(&self, is_up: bool) {
        self.is_up.store(is_up, Ordering::SeqCst);
    }

    /// Puts the line up, and sends and fetches until there is nothing left.
    pub(crate) async fn sync(&self) {
        self.set_line(true);
        let done = self.device.sync_now(SYNC_MS).await.unwrap();
        assert!(done.is_done, "{done:?}");
    }

    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut DeviceHost, Now) -> Result<T, SoukError> + Send + 'static,
    ) -> T {
        self.device.call(work).await.unwrap()
    }

    /// A second device on what the disk would hold if the power went now: both files and their logs as they stand,
    /// copied while the owner's thread does nothing else.
    pub(crate) async fn after_a_power_cut(&self) -> Phone {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (self.dir.path().to_owned(), dir.path().to_owned());
        self.call(move |_, _| {
            for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
            Ok(())
        })
        .await;
        let device = open(dir.path(), &self.url, &self.clock).await;
        Phone {
            device,
            dir,
            is_up: Arc::clone(&self.is_up),
            url: self.url.clone(),
            clock: self.clock.clone(),
        }
    }
}

async fn open(dir: &Path, url: &str, clock: &SinceStart) -> Device {
    let config = DeviceConfig {
        clock: Arc::new(clock.clone()),
        signer: SignerSource::Software,
        live: false,
        ..DeviceConfig::in_dir(dir, "test/1").with_server(url)
    };
    Device::open(config).await.unwrap()
}

/// Serves on a port of its own as long as the test runs; answers its URL.
async fn listen(server: Shared, clock: SinceStart, is_up: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (server, clock, is_up) = (Arc::clone(&server), clock.clone(), Arc::clone(&is_up));
            tokio::spawn(async move {
                // A line that is down ends the connection without a word.
                if is_up.load(Ordering::SeqCst)
                    && let Some(request) = read(&mut socket).await
                {
                    let answer = {
                        let mut server = server.lock().unwrap();
                        server.now = server.now.max(clock.now().wall);
                        server.handle(&request)
                    };
                    write(&mut socket, answer).await;
                }
            });
        }
    });
    url
}

/// One request of HTTP/1.1; none if the other side has gone.
async fn read(socket: &mut TcpStream) -> Option<HttpRequest> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let field = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(of, value)| of.eq_ignore_ascii_case(name).then(|| value.to_owned()))
    };
    let length: usize = field("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head_end + length {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let mut words = head.split(' ');
    let method = if words.next() == Some("GET") { "GET" } else { "POST" };
    Some(HttpRequest {
        method,
        path: words.next().unwrap().to_owned(),
        bearer: field("authorization").map(|text| text.trim_start_matches("Bearer ").to_owned()),
        body: bytes.split_off(head_end),
        timeout_ms: 0,
    })
}

async fn write(socket: &mut TcpStream, answer: HttpAnswer) {
    let HttpAnswer::Said { status, body, .. } = answer else { return };
    let head = format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // Whoever asked may have gone.
    let _ = socket.write_all(&[head.as_bytes(), &body].concat()).await;
}
