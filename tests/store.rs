//! The store as people look after it: collecting, verifying, mending; and what befalls it: full and read-only disks, a power
//! cut, another process at the same.

use crate::containers::same;
use crate::harness::{Test, lasting_folder, output, repository, source_folder, sx};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub fn tests() -> Vec<Test> {
    let test = |name, requires, run| Test { name, requires, run };
    vec![
        test("store::what_is_linked_is_kept_and_the_rest_goes", &[], what_is_linked_is_kept as fn() -> _),
        test("store::what_makes_no_objects_makes_no_store", &[], what_makes_no_objects_makes_no_store),
        test("store::names_and_pipes_are_taken_as_they_are", &["sh"], names_and_pipes_are_taken_as_they_are),
        test("store::an_object_says_where_it_comes_from", &[], an_object_says_where_it_comes_from),
        test("store::damage_is_named_and_built_again", &[], damage_is_named_and_built_again),
        test(
            "store::a_damaged_database_is_told_and_made_anew",
            &[],
            a_damaged_database_is_told_and_made_anew,
        ),
        test("store::an_ordinary_user_can_do_it_all", &["setpriv"], an_ordinary_user_can_do_it_all),
        test(
            "store::a_wait_for_another_process_can_be_called_off",
            &["kill"],
            a_wait_for_another_process_can_be_called_off,
        ),
        test(
            "store::streams_that_wait_end_at_the_first_signal",
            &["kill"],
            streams_that_wait_end_at_the_first_signal,
        ),
        test("store::a_full_disk_damages_nothing", &["unshare", "mount"], a_full_disk_damages_nothing),
        test(
            "store::a_full_disk_can_be_read_and_emptied",
            &["unshare", "mount"],
            a_full_disk_can_be_read_and_emptied,
        ),
        test(
            "store::a_quota_that_is_used_up_damages_nothing",
            &["root", "mkfs.btrfs", "btrfs", "mount", "umount", "truncate"],
            a_quota_that_is_used_up_damages_nothing,
        ),
        test(
            "store::a_disk_that_fails_loses_nothing_acknowledged",
            &["root", "mkfs.ext4", "e2fsck", "mount", "umount", "truncate"],
            a_disk_that_fails_loses_nothing_acknowledged,
        ),
        test(
            "store::names_of_any_bytes_come_to_a_store_on_another_disk",
            &["unshare", "mount"],
            names_of_any_bytes_come_to_a_store_on_another_disk,
        ),
        test("store::a_read_only_disk_is_told", &["unshare", "mount"], a_read_only_disk_is_told),
        test("store::what_may_not_be_written_can_be_read", &["setpriv"], what_may_not_be_written_can_be_read),
        test(
            "store::what_was_acknowledged_outlives_a_power_cut",
            &["root", "mkfs.btrfs", "mkfs.ext4", "mount", "umount", "truncate", "cp"],
            what_was_acknowledged_outlives_a_power_cut,
        ),
    ]
}

/// A store that begins empty, deleted at the end.
struct Store(tempfile::TempDir);

impl Store {
    fn new() -> Result<Self, String> {
        tempfile::tempdir().map(Self).map_err(|error| error.to_string())
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("sx")
    }

    fn sx(&self, arguments: &[&str]) -> Command {
        let mut command = sx(arguments);
        command.env("SX_STORE", self.folder());
        command
    }

    /// Where an object lies.
    fn location(&self, path: &str) -> PathBuf {
        self.folder().join("store").join(path.rsplit('/').next().unwrap_or_default())
    }

    /// The rest of what a collector would delete.
    fn garbage(&self) -> Result<String, String> {
        output(&mut self.sx(&["gc", "--dry-run"]))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What is read-only in it can't be deleted by the folder itself.
        let _ = sx_store::object::remove(&self.folder());
    }
}

fn run(command: &mut Command) -> Output {
    command.output().expect("sx can be run")
}

fn code(command: &mut Command) -> (Option<i32>, String) {
    let found = run(command);
    (found.status.code(), String::from_utf8_lossy(&found.stderr).into_owned())
}

