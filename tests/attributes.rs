//! What a derivation's attributes ask for beside an environment, tried by the builder of `sandbox/probe.c`.

use crate::harness::{Test, lasting_folder, output, repository, source_folder, sx};
use std::path::PathBuf;
use std::process::Command;

pub fn tests() -> Vec<Test> {
    let test = |name, run| Test { name, requires: &[], run };
    vec![
        test("attributes::structured_attributes_are_files", structured_attributes_are_files as fn() -> _),
        test("attributes::texts_and_closures_are_files", texts_and_closures_are_files),
        test("attributes::an_output_mentions_another_and_itself", an_output_mentions_another_and_itself),
        test("attributes::references_are_checked", references_are_checked),
    ]
}

fn realise(word: &str) -> Result<Command, String> {
    let mut command = sx(["realise", "-f"]);
    command.arg(repository().join("tests/sandbox/attributes.nix")).arg(word);
    command.arg("--source-folder").arg(source_folder()?);
    Ok(command)
}

fn location(path: &str) -> PathBuf {
    lasting_folder().join("store/store").join(path.rsplit('/').next().unwrap_or_default())
}

fn read(path: PathBuf) -> Result<String, String> {
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The words of a text that are store paths, without their digests.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/sx/store/") {
        plain += before;
        plain += "…";
        rest = &after[after.find('-').unwrap_or(0)..];
    }
    plain + rest
}

fn structured_attributes_are_files() -> Result<(), String> {
    let path = output(&mut realise("structured")?)?;
    let json = read(location(&path).join(".attrs.json"))?;
    let json: serde_json::Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    assert_eq!(json["outputs"]["out"], path.as_str(), "the path that it had came to be its own");
    assert_eq!(json["set"], serde_json::json!({ "key": true }));
    let top = &json["list"][1];
    let graph = json["graph"].as_array().ok_or("no graph")?;
    let entry = graph.iter().find(|entry| entry["path"] == *top).ok_or("no top in it")?;
    assert_eq!(graph.len(), 2);
    assert_eq!(entry["closureSize"], entry["size"].as_u64().unwrap_or_default() + 4);
    let script = read(location(&path).join(".attrs.sh"))?;
    let lines: Vec<String> = script.lines().map(plain).collect();
    assert!(lines.contains(&r"declare text='it'\''s'".into()), "{script}");
    assert!(lines.contains(&"declare -a list=(1 '…-top')".into()), "{script}");
    assert!(lines.contains(&"declare -A outputs=(['out']='…-probe-does')".into()), "{script}");
    Ok(())
}

fn texts_and_closures_are_files() -> Result<(), String> {
    let path = location(&output(&mut realise("files")?)?);
    assert_eq!(read(path.join("text"))?, "long");
    let graph = read(path.join("graph"))?;
    let mut lines: Vec<String> = graph.lines().map(plain).collect();
    lines.sort();
    assert_eq!(lines, ["", "", "0", "1", "…-leaf", "…-leaf", "…-top"]);
    Ok(())
}

fn an_output_mentions_another_and_itself() -> Result<(), String> {
    let mut command = realise("two.out")?;
    let out = output(&mut command)?;
    let dev = output(&mut realise("two.dev")?)?;
    assert_eq!(read(location(&out))?, format!("out {dev} {out}"));
    let info = output(&mut sx(["path-info", "--json", &out]))?;
    let info: serde_json::Value = serde_json::from_str(&info).map_err(|error| error.to_string())?;
    assert_eq!(info["objects"][0]["references"], serde_json::json!([dev]));
    output(&mut sx(["store", "verify", "--contents", "-q"]))?;
    Ok(())
}

fn references_are_checked() -> Result<(), String> {
    output(&mut realise("allowed")?)?;
    let mut report = String::new();
    for word in [
        "cycle",
        "not-allowed",
        "not-itself",
        "not-reached",
        "only-reached",
        "no-path",
        "checked",
        "large",
        "large-closure",
        "misspelt-check",
        "misspelt-output",
    ] {
        let found = realise(word)?.output().map_err(|error| error.to_string())?;
        let error = plain(&String::from_utf8_lossy(&found.stderr));
        let error: Vec<&str> = error.lines().skip_while(|line| !line.starts_with("error")).collect();
        report += &format!("{word}: exit {:?}\n{}\n\n", found.status.code(), error.join("\n"));
    }
    insta::assert_snapshot!("checks_of_references", report);
    Ok(())
}
