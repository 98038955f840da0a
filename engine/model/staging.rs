//! Files that appear all at once: they are written into a folder beside their place, and move when all of them are whole.
//!
//! A process that is killed leaves such a folder behind. A file in it is locked for as long as its process lives: the next one that writes to
//! that place finds it free, and removes the folder.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

const PREFIX: &str = ".part-";
const LOCK: &str = ".lock";
/// Without locks, what nobody has written to for so long is nobody's.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// One that waits for another goes on by itself when that has written nothing for so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder whose files have no place yet. It goes away with its files unless they get one.
pub(super) struct Staging {
    folder: TempDir,
    _lock: File,
    _listed: Listed,
}

/// The folders of this process.
static LISTED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A folder among those of this process, for as long as this lives.
struct Listed(PathBuf);

impl Listed {
    fn new(folder: &Path) -> Self {
        LISTED.lock().unwrap_or_else(PoisonError::into_inner).push(folder.to_owned());
        Self(folder.to_owned())
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        LISTED.lock().unwrap_or_else(PoisonError::into_inner).retain(|folder| *folder != self.0);
    }
}

/// Removes the folders of this process, which is about to end. Threads that still write there fail.
pub(super) fn abandon() {
    abandon_those(|_| true);
}

fn abandon_those(is_meant: impl Fn(&Path) -> bool) {
    let folders = LISTED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for folder in folders.iter().filter(|folder| is_meant(folder)) {
        // A file that is made in between keeps its folder.
        for _ in 0..100 {
            match fs::remove_dir_all(folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(1)),
                _ => break,
            }
        }
    }
}

