//! Running one command: announced, timed, and an error when it fails.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace;

/// The cargo that runs this xtask.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A command that starts in the workspace's root and reads nothing.
pub(crate) fn command(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

/// Runs it with its output on this terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    watch(command, |_| ())
}

/// Runs it, handing each line of its standard output to `seen` after showing it.
pub(crate) fn watch(command: &mut Command, mut seen: impl FnMut(&str)) -> Result<()> {
    let shown = shown(command);
    println!("== {shown}");
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let Some(output) = child.stdout.take() else { bail!("`{shown}` has no output to read") };
    for line in BufReader::new(output).split(b'\n') {
        let line = line?;
        let text = String::from_utf8_lossy(&line);
        writeln!(std::io::stdout(), "{text}")?;
        seen(&text);
    }
    let status = child.wait()?;
    println!("== {:.1} s: {shown}", start.elapsed().as_secs_f64());
    ensure!(status.success(), "`{shown}` failed: {status}");
    Ok(())
}

/// Its standard output, or an error with what it said on standard error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(
        output.status.success(),
        "`{shown}` failed: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` did not answer in UTF-8"))
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let settings =
        command.get_envs().filter_map(|(key, value)| Some(format!("{}={}", key.display(), value?.display())));
    let arguments = command.get_args().map(|argument| argument.display().to_string());
    settings.chain([name.display().to_string()]).chain(arguments).collect::<Vec<_>>().join(" ")
}