fn what_is_linked_is_kept() -> Result<(), String> {
    let store = Store::new()?;
    let link = store.0.path().join("result");
    let path = output(store.sx(&["realise", "bootstrap.seed", "-o"]).arg(&link))?;
    assert_eq!(std::fs::canonicalize(&link).ok(), std::fs::canonicalize(store.location(&path)).ok());
    let roots = output(&mut store.sx(&["gc", "roots"]))?;
    assert_eq!(roots, format!("result {}\t{path}", link.display()));
    let why = output(store.sx(&["gc", "roots"]).arg(&link))?;
    assert_eq!(why, format!("result {}\n  {path}", link.display()));
    let garbage = store.garbage()?;
    assert!(garbage.contains("seed.hex0") && !garbage.contains(&path), "{garbage}");
    output(&mut store.sx(&["gc", "--max-freed", "0"]))?;
    output(&mut store.sx(&["gc", "--older-than", "1d"]))?;
    assert_eq!(store.garbage()?, garbage);
    let report = output(&mut store.sx(&["gc", "--json"]))?;
    let report: serde_json::Value = serde_json::from_str(&report).map_err(|error| error.to_string())?;
    assert_eq!(report["alive"], 1);
    assert!(store.garbage()?.is_empty() && store.location(&path).exists());
    std::fs::remove_file(&link).map_err(|error| error.to_string())?;
    output(&mut store.sx(&["gc"]))?;
    assert!(!store.location(&path).exists());
    assert_eq!(output(&mut store.sx(&["realise", "bootstrap.seed", "--root", "seed"]))?, path);
    output(&mut store.sx(&["gc"]))?;
    assert!(store.location(&path).exists());
    Ok(())
}

fn what_makes_no_objects_makes_no_store() -> Result<(), String> {
    let store = Store::new()?;
    let path = format!("/sx/store/{}-x", "0".repeat(52));
    for arguments in [
        &["store", "verify"][..],
        &["store", "verify", "--repair"],
        &["store", "dump", &path],
        &["store", "export", &path],
        &["store", "copy", &path, "--to", "/nowhere"],
        &["gc"],
        &["gc", "roots"],
        &["log", "bootstrap.seed"],
        &["path-info", &path],
        &["why-depends", &path, &path],
        &["diff", &path, &path],
        &["graph", &path],
        &["graph", "--runtime", "bootstrap.seed"],
        &["run", &path],
        &["shell", &path],
        &["verify", &path],
        &["verify", "bootstrap.seed"],
        &["attestation", "list"],
        &["attestation", "export", "/nowhere"],
        &["attestation", "push", "localhost:1/x:1", &path],
        &["image", "show", &path],
        &["image", "diff", &path, "/etc/passwd"],
    ] {
        let (code, error) = code(&mut store.sx(arguments));
        let told = format!("error: there is no store at `{}`\nhint: ", store.folder().display());
        assert!(code == Some(2) && error.starts_with(&told), "{arguments:?}: {code:?} {error}");
        assert!(!store.folder().exists(), "{arguments:?} made one");
    }
    let key = store.0.path().join("key").display().to_string();
    for (arguments, expected) in [
        (&["key", "generate", "-o", &key][..], 0),
        (&["key", "show", &key], 0),
        (&["policy", "-o", "/nowhere", "--cosign"], 2),
        (&["sign", "localhost:1/x:1", "--attach"], 2),
        (&["image", "show", "/etc/passwd"], 2),
    ] {
        let (code, error) = code(&mut store.sx(arguments));
        assert!(code == Some(expected) && !error.contains("store"), "{arguments:?}: {code:?} {error}");
        assert!(!store.folder().exists(), "{arguments:?} made one");
    }
    // The usual one, which nobody has named.
    let mut usual = store.sx(&["gc"]);
    output(usual.env_remove("SX_STORE").env("XDG_DATA_HOME", store.0.path()))?;
    assert!(store.folder().exists());
    // A folder in use for something else.
    std::fs::create_dir_all(store.0.path().join("mine/downloads")).map_err(|error| error.to_string())?;
    let photo = store.0.path().join("mine/downloads/photo");
    std::fs::write(&photo, "x").map_err(|error| error.to_string())?;
    for arguments in [&["gc"][..], &["realise", "bootstrap.seed"]] {
        let (code, error) = code(store.sx(arguments).env("SX_STORE", store.0.path().join("mine")));
        assert!(
            code == Some(2) && error.contains("is not an sx store: it holds `downloads/photo`"),
            "{error}"
        );
    }
    assert!(photo.exists());
    Ok(())
}