impl Staging {
    /// A folder in `parent` for what will be called `name`.
    pub(super) fn new(parent: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        let mut builder = tempfile::Builder::new();
        // As other folders: the umask says who may read it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let prefix = format!("{PREFIX}{name}-");
        loop {
            let folder = builder.prefix(&prefix).tempdir_in(parent).map_err(without_path)?;
            let place = folder.path().join(LOCK);
            let lock = File::create(&place)?;
            // One that sweeps may have been faster, in between.
            match lock.try_lock() {
                Err(TryLockError::WouldBlock) => {}
                _ if !place.exists() => {}
                Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
                _ => return Ok(Self { _listed: Listed::new(folder.path()), folder, _lock: lock }),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder its place, where nothing or an empty folder is. Else it goes away.
    pub(super) fn place(self, target: &Path) -> io::Result<()> {
        let Self { folder, _lock, _listed } = self;
        // Some systems rename no folder that has an open file.
        drop(_lock);
        fs::remove_file(folder.path().join(LOCK))?;
        fs::rename(folder.path(), target)?;
        // It has another name now.
        let _ = folder.keep();
        sync(target.parent());
        Ok(())
    }

    /// Moves files to their places in another folder, in this order, over what is there.
    pub(super) fn place_files(&self, files: &[PathBuf], target: &Path) -> io::Result<()> {
        for file in files {
            let place = target.join(file);
            fs::create_dir_all(place.parent().unwrap_or(target))?;
            fs::rename(self.path().join(file), &place)?;
        }
        sync(Some(target));
        Ok(())
    }
}

/// What the system says, without the path that nobody has named.
fn without_path(error: io::Error) -> io::Error {
    let told = error.to_string();
    told.rsplit_once(" at path ").map(|(said, _)| io::Error::new(error.kind(), said.to_owned())).unwrap_or(error)
}

/// So that a name outlives a power cut, where the system has that.
fn sync(folder: Option<&Path>) {
    if let Some(folder) = folder.filter(|_| cfg!(unix)) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

/// Removes what processes that are gone have left in `parent` for this name; of all names where it is empty.
pub(super) fn sweep(parent: &Path, name: &str) {
    remove(left(parent, name));
}

fn remove(folders: Vec<PathBuf>) {
    for folder in folders {
        // The lock is held until all is gone.
        if let Some(_lock) = nobodys(&folder) {
            match fs::remove_dir_all(&folder) {
                Ok(()) => tracing::debug!("{}: left by a process that ended, removed", folder.display()),
                Err(error) => tracing::debug!("{}: cannot be removed: {error}", folder.display()),
            }
        }
    }
}

/// As [`sweep`], in a folder that is somebody's own: only what has the lock of such a process goes.
pub(super) fn sweep_own(parent: &Path, name: &str) {
    remove(left(parent, name).into_iter().filter(|folder| folder.join(LOCK).is_file()).collect());
}

/// Waits while another process writes what will be called `name`.
pub(super) fn wait(parent: &Path, name: &str) {
    let mut told = false;
    while let Some(folder) = left(parent, name).into_iter().find(|folder| nobodys(folder).is_none()) {
        if newest(&folder).is_none_or(|time| time.elapsed().is_ok_and(|age| age > PATIENCE)) {
            return;
        }
        if !std::mem::replace(&mut told, true) {
            tracing::info!("waiting for another process to finish {}", folder.display());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn left(parent: &Path, name: &str) -> Vec<PathBuf> {
    let prefix = if name.is_empty() { PREFIX.to_owned() } else { format!("{PREFIX}{name}-") };
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let entries = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)));
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

/// The lock of a folder whose process has ended: `None` where it lives.
fn nobodys(folder: &Path) -> Option<Option<File>> {
    let abandoned = || newest(folder).is_some_and(|time| time.elapsed().is_ok_and(|age| age > ABANDONED));
    // A pipe of this name would be waited for without end.
    let place = Some(folder.join(LOCK)).filter(|place| place.is_file());
    match place.and_then(|place| File::options().write(true).open(place).ok()) {
        Some(lock) => match lock.try_lock() {
            Ok(()) => Some(Some(lock)),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Error(_)) => abandoned().then_some(None),
        },
        None => abandoned().then_some(None),
    }
}

/// When something was last written there.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.chain([folder.to_owned()]).filter_map(|path| fs::symlink_metadata(path).ok()?.modified().ok()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn all_files_appear_at_once_or_none() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("out");
        let staging = Staging::new(parent.path(), "out").unwrap();
        fs::write(staging.path().join("a"), "a").unwrap();
        assert!(!target.exists());
        staging.place(&target).unwrap();
        assert_eq!((names(&target), names(parent.path())), (vec!["a".to_owned()], vec!["out".to_owned()]));

        let staging = Staging::new(parent.path(), "out").unwrap();
        fs::write(staging.path().join("b"), "b").unwrap();
        assert!(staging.place(&target).is_err());
        assert_eq!((names(&target), names(parent.path())), (vec!["a".to_owned()], vec!["out".to_owned()]));

        let staging = Staging::new(&target, "out").unwrap();
        for file in ["a", "b"] {
            fs::write(staging.path().join(file), "new").unwrap();
        }
        staging.place_files(&["b".into(), "a".into()], &target).unwrap();
        drop(staging);
        assert_eq!((names(&target), fs::read_to_string(target.join("a")).unwrap()), (vec!["a".to_owned(), "b".to_owned()], "new".into()));
    }

    #[test]
    fn only_what_nobody_holds_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let held = Staging::new(parent.path(), "one").unwrap();
        // A process that was killed leaves its files and no lock.
        let dead = parent.path().join(".part-one-dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(dead.join("model.onnx_data"), "half").unwrap();
        // One that has not come so far yet, or an older version's, and what belongs to others.
        for other in [".part-one-young", "one", ".part-two-dead"] {
            fs::create_dir(parent.path().join(other)).unwrap();
        }
        fs::write(parent.path().join(".part-two-dead").join(LOCK), "").unwrap();
        sweep(parent.path(), "one");
        assert!(!dead.exists() && held.path().exists());
        assert_eq!(names(parent.path()).len(), 4, "{:?}", names(parent.path()));
        sweep(parent.path(), "");
        assert!(held.path().exists() && !parent.path().join(".part-two-dead").exists());
        let old = SystemTime::now() - 2 * ABANDONED;
        let young = parent.path().join(".part-one-young");
        File::open(&young).unwrap().set_modified(old).unwrap();
        sweep(parent.path(), "");
        assert!(!young.exists());
    }

    #[test]
    fn what_a_process_that_ends_has_not_finished_goes() {
        let parent = tempfile::tempdir().unwrap();
        let staging = Staging::new(parent.path(), "one").unwrap();
        fs::create_dir(staging.path().join("onnx")).unwrap();
        fs::write(staging.path().join("onnx/model.onnx"), "half").unwrap();
        Staging::new(parent.path(), "whole").unwrap().place(&parent.path().join("whole")).unwrap();
        let mine = || LISTED.lock().unwrap().iter().filter(|folder| folder.starts_with(parent.path())).count();
        assert_eq!(mine(), 1);
        abandon_those(|folder| folder.starts_with(parent.path()));
        assert_eq!(names(parent.path()), ["whole"]);
        assert!(fs::write(staging.path().join("onnx/more"), "").is_err());
        drop(staging);
        assert_eq!(mine(), 0);
    }

    #[test]
    fn one_waits_for_another() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("out");
        wait(parent.path(), "out");
        let staging = Staging::new(parent.path(), "out").unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                wait(parent.path(), "out");
                target.exists()
            });
            std::thread::sleep(Duration::from_millis(120));
            assert!(!waiting.is_finished());
            staging.place(&target).unwrap();
            assert!(waiting.join().unwrap());
        });
    }
}
