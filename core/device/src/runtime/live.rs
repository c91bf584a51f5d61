//! The stream of hints: server-sent events, read line by line (WHATWG HTML 9.2; spec/sync.md 4.10).

use souk_domain::scope::Scope;
use souk_protocol::sync::{HINT_EVENT, Hint, LIVE_END_EVENT};

use super::net::Net;
use crate::host::HttpRequest;
use crate::sync::{LiveEvent, LiveStop};

/// Bytes of one event: a hint has about a hundred.
const EVENT_BYTES_MAX: usize = 64 << 10;

/// Listens until the stream is over; the last event is always a stop.
pub(super) async fn listen(net: Net, request: HttpRequest, tell: impl Fn(LiveEvent)) {
    let Some(mut response) = net.send(request).await else {
        return tell(LiveEvent::Stopped(LiveStop::Broken));
    };
    match response.status().as_u16() {
        200 => tell(LiveEvent::Opened),
        401 => return tell(LiveEvent::Stopped(LiveStop::Token)),
        403 => return tell(LiveEvent::Stopped(LiveStop::Revoked)),
        426 => return tell(LiveEvent::Stopped(LiveStop::TooOld)),
        _ => return tell(LiveEvent::Stopped(LiveStop::Broken)),
    }
    let mut reader = EventReader::default();
    while let Ok(Some(chunk)) = response.chunk().await {
        let Some(events) = reader.read(&chunk) else { break };
        for event in events {
            let is_end = matches!(event, LiveEvent::Stopped(_));
            tell(event);
            if is_end {
                return;
            }
        }
    }
    tell(LiveEvent::Stopped(LiveStop::Broken));
}

/// Bytes of a stream, cut into events.
#[derive(Default)]
struct EventReader {
    rest: Vec<u8>,
    name: String,
    data: String,
}

impl EventReader {
    /// What these bytes complete; none = an event is too long.
    fn read(&mut self, chunk: &[u8]) -> Option<Vec<LiveEvent>> {
        self.rest.extend_from_slice(chunk);
        let mut events = Vec::new();
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            events.extend(self.line(line.trim_end_matches(['\n', '\r'])));
        }
        (self.rest.len() + self.data.len() <= EVENT_BYTES_MAX).then_some(events)
    }

    fn line(&mut self, line: &str) -> Option<LiveEvent> {
        if line.is_empty() {
            return self.event();
        }
        if line.starts_with(':') {
            return Some(LiveEvent::Alive);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => self.data.push_str(value),
            _ => {}
        }
        None
    }

    fn event(&mut self) -> Option<LiveEvent> {
        let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
        match name.as_str() {
            HINT_EVENT => {
                let hint: Hint = serde_json::from_str(&data).ok()?;
                hint.s.parse::<Scope>().ok().map(LiveEvent::Hint)
            }
            LIVE_END_EVENT => Some(LiveEvent::Stopped(LiveStop::End)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_in_any_pieces() {
        let text = ":\n\nevent: hint\ndata: {\"s\":\"cat/all\",\"at\":7}\n\nevent: other\ndata: x\n\nevent: hint\r\ndata: {\"s\":\"nonsense\"}\r\n\r\nevent: end\ndata: {}\n\n";
        let wanted = [LiveEvent::Alive, LiveEvent::Hint(Scope::Catalogue), LiveEvent::Stopped(LiveStop::End)];
        for size in [1, 2, 7, 1_000] {
            let mut reader = EventReader::default();
            let read: Vec<LiveEvent> =
                text.as_bytes().chunks(size).flat_map(|chunk| reader.read(chunk).unwrap()).collect();
            assert_eq!(read, wanted, "{size}");
        }
    }

    #[test]
    fn events_have_a_longest() {
        let mut reader = EventReader::default();
        assert!(reader.read(&vec![b'x'; EVENT_BYTES_MAX]).is_some());
        assert!(reader.read(b"x").is_none());
    }
}
