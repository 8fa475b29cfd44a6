//! Graphs and differences of closures, as people see them.

use crate::harness::{Test, output, repository, sx};
use std::path::Path;
use std::process::Command;

pub fn tests() -> Vec<Test> {
    let test = |name, requires, run| Test { name, requires, run };
    vec![
        test("graph::a_graph_is_the_same_everywhere", &[], a_graph_is_the_same_everywhere as fn() -> _),
        test("graph::the_climb_is_drawn_without_realising", &[], the_climb_is_drawn_without_realising),
        test("graph::areas_are_sizes", &[], areas_are_sizes),
        test("graph::two_closures_are_compared_by_names", &[], two_closures_are_compared),
    ]
}

fn folder() -> Result<tempfile::TempDir, String> {
    tempfile::tempdir().map_err(|error| error.to_string())
}

fn in_store(store: &Path, arguments: &[&str]) -> Command {
    let mut command = sx(arguments);
    command.env("SX_STORE", store);
    command
}

/// A diamond with a long side, and an input that a longer way implies.
const PACKAGES: &str = r#"
    let
      make = name: inputs: derivation { inherit name inputs; system = "x86_64-linux"; builder = "/none"; };
      seed = make "seed" [ ];
      libc = make "libc-1.2" [ seed ];
      cc = make "cc-3.4" [ seed libc ];
      shell = make "shell-5" [ libc ];
    in
    make "tool-1.0" [ cc shell seed ]
"#;

fn a_graph_is_the_same_everywhere() -> Result<(), String> {
    let folder = folder()?;
    let graph =
        |rest: &[&str]| output(in_store(&folder.path().join("sx"), &["graph", "-E", PACKAGES]).args(rest));
    insta::assert_snapshot!("graph_as_dot", graph(&[])?);
    insta::assert_snapshot!("graph_as_svg", graph(&["--format", "svg"])?);
    insta::assert_snapshot!("graph_of_two_steps", graph(&["--depth", "1", "--all-edges"])?);
    Ok(())
}

fn the_climb_is_drawn_without_realising() -> Result<(), String> {
    let folder = folder()?;
    let draw = |store: &str| {
        let (store, file) = (folder.path().join(store), folder.path().join("climb.svg"));
        output(in_store(&store, &["graph", "bootstrap.gcc", "-o"]).arg(&file))?;
        // The seed was not realised for it.
        let plan = output(&mut in_store(&store, &["realise", "--dry-run", "bootstrap.seed"]))?;
        assert_eq!(plan.lines().count(), 1, "{plan}");
        std::fs::read_to_string(&file).map_err(|error| error.to_string())
    };
    let picture = draw("one")?;
    assert_eq!(picture, draw("other")?);
    for name in ["seed", "hexm", "c0", "tcc2", "make-4.4.1", "gcc-3.4.6-pass2", "gcc-14.2.0"] {
        assert!(picture.contains(&format!(">{name}</text>")), "{name} is missing");
    }
    assert!(!picture.contains("orig.tar"), "what is fetched isn't shown");
    let kept =
        std::fs::read_to_string(repository().join("docs/climb.svg")).map_err(|error| error.to_string())?;
    assert!(picture == kept, "draw it anew: `sx graph bootstrap.gcc -o docs/climb.svg`");
    ["one", "other"].iter().try_for_each(|store| {
        sx_store::object::remove(&folder.path().join(store)).map_err(|error| error.to_string())
    })
}

/// Objects that refer to one another, the last one's path.
fn closure(store: &Path, version: &str, text: &str) -> Result<String, String> {
    let expression = format!(
        "let text = builtins.toFile \"text-{version}\" \"{text}\"; in builtins.toFile \"tool-{version}\" \"${{text}}\""
    );
    output(&mut in_store(store, &["eval", "--raw", "-E", &expression]))
}

fn areas_are_sizes() -> Result<(), String> {
    let folder = folder()?;
    let store = folder.path().join("sx");
    // The one is a store path of 70 bytes, the other four times as much.
    let path = closure(&store, "22", &"x".repeat(70 * 4))?;
    assert_eq!(path.len(), 70);
    let svg = output(&mut in_store(&store, &["graph", "--format", "svg", &path]))?;
    let sides: Vec<f64> = svg
        .split("height=\"")
        .filter(|part| part.contains("fill=\"#3f7cc4\""))
        .filter_map(|part| part.split('"').next()?.parse().ok())
        .collect();
    assert!(matches!(sides[..], [one, other] if (one / other - 2.0).abs() < 0.05), "{sides:?}");
    sx_store::object::remove(&store).map_err(|error| error.to_string())
}

fn two_closures_are_compared() -> Result<(), String> {
    let folder = folder()?;
    let store = folder.path().join("sx");
    let (old, new) = (closure(&store, "1", "abc")?, closure(&store, "2", "abcdef")?);
    let diff = |rest: &[&str]| output(in_store(&store, &["diff", "-q"]).args(rest));
    let found = diff(&[&old, &new])?;
    assert_eq!(found, "~ text 1 -> 2\t+3 B\n~ tool 1 -> 2\t+0 B\n2 objects, 72 B -> 2 objects, 75 B (+3 B)");
    assert_eq!(diff(&[&old, &old])?, "2 objects, 72 B -> 2 objects, 72 B (+0 B)");
    let report: serde_json::Value =
        serde_json::from_str(&diff(&["--json", &old, &new])?).map_err(|error| error.to_string())?;
    assert_eq!(report["changes"][0]["size_difference_bytes"], 3);
    assert_eq!(report["after"]["path"], new);
    sx_store::object::remove(&store).map_err(|error| error.to_string())
}
