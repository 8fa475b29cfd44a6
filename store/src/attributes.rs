//! What a derivation's attributes ask for beside an environment, under the names that Nix gave them.
//!
//! | attribute | effect |
//! |---|---|
//! | `__structuredAttrs` | the attributes are no variables but the files `.attrs.json` and, for bash, `.attrs.sh` |
//! | `passAsFile` | the attributes that it names are files, whose places are in variables with `Path` at their names' ends |
//! | `exportReferencesGraph` | what the closures of objects are: files, or with structured attributes entries of theirs |
//! | `outputChecks`, `allowedReferences` and kin | what outputs may refer to, see [`crate::requirement`] |
//!
//! All files lie in the builder's working folder. Names and forms are Nix's, but that entries of a closure have `size`
//! in place of `narSize`, and no `narHash`: objects here are no archives, and a path is its own proof.

use crate::database::Object;
use crate::realise::Failure;
use crate::sandbox::BUILD_FOLDER;
use crate::store::{Store, StoreError};
use bstr::{BString, ByteSlice};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use sx_derivation::store_path::STORE_FOLDER;
use sx_derivation::{Derivation, Digest, StorePath};

/// Under which the evaluator keeps structured attributes, a JSON object, among a derivation's variables.
const STRUCTURED: &str = "__json";

/// A derivation's attributes.
#[derive(Debug)]
pub(crate) enum Attributes {
    /// Each a variable.
    Plain(BTreeMap<BString, BString>),
    /// Each a text of JSON, as the evaluator wrote it.
    Structured(BTreeMap<String, Box<RawValue>>),
}

/// What a builder is given because of its attributes.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// Variables.
    pub(crate) environment: BTreeMap<BString, BString>,
    /// Files in its working folder, by their names.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// Why attributes make no sense.
#[derive(Debug, thiserror::Error)]
pub enum AttributeError {
    /// Structured attributes aren't JSON, or no object.
    #[error("the structured attributes are no JSON object")]
    NotJson(#[source] serde_json::Error),
    /// An attribute is something else than it has to be.
    #[error("the attribute `{attribute}` is `{found}`, expected {expected}")]
    Kind {
        /// Which.
        attribute: String,
        /// What it is, shortened.
        found: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// A set has something that nobody reads.
    #[error("the attribute `{attribute}` has `{found}`, expected {expected}")]
    Unknown {
        /// Of the set.
        attribute: String,
        /// The name that it has.
        found: String,
        /// What it may have.
        expected: &'static str,
    },
    /// The closure of something was asked for that is no input.
    #[error("the attribute `exportReferencesGraph` names `{0}`, which is no input of the derivation")]
    NoInput(BString),
}

impl AttributeError {
    pub(crate) fn kind(attribute: &str, found: &[u8], expected: &'static str) -> Self {
        let found: String = found.to_str_lossy().chars().take(100).collect();
        Self::Kind { attribute: attribute.into(), found, expected }
    }
}

/// One object, as structured attributes tell of a closure.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ClosureEntry {
    /// Sum of the sizes of what it reaches, in bytes.
    closure_size: u64,
    path: String,
    /// Itself included, if it mentions itself.
    references: Vec<String>,
    /// In bytes.
    size: u64,
}

impl Attributes {
    /// Reads a derivation's attributes. In the texts of them, `own` replaces what stands for the derivation's outputs.
    pub(crate) fn read(
        derivation: &Derivation,
        own: impl Fn(&BString) -> BString,
    ) -> Result<Self, AttributeError> {
        match derivation.environment.get(STRUCTURED.as_bytes().as_bstr()) {
            None => {
                let variables = derivation.environment.iter();
                Ok(Self::Plain(variables.map(|(name, value)| (name.clone(), own(value))).collect()))
            }
            Some(text) => {
                serde_json::from_slice(&own(text)).map(Self::Structured).map_err(AttributeError::NotJson)
            }
        }
    }

    /// The words of a plain attribute, or the strings of a structured one; `None` if there is no such attribute.
    pub(crate) fn list(&self, name: &str) -> Result<Option<Vec<BString>>, AttributeError> {
        match self {
            Self::Plain(variables) => Ok(variables.get(name.as_bytes().as_bstr()).map(|text| words(text))),
            Self::Structured(values) => {
                values.get(name).map(|value| strings(name, &parse(value)?)).transpose()
            }
        }
    }

    /// A structured attribute.
    pub(crate) fn structured(&self, name: &str) -> Result<Option<Value>, AttributeError> {
        match self {
            Self::Plain(_) => Ok(None),
            Self::Structured(values) => values.get(name).map(|value| parse(value)).transpose(),
        }
    }

