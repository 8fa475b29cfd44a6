//! The way through a tree: this thread finds what is in it, in order; files are read, copied and hashed by as many threads as there
//! are processors, once there are more than a few. What comes out depends on the tree alone.

use super::{
    CalledOff, Contents, Destination, Filter, MAX_DEPTH, MAX_PATH_BYTES, ObjectError, OwnMention, Place,
    TIMES, c_path, join, open_directory, set_time, show,
};
use crate::scan::{DigestText, Found, Scanner, Wanted};
use crate::share::Sharing;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use sx_derivation::Digest;
use sx_derivation::digest::TEXT_LENGTH;
use sx_derivation::tree::{self, Node};

/// Files that one thread does as soon as others were begun.
const FILES_ALONE: usize = 16;

/// Most files that wait for a thread. Each may keep two directories open.
const MOST_WAITING: usize = 64;

/// Most threads: beyond, they wait for one another in the kernel.
const MOST_THREADS: usize = 8;

/// Most bytes that are read at once.
const BUFFER_BYTES: u64 = 256 << 10;

/// What all threads share.
struct Walk<'a> {
    wanted: &'a Wanted,
    sharing: Option<Sharing>,
    called_off: &'a CalledOff<'a>,
    source: &'a Path,
    waiting: Mutex<Waiting>,
    /// There are more that wait, or no more to come.
    changed: Condvar,
    /// Nobody goes on.
    has_failed: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    files: VecDeque<Job>,
    is_all: bool,
}

/// A file that is to be done.
struct Job {
    /// Its place in the order of the tree.
    number: usize,
    /// Below the source.
    path: PathBuf,
    folder: Arc<Folder>,
    opened: Arc<Opened>,
    name: CString,
}

/// A directory until all that it holds is done.
struct Folder {
    /// The one that holds it, and its name there; `None` for the tree's root.
    parent: Option<(Arc<Folder>, CString)>,
    entries: Mutex<BTreeMap<Vec<u8>, Node>>,
    /// How many entries aren't done, and one for as long as there may come more.
    open: AtomicUsize,
}

/// A directory's descriptors, while something is put into it. Apart from [`Folder`], so that not each directory above one that
/// isn't done stays open.
struct Opened {
    /// Below the source.
    path: PathBuf,
    number: usize,
    source: OwnedFd,
    copy: Option<OwnedFd>,
}

/// What a thread has found.
#[derive(Default)]
struct Findings {
    /// With the number of the first file that mentions it.
    references: BTreeMap<DigestText, (usize, PathBuf)>,
    own: Vec<(usize, OwnMention)>,
    size_bytes: u64,
    files: u64,
    /// The first in the order of the tree.
    failure: Option<(usize, ObjectError)>,
    /// What the whole tree is, if this thread has done the last of it.
    root: Option<Node>,
}

impl Findings {
    fn append(&mut self, other: Self) {
        for (digest, (number, path)) in other.references {
            self.refer(digest, number, &path);
        }
        self.own.extend(other.own);
        self.size_bytes += other.size_bytes;
        self.files += other.files;
        self.root = self.root.take().or(other.root);
        if let Some((number, error)) = other.failure {
            self.fail(number, error);
        }
    }

    fn refer(&mut self, digest: DigestText, number: usize, path: &Path) {
        match self.references.get(&digest) {
            Some((earlier, _)) if *earlier <= number => {}
            _ => drop(self.references.insert(digest, (number, path.into()))),
        }
    }

    fn fail(&mut self, number: usize, error: ObjectError) {
        if self.failure.as_ref().is_none_or(|(earlier, _)| number < *earlier) {
            self.failure = Some((number, error));
        }
    }
}