fn names_and_pipes_are_taken_as_they_are() -> Result<(), String> {
    use std::os::unix::ffi::OsStrExt;
    let store = Store::new()?;
    let failed = |error: std::io::Error| error.to_string();
    let path = output(&mut store.sx(&["realise", "bootstrap.seed"]))?;
    let name = std::ffi::OsStr::from_bytes(b"b\xff");
    let link = store.0.path().join(name);
    output(store.sx(&["realise", "bootstrap.seed", "-o"]).arg(&link))?;
    assert!(output(store.sx(&["path-info"]).arg(&link))?.starts_with(&path));
    let (code, error) = code(store.sx(&["path-info"]).arg(name));
    assert!(code == Some(2) && error.starts_with("error: \"b\\xFF\" is no store path"), "{error}");
    let roots = output(&mut store.sx(&["gc", "roots", "--json"]))?;
    let roots: serde_json::Value = serde_json::from_str(&roots).map_err(|error| error.to_string())?;
    let hex: String = link.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(roots["roots"][0]["name_hex"], hex);
    let shown = format!("\"{}/b\\xFF\"", store.0.path().display());
    assert_eq!(output(&mut store.sx(&["gc", "roots"]))?, format!("result {shown}\t{path}"));
    // A name that looks like a line of another root is seen to be none.
    let root = store.folder().join("roots/a\nlink b");
    std::os::unix::fs::symlink(store.location(&path), root).map_err(failed)?;
    let roots = output(&mut store.sx(&["gc", "roots"]))?;
    assert!(roots.lines().count() == 2 && roots.contains("roots/a\\nlink b\"\t"), "{roots}");
    std::fs::write(store.folder().join("downloads").join(name), "").map_err(failed)?;
    let strays = output(&mut store.sx(&["gc", "--dry-run", "--json"]))?;
    assert!(strays.contains("62ff\""), "{strays}");
    assert!(store.garbage()?.contains("downloads/b\\xFF\""), "{}", store.garbage()?);
    // So is a store in a folder whose name is no text.
    let mut elsewhere = store.sx(&["realise", "--json", "bootstrap.seed"]);
    let place = store.0.path().join(std::ffi::OsStr::from_bytes(b"c\xff"));
    let found = output(elsewhere.env("SX_STORE", place.join("store")))?;
    let found: serde_json::Value = serde_json::from_str(&found).map_err(|error| error.to_string())?;
    let location = found["outputs"][0]["location_hex"].as_str().unwrap_or_default();
    assert!(location.contains("63ff") && location.len() > 2 * path.len(), "{found}");
    // A reader that has enough ends it without a word.
    let large = store.0.path().join("large");
    std::fs::write(&large, vec![b'x'; 1 << 20]).map_err(failed)?;
    let expression = format!("\"${{{}}}\"", large.display());
    let path = output(&mut store.sx(&["eval", "--raw", "-E", &expression]))?;
    for part in ["dump", "export"] {
        let script = "(\"$1\" store $3 \"$2\"; echo \" $?\" >&2) | :";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(sx([""; 0]).get_program()).args([&path, part]);
        let found = run(shell.current_dir("/").env("SX_STORE", store.folder()));
        assert_eq!(String::from_utf8_lossy(&found.stderr), " 141\n", "{part}");
    }
    Ok(())
}

fn an_object_says_where_it_comes_from() -> Result<(), String> {
    let store = Store::new()?;
    let path = output(&mut store.sx(&["realise", "bootstrap.seed"]))?;
    let info = output(&mut store.sx(&["path-info", "--json", &path]))?;
    let info: serde_json::Value = serde_json::from_str(&info).map_err(|error| error.to_string())?;
    let object = &info["objects"][0];
    assert_eq!(
        (&object["path"], &object["closure_size_bytes"]),
        (&path.clone().into(), &object["size_bytes"])
    );
    assert_eq!(object["realised_by"][0]["output"], "out");
    // Its derivation is no object, but has a log.
    let maker = object["realised_by"][0]["derivation"].as_str().unwrap_or_default();
    assert_eq!(output(&mut store.sx(&["log", maker]))?, output(&mut store.sx(&["log", &path]))?);
    let (code_of_it, error) = code(&mut store.sx(&["path-info", maker]));
    let told = format!("error: `{maker}` is a derivation, not an object\nhint: it was realised to `{path}`");
    assert!(code_of_it == Some(2) && error.starts_with(&told), "{error}");
    let graph = output(&mut store.sx(&["graph", "--format", "json", &path]))?;
    assert!(graph.contains(&format!("\"path\": \"{path}\"")), "{graph}");
    let expression = "let a = builtins.toFile \"a\" \"a\"; in builtins.toFile \"b\" \"${a}\"";
    let text = output(&mut store.sx(&["eval", "--raw", "-E", expression]))?;
    let chain = |from: &str, to: &str| code(&mut store.sx(&["why-depends", from, to]));
    let found = output(&mut store.sx(&["path-info", "-r", &text]))?;
    let first = found.split('\t').next().unwrap_or_default().to_owned();
    assert!(first.ends_with("-a"), "{found}");
    assert_eq!(output(&mut store.sx(&["why-depends", &text, &first]))?, format!("{text}\n{first}"));
    let report = output(&mut store.sx(&["why-depends", "--json", &text, &first]))?;
    let report: serde_json::Value = serde_json::from_str(&report).map_err(|error| error.to_string())?;
    assert_eq!(report, serde_json::json!({ "references": [text, first] }));
    assert_eq!(chain(&first, &text).0, Some(1));
    assert_eq!(code(&mut store.sx(&["path-info", "/etc/passwd"])).0, Some(2));
    Ok(())
}

