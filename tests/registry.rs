//! Images to a registry and back, with the distribution project's own registry on loopback.

mod relay;
mod token;
mod transfer;

use crate::containers::{in_storage, is_root, podman, run, same, scratch, skopeo};
use crate::harness::{Test, lasting_folder, output, sx};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub fn tests() -> Vec<Test> {
    let registry: &[&str] = &["docker-registry", "skopeo"];
    let test = |name, run| Test { name, requires: registry, run };
    vec![
        test("registry::what_is_pushed_is_pulled_byte_for_byte", push_and_pull as fn() -> _),
        test("registry::a_second_push_sends_nothing_and_a_sister_s_layers_are_mounted", second_push),
        test("registry::a_password_is_asked_for_and_found", password),
        test("registry::what_is_attached_is_listed_under_the_digest_s_tag", attached),
        test("registry::two_images_share_their_layers_in_a_pull", shared),
        test("registry::packages_come_out_of_an_image_into_another_store", store_paths),
        test("registry::a_tag_that_leads_to_an_index_gives_tools_the_image", index),
        test("registry::a_terminal_shows_how_far_a_push_and_a_pull_are", transfer::progress),
        test(
            "registry::a_push_that_breaks_off_is_tried_again_and_what_is_whole_is_not_sent_twice",
            transfer::broken_push,
        ),
        test("registry::a_pull_that_breaks_off_goes_on_in_another_process", transfer::broken_pull),
        Test {
            name: "registry::podman_pulls_and_runs_what_is_pushed",
            requires: if is_root() {
                &["docker-registry", "podman", "runc"]
            } else {
                &["docker-registry", "podman", "runc", "newuidmap"]
            },
            run: podman_pull,
        },
        Test {
            name: "registry::a_token_is_had_from_the_server_that_the_registry_trusts",
            requires: &["docker-registry", "openssl", "skopeo"],
            run: token::token,
        },
        Test {
            name: "registry::a_certificate_of_a_given_authority_is_believed_and_no_other",
            requires: &["docker-registry", "openssl"],
            run: encrypted,
        },
    ]
}

/// A running registry, which ends with this.
pub struct Registry {
    child: Child,
    pub name: String,
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a registry that keeps everything in `folder`, with more lines of configuration.
pub fn registry(folder: &Path, more: &str) -> Result<Registry, String> {
    registry_with(folder, "", more)
}

fn registry_with(folder: &Path, http: &str, more: &str) -> Result<Registry, String> {
    let failed = |error: std::io::Error| error.to_string();
    // Free now; nothing else here takes it before the registry does.
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(failed)?.port();
    let name = format!("127.0.0.1:{port}");
    let storage = folder.join("storage");
    let text = format!(
        "version: 0.1\nlog: {{ level: info }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"{name}\"{http} }}\n{more}",
        storage.display()
    );
    fs::write(folder.join("registry.yml"), text).map_err(failed)?;
    let mut command = Command::new("docker-registry");
    command.args(["serve", "registry.yml"]).current_dir(folder).env("OTEL_TRACES_EXPORTER", "none");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let output = child.stderr.take().ok_or("the registry has no output")?;
    let registry = Registry { child, name };
    let mut lines = BufReader::new(output).lines();
    loop {
        match lines.next() {
            Some(Ok(line)) if line.contains("listening on") => break,
            Some(Ok(_)) => {}
            _ => return Err("the registry ended before it listened".into()),
        }
    }
    // Read on, so that it never waits for a reader.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Ok(registry)
}

/// The digest of a pushed image: what follows the `@`.
pub fn pushed(arguments: &[&str]) -> Result<String, String> {
    let text = output(sx(["push"]).args(arguments))?;
    text.split_once('@').map(|(_, digest)| digest.to_owned()).ok_or(format!("no digest in `{text}`"))
}

fn push_and_pull() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let image = format!("{}/sx/hello:1", registry.name);
    let digest = pushed(&["pkgs.hello", "--to", &image])?;
    let shown = output(skopeo(folder.path()).args([
        "inspect",
        "--tls-verify=false",
        "--format={{.Digest}}",
        &format!("docker://{image}"),
    ]))?;
    same(&shown, &digest, "the digest that skopeo sees")?;
    let layout = folder.path().join("layout");
    let mut export = sx(["export", "pkgs.hello", "--format=layout", "--output"]);
    output(export.arg(&layout))?;
    for asked in [image.clone(), format!("{}/sx/hello@{digest}", registry.name)] {
        let path = output(&mut sx(["pull", &asked]))?;
        let object = lasting_folder().join("store/store").join(path.rsplit('/').next().unwrap_or_default());
        for entry in fs::read_dir(layout.join("blobs/sha256")).map_err(|error| error.to_string())? {
            let name = entry.map_err(|error| error.to_string())?.file_name();
            let read = |folder: &Path| fs::read(folder.join("blobs/sha256").join(&name));
            if read(&layout).map_err(|error| error.to_string())? != read(&object).unwrap_or_default() {
                return Err(format!("{} differs", name.to_string_lossy()));
            }
        }
        let reference = format!("oci:{}:{}", object.display(), asked.split('@').next().unwrap_or_default());
        let reference = if asked.contains('@') { format!("{reference}:latest") } else { reference };
        let config = output(skopeo(folder.path()).args(["inspect", "--format={{.Digest}}", &reference]))?;
        same(&config, &digest, "the digest of what was pulled")?;
    }
    let wrong = format!("{}/sx/hello@sha256:{}", registry.name, "0".repeat(64));
    match output(&mut sx(["pull", &wrong])) {
        Ok(_) => Err("an image with another digest was pulled".into()),
        Err(text) if text.contains("404") => Ok(()),
        Err(text) => Err(text),
    }
}

