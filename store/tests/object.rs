//! Trees on their way into the store.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use sx_derivation::tree::{self, Node};
use sx_derivation::{Digest, StorePath};
use sx_store::object::{self, Destination, NEVER, ObjectError};
use sx_store::scan::{DigestText, Wanted};

/// A copy that shares nothing.
fn to(place: &Path) -> Destination<'_> {
    Destination { place, sharing: None }
}

fn scratch(name: &str) -> DigestText {
    Digest::of(name.as_bytes()).to_string().into_bytes().try_into().unwrap()
}

/// Takes in a tree that was built under the scratch digest `own` and mentions it in a file and a link.
fn take(folder: &Path, own: DigestText) -> StorePath {
    let text = std::str::from_utf8(&own).unwrap();
    let (source, copy) = (folder.join(format!("built-{text}")), folder.join(format!("copy-{text}")));
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("file"), format!("see /sx/store/{text}-x/bin and {text}")).unwrap();
    symlink(format!("/sx/store/{text}-x/file"), source.join("link")).unwrap();
    let copied =
        object::copy(&source, to(&copy), &Wanted { own: Some(own), ..Wanted::default() }, None, NEVER)
            .unwrap();
    assert!(copied.contents.refers_to_itself());
    let path = copied.contents.store_path("x", &BTreeSet::new()).unwrap();
    copied.fill_in(&path).unwrap();
    let digest = path.digest();
    let file = std::fs::read_to_string(copy.join("file")).unwrap();
    assert_eq!(file, format!("see /sx/store/{digest}-x/bin and {digest}"));
    let link = std::fs::read_link(copy.join("link")).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("/sx/store/{digest}-x/file"));
    // Read back under its final digest it has the same path: that is how it is verified later.
    let own = Some(digest.to_string().into_bytes().try_into().unwrap());
    let again = object::read(&copy, &Wanted { own, ..Wanted::default() }, None, NEVER).unwrap();
    assert_eq!(again.store_path("x", &BTreeSet::new()).unwrap(), path);
    path
}

#[test]
fn an_object_that_mentions_itself_has_one_path_wherever_it_was_built() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(take(folder.path(), scratch("one")), take(folder.path(), scratch("two")));
}

#[test]
fn modes_and_times_are_canonical_and_only_the_executable_bit_counts() {
    let folder = tempfile::tempdir().unwrap();
    let tree = |name: &str, file: u32, program: u32| {
        let source = folder.path().join(name);
        std::fs::create_dir(&source).unwrap();
        for (name, mode) in [("file", file), ("program", program)] {
            std::fs::write(source.join(name), name).unwrap();
            std::fs::set_permissions(source.join(name), Permissions::from_mode(mode)).unwrap();
        }
        let copy = folder.path().join(format!("{name}-copy"));
        let copied = object::copy(&source, to(&copy), &Wanted::default(), None, NEVER).unwrap();
        let mode = |path: &Path| path.metadata().map(|found| (found.mode() & 0o7777, found.mtime())).unwrap();
        assert_eq!(mode(&copy), (0o555, 1));
        assert_eq!(mode(&copy.join("file")), (0o444, 1));
        assert_eq!(mode(&copy.join("program")), (0o555, 1));
        copied.contents.tree
    };
    assert_eq!(tree("one", 0o600, 0o4700), tree("two", 0o644, 0o755));
}

#[test]
fn what_no_object_may_hold_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| object::read(&folder.path().join(name), &Wanted::default(), None, NEVER);
    std::fs::create_dir(folder.path().join("tree")).unwrap();
    let fifo = folder.path().join("tree/fifo");
    rustix::fs::mknodat(CWD, &fifo, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    assert!(
        matches!(read("tree").unwrap_err(), ObjectError::BadKind { path, kind: "FIFO" } if path.ends_with("fifo"))
    );
    let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    assert!(matches!(read("socket").unwrap_err(), ObjectError::BadKind { kind: "socket", .. }));
    assert!(matches!(read("absent").unwrap_err(), ObjectError::Read { .. }));
    let own = scratch("own");
    std::fs::create_dir(folder.path().join("named")).unwrap();
    std::fs::write(folder.path().join("named").join(std::str::from_utf8(&own).unwrap()), "").unwrap();
    let wanted = Wanted { own: Some(own), ..Wanted::default() };
    let error = object::read(&folder.path().join("named"), &wanted, None, NEVER).unwrap_err();
    assert!(matches!(error, ObjectError::OwnName { .. }));
}

