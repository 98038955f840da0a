//! Signals that are faults of files: an error line in place of a silent end.
//!
//! A file that grows beyond a limit (`ulimit -f`) becomes an error of the write. A mapped file that is cut short while it is used, or that its
//! disk no longer gives, cannot become an error where it is read; the program says which file it was, and ends.

/// Sees to them from now on.
#[cfg(any(target_os = "linux", target_os = "macos"))]
#[allow(unsafe_code)]
pub(super) fn handle() {
    // SAFETY: to ignore a signal changes nothing but what the system does with it.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    #[cfg(target_os = "linux")]
    mapped::handle();
}

/// Sees to them from now on.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(super) fn handle() {}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod mapped {
    use std::{
        ffi::{c_int, c_void},
        mem, ptr,
    };

    /// Longer names are told by their beginning.
    const LONGEST_NAME: usize = 1024;

    pub(super) fn handle() {
        // SAFETY: the struct is numbers, for which zero is a value; what the handler calls may be called from one, and it never allocates.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = ended as *const () as usize;
            // On the thread's own stack: that is not what is at fault, and the stacks for signals are short.
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut());
        }
    }

    extern "C" fn ended(signal: c_int, about: *mut libc::siginfo_t, _: *mut c_void) {
        // SAFETY: the system gives a valid record. Only system calls and memory on the stack are used.
        unsafe {
            if (*about).si_code != libc::BUS_ADRERR {
                // A fault of the machine: as it is without a handler, once the instruction is tried again.
                libc::signal(signal, libc::SIG_DFL);
                return;
            }
            let mut found = Lines::new((*about).si_addr() as usize);
            found.read();
            say(b"error: ");
            say(if found.length == 0 { b"a file" } else { &found.name[..found.length] });
            say(b": the file was cut short, or its disk failed, while it was used. The files of a model have to stay as they are while it runs; ");
            say(b"with --no-mmap they are read before\n");
            libc::_exit(1);
        }
    }

    fn say(text: &[u8]) {
        // SAFETY: the bytes are there. Nobody is left to tell when this fails.
        unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }

    /// Looks in the list of what is mapped, byte by byte, for the file at an address. Lines are `start-end flags offset device inode /name`.
    struct Lines {
        address: usize,
        range: [usize; 2],
        /// How far the line has been read: the start, the end, what follows, the name.
        field: u8,
        name: [u8; LONGEST_NAME],
        length: usize,
    }

    impl Lines {
        fn new(address: usize) -> Self {
            Self { address, range: [0; 2], field: 0, name: [0; LONGEST_NAME], length: 0 }
        }

        fn read(&mut self) {
            let mut buffer = [0_u8; 4096];
            // SAFETY: the path is a C string, and reads stay within the buffer.
            unsafe {
                let maps = libc::open(c"/proc/self/maps".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
                if maps < 0 {
                    return;
                }
                while let Ok(count @ 1..) = usize::try_from(libc::read(maps, buffer.as_mut_ptr().cast(), buffer.len())) {
                    if buffer[..count].iter().any(|byte| self.has_found(*byte)) {
                        return;
                    }
                }
            }
            self.length = 0;
        }

        /// Takes the next byte; whether the line that it ends was the one.
        fn has_found(&mut self, byte: u8) -> bool {
            match (self.field, byte) {
                (_, b'\n') => {
                    if (self.range[0]..self.range[1]).contains(&self.address) {
                        return true;
                    }
                    *self = Self::new(self.address);
                }
                (0, b'-') | (1, b' ') => self.field += 1,
                (0 | 1, digit) => {
                    let number = &mut self.range[usize::from(self.field)];
                    *number = *number << 4 | (digit as char).to_digit(16).unwrap_or(0) as usize;
                }
                (2, b'/') | (3, _) => {
                    self.field = 3;
                    if let Some(place) = self.name.get_mut(self.length) {
                        *place = byte;
                        self.length += 1;
                    }
                }
                _ => {}
            }
            false
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_file_at_an_address_is_found() {
            let maps = "7f00-7f10 rw-p 00000000 00:00 0 \n7f10-7f20 r--s 00001000 fe:00 12         /a/b c.safetensors (deleted)\n\
                7f20-7f30 r-xp 00000000 fe:00 13 /lib.so\n7f30-7f40 rw-p 00000000 00:00 0 [stack]\n";
            let cases = [(0x7f00, ""), (0x7f0f, ""), (0x7f10, "/a/b c.safetensors (deleted)"), (0x7f2f, "/lib.so"), (0x7f30, "")];
            for (address, expected) in cases {
                let mut lines = Lines::new(address);
                assert!(maps.bytes().any(|byte| lines.has_found(byte)), "{address:x}");
                assert_eq!(&lines.name[..lines.length], expected.as_bytes(), "{address:x}");
            }
            let mut lines = Lines::new(0x7f40);
            assert!(!maps.bytes().any(|byte| lines.has_found(byte)));
            let here = [0_u8; 1];
            let mut lines = Lines::new(here.as_ptr() as usize);
            lines.read();
            assert_eq!(lines.length, 0);
            let mut lines = Lines::new(handle as *const () as usize);
            lines.read();
            assert!(lines.length > 0);
        }
    }
}