fn second_push() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let push = |name: &str, more: &[&str]| -> Result<String, String> {
        let mut command = sx(["push", "pkgs.hello", "--to"]);
        let output = command.arg(format!("{}/{name}", registry.name)).args(more).output();
        let output = output.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(text) } else { Err(text) }
    };
    let sent = |text: String, expected: &str| {
        if text.contains(expected) { Ok(()) } else { Err(format!("expected `{expected}`: {text}")) }
    };
    sent(push("sx/hello:1", &[])?, "sent 2 blobs")?;
    sent(push("sx/hello:2", &[])?, "sent 0 blobs")?;
    sent(push("sx/sister:1", &["--mount-from=sx/hello"])?, "sent 0 blobs")
}

fn password() -> Result<(), String> {
    let folder = scratch()?;
    // bcrypt of `secret`.
    let line = "someone:$2b$05$ieDNXKcT8FEGeJbEWOkScuBc3RIUnxFYREGEUCXqkvwxT9DqmGOdO\n";
    fs::write(folder.path().join("htpasswd"), line).map_err(|error| error.to_string())?;
    let registry = registry(folder.path(), "auth: { htpasswd: { realm: x, path: htpasswd } }\n")?;
    let image = format!("{}/sx/hello:1", registry.name);
    let file = folder.path().join("auth.json");
    let auth = |encoded: &str| {
        let text = format!(r#"{{"auths":{{"{}":{{"auth":"{encoded}"}}}}}}"#, registry.name);
        fs::write(&file, text).map_err(|error| error.to_string())
    };
    let push = || {
        let mut command = sx(["push", "pkgs.hello", "--to", &image, "--auth-file"]);
        output(command.arg(&file).env("HOME", folder.path()))
    };
    // A helper, found by its name on the search path.
    let helper = folder.path().join("docker-credential-test");
    let script = "#!/bin/sh\nread registry\n[ \"$1 $registry\" = \"get $EXPECTED\" ] || exit 1\n\
                  echo '{\"Username\":\"someone\",\"Secret\":\"secret\"}'\n";
    fs::write(&helper, script).map_err(|error| error.to_string())?;
    let executable = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(&helper, executable).map_err(|error| error.to_string())?;
    let text = format!(r#"{{"credHelpers":{{"{}":"test"}}}}"#, registry.name);
    fs::write(&file, text).map_err(|error| error.to_string())?;
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let mut command = sx(["push", "pkgs.hello", "--to", &image, "--auth-file"]);
    command.arg(&file).env("HOME", folder.path()).env("PATH", path).env("EXPECTED", &registry.name);
    output(&mut command)?;
    // someone:wrong, someone:secret
    for (encoded, works) in [("c29tZW9uZTp3cm9uZw==", false), ("c29tZW9uZTpzZWNyZXQ=", true)] {
        auth(encoded)?;
        match push() {
            Ok(_) if works => {}
            Err(text) if !works && text.contains("refuses access") => {}
            other => return Err(format!("{encoded}: {other:?}")),
        }
    }
    Ok(())
}

/// The registry has no list of what is attached, so it is an index under the tag made of the digest.
fn attached() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let image = format!("{}/sx/hello:1", registry.name);
    let mut digests = Vec::new();
    for kinds in ["cyclonedx,provenance", "spdx,provenance"] {
        digests.push(pushed(&["pkgs.hello", "--to", &image, "--attach", kinds])?);
    }
    same(&digests[0], &digests[1], "the image's digest")?;
    let raw = |reference: &str| -> Result<serde_json::Value, String> {
        let reference = format!("docker://{}/sx/hello{reference}", registry.name);
        let text =
            output(skopeo(folder.path()).args(["inspect", "--raw", "--tls-verify=false", &reference]))?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    let list = raw(&format!(":{}", digests[0].replace(':', "-")))?;
    let listed = list["manifests"].as_array().ok_or("no list")?;
    let mut kinds: Vec<_> = listed.iter().filter_map(|each| each["artifactType"].as_str()).collect();
    kinds.sort_unstable();
    let expected =
        ["application/spdx+json", "application/vnd.cyclonedx+json", "application/vnd.in-toto+json"];
    if kinds != expected {
        return Err(format!("{list}"));
    }
    for each in listed {
        let manifest = raw(&format!("@{}", each["digest"].as_str().unwrap_or_default()))?;
        same(manifest["subject"]["digest"].as_str().unwrap_or_default(), &digests[0], "the subject")?;
    }
    // What is attached is no image.
    let artifact = listed[0]["digest"].as_str().unwrap_or_default();
    match output(&mut sx(["pull", &format!("{}/sx/hello@{artifact}", registry.name)])) {
        Err(text) if text.contains("attached to one") => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

/// What a pull of the second image transfers to who has the first.
fn shared() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let [first, second] = ["tcc", "both"].map(|name| format!("{}/sx/{name}:1", registry.name));
    pushed(&["bootstrap.tcc", "--to", &first])?;
    pushed(&["bootstrap.tcc", "pkgs.hello", "--to", &second])?;
    let mut diff = sx(["image", "diff", "--json", &first, &second]);
    let found = diff.output().map_err(|error| error.to_string())?;
    if found.status.code() != Some(1) {
        return Err(format!("the images should differ: {}", String::from_utf8_lossy(&found.stderr)));
    }
    let report: serde_json::Value =
        serde_json::from_slice(&found.stdout).map_err(|error| error.to_string())?;
    let bytes = |name: &str| report[name].as_u64().unwrap_or_default();
    if bytes("sharedLayers") != 1 || bytes("transferredBytes") * 10 > bytes("sizeBytes") {
        return Err(format!("{report}"));
    }
    let shown = output(&mut sx(["image", "show", &second]))?;
    if shown.contains("tcc2") && shown.contains("linux/amd64") { Ok(()) } else { Err(shown) }
}

/// podman itself pulls and runs what was pushed.
fn podman_pull() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let image = format!("{}/sx/hello:1", registry.name);
    let digest = pushed(&["pkgs.hello", "--to", &image])?;
    in_storage(|storage| {
        output(podman(storage).args(["pull", "--quiet", "--tls-verify=false", &image]))?;
        let format = ["image", "inspect", "--format={{.Digest}}", &image];
        same(&output(podman(storage).args(format))?, &digest, "the digest that podman has")?;
        same(&output(run(storage)?.arg(&image))?, "Hello, world!", "the program")
    })
}

fn index() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let image = format!("{}/sx/hello:1", registry.name);
    // The other way to push.
    let plain = output(&mut sx(["export", "pkgs.hello", "--push", &image]))?;
    let digest = pushed(&["pkgs.hello", "--index", "--to", &image])?;
    if !plain.ends_with(&digest) {
        return Err(format!("the image is {digest} below an index, and without one `{plain}`"));
    }
    let tagged = format!("docker://{image}");
    let raw = output(skopeo(folder.path()).args(["inspect", "--raw", "--tls-verify=false", &tagged]))?;
    if !raw.contains(r#""manifests""#) || !raw.contains(&digest) || !raw.contains(r#""os":"linux""#) {
        return Err(raw);
    }
    let copy = ["copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", &tagged, "oci:copy:x"];
    output(skopeo(folder.path()).args(copy))?;
    let shown = output(skopeo(folder.path()).args(["inspect", "--format={{.Digest}}", "oci:copy:x"]))?;
    same(&shown, &digest, "the image that skopeo chose")?;
    let shown = output(&mut sx(["image", "show", "--json", &image]))?;
    let report: serde_json::Value = serde_json::from_str(&shown).map_err(|error| error.to_string())?;
    same(report["manifestDigest"].as_str().unwrap_or_default(), &digest, "the image that sx chose")
}

/// What one store pushed, another takes in as what it is.
fn store_paths() -> Result<(), String> {
    let folder = scratch()?;
    let registry = registry(folder.path(), "")?;
    let expression = r#"{ type = "image"; name = "test/text"; contents = [];
        config.env.TEXT = builtins.toFile "outer" "see ${builtins.toFile "inner" "text"}"; }"#;
    let image = format!("{}/test/text:1", registry.name);
    output(sx(["push", "--expr", expression, "--to", &image]).current_dir(folder.path()))?;
    let there = |arguments: &[&str]| {
        let mut command = sx(arguments);
        command.env("SX_STORE", folder.path().join("store"));
        output(&mut command)
    };
    let outer = there(&["pull", "--store-paths", &image])?;
    let closure = there(&["path-info", "--recursive", &outer])?;
    if !outer.ends_with("-outer") || closure.lines().count() < 2 || !closure.contains("-inner") {
        return Err(format!("{outer}: {closure}"));
    }
    there(&["store", "verify", "--contents"])?;
    // What it is exported as there is what was pushed.
    let layers = |text: String| {
        let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        report["layers"].to_string()
    };
    let shown = there(&["image", "show", "--json", &image])?;
    if !layers(shown).contains(&outer) {
        return Err(format!("no layer is of {outer}"));
    }
    // Nothing to take from a merged root.
    let hello = format!("{}/sx/hello:root", registry.name);
    pushed(&["pkgs.hello", "--layout=root", "--to", &hello])?;
    match there(&["pull", "--store-paths", &hello]) {
        Err(text) if text.contains("no store path in it") => Ok(()),
        found => Err(format!("{found:?}")),
    }
}

