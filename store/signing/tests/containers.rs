//! Unmodified skopeo and podman before the policies written for them: they accept and refuse what sx does, case by case.
//!
//! A registry on this machine alone serves two images; signatures lie in a folder. What isn't installed is told, and nothing
//! is tried; with `SX_TESTS_REQUIRE_PROGRAMS` set it fails instead.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it says")]
#![expect(clippy::print_stdout, reason = "a test runner reports there")]

mod people;

use people::{DAY, Life, Person, person, person_with_subkey, trust};
use sha2::{Digest, Sha256};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime};
use sx_signing::container_policy::ContainerPolicy;
use sx_signing::{ImageClaim, ImageName};

fn main() -> ExitCode {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_installed =
        |program: &&&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let is_required = std::env::var_os("SX_TESTS_REQUIRE_PROGRAMS").is_some();
    let missing = ["docker-registry", "skopeo", "podman"].iter().find(|program| !is_installed(program));
    if let Some(program) = missing {
        println!("not run, because `{program}` is not installed: the matrix of signatures");
        return if is_required { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    match matrix() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

type Failed = Box<dyn std::error::Error>;

/// A registry with two images, `sx/hello:1` and `sx/other:1`.
struct Registry {
    process: Child,
    host: String,
    folder: tempfile::TempDir,
    /// Digests of their manifests.
    hello: String,
    other: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let storage = folder.path().join("registry");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{host}\"}}\n",
            storage.display()
        );
        fs::write(folder.path().join("registry.yml"), text).unwrap();
        let mut command = Command::new("docker-registry");
        command
            .arg("serve")
            .arg(folder.path().join("registry.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let begin = Instant::now();
        while TcpStream::connect(&host).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(60), "the registry does not answer");
            std::thread::yield_now();
        }
        let mut registry = Self { process, host, folder, hello: String::new(), other: String::new() };
        registry.hello = registry.push("hello");
        registry.other = registry.push("other");
        registry
    }

    /// Writes an image with one empty layer, and pushes it. Gives its manifest's digest.
    fn push(&self, name: &str) -> String {
        let layout = self.folder.path().join(name);
        fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
        let blob = |bytes: &[u8]| {
            let digits = sx_derivation::digest::to_hex(&Sha256::digest(bytes));
            fs::write(layout.join("blobs/sha256").join(&digits), bytes).unwrap();
            (format!("sha256:{digits}"), bytes.len())
        };
        let (layer, layer_size) = blob(&[0; 1024]);
        let (config, config_size) = blob(
            format!(
                r#"{{"architecture":"amd64","os":"linux","config":{{"Labels":{{"name":"{name}"}}}},"rootfs":{{"type":"layers","diff_ids":["{layer}"]}}}}"#
            )
            .as_bytes(),
        );
        let kind = "application/vnd.oci.image";
        let (manifest, manifest_size) = blob(
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{kind}.manifest.v1+json","config":{{"mediaType":"{kind}.config.v1+json","digest":"{config}","size":{config_size}}},"layers":[{{"mediaType":"{kind}.layer.v1.tar","digest":"{layer}","size":{layer_size}}}]}}"#
            )
            .as_bytes(),
        );
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{kind}.manifest.v1+json","digest":"{manifest}","size":{manifest_size},"annotations":{{"org.opencontainers.image.ref.name":"1"}}}}]}}"#
        );
        fs::write(layout.join("index.json"), index).unwrap();
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let mut copy = Command::new("skopeo");
        copy.args(["--insecure-policy", "copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false"]);
        copy.arg(format!("oci:{}:1", layout.display())).arg(format!("docker://{}/sx/{name}:1", self.host));
        let copied = copy.output().unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        manifest
    }

    fn claim(&self, name: &str, digest: &str) -> ImageClaim {
        ImageClaim::new(ImageName::parse(&format!("{}/sx/{name}", self.host)).unwrap(), digest).unwrap()
    }
}

/// One line of the matrix.
struct Case {
    name: &'static str,
    /// How the third person's key is.
    third: Life,
    /// The signature files for `sx/hello:1`.
    sign: fn(&Scene) -> Vec<Vec<u8>>,
    /// Numbers of the files; 1, 2, 3 … but for the case of the gap.
    numbers: &'static [usize],
    accepted: bool,
}

struct Scene<'a> {
    registry: &'a Registry,
    people: [Person; 3],
    /// Signs with a subkey.
    fourth: Person,
}

