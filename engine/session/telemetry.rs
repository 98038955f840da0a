//! ONNX Runtime's own telemetry: off, before it can begin.
//!
//! Microsoft's builds from 1.29 on write an identifier of the machine and a data base of events into the user's cache folder when the first
//! environment is made, and send the events from a thread. What the API has for turning that off comes after the first of them. Before, the
//! library looks at one variable of the environment (on Windows it asks the system for it, not its C runtime), so that is what is set here. The
//! API is used as well: it holds for the events that Windows collects itself.

use std::env;

/// What turns all of it off, where it is `1` before the first environment.
const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Sees to it that none begins. Comes before the library is loaded and before an environment is made, with the lock of the settings held.
#[allow(unsafe_code)]
pub(super) fn prevent() {
    if !is_prevented() {
        // SAFETY: the standard library keeps its own readers and writers of the environment apart. Other code that reads it meanwhile, on
        // another thread, does so in any program that sets a variable anywhere: macOS, Windows and glibc from 2.41 on make that sound, and
        // with older C libraries such a reader still walks the array that the process began with, which is never given back. Who has to rule
        // out even the rest (an array that was replaced before and is replaced again at this very moment) sets the variable at the
        // start of `main`, as the program does; then nothing is written here.
        unsafe { env::set_var(VARIABLE, "1") };
    }
}

/// Whether the variable says so already.
pub(super) fn is_prevented() -> bool {
    env::var_os(VARIABLE).is_some_and(|value| value == "1")
}
