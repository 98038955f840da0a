//! How much memory there is.

/// How many bytes of memory are available, where the system says so.
pub(crate) fn available() -> u64 {
    let about = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = about.lines().find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix("kB"));
    line.and_then(|kilobytes| kilobytes.trim().parse::<u64>().ok()).map_or(u64::MAX, |n| n.saturating_mul(1024))
}
