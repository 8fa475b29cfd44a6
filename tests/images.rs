//! Images of every kind in the hands of other people's tools: merged roots, images of the language, each format.

use crate::containers::{in_storage, is_root, load, run, same, scratch, skopeo};
use crate::harness::{Test, add_sources, output, repository, sx};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The package set in an expression, when the working folder is the repository.
pub const PACKAGES: &str =
    "let bootstrap = import ./bootstrap; pkgs = import ./pkgs { inherit bootstrap; }; in";

pub fn tests() -> Vec<Test> {
    let buildah: &[&str] =
        if is_root() { &["buildah", "podman", "runc"] } else { &["buildah", "podman", "runc", "newuidmap"] };
    let test = |name, requires, run| Test { name, requires, run };
    vec![
        test(
            "images::a_containerfile_compiles_a_program_from_images_of_ours",
            buildah,
            containerfile as fn() -> _,
        ),
        test(
            "images::a_containerfile_has_a_shell_a_compiler_and_binutils_of_ours",
            buildah,
            shell_and_compiler,
        ),
        test("images::tools_read_an_image_with_attachments", &["skopeo"], with_attachments),
        test("images::images_of_other_tools_are_read", &["skopeo"], other_tools),
        test("images::a_web_server_s_image_has_all_that_it_needs", &["tar"], web),
        test("images::skopeo_reads_a_docker_archive_alone", &["skopeo"], docker_archive_alone),
        test("images::skopeo_and_umoci_read_every_compression", &["skopeo", "umoci"], every_compression),
        test("images::a_manifest_has_the_standard_annotations", &["skopeo"], annotations),
        test("images::tar_unpacks_a_plain_tree", &["tar"], plain_tree),
        test("images::an_image_of_the_language_has_its_users_and_files", &["skopeo", "umoci"], language),
        test("images::several_packages_share_an_image", &["tar"], several_packages),
        test("images::a_second_image_needs_only_what_the_first_lacks", &[], shared_layers),
        test("images::a_package_for_another_platform_becomes_no_image", &[], other_platform),
    ]
}

/// Exports what an expression gives.
fn exported(expression: &str, arguments: &[&str], file: &Path) -> Result<String, String> {
    let mut command = sx(["export", "--expr"]);
    command.arg(format!("{PACKAGES} {expression}")).args(arguments).arg("--output").arg(file);
    output(command.current_dir(repository()))
}

fn containerfile() -> Result<(), String> {
    let folder = scratch()?;
    let place = |name: &str| folder.path().join(name);
    exported(
        r#"pkgs.image { name = "test/tcc"; layout = "root"; contents = [ (bootstrap.tcc // { pname = "tcc"; }) ]; }"#,
        &[],
        &place("tcc.tar"),
    )?;
    exported(
        r#"pkgs.image {
            name = "test/libc"; layout = "root"; contents = [ bootstrap.libc.include ];
            files."/start.S".source = "${bootstrap.libc.start}";
            files."/libc.c".source = "${bootstrap.libc.source}";
            files."/libtcc1.c".source = builtins.elemAt bootstrap.runtime 0;
            files."/va_list.c".source = builtins.elemAt bootstrap.runtime 1;
        }"#,
        &[],
        &place("libc.tar"),
    )?;
    let context = place("context");
    let write =
        |name: &str, text: &str| fs::write(context.join(name), text).map_err(|error| error.to_string());
    fs::create_dir(&context).map_err(|error| error.to_string())?;
    write(
        "hello.c",
        "#include <stdio.h>\nint main(void) { puts(\"Compiled in a container\"); return 0; }\n",
    )?;
    write(
        "Containerfile",
        r#"FROM test/tcc:latest AS build
COPY --from=test/libc:latest / /libc/
COPY hello.c /
RUN ["/bin/tcc", "-nostdinc", "-nostdlib", "-static", "-I/libc", "-o", "/hello", "/libc/start.S", "/libc/libc.c", "/hello.c", "/libc/libtcc1.c", "/libc/va_list.c"]
FROM scratch
COPY --from=build /hello /hello
ENTRYPOINT ["/hello"]
"#,
    )?;
    same(&built(&folder, &["tcc.tar", "libc.tar"])?, "Compiled in a container", "the program")
}

