//! What a daemon uses up, by the system's own tables.

use crate::machine::Machine;

/// What a process uses at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vitals {
    /// Resident memory, in KiB.
    pub resident_kib: u64,
    /// The most that it ever was.
    pub peak_kib: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Machine {
    /// What the daemon uses; proc_pid_status(5).
    ///
    /// # Panics
    /// When it does not run, or the system is not Linux.
    pub fn vitals(&self) -> Vitals {
        let process = format!("/proc/{}", self.pid());
        let status = std::fs::read_to_string(format!("{process}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let descriptors = std::fs::read_dir(format!("{process}/fd")).unwrap().count();
        Vitals { resident_kib: field("VmRSS:"), peak_kib: field("VmHWM:"), descriptors }
    }
}
