//! The image of `pkgs.hello` in the hands of other people's container tools, on this machine alone: no registry, no
//! network, all of it in a folder that goes away.
//!
//! As an ordinary user, podman needs `newuidmap` and a range in `/etc/subuid`; everything else runs as it is.

use crate::harness::{Test, exported_hello, output};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

/// What the program in the image prints first.
const GREETING: &str = "Hello";

pub fn tests() -> Vec<Test> {
    let podman = for_podman();
    let test = |name, requires, run| Test { name, requires, run };
    vec![
        test(
            "containers::skopeo_reads_one_file_in_both_formats",
            &["skopeo"],
            one_file_both_formats as fn() -> _,
        ),
        test("containers::skopeo_copies_it_with_its_digests", &["skopeo"], copies_keep_digests),
        test("containers::podman_loads_it_and_prints_the_greeting", podman, podman_prints_the_greeting),
        test("containers::podman_runs_it_hardened", podman, podman_runs_it_hardened),
        test("containers::runc_prints_the_greeting", &["skopeo", "umoci", "runc"], runc_prints_the_greeting),
    ]
}

fn one_file_both_formats() -> Result<(), String> {
    let archive = exported_hello()?;
    for format in ["oci-archive", "docker-archive"] {
        let image = format!("{format}:{}", archive.display());
        let shown = inspect(&image, "{{.Os}} {{.Architecture}} {{.Created.Unix}}")?;
        same(&shown, "linux amd64 1", format)?;
    }
    // Podman calls it what the archive says, so the name must be there in both.
    let text = output(Command::new("tar").arg("-xOf").arg(&archive).args(["index.json", "manifest.json"]))?;
    let name = text.split(r#""RepoTags":[""#).nth(1).and_then(|rest| rest.split('"').next());
    let name = name.ok_or("manifest.json has no RepoTags")?;
    let annotation = format!(r#""org.opencontainers.image.ref.name":"{name}""#);
    if text.contains(&annotation) { Ok(()) } else { Err(format!("index.json has no {annotation}: {text}")) }
}

fn copies_keep_digests() -> Result<(), String> {
    let folder = scratch()?;
    let archive = format!("oci-archive:{}", exported_hello()?.display());
    let digest = inspect(&archive, "{{.Digest}}")?;
    for target in ["oci:layout:latest", "dir:dir", "oci-archive:again.tar:latest"] {
        output(skopeo(folder.path()).args(["copy", "--quiet", "--preserve-digests", &archive, target]))?;
        let copied = output(skopeo(folder.path()).args(["inspect", "--format", "{{.Digest}}", target]))?;
        same(&copied, &digest, target)?;
    }
    // A docker archive has manifests and layers of its own kind; what stays is the configuration, so the image's id.
    let target = "docker-archive:docker.tar:sx/hello:copied";
    output(skopeo(folder.path()).args(["copy", "--quiet", &archive, target]))?;
    let config = |image: &str| output(skopeo(folder.path()).args(["inspect", "--config", "--raw", image]));
    same(&config("docker-archive:docker.tar")?, &config(&archive)?, target)
}

fn podman_prints_the_greeting() -> Result<(), String> {
    podman_prints(&[])
}

fn podman_runs_it_hardened() -> Result<(), String> {
    podman_prints(&[
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        "--user=65534:65534",
    ])
}

fn runc_prints_the_greeting() -> Result<(), String> {
    let folder = scratch()?;
    let archive = format!("oci-archive:{}", exported_hello()?.display());
    output(skopeo(folder.path()).args(["copy", "--quiet", &archive, "oci:layout:latest"]))?;
    let mut unpack = Command::new("umoci");
    unpack.args(["unpack", "--image", "layout:latest"]).args((!is_root()).then_some("--rootless"));
    output(unpack.arg("bundle").current_dir(folder.path()))?;
    let file = folder.path().join("bundle/config.json");
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let mut config: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    // There is no terminal here, and a limit above the caller's can't be set.
    let process = config["process"].as_object_mut().ok_or("umoci's config.json has no process")?;
    process.insert("terminal".into(), false.into());
    process.remove("rlimits");
    fs::write(&file, config.to_string()).map_err(|error| error.to_string())?;
    let mut run = Command::new(administrator_s("runc"));
    run.arg("--root").arg(folder.path().join("state")).args(["run", "--bundle", "bundle"]);
    let identifier = format!("sx-test-{}", std::process::id());
    greets(&output(run.arg(identifier).current_dir(folder.path()))?)
}

/// Loads the archive into a storage of its own and runs it, with more options.
fn podman_prints(options: &[&str]) -> Result<(), String> {
    let archive = exported_hello()?;
    in_storage(|storage| {
        let image = load(storage, &archive)?;
        if !image.contains("/sx/hello:") {
            return Err(format!("podman calls the image `{image}`, expected `…/sx/hello:…`"));
        }
        greets(&output(run(storage)?.args(options).arg(image))?)
    })
}

/// The programs that podman's tests can't do without.
pub fn for_podman() -> &'static [&'static str] {
    if is_root() { &["podman", "runc"] } else { &["podman", "runc", "newuidmap"] }
}

/// Does something with a storage of podman's that goes away.
pub fn in_storage<T>(work: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, String> {
    let folder = scratch()?;
    let outcome = work(folder.path());
    // Files of an image may belong to a user of podman's own namespace, who alone can remove them.
    if !is_root() {
        output(podman(folder.path()).args(["unshare", "rm", "-rf", "storage"]).current_dir(folder.path()))?;
    }
    outcome
}

/// Loads an image's archive into a storage. Gives the image's name.
pub fn load(storage: &Path, archive: &Path) -> Result<String, String> {
    let loaded = output(podman(storage).args(["load", "--quiet", "--input"]).arg(archive))?;
    loaded.rsplit(' ').next().map(str::to_owned).ok_or_else(|| "podman named no image".into())
}

/// `podman run` on what is in a storage, without network. Options, image and arguments are still to be named.
pub fn run(storage: &Path) -> Result<Command, String> {
    let mut command = podman(storage);
    command.args(["run", "--rm", "--pull=never", "--network=none"]).args(limits()?);
    Ok(command)
}

pub fn podman(storage: &Path) -> Command {
    let mut command = Command::new("podman");
    command.arg("--root").arg(storage.join("storage")).arg("--runroot").arg(storage.join("run"));
    // vfs needs nothing of the kernel and leaves no mounts.
    command.args([
        "--storage-driver=vfs",
        "--cgroup-manager=cgroupfs",
        "--events-backend=file",
        "--runtime=runc",
    ]);
    command.env("XDG_RUNTIME_DIR", storage).env("XDG_DATA_HOME", storage).env("XDG_CONFIG_HOME", storage);
    command
}

pub fn skopeo(folder: &Path) -> Command {
    let mut command = Command::new("skopeo");
    command.arg("--insecure-policy").current_dir(folder);
    command
}

/// `skopeo copy` between registries on loopback; the two images are still to be named.
pub fn loopback_copy() -> Command {
    let mut command = skopeo(Path::new("/"));
    command.args(["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"]);
    command
}

fn inspect(image: &str, format: &str) -> Result<String, String> {
    output(skopeo(Path::new("/")).args(["inspect", "--format", format, image]))
}

/// Limits that can be set: podman asks for more than an unprivileged machine may give.
pub fn limits() -> Result<[String; 2], String> {
    let text = fs::read_to_string("/proc/self/limits").map_err(|error| error.to_string())?;
    let limit = |title: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(title));
        let hard =
            line.and_then(|line| line.split_whitespace().nth(1)).ok_or(format!("no limit `{title}`"))?;
        let hard = hard.parse().unwrap_or(u64::MAX).min(20_000);
        Ok::<_, String>(format!("--ulimit={name}={hard}:{hard}"))
    };
    Ok([limit("Max open files", "nofile")?, limit("Max processes", "nproc")?])
}

pub fn scratch() -> Result<tempfile::TempDir, String> {
    tempfile::tempdir().map_err(|error| error.to_string())
}

/// An ordinary user's search path often lacks administrators' programs.
fn administrator_s(program: &str) -> String {
    let place = format!("/usr/sbin/{program}");
    if Path::new(&place).exists() { place } else { program.into() }
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

pub fn same(found: &str, expected: &str, what: &str) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found `{found}`, expected `{expected}`")) }
}

fn greets(printed: &str) -> Result<(), String> {
    if printed.starts_with(GREETING) {
        Ok(())
    } else {
        Err(format!("expected `{GREETING}…`, found `{printed}`"))
    }
}