/// Loads archives into storage of its own, builds the Containerfile in `context` with buildah, and runs what it makes.
fn built(folder: &tempfile::TempDir, archives: &[&str]) -> Result<String, String> {
    let place = |name: &str| folder.path().join(name);
    in_storage(|storage| {
        for archive in archives {
            load(storage, &place(archive))?;
        }
        let mut build = buildah(storage);
        build.args(["--timestamp=0", "--tag=test/hello"]).arg(place("context"));
        output(&mut build)?;
        output(run(storage)?.arg("localhost/test/hello"))
    })
}

/// Builds from a Containerfile, with podman's storage and without asking a registry.
pub fn buildah(storage: &Path) -> Command {
    let mut build = Command::new("buildah");
    build.arg("--root").arg(storage.join("storage")).arg("--runroot").arg(storage.join("run"));
    build.args(["--storage-driver=vfs", "bud", "--quiet", "--isolation=chroot", "--pull-never"]);
    build.env("XDG_RUNTIME_DIR", storage).env("XDG_DATA_HOME", storage).env("XDG_CONFIG_HOME", storage);
    build
}

/// `FROM` our busybox, our compiler and binutils copied in, compiled and archived by a shell's command, copied into nothing.
fn shell_and_compiler() -> Result<(), String> {
    let folder = scratch()?;
    let place = |name: &str| folder.path().join(name);
    for (package, name) in [("busybox", "busybox"), ("gcc-3-pass1", "gcc"), ("binutils-pass1", "binutils")] {
        let mut export = sx(["export", &format!("bootstrap.{package}"), "--compression=none"]);
        export.arg(format!("--reference=test/{name}")).arg("--output").arg(place(&format!("{name}.tar")));
        add_sources(&mut export);
        output(&mut export)?;
    }
    let context = place("context");
    fs::create_dir(&context).map_err(|error| error.to_string())?;
    let write =
        |name: &str, text: &str| fs::write(context.join(name), text).map_err(|error| error.to_string());
    write("hello.c", "#include <stdio.h>\nint main(void) { puts(\"From a shell\"); return 0; }\n")?;
    write(
        "Containerfile",
        r#"FROM test/busybox AS build
COPY --from=test/gcc / /
COPY --from=test/binutils / /
COPY hello.c /
RUN gcc -c hello.c && ar rcs libhello.a hello.o && gcc -static -o hello libhello.a && strip hello && readelf -h hello
FROM scratch
COPY --from=build /hello /hello
ENTRYPOINT ["/hello"]
"#,
    )?;
    same(&built(&folder, &["busybox.tar", "gcc.tar", "binutils.tar"])?, "From a shell", "the program")
}

/// What is attached is in nobody's way, and is the same each time.
fn with_attachments() -> Result<(), String> {
    let folder = scratch()?;
    let place = |name: &str| folder.path().join(name);
    let attach = "--attach=cyclonedx,spdx,provenance";
    let export = |format: &str, name: &str, more: &[&str]| {
        let mut command = sx(["export", "pkgs.hello", "--reference=test/hello:1", "--format", format]);
        output(command.args(more).arg("--output").arg(place(name)))
    };
    let digest = export("layout", "layout", &[attach])?;
    same(&export("layout", "plain", &[])?, &digest, "the image's digest")?;
    let digest = digest.split_once('@').map(|(_, digest)| digest.to_owned()).unwrap_or_default();
    let image = "oci:layout:test/hello:1";
    let shown = output(skopeo(folder.path()).args(["inspect", "--format={{.Digest}}", image]))?;
    same(&shown, &digest, "the digest that skopeo sees")?;
    export("archive", "first.tar", &[attach])?;
    export("archive", "second.tar", &[attach, "--threads=1"])?;
    let read = |name: &str| fs::read(place(name)).map_err(|error| error.to_string());
    if read("first.tar")? != read("second.tar")? {
        return Err("the second archive differs".into());
    }
    let show = output(sx(["image", "show", "--json"]).arg(place("first.tar")))?;
    let report: serde_json::Value = serde_json::from_str(&show).map_err(|error| error.to_string())?;
    same(report["manifestDigest"].as_str().unwrap_or_default(), &digest, "what sx sees")?;
    let attachments = report["attachments"].as_array().map_or(0, Vec::len);
    if attachments != 3 {
        return Err(show);
    }
    let sbom = output(&mut sx(["sbom", "pkgs.hello"]))?;
    let bill: serde_json::Value = serde_json::from_str(&sbom).map_err(|error| error.to_string())?;
    let component = &bill["components"][0];
    same(component["name"].as_str().unwrap_or_default(), "hello", "its name")?;
    same(component["licenses"][0]["expression"].as_str().unwrap_or_default(), "Apache-2.0", "its licence")?;
    let source = &component["externalReferences"][0];
    if source["url"].as_str().is_some_and(|url| url.starts_with("debian:tcc/"))
        && source["hashes"][0]["alg"] == "SHA-256"
    {
        Ok(())
    } else {
        Err(sbom)
    }
}

