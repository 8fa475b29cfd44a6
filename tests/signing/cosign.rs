//! cosign's form: cosign accepts and refuses what `sx verify` does, and skopeo too where it knows the form.

use super::verbs::has;
use crate::containers::{loopback_copy, scratch};
use crate::harness::{output, sx};
use crate::registry::{Registry, pushed, registry};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A registry with two images, and two keys that a policy wants both of.
struct Scene {
    registry: Registry,
    folder: tempfile::TempDir,
    keys: [String; 2],
    /// Public parts, as `sx policy` writes them.
    public: Vec<PathBuf>,
    trust: String,
}

impl Scene {
    fn start() -> Result<Self, String> {
        let folder = scratch()?;
        let registry = registry(folder.path(), "")?;
        for name in ["hello", "other"] {
            let to = format!("{}/sx/{name}:1", registry.name);
            pushed(&["pkgs.hello", "--label", &format!("name={name}"), "--to", &to])?;
        }
        let place = |name: &str| folder.path().join(name).display().to_string();
        let keys = [place("one.key"), place("two.key")];
        let make = |key| output(&mut sx(["key", "generate", "-o", key]));
        let (one, two) = (make(&keys[0])?, make(&keys[1])?);
        let text = format!(
            "people.one.ed25519 = ['{one}']\npeople.two.ed25519 = ['{two}']\ngroups.all = ['one', 'two']\n\
             [[require]]\nimages = ['{}/sx']\nquorum = 2\nof = 'all'\n",
            registry.name
        );
        let trust = place("trust.toml");
        fs::write(&trust, text).map_err(|error| error.to_string())?;
        let mut scene = Self { registry, folder, keys, public: Vec::new(), trust };
        output(&mut scene.policy())?;
        let listing = fs::read_dir(scene.place("policy/keys")).map_err(|error| error.to_string())?;
        scene.public = listing.filter_map(Result::ok).map(|entry| entry.path()).collect();
        if scene.public.len() == 2 { Ok(scene) } else { Err(format!("keys: {:?}", scene.public)) }
    }

    fn place(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn policy(&self) -> Command {
        sx(["policy", "-q", "--cosign", "--trust", &self.trust, "-o", &self.place("policy")])
    }

    fn image(&self, name: &str) -> String {
        format!("{}/sx/{name}:1", self.registry.name)
    }

    fn sign(&self, name: &str, key: usize) -> Result<(), String> {
        let image = self.image(name);
        output(&mut sx(["sign", "-q", &image, "--attach", "--key", &self.keys[key]])).map(drop)
    }

    /// Asks everybody. `accepted` is what has to come of it.
    fn ask(&self, name: &str, accepted: bool, what: &str) -> Result<(), String> {
        let image = self.image(name);
        let by_sx = output(&mut sx(["verify", "-q", &image, "--trust", &self.trust]));
        // One key at a time is all that cosign can be asked about.
        let by_cosign = self.public.iter().try_for_each(|key| {
            let mut command = Command::new("cosign");
            command.args(["verify", "--insecure-ignore-tlog=true", "--allow-http-registry=true", "--key"]);
            output(command.arg(key).arg(&image).env("HOME", self.folder.path())).map(drop)
        });
        if by_sx.is_ok() != accepted || by_cosign.is_ok() != accepted {
            return Err(format!("{what}: sx: {by_sx:?}, cosign: {by_cosign:?}"));
        }
        match output(&mut self.skopeo(&image)) {
            // Debian 12 leaves this form out: with such a policy its skopeo accepts nothing, which is safe.
            Err(text) if text.contains("sigstore disabled") => Ok(()),
            by_skopeo if by_skopeo.is_ok() == accepted => Ok(()),
            by_skopeo => Err(format!("{what}: skopeo: {by_skopeo:?}")),
        }
    }

    fn skopeo(&self, image: &str) -> Command {
        let policy = self.place("policy");
        let mut command = Command::new("skopeo");
        command
            .arg(format!("--policy={policy}/policy.json"))
            .arg(format!("--registries.d={policy}/registries.d"));
        command.args(["copy", "--quiet", "--src-tls-verify=false", "--remove-signatures"]);
        command.arg(format!("docker://{image}")).arg(format!("dir:{}", self.place("copy")));
        command
    }

    /// Copies one image's signatures to the place of another's.
    fn replay(&self, from: &str, to: &str) -> Result<(), String> {
        let place = |name: &str| -> Result<String, String> {
            let image = format!("docker://{}", self.image(name));
            let mut inspect = Command::new("skopeo");
            let digest =
                output(inspect.args(["inspect", "--tls-verify=false", "--format={{.Digest}}", &image]))?;
            Ok(format!("docker://{}/sx/{name}:{}.sig", self.registry.name, digest.replace(':', "-")))
        };
        let mut copy = loopback_copy();
        output(copy.arg(place(from)?).arg(place(to)?)).map(drop)
    }
}

pub fn alike() -> Result<(), String> {
    let scene = Scene::start()?;
    scene.ask("hello", false, "nobody")?;
    scene.sign("hello", 0)?;
    scene.ask("hello", false, "one")?;
    scene.sign("hello", 0)?;
    scene.ask("hello", false, "one, twice")?;
    scene.sign("hello", 1)?;
    scene.ask("hello", true, "two")?;
    scene.replay("hello", "other")?;
    scene.ask("other", false, "two, replayed from another image")?;
    // Any-of can't be said to the tools in this form.
    let text = fs::read_to_string(&scene.trust).map_err(|error| error.to_string())?;
    fs::write(&scene.trust, text.replace("quorum = 2", "quorum = 1")).map_err(|error| error.to_string())?;
    match output(&mut scene.policy()) {
        Ok(_) => Err("a policy of one of two was written".into()),
        Err(text) => has(&text, "1 of 2 can't be said"),
    }
}