impl Scene<'_> {
    /// A signature of a person over a claim of this name and digest.
    fn signature(&self, person: usize, name: &str, digest: &str) -> Vec<u8> {
        let payload = self.registry.claim(name, digest).payload();
        self.people[person].secret.sign_inline(&payload, SystemTime::now() - 8 * DAY).unwrap()
    }

    fn good(&self, person: usize) -> Vec<u8> {
        self.signature(person, "hello:1", &self.registry.hello)
    }
}

fn cases() -> Vec<Case> {
    let case = |name, accepted, third, sign| Case { name, third, sign, numbers: &[1, 2, 3], accepted };
    use Life::{Alive, Expired, Revoked};
    vec![
        case("nobody", false, Alive, |_| vec![]),
        case("one", false, Alive, |scene| vec![scene.good(0)]),
        case("one, twice", false, Alive, |scene| vec![scene.good(0), scene.good(0)]),
        case("two", true, Alive, |scene| vec![scene.good(0), scene.good(1)]),
        case("two others", true, Alive, |scene| vec![scene.good(2), scene.good(1)]),
        case("three", true, Alive, |scene| vec![scene.good(0), scene.good(1), scene.good(2)]),
        case("one and an expired key", false, Expired, |scene| vec![scene.good(0), scene.good(2)]),
        case("two and an expired key", true, Expired, |scene| {
            vec![scene.good(0), scene.good(2), scene.good(1)]
        }),
        case("one and a revoked key", false, Revoked, |scene| vec![scene.good(0), scene.good(2)]),
        case("two and a revoked key", true, Revoked, |scene| {
            vec![scene.good(0), scene.good(2), scene.good(1)]
        }),
        case("one and one of another name", false, Alive, |scene| {
            vec![scene.good(0), scene.signature(1, "other:1", &scene.registry.hello)]
        }),
        case("one and one of another tag", false, Alive, |scene| {
            vec![scene.good(0), scene.signature(1, "hello:2", &scene.registry.hello)]
        }),
        case("one and one of another digest", false, Alive, |scene| {
            vec![scene.good(0), scene.signature(1, "hello:1", &format!("sha256:{}", "0".repeat(64)))]
        }),
        case("one and one replayed from another image", false, Alive, |scene| {
            vec![scene.good(0), scene.signature(1, "other:1", &scene.registry.other)]
        }),
        case("one and one with a changed byte", false, Alive, |scene| {
            let mut changed = scene.good(1);
            // In the literal data.
            let place = changed.windows(8).position(|found| found == b"critical").unwrap();
            changed[place] ^= 1;
            vec![scene.good(0), changed]
        }),
        case("noise alone", false, Alive, |_| vec![b"noise".to_vec()]),
        case("one and one of a subkey", false, Alive, |scene| {
            let payload = scene.registry.claim("hello:1", &scene.registry.hello).payload();
            let signature = scene.fourth.secret.sign_inline(&payload, SystemTime::now() - 8 * DAY);
            vec![scene.good(0), signature.unwrap()]
        }),
        case("two and one cut off", true, Alive, |scene| {
            let whole = scene.good(2);
            vec![whole[..whole.len() - 20].to_vec(), scene.good(0), scene.good(1)]
        }),
        case("two and one without a meaning", false, Alive, |scene| {
            vec![vec![0xff; 40], scene.good(0), scene.good(1)]
        }),
        case("two and an empty file", false, Alive, |scene| vec![scene.good(0), scene.good(1), vec![]]),
        case("one and one cut off", false, Alive, |scene| {
            let whole = scene.good(1);
            vec![scene.good(0), whole[..whole.len() - 20].to_vec()]
        }),
        case("noise and two", false, Alive, |scene| vec![b"noise".to_vec(), scene.good(0), scene.good(1)]),
        Case {
            numbers: &[1, 3],
            ..case("two with a gap between", false, Alive, |scene| vec![scene.good(0), scene.good(1)])
        },
        Case {
            numbers: &[2, 3],
            ..case("two from number two", false, Alive, |scene| vec![scene.good(0), scene.good(1)])
        },
    ]
}

/// What became of the image.
struct Outcome {
    is_accepted: bool,
    /// What the tool said of it, or the end of that.
    told: String,
}

impl Outcome {
    const fn word(&self) -> &'static str {
        if self.is_accepted { "accepts" } else { "refuses" }
    }
}