/// skopeo's own archives and layouts, in each format, are the image that we exported.
fn other_tools() -> Result<(), String> {
    let folder = scratch()?;
    let file = folder.path().join("ours.tar");
    output(sx(["export", "pkgs.hello", "-o"]).arg(&file))?;
    for (target, name) in
        [("docker-archive:d.tar:sx/hello:1", "d.tar"), ("oci-archive:o.tar:x", "o.tar"), ("oci:l:x", "l")]
    {
        output(skopeo(folder.path()).args(["copy", "--quiet", "oci-archive:ours.tar", target]))?;
        output(sx(["image", "diff"]).arg(&file).arg(folder.path().join(name)))?;
    }
    // One that differs is told apart.
    let other = folder.path().join("other.tar");
    output(sx(["export", "bootstrap.tcc", "-o"]).arg(&other))?;
    let found = sx(["image", "diff"]).arg(&file).arg(&other).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&found.stdout);
    let lines = |mark: &str| text.lines().filter(|line| line.starts_with(mark)).count();
    if found.status.code() == Some(1) && lines("+ ") == 1 && lines("- ") == 1 && lines("config ") > 0 {
        Ok(())
    } else {
        Err(format!("{found:?}"))
    }
}

/// Everything that an expression can put into an image, in one: users, certificates, time zones, files, ports, volumes.
fn web() -> Result<(), String> {
    let folder = scratch()?;
    let place = |name: &str| folder.path().join(name);
    fs::write(place("authority.pem"), "-----BEGIN CERTIFICATE-----\n").map_err(|error| error.to_string())?;
    fs::write(place("Vienna"), "TZif2").map_err(|error| error.to_string())?;
    // A flake of its own, which reads nothing but its own tree.
    let mut copy = Command::new("cp");
    output(
        copy.arg("-r").args([repository().join("pkgs"), repository().join("bootstrap")]).arg(folder.path()),
    )?;
    let expression = r#"{
        outputs = { self }: let pkgs = import ./pkgs { bootstrap = import ./bootstrap; }; in {
            images.web = pkgs.image {
                name = "test/web"; contents = [ pkgs.hello ];
                users.web = { uid = 1000; home = "/srv"; };
                certificates = [ ./authority.pem ];
                timeZones."Europe/Vienna" = ./Vienna;
                timeZone = "Europe/Vienna";
                files."/etc/web.conf" = { text = "port = 80\n"; mode = "0600"; uid = 1000; gid = 1000; };
                config = { entrypoint = [ pkgs.hello ]; user = "web"; exposedPorts = [ "80" ]; volumes = [ "/srv" ]; };
            };
        };
    }"#;
    fs::write(place("flake.nix"), expression).map_err(|error| error.to_string())?;
    let mut export = sx(["export", "images.web", "--format=tar", "--output=web.tar"]);
    output(export.current_dir(folder.path()))?;
    let names = output(Command::new("tar").args(["--numeric-owner", "-tvf"]).arg(place("web.tar")))?;
    for expected in [
        "-rw------- 1000/1000",
        "etc/web.conf",
        "etc/passwd",
        "etc/ssl/certs/ca-certificates.crt",
        "etc/localtime -> /usr/share/zoneinfo/Europe/Vienna",
        "usr/share/zoneinfo/Europe/Vienna",
        "drwxr-x--- 1000/1000",
    ] {
        if !names.contains(expected) {
            return Err(format!("expected `{expected}` in\n{names}"));
        }
    }
    Ok(())
}

