//! Unmodified skopeo and podman before the policies of two of three that `sx policy` writes: they accept and refuse what
//! `sx verify` does, case by case.
//!
//! A registry on this machine alone serves two images; signatures lie in a folder.

use super::people::{DAY, Life, Person, person, person_with_subkey};
use crate::containers::scratch;
use crate::harness::{output, sx};
use crate::registry::{Registry, pushed, registry};
use sequoia_openpgp::Cert;
use sequoia_openpgp::parse::Parse;
use sequoia_openpgp::serialize::stream::{LiteralWriter, Message, Signer};
use sequoia_openpgp::types::HashAlgorithm;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use sx_signing::{ImageClaim, ImageName};

type Failed = Box<dyn std::error::Error>;

/// A registry with two images, `sx/hello:1` and `sx/other:1`.
struct Images {
    registry: Registry,
    folder: tempfile::TempDir,
    /// Digests of their manifests.
    hello: String,
    other: String,
}

impl Images {
    fn start() -> Result<Self, Failed> {
        let folder = scratch()?;
        let registry = registry(folder.path(), "")?;
        let push = |name: &str| {
            let to = format!("{}/sx/{name}:1", registry.name);
            pushed(&["pkgs.hello", "--label", &format!("name={name}"), "--to", &to])
        };
        let (hello, other) = (push("hello")?, push("other")?);
        Ok(Self { registry, folder, hello, other })
    }

    fn claim(&self, name: &str, digest: &str) -> Result<ImageClaim, Failed> {
        let name = ImageName::parse(&format!("{}/sx/{name}", self.registry.name))?;
        Ok(ImageClaim::new(name, digest)?)
    }
}

/// One line of the matrix.
struct Case {
    name: &'static str,
    /// The third person.
    third: fn() -> Person,
    /// The signature files for `sx/hello:1`.
    sign: fn(&Scene) -> Vec<Vec<u8>>,
    /// Numbers of the files; 1, 2, 3 … but for the case of the gap.
    numbers: &'static [usize],
    accepted: bool,
    /// What the tools do, where they differ from sx.
    by_tools: bool,
}

struct Scene<'a> {
    images: &'a Images,
    people: [Person; 3],
}

impl Scene<'_> {
    /// A signature of a person over a claim of this name and digest, made while the key was alive.
    fn signature(&self, person: &Person, name: &str, digest: &str) -> Vec<u8> {
        let payload = self.images.claim(name, digest).expect("the name is one").payload();
        person.secret.sign_inline(&payload, SystemTime::now() - 8 * DAY).expect("the key can sign")
    }

    /// A signature of a person with a hash for which collisions can be made.
    fn weak(&self, number: usize) -> Vec<u8> {
        let payload = self.images.claim("hello:1", &self.images.hello).expect("the name is one").payload();
        let sign = || -> sequoia_openpgp::Result<Vec<u8>> {
            let cert = Cert::from_bytes(&self.people[number].file)?;
            let key = cert.primary_key().key().clone().parts_into_secret()?.into_keypair()?;
            let mut bytes = Vec::new();
            let signer = Signer::new(Message::new(&mut bytes), key)?.hash_algo(HashAlgorithm::SHA1)?;
            let mut literal = LiteralWriter::new(signer.build()?).build()?;
            literal.write_all(&payload)?;
            literal.finalize()?;
            Ok(bytes)
        };
        sign().expect("the key can sign")
    }

    /// A signature that counts if its key does: by `sx sign`, if that still signs with it.
    fn good(&self, number: usize) -> Vec<u8> {
        let person = &self.people[number];
        let folder = self.images.folder.path().join("signed");
        let key = self.images.folder.path().join(format!("{}.key", person.name));
        fs::write(&key, &person.file).expect("the folder is ours");
        let image = format!("{}/sx/hello:1", self.images.registry.name);
        let mut sign = sx(["sign", "-q", &image, "--key"]);
        sign.arg(key).arg("--lookaside").arg(&folder);
        let Ok(file) = output(&mut sign) else {
            return self.signature(person, "hello:1", &self.images.hello);
        };
        let bytes = fs::read(&file).expect("sx wrote it");
        fs::remove_dir_all(folder).expect("the folder is ours");
        bytes
    }
}