    /// What the builder is given, which is to make its `outputs` at these paths and has `inputs` in view.
    pub(crate) fn given(
        &self,
        store: &Store,
        outputs: &BTreeMap<String, StorePath>,
        inputs: &BTreeSet<StorePath>,
    ) -> Result<Given, Failure> {
        let mut closures = Vec::new();
        for (name, paths) in self.graphs()? {
            let mut roots = BTreeSet::new();
            for text in paths {
                let path = object_of(&text).filter(|path| inputs.contains(path));
                roots.insert(path.ok_or(AttributeError::NoInput(text))?);
            }
            // It is made of rows.
            store.wait_until_settled(inputs);
            closures.push((name, Closure::new(store, &roots)?));
        }
        match self {
            Self::Plain(variables) => Ok(plain(variables, outputs, &closures)),
            Self::Structured(values) => Ok(structured(values, outputs, &closures)?),
        }
    }

    /// The closures asked for: their names, and of what.
    fn graphs(&self) -> Result<Vec<(String, Vec<BString>)>, AttributeError> {
        const NAME: &str = "exportReferencesGraph";
        if let Self::Plain(_) = self {
            let words = self.list(NAME)?.unwrap_or_default();
            let expected = "names of files and store paths by turns";
            let wrong = || AttributeError::kind(NAME, &bstr::join(" ", &words), expected);
            let pairs = words.chunks(2).map(|pair| match pair {
                [name, path] if is_file_name(name) => Ok((name.to_string(), vec![path.clone()])),
                _ => Err(wrong()),
            });
            return pairs.collect();
        }
        match self.structured(NAME)? {
            None => Ok(Vec::new()),
            Some(Value::Object(graphs)) => {
                graphs.iter().map(|(name, paths)| Ok((name.clone(), strings(NAME, paths)?))).collect()
            }
            Some(other) => {
                Err(AttributeError::kind(NAME, other.to_string().as_bytes(), "a set of lists of store paths"))
            }
        }
    }
}

/// Objects with all that they refer to, by path.
struct Closure(BTreeMap<StorePath, Object>);

impl Closure {
    fn new(store: &Store, roots: &BTreeSet<StorePath>) -> Result<Self, StoreError> {
        let mut objects = BTreeMap::new();
        for path in store.closure(roots)? {
            if let Some(object) = store.database().object(&path)? {
                objects.insert(path, object);
            }
        }
        Ok(Self(objects))
    }

    /// What an object mentions, itself included.
    fn references(object: &Object) -> BTreeSet<&StorePath> {
        let own = object.refers_to_itself.then_some(&object.path);
        object.references.iter().chain(own).collect()
    }

    /// The form that `nix-store --register-validity` reads: path, an empty line, number of references, references.
    fn lines(&self) -> String {
        let mut text = String::new();
        for object in self.0.values() {
            let references = Self::references(object);
            text += &format!("{}\n\n{}\n", object.path, references.len());
            references.iter().for_each(|reference| text += &format!("{reference}\n"));
        }
        text
    }

    fn entries(&self) -> Vec<ClosureEntry> {
        let entry = |object: &Object| ClosureEntry {
            closure_size: self.size_of_all_below(&object.path),
            path: object.path.to_string(),
            references: Self::references(object).iter().map(ToString::to_string).collect(),
            size: object.size_bytes,
        };
        self.0.values().map(entry).collect()
    }