/// The platform in a manifest is the one that the package names.
fn other_platform() -> Result<(), String> {
    let folder = scratch()?;
    let package = |platforms: &str| format!("pkgs.hello // {{ meta.platforms = [ {platforms} ]; }}");
    for platforms in [r#""aarch64-linux" "riscv64-linux""#, r#""x86_64-darwin""#] {
        match exported(&package(platforms), &[], &folder.path().join("other.tar")) {
            Err(text) if text.contains("expected x86_64-linux in its `meta.platforms`") => {}
            found => return Err(format!("{platforms}: {found:?}")),
        }
    }
    let file = folder.path().join("image.tar");
    exported(&package(r#""aarch64-linux" "x86_64-linux""#), &[], &file)?;
    let shown = output(sx(["image", "show", "--json"]).arg(&file))?;
    let report: serde_json::Value = serde_json::from_str(&shown).map_err(|error| error.to_string())?;
    same(report["platform"].as_str().unwrap_or_default(), "linux/amd64", "the platform")
}

fn docker_archive_alone() -> Result<(), String> {
    let folder = scratch()?;
    let files = ["docker.tar", "both.tar"].map(|name| folder.path().join(name));
    output(sx(["export", "pkgs.hello", "--format=docker", "-o"]).arg(&files[0]))?;
    output(sx(["export", "pkgs.hello", "-o"]).arg(&files[1]))?;
    let config = |image: &str| output(skopeo(folder.path()).args(["inspect", "--config", "--raw", image]));
    same(&config("docker-archive:docker.tar")?, &config("oci-archive:both.tar")?, "configuration")
}

fn every_compression() -> Result<(), String> {
    let folder = scratch()?;
    let mut configs = Vec::new();
    for compression in ["gzip", "zstd", "none"] {
        let layout = folder.path().join(compression);
        let mut export = sx(["export", "pkgs.hello", "--format=layout", "--reference=test/hello:1"]);
        output(export.args(["--compression", compression, "--output"]).arg(&layout))?;
        let image = format!("oci:{compression}:test/hello:1");
        configs.push(output(skopeo(folder.path()).args(["inspect", "--config", "--raw", &image]))?);
        let copy = format!("oci:{compression}-copy:latest");
        output(skopeo(folder.path()).args(["copy", "--quiet", "--preserve-digests", &image, &copy]))?;
    }
    let mut unpack = Command::new("umoci");
    unpack.args(["unpack", "--image", "gzip-copy:latest"]).args((!is_root()).then_some("--rootless"));
    output(unpack.arg("bundle").current_dir(folder.path()))?;
    same(&configs[1], &configs[0], "zstd")?;
    same(&configs[2], &configs[0], "none")
}

/// Those of a package come from its `meta`, those of an image from its expression.
fn annotations() -> Result<(), String> {
    let folder = scratch()?;
    let read = |name: &str| -> Result<serde_json::Value, String> {
        let raw = output(skopeo(folder.path()).args(["inspect", "--raw", &format!("oci:{name}:test/x:1")]))?;
        let manifest: serde_json::Value = serde_json::from_str(&raw).map_err(|error| error.to_string())?;
        Ok(manifest["annotations"].clone())
    };
    let arguments = ["--format=layout", "--reference=test/x:1"];
    let package = r#"pkgs.hello // { meta = pkgs.hello.meta // { homepage = "https://example.org"; }; }"#;
    exported(package, &arguments, &folder.path().join("package"))?;
    let expected = serde_json::json!({
        "org.opencontainers.image.title": "hello",
        "org.opencontainers.image.version": "1.0",
        "org.opencontainers.image.description": "Program that prints a greeting",
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.url": "https://example.org",
    });
    same(&read("package")?.to_string(), &expected.to_string(), "a package's")?;
    let image = r#"pkgs.image {
        name = "test/x"; contents = [ pkgs.hello ]; annotations."org.opencontainers.image.source" = "https://example.org/x";
    }"#;
    exported(image, &arguments, &folder.path().join("image"))?;
    let expected = serde_json::json!({ "org.opencontainers.image.source": "https://example.org/x" });
    same(&read("image")?.to_string(), &expected.to_string(), "an image's")
}

fn plain_tree() -> Result<(), String> {
    let folder = scratch()?;
    let file = folder.path().join("tree.tar");
    output(sx(["export", "pkgs.hello", "--format=tar", "--layout=root", "-o"]).arg(&file))?;
    output(Command::new("tar").args(["-xf", "tree.tar"]).current_dir(folder.path()))?;
    let greeting = output(&mut Command::new(folder.path().join("bin/hello")))?;
    if greeting.starts_with("Hello") { Ok(()) } else { Err(format!("bin/hello printed `{greeting}`")) }
}

fn language() -> Result<(), String> {
    let folder = scratch()?;
    let place = |name: &str| folder.path().join(name);
    exported(
        r#"pkgs.image {
            name = "test/web"; tag = "2"; contents = [ pkgs.hello ];
            config = {
                entrypoint = [ pkgs.hello ]; cmd = [ "x" ]; user = "web"; workingDir = "/home/web"; env.A = "b";
                labels.l = "m"; exposedPorts = [ "80" ]; volumes = [ "/data" ]; stopSignal = "SIGINT";
            };
            users.web = { uid = 1000; home = "/home/web"; };
            groups.staff = 50;
            files."/etc/motd" = "Welcome to ${pkgs.hello}\n";
            files."/tmp" = { directory = true; mode = "1777"; };
        }"#,
        &["--format=layout"],
        &place("layout"),
    )?;
    let image = "oci:layout:test/web:2";
    let config = output(skopeo(folder.path()).args(["inspect", "--config", "--raw", image]))?;
    for expected in [
        r#""User":"web""#,
        r#""ExposedPorts":{"80/tcp":{}}"#,
        r#""Env":["A=b"]"#,
        r#""Cmd":["x"]"#,
        r#""Volumes":{"/data":{}}"#,
        r#""WorkingDir":"/home/web""#,
        r#""Labels":{"l":"m"}"#,
        r#""StopSignal":"SIGINT""#,
    ] {
        if !config.contains(expected) {
            return Err(format!("expected {expected} in {config}"));
        }
    }
    output(skopeo(folder.path()).args(["copy", "--quiet", image, "oci:copy:latest"]))?;
    let mut unpack = Command::new("umoci");
    unpack.args(["unpack", "--image", "copy:latest"]).args((!is_root()).then_some("--rootless"));
    output(unpack.arg("bundle").current_dir(folder.path()))?;
    let read = |path: &str| {
        let text = fs::read_to_string(place("bundle/rootfs").join(path));
        text.map_err(|error| format!("{path}: {error}"))
    };
    let passwd = "root:x:0:0::/root:/sbin/nologin\nweb:x:1000:1000::/home/web:/sbin/nologin\n";
    same(&read("etc/passwd")?, passwd, "/etc/passwd")?;
    same(&read("etc/group")?, "root:x:0:\nweb:x:1000:\nstaff:x:50:\n", "/etc/group")?;
    let motd = read("etc/motd")?;
    let path = motd.trim_end().strip_prefix("Welcome to /").ok_or(motd.clone())?;
    if place("bundle/rootfs").join(path).is_file() { Ok(()) } else { Err(format!("/{path} is not there")) }
}

