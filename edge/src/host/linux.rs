//! A real Linux machine, read from procfs, sysfs and statvfs.

mod addresses;
mod sensors;

use super::{Host, Measurements, OfTotal, Traffic};
use crate::facts::Machine;
use crate::homeassistant::Observation;
use crate::homeassistant::probe::HomeAssistantAddress;
use procfs::prelude::*;
use procfs::{CpuTime, KernelStats, LoadAverage, Meminfo, Uptime};
use std::fs;
use std::path::{Path, PathBuf};

/// The boot id of a kernel that tells none: one boot, as far as anybody can say.
const NO_BOOT_ID: &str = "00000000-0000-0000-0000-000000000000";
/// Shorter than this, a share of processor time says nothing: the kernel counts in steps of 10 ms. Jiffies of all cores.
const CPU_WINDOW_MIN_TICKS: u64 = 20;

/// The machine that the agent runs on.
#[derive(Debug)]
pub struct LinuxHost {
    state_dir: PathBuf,
    home_assistant: Option<HomeAssistantAddress>,
    cpu_before: Option<CpuTicks>,
    operating_system: String,
    model: String,
    serial: String,
}

/// Processor time of all cores since boot, in the kernel's ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CpuTicks {
    busy: u64,
    all: u64,
}

impl LinuxHost {
    /// Looks at this machine. `state_dir` says which file system counts.
    #[must_use]
    pub fn new(state_dir: &Path, home_assistant: Option<HomeAssistantAddress>) -> Self {
        let release = fs::read_to_string("/etc/os-release")
            .or_else(|_| fs::read_to_string("/usr/lib/os-release"))
            .unwrap_or_default();
        Self {
            state_dir: state_dir.to_owned(),
            home_assistant,
            cpu_before: cpu_ticks(),
            operating_system: pretty_name(&release).unwrap_or_else(|| "Linux".to_owned()),
            model: model(),
            serial: serial(),
        }
    }

    fn cpu_busy_ratio(&mut self) -> Option<f64> {
        let now = cpu_ticks()?;
        let ratio = self.cpu_before.and_then(|before| busy_ratio(before, now));
        if ratio.is_some() || self.cpu_before.is_none() {
            self.cpu_before = Some(now);
        }
        ratio
    }
}

impl Host for LinuxHost {
    fn boot_id(&self) -> String {
        read_line("/proc/sys/kernel/random/boot_id").unwrap_or_else(|| NO_BOOT_ID.to_owned())
    }

    fn machine(&mut self) -> Machine {
        Machine {
            hostname: read_line("/proc/sys/kernel/hostname").unwrap_or_default(),
            operating_system: self.operating_system.clone(),
            kernel: read_line("/proc/sys/kernel/osrelease").unwrap_or_default(),
            model: self.model.clone(),
            cpu_count: cpu_count(),
            addresses: addresses::all(),
            simulated: false,
            serial: self.serial.clone(),
        }
    }

    fn measure(&mut self) -> Measurements {
        let disk = rustix::fs::statvfs(&self.state_dir).ok();
        Measurements {
            cpu_busy_ratio: self.cpu_busy_ratio(),
            load: LoadAverage::current()
                .ok()
                .map(|load| [f64::from(load.one), f64::from(load.five), f64::from(load.fifteen)]),
            memory_bytes: Meminfo::current().ok().and_then(|memory| {
                Some(OfTotal { total: count(memory.mem_total), available: count(memory.mem_available?) })
            }),
            disk_bytes: disk.as_ref().map(|disk| OfTotal {
                total: count(disk.f_blocks) * count(disk.f_frsize),
                available: count(disk.f_bavail) * count(disk.f_frsize),
            }),
            // Some file systems have no fixed number of inodes and say 0.
            disk_inodes: disk
                .filter(|disk| disk.f_files > 0)
                .map(|disk| OfTotal { total: count(disk.f_files), available: count(disk.f_favail) }),
            temperature_celsius: sensors::hottest(Path::new("/sys")),
            network_bytes: network_bytes(),
            uptime_seconds: Uptime::current().ok().map(|uptime| uptime.uptime),
            agent_resident_bytes: agent_resident_bytes(),
        }
    }

    async fn observe_home_assistant(&mut self) -> Observation {
        match &mut self.home_assistant {
            None => Observation::NotConfigured,
            Some(address) => address.probe().await,
        }
    }
}

/// Counts of a machine are far below 2^53, where a float stops being exact.
#[expect(clippy::cast_precision_loss, reason = "counts of a machine are far below 2^53")]
const fn count(number: u64) -> f64 {
    number as f64
}

fn read_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!line.is_empty()).then(|| line.to_owned())
}

fn cpu_ticks() -> Option<CpuTicks> {
    KernelStats::current().ok().map(|stats| ticks_of(&stats.total))
}