pub(super) fn walk(
    source: &Path,
    destination: Option<Destination<'_>>,
    wanted: &Wanted,
    filter: Option<&mut Filter<'_>>,
    called_off: &CalledOff<'_>,
) -> Result<Contents, ObjectError> {
    let (destination, sharing) =
        destination.map_or((None, None), |Destination { place, sharing }| (Some(place), sharing));
    let walk = Walk {
        wanted,
        sharing,
        called_off,
        source,
        waiting: Mutex::default(),
        changed: Condvar::new(),
        has_failed: AtomicBool::new(false),
    };
    let source_name = c_path(source);
    let destination_name = destination.map(c_path);
    let to = destination_name.as_deref().map(|name| (rustix::fs::CWD, name));
    let mut found = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        let mut begin = || {
            let others = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS) - 1;
            let work = || {
                let mut worker = Worker::new(&walk);
                worker.work(WhenIdle::Wait);
                worker.found
            };
            // Where there can be no more threads this one does what they would have done.
            let begun = (0..others).map_while(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok());
            threads.extend(begun);
        };
        // Also when this thread panics, or the others would wait forever.
        let end = EndOnDrop(&walk);
        let mut finder = Finder {
            worker: Worker::new(&walk),
            filter,
            path: PathBuf::new(),
            count: 0,
            files: 0,
            begin: &mut begin,
        };
        finder.find_root((rustix::fs::CWD, &source_name), to);
        drop(end);
        let mut worker = finder.worker;
        worker.work(WhenIdle::Return);
        let mut found = worker.found;
        for thread in threads {
            found.append(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        found
    });
    if let Some((_, error)) = found.failure {
        return Err(error);
    }
    found.own.sort_by_key(|(number, _)| *number);
    let root = found.root.expect("this holds because whoever did the last entry left it, and nothing failed");
    Ok(Contents {
        tree: root.tree_digest(),
        references: found.references.into_iter().map(|(digest, (_, path))| (digest, path)).collect(),
        size_bytes: found.size_bytes,
        files: found.files,
        own: found.own.into_iter().map(|(_, mention)| mention).collect(),
    })
}

struct EndOnDrop<'a, 'b>(&'a Walk<'b>);

impl Drop for EndOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.lock().is_all = true;
        self.0.changed.notify_all();
    }
}

impl Walk<'_> {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self, path: &Path) -> String {
        show(&join(self.source, path))
    }

    /// Fails if nobody wants the rest any more.
    fn goes_on(&self) -> Result<(), ObjectError> {
        if (self.called_off)() { Err(ObjectError::CalledOff) } else { Ok(()) }
    }

    fn unread(&self, path: &Path) -> impl Fn(Errno) -> ObjectError {
        move |error| ObjectError::Read { path: self.shown(path), source: error.into() }
    }

    fn unwritten<E: Into<std::io::Error>>(&self, path: &Path) -> impl Fn(E) -> ObjectError {
        move |error| ObjectError::Write { path: self.shown(path), source: error.into() }
    }
}

/// What to do when no file waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WhenIdle {
    Wait,
    Return,
}

/// A thread that does files.
struct Worker<'a> {
    walk: &'a Walk<'a>,
    found: Findings,
    buffer: Vec<u8>,
}

impl<'a> Worker<'a> {
    fn new(walk: &'a Walk<'a>) -> Self {
        Self { walk, found: Findings::default(), buffer: Vec::new() }
    }

    fn work(&mut self, when_idle: WhenIdle) {
        loop {
            let job = {
                let mut waiting = self.walk.lock();
                loop {
                    match waiting.files.pop_front() {
                        Some(job) => break job,
                        None if waiting.is_all || when_idle == WhenIdle::Return => return,
                        None => {
                            let woken = self.walk.changed.wait(waiting);
                            waiting = woken.unwrap_or_else(PoisonError::into_inner);
                        }
                    }
                }
            };
            self.do_file(job);
        }
    }

    fn do_file(&mut self, Job { number, path, folder, opened, name }: Job) {
        if self.walk.has_failed.load(Ordering::Relaxed) {
            // One that comes before the one that failed is done, so that always the same failure is told.
            if self.found.failure.as_ref().is_some_and(|(failed, _)| *failed < number) {
                return;
            }
        }
        let to = opened.copy.as_ref().map(|copy| (copy.as_fd(), &*name));
        let done = self.file((opened.source.as_fd(), &name), to, number, &path);
        self.leave(opened);
        match done {
            Ok(node) => self.done(&folder, &name, node),
            Err(error) => self.fail(number, error),
        }
    }

    /// Puts nothing more into a directory. If nobody does, it becomes what it shall be.
    fn leave(&mut self, opened: Arc<Opened>) {
        let Some(Opened { path, number, copy: Some(copy), .. }) = Arc::into_inner(opened) else { return };
        let left = rustix::fs::fchmod(&copy, Mode::from_raw_mode(0o555))
            .and_then(|()| rustix::fs::futimens(&copy, &TIMES));
        if let Err(error) = left {
            self.fail(number, self.walk.unwritten(&path)(error));
        }
    }