/// Changes a byte of a file that is read-only.
fn flip(file: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let mut bytes = std::fs::read(file).map_err(failed)?;
    bytes[0] ^= 1;
    let mode = |mode| std::fs::set_permissions(file, PermissionsExt::from_mode(mode)).map_err(failed);
    let before = file.metadata().map_err(failed)?.mode();
    mode(0o644)?;
    std::fs::write(file, bytes).map_err(failed)?;
    mode(before & 0o777)
}

fn damage_is_named_and_built_again() -> Result<(), String> {
    let store = Store::new()?;
    let path = output(&mut store.sx(&["realise", "bootstrap.hex0"]))?;
    assert_eq!(code(&mut store.sx(&["store", "verify", "--contents", "-q"])), (Some(0), String::new()));
    flip(&store.location(&path))?;
    let found = run(&mut store.sx(&["store", "verify", "--contents"]));
    assert_eq!(found.status.code(), Some(7));
    let lines = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(lines.contains(&format!("`{path}` has a tree with digest")), "{lines}");
    let image = store.0.path().join("image.tar");
    let mut of_image = store.sx(&["export", "bootstrap.hex0", "-o"]);
    of_image.arg(&image);
    for export in [&mut of_image, &mut store.sx(&["store", "export", &path])] {
        let (code, told) = code(export);
        assert!(code == Some(7) && told.contains(&path) && told.contains("--repair"), "{told}");
    }
    assert!(!image.exists());
    let found = run(&mut store.sx(&["store", "verify", "--repair", "--dry-run"]));
    let lines = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(lines.contains(": would be built again by `/sx/store/"), "{lines}");
    assert_eq!(code(&mut store.sx(&["store", "verify"])).0, Some(7), "it was only said");
    output(&mut store.sx(&["store", "verify", "--contents", "--repair"]))?;
    assert_eq!(code(&mut store.sx(&["store", "verify", "--contents", "-q"])), (Some(0), String::new()));
    // Lost, it is built anew for who asks for it.
    std::fs::remove_file(store.location(&path)).map_err(|error| error.to_string())?;
    let (code_of_run, error) = code(&mut store.sx(&["run", &path]));
    assert!(code_of_run == Some(7) && error.contains("hint: `sx store verify --repair`"), "{error}");
    let report = run(&mut store.sx(&["store", "verify", "--json"])).stdout;
    let report: serde_json::Value = serde_json::from_slice(&report).map_err(|error| error.to_string())?;
    let damage = &report["damage"][0];
    assert_eq!((&damage["kind"], &damage["path"]), (&"missing".into(), &path.clone().into()));
    assert_eq!((&damage["remedy"], &report["left"]), (&"build".into(), &report["damage"]));
    assert_eq!(output(&mut store.sx(&["realise", "bootstrap.hex0"]))?, path);
    assert!(store.location(&path).exists());
    // What isn't sx's is no matter of building anything.
    std::fs::write(store.folder().join("store/mine"), "").map_err(|error| error.to_string())?;
    for arguments in [&["store", "verify"][..], &["store", "verify", "--repair"]] {
        let (code, error) = code(&mut store.sx(arguments));
        assert_eq!(code, Some(7));
        let hint = error.split_once("hint: ").unwrap_or_default().1;
        assert_eq!(hint, "what sx did not put there it leaves alone: look at it, and remove it\n");
    }
    Ok(())
}

fn a_damaged_database_is_told_and_made_anew() -> Result<(), String> {
    let store = Store::new()?;
    let path = output(&mut store.sx(&["realise", "bootstrap.seed"]))?;
    let database = store.folder().join("database");
    let noise = [b'x'; 8192];
    for content in [Some(&noise[..]), Some(&[]), None] {
        match content {
            Some(bytes) => std::fs::write(&database, bytes),
            None => std::fs::remove_file(&database),
        }
        .map_err(|error| error.to_string())?;
        for verb in [
            &["realise", "bootstrap.seed"][..],
            &["store", "verify"],
            &["store", "verify", "--repair", "--dry-run"],
            &["gc"],
        ] {
            let (code, error) = code(&mut store.sx(verb));
            assert_eq!(code, Some(7), "{error}");
            assert!(error.contains("hint: `sx store verify --repair`"), "{error}");
        }
        output(&mut store.sx(&["store", "verify", "--repair"]))?;
        output(&mut store.sx(&["path-info", &path]))?;
    }
    assert_eq!(output(&mut store.sx(&["realise", "bootstrap.seed"]))?, path);
    Ok(())
}