fn ticks_of(time: &CpuTime) -> CpuTicks {
    // Guests' time is inside user and nice already.
    let idle = time.idle + time.iowait.unwrap_or(0);
    let busy = time.user
        + time.nice
        + time.system
        + time.irq.unwrap_or(0)
        + time.softirq.unwrap_or(0)
        + time.steal.unwrap_or(0);
    CpuTicks { busy, all: busy + idle }
}

fn busy_ratio(before: CpuTicks, now: CpuTicks) -> Option<f64> {
    let all = now.all.checked_sub(before.all).filter(|all| *all >= CPU_WINDOW_MIN_TICKS)?;
    // The kernel's idle time may go back a little, which makes busy time jump.
    let busy = now.busy.saturating_sub(before.busy).min(all);
    Some(count(busy) / count(all))
}

fn cpu_count() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

fn network_bytes() -> Option<Traffic> {
    let interfaces = procfs::net::dev_status().ok()?;
    let mut traffic = Traffic { received: 0.0, sent: 0.0 };
    for status in interfaces.values().filter(|status| status.name != "lo") {
        traffic.received += count(status.recv_bytes);
        traffic.sent += count(status.sent_bytes);
    }
    Some(traffic)
}

fn agent_resident_bytes() -> Option<f64> {
    let pages = procfs::process::Process::myself().ok()?.statm().ok()?.resident;
    Some(count(pages) * count(procfs::page_size()))
}

fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// PCs say it by DMI, single-board computers by device tree.
fn model() -> String {
    if let Some(model) = read_line("/proc/device-tree/model") {
        return model;
    }
    let vendor = read_line("/sys/class/dmi/id/sys_vendor").unwrap_or_default();
    let product = read_line("/sys/class/dmi/id/product_name").unwrap_or_default();
    format!("{vendor} {product}").trim().to_owned()
}

/// Where the model is, too. PCs show it to root alone.
fn serial() -> String {
    let said = read_line("/proc/device-tree/serial-number").or_else(|| read_line("/sys/class/dmi/id/product_serial"));
    said.map(|said| said.trim_matches('\0').trim().to_owned()).filter(|said| is_serial(said)).unwrap_or_default()
}

/// Whether a text tells a machine from others: many makers leave what was there before.
fn is_serial(text: &str) -> bool {
    const FILLERS: [&str; 8] = [
        "none",
        "default string",
        "to be filled by o.e.m.",
        "not specified",
        "not applicable",
        "system serial number",
        "123456789",
        "0123456789",
    ];
    let text = text.to_lowercase();
    text.len() >= 4 && !FILLERS.contains(&text.as_str()) && text.chars().any(|c| c.is_ascii_alphanumeric() && c != '0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_becomes_a_share() {
        let before = CpuTicks { busy: 100, all: 1000 };
        assert_eq!(busy_ratio(before, CpuTicks { busy: 150, all: 1100 }), Some(0.5));
        assert_eq!(busy_ratio(before, CpuTicks { busy: 100, all: 1100 }), Some(0.0));
        assert_eq!(busy_ratio(before, CpuTicks { busy: 101, all: 1001 }), None);
        assert_eq!(busy_ratio(before, CpuTicks { busy: 50, all: 900 }), None);
        assert_eq!(busy_ratio(before, CpuTicks { busy: 300, all: 1100 }), Some(1.0));
    }

    #[test]
    fn what_makers_leave_is_no_serial_number() {
        for text in ["10000000ab12cd34", "PF2X1A9B", "VMware-56 4d"] {
            assert!(is_serial(text), "{text}");
        }
        for text in ["", "0", "00000000", "None", "Default string", "To be filled by O.E.M.", "----", "123456789"] {
            assert!(!is_serial(text), "{text}");
        }
    }

    #[test]
    fn the_operating_system_has_a_name() {
        let release = "NAME=Debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n";
        assert_eq!(pretty_name(release).as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(pretty_name("NAME=x"), None);
    }

    #[test]
    fn this_machine_can_be_measured() {
        let mut host = LinuxHost::new(Path::new("/"), None);
        let measured = host.measure();
        let memory = measured.memory_bytes.unwrap();
        assert!(memory.available > 0.0 && memory.available <= memory.total);
        let disk = measured.disk_bytes.unwrap();
        assert!(disk.total > 0.0 && disk.available <= disk.total);
        assert!(measured.uptime_seconds.unwrap() > 0.0);
        assert!(measured.agent_resident_bytes.unwrap() > 1e6);
        assert!(measured.network_bytes.is_some());
        assert_eq!(host.boot_id().len(), 36);
        let machine = host.machine();
        assert!(!machine.hostname.is_empty() && !machine.kernel.is_empty() && machine.cpu_count >= 1);
        assert_eq!(host.boot_id(), host.boot_id());
    }
}