fn matrix() -> Result<(), Failed> {
    let registry = Registry::start();
    let mut wrong = String::new();
    for case in cases() {
        let people = [person("alice", Life::Alive), person("bob", Life::Alive), person("carol", case.third)];
        let scene = Scene { registry: &registry, people, fourth: person_with_subkey("dora") };
        let folder = tempfile::tempdir()?;
        let found = [
            ("sx", prepare(&scene, &case, folder.path())?),
            ("skopeo", skopeo(&registry, folder.path())?),
            ("podman", podman(&registry, folder.path())?),
        ];
        let columns = found.each_ref().map(|(tool, outcome)| format!("{tool} {}", outcome.word()));
        println!("{}: {}", case.name, columns.join(", "));
        for (tool, outcome) in found {
            if outcome.is_accepted != case.accepted {
                wrong += &format!("{}: {tool} {}: {}\n", case.name, outcome.word(), outcome.told);
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

/// Writes signatures and policy into the folder. Gives what sx says.
fn prepare(scene: &Scene<'_>, case: &Case, folder: &Path) -> Result<Outcome, Failed> {
    let [alice, bob, carol] = &scene.people;
    let text = format!(
        "people = {{ alice.openpgp = ['alice'], bob.openpgp = ['bob'], carol.openpgp = ['carol'], dora.openpgp = ['dora'] }}\n\
         groups.all = ['alice', 'bob', 'carol', 'dora']\n\
         [[require]]\nimages = ['{}/sx']\nquorum = 2\nof = 'all'\n",
        scene.registry.host
    );
    let trust = trust(&text, &[alice, bob, carol, &scene.fourth])?;
    let lookaside = folder.join("lookaside");
    let claim = scene.registry.claim("hello:1", &scene.registry.hello);
    let below = claim.folder(&lookaside);
    fs::create_dir_all(&below)?;
    for (bytes, number) in (case.sign)(scene).iter().zip(case.numbers) {
        fs::write(below.join(format!("signature-{number}")), bytes)?;
    }
    let now = SystemTime::now();
    let files = ContainerPolicy::new(&trust, folder, &format!("file://{}", lookaside.display()), now)?;
    // Where podman looks below a home folder.
    let registries: PathBuf = folder.join(".config/containers/registries.d");
    fs::create_dir_all(&registries)?;
    fs::create_dir_all(folder.join("keys"))?;
    fs::write(registries.join("sx.yaml"), files.registries)?;
    fs::write(folder.join("policy.json"), files.policy)?;
    for (name, bytes) in files.keys {
        fs::write(folder.join("keys").join(name), bytes)?;
    }
    Ok(match claim.verify(&lookaside, &trust, &trust.keys(now)) {
        Ok(verdict) => Outcome { is_accepted: verdict.is_met(), told: verdict.to_string() },
        Err(error) => Outcome { is_accepted: false, told: error.to_string() },
    })
}

fn skopeo(registry: &Registry, folder: &Path) -> Result<Outcome, Failed> {
    let mut command = Command::new("skopeo");
    command.arg("--policy").arg(folder.join("policy.json"));
    command.arg("--registries.d").arg(folder.join(".config/containers/registries.d"));
    command.args(["copy", "--quiet", "--src-tls-verify=false"]);
    command.arg(format!("docker://{}/sx/hello:1", registry.host));
    command.arg(format!("dir:{}", folder.join("copy").display()));
    accepts(command)
}

fn podman(registry: &Registry, folder: &Path) -> Result<Outcome, Failed> {
    let mut command = Command::new("podman");
    command.arg("--root").arg(folder.join("storage")).arg("--runroot").arg(folder.join("run"));
    command.args(["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file"]);
    command
        .args(["pull", "--quiet", "--tls-verify=false", "--signature-policy"])
        .arg(folder.join("policy.json"));
    command.arg(format!("{}/sx/hello:1", registry.host));
    command
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME");
    accepts(command)
}

/// Whether the tool accepts the image. That it fails for another reason than the policy is an error.
fn accepts(mut command: Command) -> Result<Outcome, Failed> {
    let ended = command.output()?;
    let text = String::from_utf8_lossy(&ended.stderr);
    let is_refusal = ["signature", "Signature", "not trusted"].iter().any(|word| text.contains(word));
    if !ended.status.success() && !is_refusal {
        return Err(format!("{command:?} failed otherwise: {text}").into());
    }
    Ok(Outcome { is_accepted: ended.status.success(), told: text.lines().last().unwrap_or_default().into() })
}