fn cases() -> Vec<Case> {
    let case = |name, accepted, third, sign| {
        let (numbers, by_tools) = (&[1, 2, 3][..], accepted);
        Case { name, third, sign, numbers, accepted, by_tools }
    };
    const ALIVE: fn() -> Person = || person("carol", Life::Alive);
    const EXPIRED: fn() -> Person = || person("carol", Life::Expired);
    const REVOKED: fn() -> Person = || person("carol", Life::Revoked);
    const SUBKEY: fn() -> Person = || person_with_subkey("carol");
    vec![
        case("nobody", false, ALIVE, |_| vec![]),
        case("one", false, ALIVE, |scene| vec![scene.good(0)]),
        case("one, twice", false, ALIVE, |scene| vec![scene.good(0), scene.good(0)]),
        case("two", true, ALIVE, |scene| vec![scene.good(0), scene.good(1)]),
        case("two others", true, ALIVE, |scene| vec![scene.good(2), scene.good(1)]),
        case("three", true, ALIVE, |scene| vec![scene.good(0), scene.good(1), scene.good(2)]),
        case("one and an expired key", false, EXPIRED, |scene| vec![scene.good(0), scene.good(2)]),
        case("two and an expired key", true, EXPIRED, |scene| {
            vec![scene.good(0), scene.good(2), scene.good(1)]
        }),
        case("one and a revoked key", false, REVOKED, |scene| vec![scene.good(0), scene.good(2)]),
        case("two and a revoked key", true, REVOKED, |scene| {
            vec![scene.good(0), scene.good(2), scene.good(1)]
        }),
        case("one and one of another name", false, ALIVE, |scene| {
            vec![scene.good(0), scene.signature(&scene.people[1], "other:1", &scene.images.hello)]
        }),
        case("one and one of another tag", false, ALIVE, |scene| {
            vec![scene.good(0), scene.signature(&scene.people[1], "hello:2", &scene.images.hello)]
        }),
        case("one and one of another digest", false, ALIVE, |scene| {
            vec![
                scene.good(0),
                scene.signature(&scene.people[1], "hello:1", &format!("sha256:{}", "0".repeat(64))),
            ]
        }),
        case("one and one replayed from another image", false, ALIVE, |scene| {
            vec![scene.good(0), scene.signature(&scene.people[1], "other:1", &scene.images.other)]
        }),
        case("one and one with a changed byte", false, ALIVE, |scene| {
            let mut changed = scene.good(1);
            // In the literal data.
            let place = changed.windows(8).position(|found| found == b"critical").expect("it is plain");
            changed[place] ^= 1;
            vec![scene.good(0), changed]
        }),
        case("noise alone", false, ALIVE, |_| vec![b"noise".to_vec()]),
        case("one and one of a subkey", false, SUBKEY, |scene| {
            vec![scene.good(0), scene.signature(&scene.people[2], "hello:1", &scene.images.hello)]
        }),
        case("two and one cut off", true, ALIVE, |scene| {
            let whole = scene.good(2);
            vec![whole[..whole.len() - 20].to_vec(), scene.good(0), scene.good(1)]
        }),
        case("two and one without a meaning", false, ALIVE, |scene| {
            vec![vec![0xff; 40], scene.good(0), scene.good(1)]
        }),
        case("two and an empty file", false, ALIVE, |scene| vec![scene.good(0), scene.good(1), vec![]]),
        case("one and one cut off", false, ALIVE, |scene| {
            let whole = scene.good(1);
            vec![scene.good(0), whole[..whole.len() - 20].to_vec()]
        }),
        case("noise and two", false, ALIVE, |scene| vec![b"noise".to_vec(), scene.good(0), scene.good(1)]),
        // gpg, which the tools ask, still takes SHA-1 for signatures; sx doesn't.
        Case {
            by_tools: true,
            ..case("one and one with SHA-1", false, ALIVE, |scene| vec![scene.good(0), scene.weak(1)])
        },
        Case {
            numbers: &[1, 3],
            ..case("two with a gap between", false, ALIVE, |scene| vec![scene.good(0), scene.good(1)])
        },
        Case {
            numbers: &[2, 3],
            ..case("two from number two", false, ALIVE, |scene| vec![scene.good(0), scene.good(1)])
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

pub fn alike() -> Result<(), String> {
    matrix().map_err(|error| error.to_string())
}

fn matrix() -> Result<(), Failed> {
    let images = Images::start()?;
    let (mut table, mut wrong) = (String::new(), String::new());
    for case in cases() {
        let people = [person("alice", Life::Alive), person("bob", Life::Alive), (case.third)()];
        let scene = Scene { images: &images, people };
        let folder = scratch()?;
        prepare(&scene, &case, folder.path())?;
        let found = [
            ("sx", accepts(verify(&images, folder.path()))?),
            ("skopeo", accepts(skopeo(&images, folder.path()))?),
            ("podman", accepts(podman(&images, folder.path()))?),
        ];
        let columns = found.each_ref().map(|(tool, outcome)| format!("{tool} {}", outcome.word()));
        table += &format!("{}: {}\n", case.name, columns.join(", "));
        for (tool, outcome) in found {
            let expected = if tool == "sx" { case.accepted } else { case.by_tools };
            if outcome.is_accepted != expected {
                wrong += &format!("{}: {tool} {}: {}\n", case.name, outcome.word(), outcome.told);
            }
        }
    }
    fs::write(crate::harness::lasting_folder().join("matrix"), table)?;
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

/// Writes signatures, trust file and policy into the folder.
fn prepare(scene: &Scene<'_>, case: &Case, folder: &Path) -> Result<(), Failed> {
    let mut text = String::new();
    for person in &scene.people {
        fs::write(folder.join(person.name), &person.public)?;
        text += &format!("people.{0}.openpgp = ['{0}']\n", person.name);
    }
    text += &format!(
        "groups.all = ['alice', 'bob', 'carol']\n[[require]]\nimages = ['{}/sx']\nquorum = 2\nof = 'all'\n",
        scene.images.registry.name
    );
    fs::write(folder.join("trust.toml"), text)?;
    let lookaside = folder.join("lookaside");
    let below = scene.images.claim("hello:1", &scene.images.hello)?.folder(&lookaside);
    fs::create_dir_all(&below)?;
    for (bytes, number) in (case.sign)(scene).iter().zip(case.numbers) {
        fs::write(below.join(format!("signature-{number}")), bytes)?;
    }
    // Where podman looks below a home folder.
    let containers = folder.join(".config/containers");
    let mut policy = sx(["policy", "-q", "--trust"]);
    policy.arg(folder.join("trust.toml")).arg("--signatures").arg(format!("file://{}", lookaside.display()));
    output(policy.arg("-o").arg(&containers))?;
    Ok(())
}

fn verify(images: &Images, folder: &Path) -> Command {
    let mut command = sx(["verify", "-q", &format!("{}/sx/hello:1", images.registry.name), "--trust"]);
    command.arg(folder.join("trust.toml")).arg("--lookaside").arg(folder.join("lookaside"));
    command
}

fn skopeo(images: &Images, folder: &Path) -> Command {
    let containers = folder.join(".config/containers");
    let mut command = Command::new("skopeo");
    command.arg("--policy").arg(containers.join("policy.json"));
    command.arg("--registries.d").arg(containers.join("registries.d"));
    command.args(["copy", "--quiet", "--src-tls-verify=false"]);
    command.arg(format!("docker://{}/sx/hello:1", images.registry.name));
    command.arg(format!("dir:{}", folder.join("copy").display()));
    command
}

fn podman(images: &Images, folder: &Path) -> Command {
    let policy: PathBuf = folder.join(".config/containers/policy.json");
    let mut command = Command::new("podman");
    command.arg("--root").arg(folder.join("storage")).arg("--runroot").arg(folder.join("run"));
    command.args(["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file"]);
    command.args(["pull", "--quiet", "--tls-verify=false", "--signature-policy"]).arg(policy);
    command.arg(format!("{}/sx/hello:1", images.registry.name));
    command.env("HOME", folder).env("XDG_RUNTIME_DIR", folder);
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
    command
}

/// Whether the tool accepts the image. That it fails for another reason than the policy is an error.
fn accepts(mut command: Command) -> Result<Outcome, Failed> {
    let ended = command.output()?;
    let text = String::from_utf8_lossy(&ended.stderr);
    let words = ["signature", "Signature", "not trusted", "not enough people"];
    if !ended.status.success() && !words.iter().any(|word| text.contains(word)) {
        return Err(format!("{command:?} failed otherwise: {text}").into());
    }
    Ok(Outcome { is_accepted: ended.status.success(), told: text.lines().last().unwrap_or_default().into() })
}
