//! `sx seeds`: what packages rest on, and binaries that lie in sources.

use crate::containers::{same, scratch};
use crate::harness::{Test, output, repository, sx};
use crate::images::PACKAGES;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn tests() -> Vec<Test> {
    let test = |name, run| Test { name, requires: &[], run };
    vec![
        test("seeds::packages_and_their_compilers_rest_on_the_seed_alone", seed_alone as fn() -> _),
        test("seeds::declared_binaries_are_named_with_their_reason", declared),
        test("seeds::binaries_planted_in_an_archive_are_named", planted),
    ]
}

/// What `sx seeds` says of something of the repository. Nothing is built for it.
fn seeds(arguments: &[&str]) -> Result<Value, String> {
    let text = output(sx(["seeds", "--json"]).args(arguments).current_dir(repository()))?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|entry| entry["name"].as_str()).collect()
}

fn seed_alone() -> Result<(), String> {
    let golden = fs::read_to_string(repository().join("pkgs/golden")).map_err(|error| error.to_string())?;
    let packages =
        golden.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(' ').next());
    let packages: Vec<&str> = packages.chain(["hello", "gcc", "go"]).collect();
    // One derivation that needs them all.
    let expression = format!(
        r#"{PACKAGES} derivation {{
            name = "all";
            system = "x86_64-linux";
            builder = "none";
            packages = with pkgs; [ {} ];
        }}"#,
        packages.join(" ")
    );
    let found = seeds(&["--expr", &expression])?;
    let seed = r#"[{"hash":null,"name":"seed","reason":null,"size_bytes":221}]"#;
    same(&found["seeds"].to_string(), seed, "the seeds")?;
    same(&found["binary_seeds"].to_string(), "[]", "the binary seeds")?;
    let sources = names(&found["sources"]);
    let is_pinned = |source: &Value| {
        // Folders of modules made of other sources have one of ours.
        source["hash"]
            .as_str()
            .is_some_and(|hash| ["sha256-", "blake3-"].iter().any(|start| hash.starts_with(start)))
    };
    let are_pinned = found["sources"].as_array().into_iter().flatten().all(is_pinned);
    let are_there = ["tcc_", "gcc-14", "golang-1.24"]
        .iter()
        .all(|start| sources.iter().any(|name| name.starts_with(start)));
    if !are_pinned || !are_there {
        return Err(format!("{sources:?}"));
    }
    if !names(&found["files"]).contains(&"seed.hex0") {
        return Err("no seed.hex0 among the flake's files".into());
    }
    let text = output(sx(["seeds", "pkgs.hello"]).current_dir(repository()))?;
    same(text.lines().next().unwrap_or_default(), "seed         seed\t221 bytes", "the first line for people")
}

fn declared() -> Result<(), String> {
    let found = seeds(&["pkgs.ripgrep"])?;
    same(&names(&found["seeds"]).join(" "), "seed", "the seed")?;
    let binaries = found["binary_seeds"].as_array().cloned().unwrap_or_default();
    let is_declared = |binary: &Value| {
        binary["name"].as_str().is_some_and(|name| name.ends_with("_amd64.deb"))
            && binary["reason"].as_str().is_some_and(|reason| reason.contains("removed by"))
    };
    if binaries.len() == 8 && binaries.iter().all(is_declared) {
        Ok(())
    } else {
        Err(found["binary_seeds"].to_string())
    }
}

/// An archive with a binary of each kind, fetched and unpacked for the purpose; and one among the expression's own files.
fn planted() -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let folder = scratch()?;
    let place = |name: &str| folder.path().join(name);
    let mut program = b"MZ".to_vec();
    program.resize(0x3c, 0);
    program.extend(b"\x40\0\0\0PE\0\0");
    let files: [(&str, &[u8]); 8] = [
        ("a.class", b"\xca\xfe\xba\xbe\0\0\0\x34"),
        ("b.exe", &program),
        ("c/d.txt", b"\x7fELF\x02\x01\x01"),
        ("e.a", b"!<arch>\n"),
        ("f.dylib", b"\xcf\xfa\xed\xfe\x07"),
        ("g.wasm", b"\0asm\x01\0\0\0"),
        ("h.jar", b"PK\x03\x04"),
        ("main.c", b"int main() { return 0; }\n"),
    ];
    fs::create_dir_all(place("source/c")).map_err(failed)?;
    for (name, bytes) in files {
        fs::write(place("source").join(name), bytes).map_err(failed)?;
    }
    fs::create_dir(place("archives")).map_err(failed)?;
    let archive = place("archives/planted.tar");
    output(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(folder.path()).arg("source"))?;
    fs::write(place("own"), b"\x7fELF").map_err(failed)?;
    let hash = output(Command::new("sha256sum").arg(&archive))?;
    let hash = hash.split(' ').next().unwrap_or_default();
    let expression = place("default.nix");
    let text = format!(
        r#"let
  archive = derivation {{
    name = "planted.tar"; system = "x86_64-linux"; builder = "builtin:fetch";
    urls = [ "https://example.org/planted.tar" ]; outputHash = "sha256:{hash}"; outputHashMode = "flat";
  }};
  source = derivation {{ name = "planted"; system = "x86_64-linux"; builder = "builtin:unpack"; src = archive; }};
in derivation {{ name = "made"; system = "x86_64-linux"; builder = ./own; args = [ source ]; }}
"#
    );
    fs::write(&expression, text).map_err(failed)?;
    let run = |arguments: &[&str]| {
        let mut command = sx(["seeds", "--json", "-f"]);
        command.arg(&expression).args(arguments).env("SX_STORE", place("store"));
        let text = output(&mut command)?;
        serde_json::from_str::<Value>(&text).map_err(|error| error.to_string())
    };
    let binaries = |found: &Value| {
        let list = found["binaries"].as_array().into_iter().flatten();
        let line = |binary: &Value| {
            format!("{} {} {}", binary["object"], binary["file"], binary["kind"]).replace('"', "")
        };
        list.map(line).collect::<Vec<_>>().join("\n")
    };
    // Not fetched yet: what can be said is said.
    let found = run(&[])?;
    same(&found["sources"][0]["size_bytes"].to_string(), "null", "the size of what isn't fetched")?;
    same(&binaries(&found), "own  ELF", "binaries before fetching")?;
    let folder_of_sources = place("archives");
    let found = run(&["--quiet", "--fetch", "--source-folder", path(&folder_of_sources)?])?;
    let size = fs::metadata(&archive).map_err(failed)?.len();
    same(&found["sources"][0]["size_bytes"].to_string(), &size.to_string(), "the size of the archive")?;
    let expected = "own  ELF\nplanted a.class Java class or Mach-O\nplanted b.exe PE\nplanted c/d.txt ELF\nplanted e.a ar archive\n\
                    planted f.dylib Mach-O\nplanted g.wasm WebAssembly\nplanted h.jar zip archive";
    same(&binaries(&found), expected, "binaries after fetching")
}

fn path(path: &Path) -> Result<&str, String> {
    path.to_str().ok_or_else(|| format!("{path:?} is no text"))
}