fn an_ordinary_user_can_do_it_all() -> Result<(), String> {
    const USER: u32 = 54321;
    let store = Store::new()?;
    let binary = store.0.path().join("binary");
    std::fs::copy(sx([""; 0]).get_program(), &binary).map_err(|error| error.to_string())?;
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0);
    if is_root {
        chown(store.0.path(), Some(USER), Some(USER)).map_err(|error| error.to_string())?;
    }
    let sx = |arguments: &[&str]| {
        // Who isn't root is an ordinary user already.
        let mut command = Command::new(if is_root { "setpriv".as_ref() } else { binary.as_os_str() });
        if is_root {
            let user = USER.to_string();
            command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(&binary);
        }
        command.args(arguments).current_dir("/").env("SX_STORE", store.folder()).env("NO_COLOR", "1");
        command.env("XDG_CONFIG_HOME", store.0.path());
        command
    };
    let link = store.0.path().join("result");
    let path = output(sx(&["realise", "bootstrap.hex0", "-o"]).arg(&link))?;
    flip(&store.location(&path))?;
    if is_root {
        chown(store.location(&path), Some(USER), Some(USER)).map_err(|error| error.to_string())?;
    }
    assert_eq!(code(&mut sx(&["store", "verify", "--contents"])).0, Some(7));
    output(&mut sx(&["store", "verify", "--contents", "--repair"]))?;
    assert!(output(&mut sx(&["gc", "--dry-run"]))?.contains("seed"));
    output(&mut sx(&["gc"]))?;
    output(&mut sx(&["store", "verify", "--contents"]))?;
    assert!(output(&mut sx(&["gc", "--dry-run"]))?.is_empty() && store.location(&path).exists());
    Ok(())
}

fn a_wait_for_another_process_can_be_called_off() -> Result<(), String> {
    let tests = repository().join("tests/sandbox/default.nix");
    let sources = source_folder()?;
    let begin = |mark: &str| {
        let mut command = sx(["realise", "loops", "-f"]);
        command.arg(&tests).arg("--source-folder").arg(&sources);
        command.env("SX_STORE", lasting_folder().join("waiting"));
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        if !lines.any(|line| line.is_ok_and(|line| line.contains(mark))) {
            return Err(format!("it never said `{mark}`"));
        }
        Ok::<_, String>((child, lines))
    };
    let (mut builder, builder_lines) = begin("building probe-loops")?;
    let (mut waiter, waiter_lines) = begin("waiting for probe-loops")?;
    for (child, lines) in [(&mut waiter, waiter_lines), (&mut builder, builder_lines)] {
        output(Command::new("kill").args(["-INT", &child.id().to_string()]))?;
        let rest: Vec<String> = lines.map_while(Result::ok).collect();
        let status = child.wait().map_err(|error| error.to_string())?;
        assert_eq!(status.code(), Some(130), "{rest:?}");
    }
    Ok(())
}

fn streams_that_wait_end_at_the_first_signal() -> Result<(), String> {
    let (store, other) = (Store::new()?, Store::new()?);
    // More than pipes and buffers hold.
    let expression =
        r#"builtins.toFile "long" (builtins.concatStringsSep "long" (builtins.genList toString 200000))"#;
    let path = output(&mut store.sx(&["eval", "--raw", "-E", expression]))?;
    let stream = run(&mut store.sx(&["store", "export", &path])).stdout;
    let begin = |command: &mut Command| {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn().map_err(|error| error.to_string())
    };
    let end = |mut child: Child| {
        output(Command::new("kill").arg(child.id().to_string()))?;
        let status = child.wait().map_err(|error| error.to_string())?;
        assert_eq!(status.code(), Some(130));
        Ok::<_, String>(())
    };
    for verb in ["dump", "export"] {
        let mut child = begin(&mut store.sx(&["store", verb, &path]))?;
        let mut begun = [0];
        let read = child.stdout.as_mut().expect("it is piped").read_exact(&mut begun);
        read.map_err(|error| error.to_string())?;
        end(child)?;
    }
    let mut child = begin(&mut other.sx(&["store", "import"]))?;
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(&stream[..stream.len() - 1]).map_err(|error| error.to_string())?;
    end(child)
}

/// Runs a script as root of a user namespace with a mount namespace: `$1` is sx, `$2` an empty folder.
fn confined(script: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-euc", script, "sh"]);
    command.arg(sx([""; 0]).get_program()).arg(folder.path());
    command.current_dir("/").env("NO_COLOR", "1").env("XDG_CONFIG_HOME", folder.path());
    output(&mut command)
}

