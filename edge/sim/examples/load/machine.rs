//! What it runs on, and which core does what.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

pub(crate) const SERVER_CORE: &str = "0";
pub(crate) const GENERATOR_CORE: &str = "1";

/// `USER_HZ`, which Linux has fixed at 100 for every architecture this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Binds a process and its threads to a core.
pub(crate) fn pin(process: u32, core: &str) -> Result<()> {
    let mut command = Command::new("taskset");
    let status = command.args(["-a", "-c", "-p", core, &process.to_string()]).stdout(Stdio::null()).status();
    ensure!(
        status.context("taskset (util-linux) binds processes to cores")?.success(),
        "taskset failed for core {core}"
    );
    Ok(())
}

/// Processor seconds that a process has used so far, in user and kernel mode.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in brackets, may hold anything; the fields after it are numbers, user and system time the 12th and 13th.
    let after_name = stat.rsplit_once(')').context("a stat line")?.1;
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}

pub(crate) fn resident_bytes(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1_024)
}

/// One line about the machine.
pub(crate) fn description() -> Result<String> {
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo")?;
    let kib: u64 = memory.split_whitespace().nth(1).context("MemTotal")?.parse()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split_whitespace().next().unwrap_or("?");
    Ok(format!(
        "litfass {}, {cores} cores of {model}, {} GiB, Linux {}; server on core {SERVER_CORE}, generator on core {GENERATOR_CORE}; load average before: {load}.",
        env!("CARGO_PKG_VERSION"),
        kib >> 20,
        kernel.trim(),
    ))
}
