//! The memory of this process.

/// The most physical memory that the process had at once, in bytes, where the system says so.
#[cfg(target_os = "linux")]
pub(super) fn peak() -> Option<u64> {
    // Unlike getrusage's number, this one leaves out the program that started this one.
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The most physical memory that the process had at once, in bytes, where the system says so.
#[cfg(target_os = "macos")]
pub(super) fn peak() -> Option<u64> {
    // SAFETY: the struct is plain numbers, for which zero is a value, and getrusage fills the one that it is given.
    #[allow(unsafe_code)]
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) == 0).then_some(usage)
    };
    u64::try_from(usage?.ru_maxrss).ok()
}

/// The most physical memory that the process had at once, in bytes, where the system says so.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn peak() -> Option<u64> {
    None
}