/// A text of a hundred kilobytes, named by a number that the shell has in `n`.
const LARGE_TEXT: &str = r#"
    large() { "$sx" eval --raw -E "builtins.toFile \"$1\" (builtins.concatStringsSep \"$1\" (builtins.genList (x: \"1234567890\") 9000))"; }
"#;

fn a_full_disk_damages_nothing() -> Result<(), String> {
    let script = format!(
        r#"sx=$1; export SX_STORE=$2; {LARGE_TEXT}
        # Full at other steps: while the database is made, while files are written, while rows are.
        for size in 60k 200k 500k 700k 900k 1100k 1500k 1501k 1502k 1503k; do
            mount -t tmpfs -o mode=755,size=$size none "$2"
            n=0
            while kept=$(large "text-$n" 2>/dev/null); do
                if [ $n = 0 ]; then first=$kept; ln -s "$kept" "$2/roots/first"; fi
                n=$((n + 1)); [ $n -lt 100 ]
            done
            if [ $size = 1500k ]; then [ $n -gt 3 ]; fi
            # With room again all is well.
            mount -o remount,size=100m none "$2"
            "$sx" -q store verify --contents
            "$sx" -q gc
            if [ $n -gt 0 ]; then test -e "$2/store/${{first##*/}}"; fi
            large again >/dev/null
            "$sx" -q store verify --contents
            umount "$2"
        done
        echo whole"#
    );
    assert_eq!(confined(&script)?, "whole");
    Ok(())
}

fn a_full_disk_can_be_read_and_emptied() -> Result<(), String> {
    let script = format!(
        r#"sx=$1; export SX_STORE=$2/sx; {LARGE_TEXT}
        mount -t tmpfs -o mode=755,size=40m none "$2"
        one=$(large one); ln -s "$one" "$SX_STORE/roots/one"; two=$(large two)
        # More rows than there is room to forget at once.
        "$sx" eval -q -E 'let name = builtins.concatStringsSep "" (builtins.genList (n: "t") 180);
            add = sum: n: sum + builtins.stringLength (builtins.toFile name (toString n)); in
            builtins.foldl'"'"' add 0 (builtins.genList (n: n) 2500)' >/dev/null
        cat /dev/zero 2>/dev/null >"$2/fill" || true
        [ "$("$sx" path-info "$one" | wc -l)" = 1 ]; "$sx" -q store verify --contents
        "$sx" gc --dry-run -q | grep -q "$two"
        code=0; large three 2>&1 || code=$?; echo " $code"
        "$sx" -q gc; [ -e "$SX_STORE/reserved" ]
        if "$sx" path-info "$two" 2>/dev/null; then exit 9; fi; [ "$("$sx" gc --dry-run -q | wc -l)" = 0 ]
        large three >/dev/null; "$sx" -q store verify --contents"#
    );
    let told = confined(&script)?;
    assert!(told.ends_with(" 6") && told.contains("hint: the disk is full"), "{told}");
    Ok(())
}

/// Runs a script as root with mounts of its own: `$1` is sx, `$2` an empty folder.
fn with_mounts(script: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-euc", script, "sh"]).arg(sx([""; 0]).get_program()).arg(folder.path());
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    command.current_dir("/").env("NO_COLOR", "1").env("PATH", path).env("XDG_CONFIG_HOME", folder.path());
    output(&mut command)
}

fn a_quota_that_is_used_up_damages_nothing() -> Result<(), String> {
    let script = format!(
        r#"sx=$1; {LARGE_TEXT}
        mount -t tmpfs -o mode=755,size=400m none "$2"; cd "$2"
        mkdir disk; truncate -s 300M d.img; mkfs.btrfs -q d.img >/dev/null; mount -o loop d.img disk
        btrfs quota enable disk; btrfs subvolume create disk/sub >/dev/null; btrfs qgroup limit 3M disk/sub
        export SX_STORE=$2/disk/sub/sx
        n=0
        while kept=$(large "text-$n" 2>said); do echo "$kept" >> acknowledged; n=$((n + 1)); [ $n -lt 100 ]; done
        [ $n -gt 3 ]; grep -o "Disk quota exceeded" said;
        btrfs qgroup limit none disk/sub
        "$sx" -q store verify --contents
        for path in $(cat acknowledged); do "$sx" path-info "$path" >/dev/null; done
        large again >/dev/null; "$sx" -q gc; "$sx" -q store verify --contents
        cd /; umount "$2/disk" "$2"
        echo whole"#
    );
    let told = with_mounts(&script)?;
    assert_eq!(told, "Disk quota exceeded\nwhole");
    Ok(())
}

