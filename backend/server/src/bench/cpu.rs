//! CPU time of this process and of others, from `/proc`.

use crate::failure::Failure;

/// Clock ticks of `/proc/PID/stat` a second; fixed at 100 on Linux.
const TICKS_PER_S: u64 = 100;

/// CPU time of a process so far, user and system, microseconds. `self` names this process.
pub(super) fn process_us(pid: &str) -> Result<u64, Failure> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::new("bench.cpu", format!("{path}: {error}")))?;
    // The name in brackets may hold blanks: fields are counted behind it.
    let behind = text.rsplit_once(')').map_or("", |(_, behind)| behind);
    let field =
        |number: usize| behind.split_whitespace().nth(number).and_then(|field| field.parse::<u64>().ok());
    match (field(11), field(12)) {
        (Some(user), Some(system)) => Ok((user + system) * 1_000_000 / TICKS_PER_S),
        _ => Err(Failure::new("bench.cpu", path)),
    }
}

/// CPU time of this thread so far, nanoseconds.
pub(super) fn thread_ns() -> u64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split_whitespace().next().and_then(|field| field.parse().ok()))
        .unwrap_or(0)
}