fn encrypted() -> Result<(), String> {
    let folder = scratch()?;
    let openssl =
        |arguments: &[&str]| output(Command::new("openssl").args(arguments).current_dir(folder.path()));
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    for name in ["authority", "other"] {
        let (private, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let own =
            ["req", "-x509", "-days", "2", "-subj", "/CN=test", "-keyout", &private, "-out", &certificate];
        openssl(&[&own[..], &key[..]].concat())?;
    }
    openssl(
        &[&["req", "-subj", "/CN=registry", "-keyout", "key", "-out", "request"][..], &key[..]].concat(),
    )?;
    let extension = "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";
    fs::write(folder.path().join("extension"), extension).map_err(|error| error.to_string())?;
    let sign = ["x509", "-req", "-in", "request", "-CA", "authority.pem", "-CAkey", "authority.key"];
    let more = ["-CAcreateserial", "-days", "1", "-extfile", "extension", "-out", "certificate"];
    openssl(&[&sign[..], &more[..]].concat())?;
    let registry = registry_with(folder.path(), ", tls: { certificate: certificate, key: key }", "")?;
    let image = format!("{}/sx/hello:1", registry.name);
    let push = |authority: &str, more: &[&str]| {
        let mut command = sx(["push", "pkgs.hello", "--attempts=1", "--to", &image]);
        output(command.args(more).env("SSL_CERT_FILE", folder.path().join(authority)))
    };
    match (push("other.pem", &["--tls"]), push("authority.pem", &[])) {
        (Err(other), Err(_)) if other.to_lowercase().contains("certificate") => {}
        found => return Err(format!("without the authority, and without TLS: {found:?}")),
    }
    push("authority.pem", &["--tls"])?;
    let mut pull = sx(["pull", "--tls", &image]);
    output(pull.env("SSL_CERT_FILE", folder.path().join("authority.pem"))).map(drop)
}