    fn fail(&mut self, number: usize, error: ObjectError) {
        self.found.fail(number, error);
        self.walk.has_failed.store(true, Ordering::Relaxed);
    }

    /// Puts what was done into its directory, and that, if it was the last, into its own.
    fn done(&mut self, folder: &Arc<Folder>, name: &CStr, node: Node) {
        let (mut folder, mut name, mut node) = (Arc::clone(folder), name.to_owned(), node);
        loop {
            folder.lock().insert(name.into_bytes(), node);
            match folder.close() {
                None => return,
                Some(directory) => node = directory,
            }
            match &folder.parent {
                None => {
                    self.found.root = Some(node);
                    return;
                }
                Some((parent, own_name)) => {
                    name = own_name.clone();
                    folder = Arc::clone(parent);
                }
            }
        }
    }

    fn file(
        &mut self,
        from: Place<'_>,
        to: Option<Place<'_>>,
        number: usize,
        path: &Path,
    ) -> Result<Node, ObjectError> {
        let walk = self.walk;
        let (unread, unwritten) = (walk.unread(path), walk.unwritten::<std::io::Error>(path));
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let source = rustix::fs::openat(from.0, from.1, flags, Mode::empty()).map_err(&unread)?;
        let stat = rustix::fs::fstat(&source).map_err(&unread)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(ObjectError::BadKind { path: walk.shown(path), kind: "file that changed its kind" });
        }
        let executable = stat.st_mode & 0o100 != 0;
        let copy = to.map(create).transpose().map_err(|error| unwritten(error.into()))?;
        let mut hasher = blake3::Hasher::new();
        let mut source = File::from(source);
        let mut copy = copy.map(File::from);
        let mut scanner = Scanner::new(walk.wanted);
        let mut emit = |written: &[u8], hashed: &[u8]| {
            hasher.update(hashed);
            copy.as_mut().map_or(Ok(()), |copy| copy.write_all(written))
        };
        // One more than it has, by which its end is seen.
        let room = stat.st_size.unsigned_abs().saturating_add(1).min(BUFFER_BYTES) as usize;
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        let mut is_something = false;
        loop {
            walk.goes_on()?;
            let count = match source.read(&mut self.buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(ObjectError::Read { path: walk.shown(path), source }),
            };
            if count == 0 {
                break;
            }
            is_something = true;
            self.found.size_bytes += count as u64;
            scanner.push(&self.buffer[..count], &mut emit).map_err(&unwritten)?;
        }
        let Found { references, own } = scanner.finish(&mut emit).map_err(&unwritten)?;
        self.found.files += 1;
        self.add_references(references, number, path);
        let blanked = Digest::from_bytes(*hasher.finalize().as_bytes());
        let digest = tree::file_with_self_references(blanked, &own);
        let is_shared = own.is_empty() && is_something;
        if !own.is_empty() {
            self.found.own.push((number, OwnMention { path: path.into(), offsets: own }));
        }
        if let Some(copy) = copy {
            let mode = if executable { 0o555 } else { 0o444 };
            let closed = rustix::fs::fchmod(&copy, Mode::from_raw_mode(mode))
                .and_then(|()| rustix::fs::futimens(&copy, &TIMES));
            closed.map_err(|error| unwritten(error.into()))?;
        }
        if let (Some(sharing), Some((folder, name)), true) = (&walk.sharing, to, is_shared) {
            sharing.share(folder, name, blanked, executable);
        }
        Ok(Node::File { digest, executable })
    }

    fn symlink(
        &mut self,
        from: Place<'_>,
        to: Option<Place<'_>>,
        number: usize,
        path: &Path,
    ) -> Result<Node, ObjectError> {
        let walk = self.walk;
        let target = rustix::fs::readlinkat(from.0, from.1, Vec::new()).map_err(walk.unread(path))?;
        let (mut written, mut hashed) = (Vec::new(), Vec::new());
        let mut emit = |as_written: &[u8], as_hashed: &[u8]| {
            written.extend_from_slice(as_written);
            hashed.extend_from_slice(as_hashed);
            Ok::<(), std::convert::Infallible>(())
        };
        let mut scanner = Scanner::new(walk.wanted);
        let Ok(()) = scanner.push(target.as_bytes(), &mut emit);
        let Ok(found) = scanner.finish(&mut emit);
        self.found.size_bytes += written.len() as u64;
        self.add_references(found.references, number, path);
        if !found.own.is_empty() {
            self.found.own.push((number, OwnMention { path: path.into(), offsets: Vec::new() }));
        }
        if let Some((folder, name)) = to {
            rustix::fs::symlinkat(&*written, folder, name).map_err(walk.unwritten(path))?;
            set_time(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(walk.unwritten(path))?;
        }
        Ok(Node::Symlink { target: hashed })
    }

    fn add_references(&mut self, found: BTreeSet<DigestText>, number: usize, path: &Path) {
        for digest in found {
            self.found.refer(digest, number, path);
        }
    }
}

