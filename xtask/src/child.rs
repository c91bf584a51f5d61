//! Running one program of a lane: output into a log, an upper bound on its time.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Problem;

/// Longest run of one program of a lane. A cold build of everything on two cores is the longest honest one; what
/// takes longer hangs.
pub(crate) const PROGRAM_TIME_MAX: Duration = Duration::from_secs(40 * 60);

/// How often a running program is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// What became of a program.
pub(crate) struct Ended {
    /// It ended by itself with exit code 0.
    pub(crate) well: bool,
    /// Everything it printed on either stream, in the order of printing.
    pub(crate) output: String,
}

/// Runs `command` to its end or to `time_max`, then appends what it printed to `log`.
pub(crate) fn run(command: &mut Command, log: &Path, time_max: Duration) -> Result<Ended, Problem> {
    let name = command.get_program().to_string_lossy().into_owned();
    let part = log.with_extension("part");
    let out = File::create(&part).map_err(Problem::io(format!("{} cannot be written", part.display())))?;
    let err = out.try_clone().map_err(Problem::io("a log cannot be opened twice"))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(Problem::io(format!("{name} cannot be started")))?;
    let begun = Instant::now();
    let mut note = String::new();
    let failed = || Problem::io(format!("{name} cannot be watched"));
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed())? {
            break status;
        }
        if begun.elapsed() >= time_max {
            child.kill().map_err(failed())?;
            note = format!("\nstopped: it ran longer than {} s\n", time_max.as_secs());
        }
        std::thread::sleep(LOOK_INTERVAL);
    };
    let bytes = std::fs::read(&part).map_err(failed())?;
    let mut output = String::from_utf8_lossy(&bytes).into_owned();
    output.push_str(&note);
    if !status.success() && status.code().is_none() {
        output.push_str(&format!("\nended by {status}\n"));
    }
    append(log, &name, &output)?;
    std::fs::remove_file(&part).map_err(failed())?;
    Ok(Ended { well: status.success(), output })
}

fn append(log: &Path, name: &str, output: &str) -> Result<(), Problem> {
    let failed = || Problem::io(format!("{} cannot be written", log.display()));
    let mut file = File::options().create(true).append(true).open(log).map_err(failed())?;
    write!(file, "$ {name}\n{output}\n").map_err(failed())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, time_max: Duration) -> Ended {
        let folder = tempfile::tempdir().unwrap();
        run(Command::new("sh").args(["-c", script]), &folder.path().join("x.log"), time_max).unwrap()
    }

    #[test]
    fn an_end_is_good_only_with_exit_code_0() {
        for (script, well, output) in [
            ("echo out; echo err >&2", true, "out\nerr\n"),
            ("echo out; exit 3", false, "out\n"),
            ("kill -9 $$", false, "\nended by signal: 9 (SIGKILL)\n"),
        ] {
            let ended = sh(script, PROGRAM_TIME_MAX);
            assert_eq!((ended.well, ended.output.as_str()), (well, output), "{script}");
        }
    }

    #[test]
    fn a_program_that_hangs_is_stopped() {
        let ended = sh("exec sleep 1000", Duration::ZERO);
        assert!(!ended.well);
        assert!(ended.output.contains("stopped: it ran longer than 0 s"), "{}", ended.output);
    }
}