#[test]
fn nesting_is_bounded_and_whatever_its_depth_a_tree_can_be_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("deep");
    let mut path = top.clone();
    for _ in 0..object::MAX_DEPTH + 1 {
        path.push("d");
    }
    std::fs::create_dir_all(&path).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o0)).unwrap();
    let error = object::read(&top, &Wanted::default(), None, NEVER).unwrap_err();
    assert!(matches!(error, ObjectError::TooDeep { .. }));
    object::remove(&top).unwrap();
    assert!(!top.exists());
    object::remove(&top).unwrap();
}

#[test]
fn a_path_that_no_program_could_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("long");
    let mut path = top.clone();
    while path.as_os_str().len() <= top.as_os_str().len() + object::MAX_PATH_BYTES {
        path.push("d".repeat(200));
    }
    std::fs::create_dir_all(&path).unwrap();
    let error = object::read(&top, &Wanted::default(), None, NEVER).unwrap_err();
    assert!(matches!(error, ObjectError::TooLong { length, .. } if length > object::MAX_PATH_BYTES));
}

#[test]
fn a_copy_is_called_off_in_the_middle_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (source, copy) = (folder.path().join("hole"), folder.path().join("copy"));
    std::fs::File::create(&source).unwrap().set_len(1 << 30).unwrap();
    let asked = AtomicUsize::new(0);
    let called_off = || asked.fetch_add(1, Ordering::Relaxed) == 5;
    let error = object::copy(&source, to(&copy), &Wanted::default(), None, &called_off).unwrap_err();
    assert!(matches!(error, ObjectError::CalledOff), "{error}");
    assert!((1..4 << 20).contains(&copy.metadata().unwrap().len()));
    let called_off = || true;
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    std::fs::create_dir(folder.path().join("empty/folder")).unwrap();
    let error = object::read(&folder.path().join("empty"), &Wanted::default(), None, &called_off);
    assert!(matches!(error, Err(ObjectError::CalledOff)), "{error:?}");
}

#[test]
fn a_filter_leaves_out_what_it_does_not_accept() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["kept", "left"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    let copy = folder.path().join("copy");
    let mut filter = |path: &Path, _| Ok(path.ends_with("kept"));
    object::copy(folder.path(), to(&copy), &Wanted::default(), Some(&mut filter), NEVER).unwrap();
    let names: Vec<_> = std::fs::read_dir(&copy).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["kept"]);
}

/// Folders that somebody exchanges for links to a folder outside, again and again.
struct Swapped {
    folder: tempfile::TempDir,
}

impl Swapped {
    const PAIRS: usize = 8;

    /// Each is slow, since the one who exchanges keeps the others waiting.
    const ROUNDS: usize = 15;

    fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(made.outside()).unwrap();
        std::fs::write(made.outside().join("secret"), "secret").unwrap();
        std::fs::set_permissions(made.outside().join("secret"), Permissions::from_mode(0o4240)).unwrap();
        std::fs::set_permissions(made.outside(), Permissions::from_mode(0o2710)).unwrap();
        made
    }

    fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    fn make(&self) {
        for pair in 0..Self::PAIRS {
            let folder = self.tree().join(format!("folder{pair}"));
            std::fs::create_dir_all(folder.join("inner")).unwrap();
            std::fs::write(folder.join("inner/file"), "").unwrap();
            std::fs::set_permissions(folder, Permissions::from_mode(0o500)).unwrap();
            symlink(self.outside(), self.tree().join(format!("link{pair}"))).unwrap();
        }
    }

    /// Does something to the tree so often.
    fn meanwhile(&self, times: usize, mut work: impl FnMut(&Path)) {
        let tree = self.tree();
        for _ in 0..times {
            self.make();
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                // Also when the work panics.
                let _end = SetOnDrop(&is_over);
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        for pair in 0..Self::PAIRS {
                            let [folder, link] =
                                ["folder", "link"].map(|name| tree.join(format!("{name}{pair}")));
                            // Whatever is gone already.
                            let _ = renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE);
                        }
                    }
                });
                work(&tree);
            });
            object::remove(&tree).unwrap();
            // Both lack what some of them give, and have what some of them take.
            let mode = |place: PathBuf| place.metadata().unwrap().mode() & 0o7777;
            let modes = (mode(self.outside()), mode(self.outside().join("secret")));
            assert_eq!(modes, (0o2710, 0o4240), "changed outside");
        }
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_exchanges_folders_for_links_leads_nobody_out() {
    let swapped = Swapped::new();
    let copy = swapped.folder.path().join("copy");
    swapped.meanwhile(Swapped::ROUNDS, |tree| {
        // That it is told is as well.
        let _ = object::copy(tree, to(&copy), &Wanted::default(), None, NEVER);
        for pair in 0..Swapped::PAIRS {
            for name in ["folder", "link"] {
                let place = copy.join(format!("{name}{pair}"));
                let is_folder = place.symlink_metadata().is_ok_and(|found| found.is_dir());
                assert!(!is_folder || !place.join("secret").exists(), "copied from outside");
            }
        }
        object::remove(&copy).unwrap();
    });
    swapped.meanwhile(Swapped::ROUNDS, |tree| drop(object::make_accessible(tree)));
    swapped.meanwhile(Swapped::ROUNDS, |tree| drop(object::take_set_id(tree)));
    swapped.meanwhile(Swapped::ROUNDS, |tree| drop(object::remove(tree)));
}

/// Files of which several threads take some each.
#[test]
fn what_many_threads_take_in_is_the_tree_and_nothing_of_who_was_first() {
    let folder = tempfile::tempdir().unwrap();
    let (source, copy) = (folder.path().join("tree"), folder.path().join("copy"));
    let wanted = Wanted { references: BTreeSet::from([scratch("input")]).into(), ..Wanted::default() };
    let mention = std::str::from_utf8(&scratch("input")).unwrap().to_owned();
    let mut folders = BTreeMap::new();
    for outer in 0..20 {
        let mut files = BTreeMap::new();
        let place = source.join(outer.to_string());
        std::fs::create_dir_all(&place).unwrap();
        for inner in 0..20 {
            // From the twelfth folder on each file mentions the input.
            let text = if outer < 12 { inner.to_string() } else { format!("{inner} {mention}") };
            std::fs::write(place.join(inner.to_string()), &text).unwrap();
            let digest = Digest::of(text.as_bytes());
            files.insert(inner.to_string().into_bytes(), Node::File { digest, executable: false });
        }
        let digest = tree::directory(&files);
        folders.insert(outer.to_string().into_bytes(), Node::Directory { digest });
    }
    let expected = Node::Directory { digest: tree::directory(&folders) }.tree_digest();
    for round in 0..10 {
        let copy = copy.join(round.to_string());
        std::fs::create_dir_all(folder.path().join("copy")).unwrap();
        let copied = object::copy(&source, to(&copy), &wanted, None, NEVER).unwrap();
        assert_eq!((copied.contents.tree, copied.contents.files), (expected, 400));
        // Names are in the order of their bytes: 12 comes first of those.
        let first = copied.contents.references.values().next().unwrap();
        assert_eq!(first, Path::new("12/0"));
        for place in [copy.clone(), copy.join("19")] {
            let found = place.metadata().unwrap();
            assert_eq!((found.mode() & 0o7777, found.mtime()), (0o555, object::MODIFICATION_TIME));
        }
        assert_eq!(object::read(&copy, &wanted, None, NEVER).unwrap().tree, expected);
    }
    // Of several that can't be taken always the first is told.
    for place in ["19/7", "13/15", "5/3"] {
        let place = source.join(place);
        std::fs::remove_file(&place).unwrap();
        rustix::fs::mknodat(CWD, &place, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    }
    for _ in 0..10 {
        match object::read(&source, &wanted, None, NEVER).unwrap_err() {
            ObjectError::BadKind { path, .. } => assert!(path.ends_with("13/15"), "{path}"),
            error => panic!("{error}"),
        }
    }
}