/// A disk of 64 MB of which no more than 6 MB are there: what goes beyond is an error of the device, told when it is flushed.
fn a_disk_that_fails_loses_nothing_acknowledged() -> Result<(), String> {
    let script = format!(
        r#"sx=$1; {LARGE_TEXT}
        mount -t tmpfs -o mode=755 none "$2"; cd "$2"
        mkdir back disk; mount -t tmpfs -o size=6m none back; touch acknowledged
        truncate -s 64M back/d.img; mkfs.ext4 -q -F back/d.img; mount -o loop back/d.img disk
        export SX_STORE=$2/disk/sx
        n=0
        while kept=$(large "text-$n" 2>said); do echo "$kept" >> acknowledged; n=$((n + 1)); [ $n -lt 300 ]; done
        [ $n -gt 3 ]; grep -q "Input/output error\|disk I/O error" said || echo "after $n texts: $(cat said)"
        umount disk
        mount -o remount,size=100m back
        e2fsck -fy back/d.img >/dev/null || [ $? -lt 4 ]
        mount -o loop back/d.img disk
        "$sx" -q store verify --contents
        for path in $(cat acknowledged); do "$sx" path-info "$path" >/dev/null; done
        large again >/dev/null; "$sx" -q gc; "$sx" -q store verify --contents
        cd /; umount "$2/disk" "$2/back" "$2"
        echo whole"#
    );
    same(&with_mounts(&script)?, "whole", "a disk that fails")
}

fn names_of_any_bytes_come_to_a_store_on_another_disk() -> Result<(), String> {
    let script = r#"
        sx=$1; cd "$2"; export SX_STORE=$2/sx XDG_CONFIG_HOME=$2
        mkdir tree other; touch flake.nix; mount -t tmpfs none other
        name=$(printf 'b\377'); echo text > "tree/$name"; ln -s "$name" tree/link
        path=$("$sx" eval --raw -E '"${./tree}"')
        "$sx" -q store copy "$path" --to "$2/other/sx" >/dev/null
        for store in "$2/sx" "$2/other/sx"; do
            export SX_STORE=$store
            "$sx" -q store verify --contents
            "$sx" store dump "$path" | "$sx" store restore "$2/other/restored"
            [ "$(cat "other/restored/$name")" = text ]; [ "$(cat other/restored/link)" = text ]
            rm -rf other/restored
            "$sx" -q gc
        done
        long=$(printf '%0300d' 0)
        "$sx" eval --raw -E "builtins.toFile \"$long\" \"\"" 2>&1 || echo "$?"
        rm -rf tree"#;
    let told = confined(script)?;
    assert!(told.contains("at most 190 characters") && told.ends_with('3'), "{told}");
    Ok(())
}

/// A store of another user, and one on which nobody may write.
fn what_may_not_be_written_can_be_read() -> Result<(), String> {
    let store = Store::new()?;
    let failed = |error: std::io::Error| error.to_string();
    std::fs::set_permissions(store.0.path(), PermissionsExt::from_mode(0o755)).map_err(failed)?;
    let binary = store.0.path().join("binary");
    std::fs::copy(sx([""; 0]).get_program(), &binary).map_err(failed)?;
    let path = output(&mut store.sx(&["realise", "bootstrap.hex0", "--root", "hex0"]))?;
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0);
    let mode =
        |mode| std::fs::set_permissions(store.folder(), PermissionsExt::from_mode(mode)).map_err(failed);
    let sx = |arguments: &[&str]| {
        let mut command = Command::new(if is_root { "setpriv".as_ref() } else { binary.as_os_str() });
        if is_root {
            command.args(["--reuid", "54321", "--regid", "54321", "--clear-groups"]).arg(&binary);
        }
        command.args(arguments).current_dir("/").env("SX_STORE", store.folder()).env("NO_COLOR", "1");
        command.env("XDG_CONFIG_HOME", store.0.path());
        command
    };
    // A result where the other one can't look is none of his business.
    let private = store.0.path().join("private");
    std::fs::create_dir(&private).map_err(failed)?;
    std::fs::set_permissions(&private, PermissionsExt::from_mode(0o700)).map_err(failed)?;
    output(store.sx(&["realise", "bootstrap.seed", "-o"]).arg(private.join("result")))?;
    if !is_root {
        mode(0o555)?;
    }
    output(&mut sx(&["store", "verify", "--contents"]))?;
    std::fs::remove_dir_all(&private).map_err(failed)?;
    assert!(output(&mut sx(&["path-info", "-r", &path]))?.contains(&path));
    let roots = output(&mut sx(&["gc", "roots"]))?;
    assert!(roots.ends_with(&path), "{roots}");
    let source = output(&mut store.sx(&["path-info", "--json", &path]))?;
    assert_eq!(output(&mut sx(&["path-info", "--json", &path]))?, source);
    assert_eq!(
        run(&mut sx(&["store", "dump", &path])).stdout,
        run(&mut store.sx(&["store", "dump", &path])).stdout
    );
    output(&mut sx(&["log", &path]))?;
    // A lock takes no more than that a file can be opened.
    let gate = store.folder().join("gate");
    assert_eq!(std::fs::metadata(&gate).map_err(failed)?.mode() & 0o777, 0o600);
    let (code, error) = code(&mut sx(&["realise", "bootstrap.hex0"]));
    assert!(code == Some(6) && error.contains("cannot write to the store"), "{error}");
    mode(0o755)
}