/// The thread that finds what is in the tree.
struct Finder<'a, 'b, 'c> {
    worker: Worker<'a>,
    filter: Option<&'b mut Filter<'c>>,
    /// Where it is, below the source.
    path: PathBuf,
    /// How much was found, and how many files.
    count: usize,
    files: usize,
    /// Begins the other threads.
    begin: &'b mut dyn FnMut(),
}

impl Finder<'_, '_, '_> {
    fn find_root(&mut self, from: Place<'_>, to: Option<Place<'_>>) {
        let done = match self.kind(from) {
            Ok(FileType::Directory) => {
                let found = self.directory(from, to, None, 0);
                found.map(|folder| folder.close())
            }
            Ok(FileType::Symlink) => self.worker.symlink(from, to, 0, Path::new("")).map(Some),
            Ok(_) => self.worker.file(from, to, 0, Path::new("")).map(Some),
            Err(error) => Err(error),
        };
        match done {
            // A directory's last entry may be another thread's.
            Ok(root) => self.worker.found.root = root.or(self.worker.found.root.take()),
            Err(error) => self.worker.fail(self.count, error),
        }
    }

    /// What is found is a file, a directory or a symbolic link.
    fn kind(&self, from: Place<'_>) -> Result<FileType, ObjectError> {
        let stat = rustix::fs::statat(from.0, from.1, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(self.worker.walk.unread(&self.path))?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            kind @ (FileType::RegularFile | FileType::Symlink | FileType::Directory) => return Ok(kind),
            FileType::Fifo => "FIFO",
            FileType::Socket => "socket",
            FileType::CharacterDevice | FileType::BlockDevice => "device",
            FileType::Unknown => "file of unknown kind",
        };
        Err(ObjectError::BadKind { path: self.worker.walk.shown(&self.path), kind })
    }

    /// Finds what is in a directory, which is done when [`Folder::close`] was called as often as there are entries, and once more.
    fn directory(
        &mut self,
        from: Place<'_>,
        to: Option<Place<'_>>,
        parent: Option<(Arc<Folder>, CString)>,
        depth: usize,
    ) -> Result<Arc<Folder>, ObjectError> {
        let walk = self.worker.walk;
        if depth >= MAX_DEPTH {
            return Err(ObjectError::TooDeep { path: walk.shown(&self.path) });
        }
        let source = open_directory(from).map_err(walk.unread(&self.path))?;
        if let Some((folder, name)) = to {
            rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o700))
                .map_err(walk.unwritten(&self.path))?;
        }
        let copy = to.map(open_directory).transpose().map_err(walk.unwritten(&self.path))?;
        let mut names = BTreeMap::new();
        for entry in Dir::read_from(&source).map_err(walk.unread(&self.path))? {
            let entry = entry.map_err(walk.unread(&self.path))?;
            let name = entry.file_name().to_owned();
            if name.as_bytes() != b"." && name.as_bytes() != b".." {
                names.insert(name, entry.file_type());
            }
        }
        let opened = Arc::new(Opened { path: self.path.clone(), number: self.count, source, copy });
        let folder = Arc::new(Folder { parent, entries: Mutex::default(), open: AtomicUsize::new(1) });
        for (name, kind) in names {
            self.path.push(OsStr::from_bytes(name.as_bytes()));
            let length = self.path.as_os_str().len();
            if length > MAX_PATH_BYTES {
                let path = walk.shown(&self.path).chars().take(300).collect();
                return Err(ObjectError::TooLong { path, length });
            }
            if self.accepts(kind, (opened.source.as_fd(), &name))? {
                self.scan_name(&name)?;
                self.entry(&folder, &opened, name, depth)?;
            }
            self.path.pop();
            if walk.has_failed.load(Ordering::Relaxed) {
                break;
            }
        }
        self.worker.leave(opened);
        Ok(folder)
    }

    fn entry(
        &mut self,
        folder: &Arc<Folder>,
        opened: &Arc<Opened>,
        name: CString,
        depth: usize,
    ) -> Result<(), ObjectError> {
        self.worker.walk.goes_on()?;
        self.count += 1;
        let number = self.count;
        let from = (opened.source.as_fd(), &*name);
        let to = opened.copy.as_ref().map(|copy| (copy.as_fd(), &*name));
        let kind = self.kind(from)?;
        folder.open.fetch_add(1, Ordering::Relaxed);
        let node = match kind {
            FileType::Directory => {
                let parent = Some((Arc::clone(folder), name.clone()));
                let directory = self.directory(from, to, parent, depth + 1)?;
                directory.close()
            }
            FileType::Symlink => Some(self.worker.symlink(from, to, number, &self.path)?),
            _ => {
                let (path, folder, opened) = (self.path.clone(), Arc::clone(folder), Arc::clone(opened));
                self.file(Job { number, path, folder, opened, name: name.clone() });
                None
            }
        };
        if let Some(node) = node {
            self.worker.done(folder, &name, node);
        }
        Ok(())
    }

    /// Does a file, or has it done.
    fn file(&mut self, job: Job) {
        self.files += 1;
        if self.files < FILES_ALONE {
            return self.worker.do_file(job);
        }
        if self.files == FILES_ALONE {
            (self.begin)();
        }
        let walk = self.worker.walk;
        let next = {
            let mut waiting = walk.lock();
            waiting.files.push_back(job);
            if waiting.files.len() > MOST_WAITING { waiting.files.pop_front() } else { None }
        };
        match next {
            Some(job) => self.worker.do_file(job),
            None => walk.changed.notify_one(),
        }
    }

    fn accepts(&mut self, kind: FileType, place: Place<'_>) -> Result<bool, ObjectError> {
        if self.filter.is_none() {
            return Ok(true);
        }
        let walk = self.worker.walk;
        let kind = match kind {
            FileType::Unknown => {
                let stat = rustix::fs::statat(place.0, place.1, AtFlags::SYMLINK_NOFOLLOW);
                FileType::from_raw_mode(stat.map_err(walk.unread(&self.path))?.st_mode)
            }
            known => known,
        };
        let path = join(walk.source, &self.path);
        let accepted = self.filter.as_mut().map_or(Ok(true), |filter| filter(&path, kind));
        accepted.map_err(|source| ObjectError::Filter { path: show(&path), source })
    }

    fn scan_name(&mut self, name: &CStr) -> Result<(), ObjectError> {
        if name.to_bytes().len() < TEXT_LENGTH {
            return Ok(());
        }
        let walk = self.worker.walk;
        let mut scanner = Scanner::new(walk.wanted);
        let mut ignore = |_: &[u8], _: &[u8]| Ok::<(), std::convert::Infallible>(());
        let Ok(()) = scanner.push(name.to_bytes(), &mut ignore);
        let Ok(found) = scanner.finish(&mut ignore);
        let replaced = found.references.iter().any(|found| walk.wanted.replacements.contains_key(found));
        if !found.own.is_empty() || replaced {
            return Err(ObjectError::OwnName { path: walk.shown(&self.path) });
        }
        self.worker.add_references(found.references, self.count + 1, &self.path);
        Ok(())
    }
}

impl Folder {
    /// One less that it waits for. If that was the last, what it is.
    fn close(&self) -> Option<Node> {
        if self.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return None;
        }
        let entries = std::mem::take(&mut *self.lock());
        Some(Node::Directory { digest: tree::directory(&entries) })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Node>> {
        // Nothing panics while it is held.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn create((folder, name): Place<'_>) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))
}