    fn size_of_all_below(&self, path: &StorePath) -> u64 {
        let (mut sum, mut seen, mut open) = (0, BTreeSet::from([path]), vec![path]);
        while let Some(object) = open.pop().and_then(|path| self.0.get(path)) {
            sum += object.size_bytes;
            open.extend(object.references.iter().filter(|reference| seen.insert(*reference)));
        }
        sum
    }
}

fn plain(
    variables: &BTreeMap<BString, BString>,
    outputs: &BTreeMap<String, StorePath>,
    closures: &[(String, Closure)],
) -> Given {
    let mut given = Given { environment: variables.clone(), ..Given::default() };
    for name in variables.get(b"passAsFile".as_bstr()).map(|text| words(text)).unwrap_or_default() {
        if let Some(text) = given.environment.remove(&name) {
            let file = file_of(&name);
            let mut variable = name;
            variable.extend_from_slice(b"Path");
            given.environment.insert(variable, format!("{BUILD_FOLDER}/{file}").into());
            given.files.insert(file, text.into());
        }
    }
    let outputs = outputs.iter().map(|(output, path)| (output.as_str().into(), path.to_string().into()));
    given.environment.extend(outputs);
    given.files.extend(closures.iter().map(|(name, closure)| (name.clone(), closure.lines().into())));
    given
}

/// The file that an attribute is passed as: as Nix names it, by a digest, since an attribute's name may be no file's.
fn file_of(attribute: &[u8]) -> String {
    format!(".attr-{}", Digest::from_bytes(Sha256::digest(attribute).into()))
}

fn structured(
    values: &BTreeMap<String, Box<RawValue>>,
    outputs: &BTreeMap<String, StorePath>,
    closures: &[(String, Closure)],
) -> Result<Given, AttributeError> {
    let mut all: BTreeMap<&str, Box<RawValue>> =
        values.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let outputs: BTreeMap<&String, String> =
        outputs.iter().map(|(name, path)| (name, path.to_string())).collect();
    all.insert("outputs", raw(&outputs));
    all.extend(closures.iter().map(|(name, closure)| (name.as_str(), raw(&closure.entries()))));
    let json = serde_json::to_vec(&all).expect("texts of JSON under text keys are JSON");
    let script = shell(&all)?;
    let place = |name: &str| format!("{BUILD_FOLDER}/{name}").into();
    Ok(Given {
        environment: BTreeMap::from([
            ("NIX_ATTRS_JSON_FILE".into(), place(".attrs.json")),
            ("NIX_ATTRS_SH_FILE".into(), place(".attrs.sh")),
        ]),
        files: BTreeMap::from([(".attrs.json".into(), json), (".attrs.sh".into(), script.into())]),
    })
}

/// The attributes that bash can hold, as its declarations: plain values, lists of them, sets of them.
fn shell(values: &BTreeMap<&str, Box<RawValue>>) -> Result<String, AttributeError> {
    let mut script = String::new();
    for (name, value) in values.iter().filter(|(name, _)| is_variable_name(name)) {
        match parse(value)? {
            Value::Array(items) => {
                let items: Option<Vec<String>> = items.iter().map(shell_value).collect();
                if let Some(items) = items {
                    script += &format!("declare -a {name}=({})\n", items.join(" "));
                }
            }
            Value::Object(entries) => {
                let entry = |(key, value): (&String, &Value)| {
                    Some(format!("[{}]={}", shell_quote(key), shell_value(value)?))
                };
                let entries: Option<Vec<String>> = entries.iter().map(entry).collect();
                if let Some(entries) = entries {
                    script += &format!("declare -A {name}=({})\n", entries.join(" "));
                }
            }
            plain => {
                if let Some(text) = shell_value(&plain) {
                    script += &format!("declare {name}={text}\n");
                }
            }
        }
    }
    Ok(script)
}

/// A plain value as bash has it; `None` for lists, sets and fractions.
fn shell_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(shell_quote(text)),
        Value::Null => Some("''".into()),
        Value::Bool(true) => Some("1".into()),
        Value::Bool(false) => Some(String::new()),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15)?;
            Some(format!("{number}"))
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn shell_quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn raw(value: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("records of texts and numbers are JSON")
}

fn parse(value: &RawValue) -> Result<Value, AttributeError> {
    serde_json::from_str(value.get()).map_err(AttributeError::NotJson)
}

fn words(text: &[u8]) -> Vec<BString> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(BString::from).collect()
}

/// A string's words, or a list's strings.
pub(crate) fn strings(name: &str, value: &Value) -> Result<Vec<BString>, AttributeError> {
    let wrong = || AttributeError::kind(name, value.to_string().as_bytes(), "a list of strings");
    match value {
        Value::String(text) => Ok(words(text.as_bytes())),
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(Into::into).ok_or_else(wrong)).collect()
        }
        _ => Err(wrong()),
    }
}

