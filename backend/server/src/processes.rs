//! Processes of this program started by it: backend and sandbox rail, each with its address read off its first line.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::failure::Failure;

/// A running process of this program.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// `http://` and the address it listens on.
    pub url: String,
}

impl Running {
    /// Starts the `souk` program with arguments and waits for its address.
    pub async fn start(program: &Path, arguments: &[&str]) -> Result<Running, Failure> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // Its own group: a Ctrl-C at the terminal is for the parent, which stops its children in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::new("process.start", "no output"))?;
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next_line().await?.unwrap_or_default();
        let value: Value = serde_json::from_str(&first).unwrap_or_default();
        let Some(address) = value["listening"].as_str() else {
            return Err(Failure::new("process.start", format!("{}: {first}", arguments.join(" "))));
        };
        let url = format!("http://{address}");
        // What it prints later is not for us, but a full pipe would stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Running { child, url })
    }

    /// Its process id.
    pub fn pid(&self) -> String {
        self.child.id().map(|pid| pid.to_string()).unwrap_or_default()
    }

    /// Kills it at once, as a power switch would.
    pub async fn kill(mut self) -> Result<(), Failure> {
        self.child.kill().await?;
        Ok(())
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(mut self) -> Result<(), Failure> {
        if let Some(pid) = self.child.id() {
            let status = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
            if !status.success() {
                self.child.start_kill()?;
            }
        }
        let status = self.child.wait().await?;
        if status.success() { Ok(()) } else { Err(Failure::new("process.stop", status.to_string())) }
    }
}

/// Starts the rail and the backend on a data folder; the rail's webhooks go to the backend.
pub async fn market(
    program: &Path,
    data: &Path,
    listen: &str,
    more: &[&str],
) -> Result<(Running, Running), Failure> {
    let folder = data.display().to_string();
    let rail_folder = data.join("rail").display().to_string();
    let rail =
        Running::start(program, &["sandbox-rail", "--listen", "127.0.0.1:0", "--data", &rail_folder]).await?;
    let mut arguments =
        vec!["serve", "--listen", listen, "--data", &folder, "--sandbox", "--rail", &rail.url];
    arguments.extend(more);
    let backend = Running::start(program, &arguments).await?;
    let endpoint = serde_json::json!({
        "url": format!("{}/v1/rails/sandbox/webhook", backend.url),
        "secret": crate::rail::DEFAULT_SECRET,
    });
    let told = crate::api::http_client()?
        .post(format!("{}/_control/webhooks/endpoint", rail.url))
        .json(&endpoint)
        .send()
        .await?;
    if !told.status().is_success() {
        return Err(Failure::new("process.start", format!("webhook endpoint: {}", told.status())));
    }
    Ok((rail, backend))
}