fn a_read_only_disk_is_told() -> Result<(), String> {
    let script = format!(
        r#"sx=$1; export SX_STORE=$2; {LARGE_TEXT}
        mount -t tmpfs -o mode=755 none "$2"
        one=$(large one)
        mount -o remount,bind,ro "$2"
        "$sx" store verify --contents -q; [ "$("$sx" path-info "$one" | wc -l)" = 1 ]
        "$sx" gc --dry-run -q | grep -q "$one"; "$sx" gc roots
        code=0; "$sx" gc 2>&1 || code=$?; echo " $code"
        code=0; large two 2>&1 || code=$?
        echo " $code"
        mount -o remount,bind,rw "$2"
        "$sx" -q store verify --contents
        large two >/dev/null"#
    );
    let told = confined(&script)?;
    let told_twice = told.matches("hint: the file system is read-only").count() == 2;
    assert!(told.ends_with(" 6") && told_twice, "{told}");
    Ok(())
}

/// Adds texts to a store on ext4, and builds two outputs at a time in it. It lies in a file on btrfs of which copies are made at
/// moments of their own: what a copy holds is what a power cut would have left. Files that nobody flushes stand beside them: that
/// these are lost shows that the copies can lose something.
fn what_was_acknowledged_outlives_a_power_cut() -> Result<(), String> {
    let script = r#"
        sx=$1; cd "$2"; export XDG_CONFIG_HOME=$2
        mount -t tmpfs -o mode=755,size=1500m none "$2"; cd "$2"
        mkdir outer inner check; touch acknowledged careless
        truncate -s 1G o.img; mkfs.btrfs -q o.img >/dev/null; mount -o loop o.img outer
        truncate -s 128M outer/i.img; mkfs.ext4 -q -F outer/i.img; mount -o loop outer/i.img inner
        export SX_STORE=$2/inner/sx
        "$sx" -q realise bootstrap.hex0 -o hex0 >/dev/null; cp hex0 builder
        cat > built.nix <<'END'
{ n }:
let
  built = name: byte: derivation {
    name = "${name}-${n}";
    system = "x86_64-linux";
    builder = "${./builder}";
    args = [ (builtins.toFile "digits" "${byte} ${builtins.hashString "sha256" n}") (placeholder "out") ];
  };
in { one = built "one" "01"; two = built "two" "02"; }
END
        (
            n=0
            while [ ! -e stop ]; do
                path=$("$sx" eval --raw -E "builtins.toFile \"text-$n\" \"text $n\"")
                echo "$path" >> acknowledged
                "$sx" -q realise -f built.nix one two --argstr n $n >> acknowledged
                echo "text $n" > inner/careless-$n; echo $n >> careless
                n=$((n + 1))
            done
        ) &
        writer=$!
        for cut in 1 2 3 4; do
            before=$(wc -l < acknowledged)
            # Some have to come between two cuts.
            while [ "$(wc -l < acknowledged)" -lt $((before + 7 + cut)) ]; do :; done
            cp acknowledged acknowledged-$cut; cp careless careless-$cut
            cp --reflink=always outer/i.img outer/cut-$cut.img
        done
        touch stop; wait $writer
        lost=0
        for cut in 1 2 3 4; do
            mount -o loop outer/cut-$cut.img check
            SX_STORE=$2/check/sx "$sx" -q store verify --contents
            for path in $(cat acknowledged-$cut); do
                SX_STORE=$2/check/sx "$sx" path-info "$path" >/dev/null
            done
            for n in $(cat careless-$cut); do
                [ "$(cat check/careless-$n 2>/dev/null)" = "text $n" ] || lost=$((lost + 1))
            done
            umount check
        done
        umount inner outer
        cd /; umount "$2"
        [ $lost -gt 0 ] || { echo "the copies lose nothing, so they show nothing"; exit 1; }
        echo whole"#;
    assert_eq!(with_mounts(script)?, "whole");
    Ok(())
}