/// The object that a path of a builder's view lies in.
fn object_of(text: &[u8]) -> Option<StorePath> {
    let below = text.to_str().ok()?.strip_prefix(STORE_FOLDER)?.strip_prefix('/')?;
    StorePath::parse_base_name(below.split('/').next()?).ok()
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

fn is_variable_name(name: &str) -> bool {
    name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

/// Begins with a letter or `_`, so that it is none of our own files'.
fn is_file_name(name: &[u8]) -> bool {
    let is_other = |byte: u8| byte.is_ascii_digit() || byte == b'.' || byte == b'-';
    name.first().is_some_and(|&byte| is_letter(byte))
        && name.iter().all(|&byte| is_letter(byte) || is_other(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(environment: &[(&str, &str)]) -> Result<Given, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let environment = environment.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        let derivation = Derivation {
            name: "x".into(),
            outputs: BTreeMap::new(),
            input_derivations: BTreeMap::new(),
            input_sources: BTreeSet::new(),
            system: String::new(),
            builder: BString::default(),
            arguments: Vec::new(),
            environment,
        };
        let out = StorePath::new(Digest::of(b"x"), "x").unwrap();
        let leaf = store.add_text("leaf", b"four", BTreeSet::new()).unwrap();
        let text = leaf.to_string();
        let top = store.add_text("top", text.as_bytes(), BTreeSet::from([leaf.clone()])).unwrap();
        let own = |text: &BString| {
            let text = text.replace("TOP", top.to_string());
            text.replace("OUT", out.to_string()).into()
        };
        let attributes = Attributes::read(&derivation, own)?;
        let inputs = BTreeSet::from([top.clone(), leaf]);
        attributes.given(&store, &BTreeMap::from([("out".into(), out.clone())]), &inputs)
    }

    fn text<'a>(given: &'a Given, file: &str) -> &'a str {
        given.files[file].to_str().unwrap()
    }

    #[test]
    fn structured_attributes_are_files_as_in_nix() {
        let json = concat!(
            r#"{"a":"it's","b":[1,"x y"],"big":9007199254740993,"c":{"k'":true},"deep":[[1]],"e-f":1,"#,
            r#""float":1.0,"half":0.5,"no":false,"null":null,"own":"OUT"}"#
        );
        let given = given(&[("__json", json)]).unwrap();
        let out = StorePath::new(Digest::of(b"x"), "x").unwrap();
        let outputs = format!(r#","outputs":{{"out":"{out}"}},"own""#);
        let expected = json.replace("OUT", &out.to_string()).replace(r#","own""#, &outputs);
        assert_eq!(text(&given, ".attrs.json"), expected);
        let script = [
            r"declare a='it'\''s'",
            "declare -a b=(1 'x y')",
            "declare big=9007199254740993",
            r"declare -A c=(['k'\''']=1)",
            "declare float=1",
            "declare no=",
            "declare null=''",
            &format!("declare -A outputs=(['out']='{out}')"),
            &format!("declare own='{out}'"),
        ];
        assert_eq!(text(&given, ".attrs.sh").lines().collect::<Vec<_>>(), script);
        let names: Vec<&BString> = given.environment.keys().collect();
        assert_eq!(names, ["NIX_ATTRS_JSON_FILE", "NIX_ATTRS_SH_FILE"]);
    }

    #[test]
    fn what_is_passed_as_a_file_is_no_variable() {
        let given = given(&[("passAsFile", "text none"), ("text", "long"), ("other", "OUT")]).unwrap();
        // `nix hash convert --to nix32` of the name's sha256.
        let file = ".attr-1lf969yddshzhld7sr1vbagr07bnygg99lgl6gk5kxcnp4z9wbcq";
        let variable = |name: &str| given.environment.get(name.as_bytes().as_bstr()).map(ToString::to_string);
        assert_eq!(text(&given, file), "long");
        assert_eq!(variable("textPath"), Some(format!("/build/{file}")));
        assert_eq!(variable("text"), None);
        assert_eq!(variable("out"), variable("other"));
    }

    #[test]
    fn a_closure_is_told_in_either_form() {
        let plain = given(&[("exportReferencesGraph", "graph TOP/bin")]).unwrap();
        let lines: Vec<&str> = text(&plain, "graph").lines().collect();
        let (leaf, top) = match lines[..] {
            [leaf, "", "0", top, "", "1", reference] if reference == leaf => (leaf, top),
            [top, "", "1", reference, leaf, "", "0"] if reference == leaf => (leaf, top),
            _ => panic!("{lines:?}"),
        };
        assert!(leaf.ends_with("-leaf") && top.ends_with("-top"));
        let structured = given(&[("__json", r#"{"exportReferencesGraph":{"graph":["TOP"]}}"#)]).unwrap();
        let json: Value = serde_json::from_str(text(&structured, ".attrs.json")).unwrap();
        let entries = json["graph"].as_array().unwrap();
        let entry = |path: &str| entries.iter().find(|entry| entry["path"] == path).unwrap();
        let size = leaf.len() as u64;
        let expected = serde_json::json!({
            "path": top, "references": [leaf], "size": size, "closureSize": size + 4,
        });
        assert_eq!(*entry(top), expected);
        assert_eq!(entry(leaf)["references"], serde_json::json!([]));
    }

    #[test]
    fn attributes_that_make_no_sense_are_named() {
        for (attribute, value) in [
            ("__json", "[]"),
            ("__json", r#"{"exportReferencesGraph":["x"]}"#),
            ("__json", r#"{"exportReferencesGraph":{"x":[1]}}"#),
            ("exportReferencesGraph", "graph"),
            ("exportReferencesGraph", "../graph TOP"),
            ("exportReferencesGraph", ".attrs.sh TOP"),
            ("exportReferencesGraph", "graph OUT"),
            ("exportReferencesGraph", "graph /etc"),
        ] {
            let failure = given(&[(attribute, value)]).unwrap_err();
            assert!(matches!(failure, Failure::Attributes(_)), "{value}: {failure}");
        }
    }
}