fn several_packages() -> Result<(), String> {
    let folder = scratch()?;
    let file = folder.path().join("tree.tar");
    let mut export = sx(["export", "pkgs.hello", "bootstrap.tcc", "--layout=root", "--format=tar", "-o"]);
    output(export.arg(&file))?;
    let names = output(Command::new("tar").arg("-tf").arg(&file))?;
    same(&names, "bin/\nbin/hello\nbin/tcc2", "the tree")
}

/// What a pull of the second transfers: the layers that the first doesn't have.
fn shared_layers() -> Result<(), String> {
    let folder = scratch()?;
    let layers = |packages: &[&str]| -> Result<Vec<(String, u64)>, String> {
        let mut export = sx(["export"]);
        export.args(packages).args(["--json", "--output"]).arg(folder.path().join("image.tar"));
        let report: serde_json::Value =
            serde_json::from_str(&output(&mut export)?).map_err(|error| error.to_string())?;
        let layers = report["layers"].as_array().ok_or("no layers")?.iter();
        let layer = |layer: &serde_json::Value| {
            Some((layer["digest"].as_str()?.to_owned(), layer["sizeBytes"].as_u64()?))
        };
        layers.map(|each| layer(each).ok_or("a layer without digest".into())).collect()
    };
    let first = layers(&["bootstrap.tcc"])?;
    let second = layers(&["pkgs.hello", "bootstrap.tcc"])?;
    let transferred: Vec<_> = second.iter().filter(|layer| !first.contains(layer)).collect();
    let sum: u64 = transferred.iter().map(|(_, size)| size).sum();
    let whole: u64 = second.iter().map(|(_, size)| size).sum();
    if transferred.len() == 1 && sum * 4 < whole {
        Ok(())
    } else {
        Err(format!("{sum} of {whole} bytes are transferred: {transferred:?}"))
    }
}
