//! Weights on huge pages: a step of generation reads all of them once, and finds each page of 4 KiB anew.

use std::ops::Range;

/// Huge pages have this size and begin at multiples of it.
const PAGE: usize = 2 << 20;
/// Less than this stays as it is: it is read fast enough, and costs nothing.
const LEAST: usize = 32 << 20;

/// The memory of this process before a session was opened.
pub(super) struct Before(Vec<Range<usize>>);

impl Before {
    pub(super) fn now() -> Self {
        Self(anonymous())
    }

    /// Asks for huge pages for the memory that is new since then. A system without them, or without enough room, says no, and
    /// nothing is lost.
    pub(super) fn collapse_new(self) {
        let mut new = anonymous();
        for old in &self.0 {
            new = new.into_iter().flat_map(|range| without(range, old)).collect();
        }
        let whole: Vec<Range<usize>> = new.into_iter().filter_map(inner_pages).collect();
        if whole.iter().map(ExactSizeIterator::len).sum::<usize>() < LEAST {
            return;
        }
        // The first run need not wait for it. Where the system has no thread for that, nothing is lost.
        let _ = std::thread::Builder::new().spawn(move || whole.into_iter().flat_map(pages).for_each(|page| collapse(&page)));
    }
}

/// A range without another: nothing, one or two ranges.
fn without(range: Range<usize>, other: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let before = range.start..range.end.min(other.start);
    let after = range.start.max(other.end)..range.end;
    [before, after].into_iter().filter(|range| !range.is_empty())
}

/// The huge pages that lie in a range as a whole.
fn inner_pages(range: Range<usize>) -> Option<Range<usize>> {
    let inner = range.start.checked_next_multiple_of(PAGE)?..range.end / PAGE * PAGE;
    (!inner.is_empty()).then_some(inner)
}

/// One by one: where there is no room for one, there may be for the next.
fn pages(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    range.step_by(PAGE).map(|start| start..start + PAGE)
}

/// Memory that belongs to no file and can be written: what is allocated.
fn anonymous() -> Vec<Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    maps.lines().filter_map(range).collect()
}

/// The range of a line `start-end rw-p offset device inode name`.
fn range(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let allocated = fields.next()? == "rw-p" && fields.nth(2)? == "0" && matches!(fields.next(), None | Some("[heap]"));
    let address = |text| usize::from_str_radix(text, 16).ok();
    allocated.then_some(address(start)?..address(end)?)
}

#[allow(unsafe_code)]
fn collapse(range: &Range<usize>) {
    // Not in every version of the C library's headers; kernels before 6.1 refuse it.
    const MADV_COLLAPSE: libc::c_int = 25;
    for advice in [libc::MADV_HUGEPAGE, MADV_COLLAPSE] {
        // SAFETY: advice changes no contents, whoever owns the memory; a range that has gone meanwhile is an error.
        unsafe { libc::madvise(std::ptr::with_exposed_provenance_mut(range.start), range.len(), advice) };
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::{PAGE, inner_pages, range, without};

    #[test]
    fn only_allocated_memory_counts() {
        assert_eq!(range("7f00-7f10 rw-p 00000000 00:00 0 "), Some(0x7f00..0x7f10));
        assert_eq!(range("7f00-7f10 rw-p 00000000 00:00 0    [heap]"), Some(0x7f00..0x7f10));
        for other in [
            "7f00-7f10 r--p 00000000 00:00 0",
            "7f00-7f10 rw-p 00000000 fe:00 12  /a/file",
            "7f00-7f10 rw-s 00000000 00:00 0",
            "7f00-7f10 rw-p 00000000 00:00 0 [stack]",
            "",
            "7f00 rw-p 0 00:00 0",
        ] {
            assert_eq!(range(other), None, "{other}");
        }
    }

    #[test]
    fn what_was_there_before_is_left_out() {
        let parts = |range, old| without(range, &old).collect::<Vec<_>>();
        assert_eq!(parts(0..10, 3..5), [0..3, 5..10]);
        assert_eq!(parts(0..10, 0..10), Vec::<Range<usize>>::new());
        assert_eq!(parts(4..6, 0..10), Vec::<Range<usize>>::new());
        assert_eq!(parts(0..10, 20..30), vec![0..10; 1]);
    }

    #[test]
    fn only_whole_pages_are_taken() {
        assert_eq!(inner_pages(1..3 * PAGE + 1), Some(PAGE..3 * PAGE));
        assert_eq!(inner_pages(1..PAGE), None);
        assert_eq!(inner_pages(usize::MAX - 5..usize::MAX), None);
    }
}
