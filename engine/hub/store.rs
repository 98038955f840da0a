//! Writing to the cache so that nobody ever sees half of anything.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::layout::Layout;

/// Writes a whole small file, or nothing.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path)?;
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    // The cache is often shared: what any program's files may be read by. The umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.prefix(".").suffix(".tmp").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// How a file of a snapshot comes from its blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A symbolic link, relative as Python makes it.
    Symbolic,
    Hard,
    /// The blob itself, which is no longer where it was.
    Move,
    Copy,
}

impl Way {
    /// The ways to try, one after the other; nobody else knows a blob that has just been made.
    pub(super) fn all(allows_links: bool, is_new: bool) -> impl Iterator<Item = Self> {
        let last = if is_new { Self::Move } else { Self::Copy };
        allows_links.then_some(Self::Symbolic).into_iter().chain([Self::Hard, last])
    }
}

/// Makes a file of a snapshot from its blob, in the first way that the system allows.
pub(super) fn link(layout: &Layout, blob: &Path, pointer: &Path, ways: impl Iterator<Item = Way>) -> io::Result<()> {
    let folder = parent(pointer)?;
    fs::create_dir_all(folder)?;
    let depth = folder.strip_prefix(&layout.folder).map_or(0, |below| below.components().count());
    let mut relative: PathBuf = std::iter::repeat_n("..", depth).collect();
    relative.push("blobs");
    relative.push(blob.file_name().unwrap_or_default());
    // Made under another name first: a link that is replaced never is missing in between.
    let staged = folder.join(format!(".{}.{:x}.link", file_name(blob), unique()));
    let mut made = Err(io::ErrorKind::Unsupported.into());
    for way in ways {
        made = match way {
            Way::Symbolic => symlink(&relative, &staged),
            Way::Hard => fs::hard_link(blob, &staged),
            Way::Move => fs::rename(blob, &staged),
            Way::Copy => fs::copy(blob, &staged).map(drop),
        };
        if made.is_ok() {
            break;
        }
    }
    made.and_then(|()| fs::rename(&staged, pointer)).inspect_err(|_| drop(fs::remove_file(&staged)))
}

/// How long another process may hold a lock while nothing comes of the file: a large one is checked for some minutes.
const LONGEST_LOCK: Duration = Duration::from_secs(1800);

/// Holds the lock of a blob, the one that Python takes too, until dropped. Nothing where the file system has no locks. Another process
/// that holds it is waited for as long as the blob's `part` grows.
pub(super) fn lock(layout: &Layout, etag: &str, part: &Path) -> io::Result<Option<File>> {
    let folder = layout.locks();
    fs::create_dir_all(&folder)?;
    let file = open_lock(&folder.join(format!("{etag}.lock")))?;
    let mut waits = 0_u32;
    let size = || fs::metadata(part).map_or(0, |metadata| metadata.len());
    let (mut seen, mut since) = (size(), Instant::now());
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {
                if waits == 20 {
                    tracing::info!("waiting for another process to finish {etag}");
                }
                waits = waits.saturating_add(1);
                if seen != size() {
                    (seen, since) = (size(), Instant::now());
                } else if since.elapsed() > LONGEST_LOCK {
                    let message = format!("another process holds the lock {etag}.lock, and downloads nothing; end it, and try again");
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Opens the file of a lock, or makes it, for the group to write to as Python does. One that another user made may be held without
/// being written to.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o664);
    options.open(path).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => File::open(path).map_err(|_| error),
        _ => Err(error),
    })
}

/// A number that no other file of this moment has in its name.
pub(super) fn unique() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

pub(super) fn parent(path: &Path) -> io::Result<&Path> {
    path.parent().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a path without a folder"))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_gets_its_files_with_links_and_without() {
        let ways: Vec<Way> = Way::all(false, true).collect();
        assert_eq!(ways, [Way::Hard, Way::Move]);
        for way in [Way::Symbolic, Way::Hard, Way::Move, Way::Copy] {
            let folder = tempfile::tempdir().unwrap();
            let layout = Layout::new(folder.path(), "a/b");
            let (blob, pointer) = (layout.blobs().join("e1"), layout.pointer(&"c".repeat(40), "onnx/model.onnx"));
            fs::create_dir_all(layout.blobs()).unwrap();
            fs::write(&blob, "graph").unwrap();
            link(&layout, &blob, &pointer, [way].into_iter()).unwrap();
            assert_eq!(fs::read_to_string(&pointer).unwrap(), "graph", "{way:?}");
            assert_eq!((pointer.is_symlink(), blob.is_file()), (way == Way::Symbolic, way != Way::Move), "{way:?}");
            assert_eq!(fs::read_dir(pointer.parent().unwrap()).unwrap().count(), 1, "{way:?}");
        }
        // One that fails is followed by the next.
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path(), "a/b");
        let pointer = layout.pointer(&"c".repeat(40), "config.json");
        assert!(link(&layout, &layout.blobs().join("none"), &pointer, Way::all(false, false)).is_err() && !pointer.exists());
    }
}
