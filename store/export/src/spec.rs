//! An image as an expression says it: the JSON of what `lib.image { … }` gives.
//!
//! | attribute | value |
//! |---|---|
//! | `type` | `"image"` |
//! | `name`, `tag` | what it is called; the tag may be left out |
//! | `contents` | packages: `{ path; name; }` |
//! | `config` | see [`ImageConfig`] |
//! | `annotations` | texts about the image for its manifest, by names such as `org.opencontainers.image.title` |
//! | `files` | by absolute path: `{ text; }`, `{ source; }` (copied), `{ link; }` or `{ directory = true; }`, with `mode` (octal digits), `uid`, `gid` |
//! | `layout` | `"store"` or `"root"`; may be left out |

use crate::config::{ConfigError, ImageConfig};
use crate::export::{Layout, Root};
use crate::file::{FileKind, ImageFile};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use sx_derivation::StorePath;
use sx_derivation::store_path::StorePathError;

/// What an image is made of, with store paths as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageSpec {
    /// Always `image`.
    pub r#type: ImageType,
    /// What it is called.
    pub name: String,
    /// The tag, if it has one.
    #[serde(default)]
    pub tag: Option<String>,
    /// The packages.
    #[serde(default)]
    pub contents: Vec<Package>,
    /// How a container of it starts.
    #[serde(default)]
    pub config: ImageConfig,
    /// Texts about the image, which registries show.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Files beside those of packages, by absolute path.
    #[serde(default)]
    pub files: BTreeMap<String, FileSpec>,
    /// Where packages are, unless the exporter is told otherwise.
    #[serde(default)]
    pub layout: Option<LayoutName>,
}

/// Marks an attribute set as an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageType {
    /// The only one.
    #[default]
    Image,
}

/// A layout's name in expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LayoutName {
    /// [`Layout::Store`]
    Store,
    /// [`Layout::Root`]
    Root,
}

/// A package that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its store path.
    pub path: String,
    /// What its program is called in a merged root, if it is a file; by default the store path's name.
    #[serde(default)]
    pub name: Option<String>,
}

/// A file that is given; exactly one of the first four says what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileSpec {
    /// Its content.
    pub text: Option<String>,
    /// A file in the store whose content it gets.
    pub source: Option<String>,
    /// The target of a symbolic link.
    pub link: Option<String>,
    /// Whether it is a directory.
    pub directory: bool,
    /// Permissions as octal digits, such as `0644`.
    pub mode: Option<String>,
    /// The owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
}

/// Why an image's expression is refused.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// An attribute that isn't known, or a value of another type.
    #[error("the image's expression is wrong at `{field}`")]
    BadField {
        /// Attribute path, such as `files./etc/motd.mode`.
        field: String,
        /// What was found and expected.
        #[source]
        source: serde_json::Error,
    },
    /// Something in `contents` is no package.
    #[error("the image's `contents` has `{text}`; expected packages")]
    BadPackage {
        /// What was found.
        text: String,
        /// Why it is no store path.
        #[source]
        source: StorePathError,
    },
    /// A program's name would lead elsewhere.
    #[error("the image's `contents` has a package with the name `{0}`; expected one without slashes")]
    BadName(String),
    /// A file isn't exactly one thing.
    #[error(
        "the image's file `{0}` is wrong; expected exactly one of `text`, `source`, `link` and `directory = true`"
    )]
    BadFile(String),
    /// A file's mode isn't octal.
    #[error(
        "the image's file `{path}` has mode `{mode}`; expected three or four octal digits, such as `0644`"
    )]
    BadMode {
        /// The file.
        path: String,
        /// Its mode.
        mode: String,
    },
    /// A file to copy can't be found.
    #[error(
        "the image's file `{path}` has the source `{source_path}`; expected a file in a package of the store"
    )]
    BadSource {
        /// The file.
        path: String,
        /// Its source.
        source_path: String,
    },
    /// A text about the image without a name.
    #[error(
        "the image's `annotations` has an empty name; expected names such as `org.opencontainers.image.title`"
    )]
    UnnamedAnnotation,
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl ImageSpec {
    /// Reads and checks the JSON of an image.
    pub fn from_json(text: &str) -> Result<Self, SpecError> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let spec: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            SpecError::BadField { field: error.path().to_string(), source: error.into_inner() }
        })?;
        reader.end().map_err(|source| SpecError::BadField { field: ".".into(), source })?;
        spec.check()?;
        Ok(spec)
    }

    /// Refuses what could not become an image, as far as that shows without the store.
    pub fn check(&self) -> Result<(), SpecError> {
        self.config.check()?;
        if self.annotations.contains_key("") {
            return Err(SpecError::UnnamedAnnotation);
        }
        self.roots()?;
        self.files(|_| Some(PathBuf::new())).map(drop)
    }

    /// The packages, each once.
    pub fn roots(&self) -> Result<Vec<Root>, SpecError> {
        let mut roots: Vec<Root> = Vec::new();
        for package in &self.contents {
            let path = StorePath::parse(&package.path)
                .map_err(|source| SpecError::BadPackage { text: package.path.clone(), source })?;
            let root = match &package.name {
                Some(name) if name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.') => {
                    return Err(SpecError::BadName(name.clone()));
                }
                Some(name) => Root { path, name: name.clone() },
                None => Root::new(path),
            };
            if roots.iter().all(|other| other.path != root.path) {
                roots.push(root);
            }
        }
        Ok(roots)
    }

    /// The files; `locate` finds the file that a text such as `/sx/store/…/zone` names.
    pub fn files(&self, locate: impl Fn(&str) -> Option<PathBuf>) -> Result<Vec<ImageFile>, SpecError> {
        let file = |(path, file): (&String, &FileSpec)| {
            let kind = match (&file.text, &file.source, &file.link, file.directory) {
                (Some(text), None, None, false) => FileKind::Text(text.clone()),
                (None, Some(source), None, false) => {
                    let (path, source_path) = (path.clone(), source.clone());
                    let bad = SpecError::BadSource { path, source_path };
                    FileKind::Copy(locate(source).ok_or(bad)?)
                }
                (None, None, Some(link), false) => FileKind::Link(link.clone()),
                (None, None, None, true) => FileKind::Directory,
                _ => return Err(SpecError::BadFile(path.clone())),
            };
            let mode = file.mode.as_ref().map(|mode| {
                let is_octal =
                    matches!(mode.len(), 3 | 4) && mode.bytes().all(|b| (b'0'..=b'7').contains(&b));
                let parsed = is_octal.then(|| u16::from_str_radix(mode, 8).ok()).flatten();
                parsed.ok_or_else(|| SpecError::BadMode { path: path.clone(), mode: mode.clone() })
            });
            Ok(ImageFile { path: path.clone(), kind, mode: mode.transpose()?, uid: file.uid, gid: file.gid })
        };
        self.files.iter().map(file).collect()
    }

    /// Whether the image itself says `text`; what only a `source` names is copied from and not in the image.
    pub fn mentions(&self, text: &str) -> bool {
        let config = &self.config;
        let files = self.files.values().flat_map(|file| file.text.iter().chain(&file.link));
        let mut texts = (self.contents.iter().map(|package| &package.path))
            .chain(&config.entrypoint)
            .chain(&config.cmd)
            .chain(config.env.values())
            .chain(config.labels.values())
            .chain(&config.working_dir)
            .chain(&config.volumes)
            .chain(files);
        texts.any(|found| found.contains(text))
    }

    /// The layout that the expression asks for.
    pub fn layout(&self) -> Option<Layout> {
        self.layout.map(|layout| match layout {
            LayoutName::Store => Layout::Store,
            LayoutName::Root => Layout::Root,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    const PATH: &str = "/sx/store/051yhbhwnxrjl42h11n56bf2w74w0l0flgk3wmqg4p55a8qlj59b-leaf-1.0";

    fn error(text: &str) -> String {
        let error = ImageSpec::from_json(text).unwrap_err();
        format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default())
    }

    #[test]
    fn every_attribute_is_read() {
        let text = format!(
            r#"{{"type":"image","name":"web","tag":"1","layout":"root","contents":[{{"path":"{PATH}"}},{{"path":"{PATH}"}}],
            "config":{{"user":"web"}},"files":{{"/tmp":{{"directory":true,"mode":"1777"}},"/motd":{{"text":"hi","uid":7}},
            "/l":{{"link":"motd"}},"/zone":{{"source":"{PATH}/zone"}}}}}}"#
        );
        let spec = ImageSpec::from_json(&text).unwrap();
        assert_eq!(spec.roots().unwrap().len(), 1);
        assert_eq!(spec.roots().unwrap()[0].name, "leaf");
        assert_eq!(spec.layout(), Some(Layout::Root));
        let files = spec.files(|source| Some(source.into())).unwrap();
        let find = |path: &str| files.iter().find(|file| file.path == path).unwrap();
        assert_eq!((find("/tmp").mode, find("/motd").uid), (Some(0o1777), 7));
        assert_eq!(find("/zone").kind, FileKind::Copy(format!("{PATH}/zone").into()));
        assert!(spec.mentions(PATH) && !spec.mentions("zone"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let file = |file: &str| error(&format!(r#"{{"type":"image","name":"x","files":{{"/f":{file}}}}}"#));
        assert!(file(r#"{"text":"a","link":"b"}"#).contains("`/f`"));
        assert!(file("{}").contains("exactly one"));
        assert!(file(r#"{"text":"","mode":"rw"}"#).contains("`rw`"));
        assert!(file(r#"{"text":"","mode":420}"#).contains("files./f.mode"));
        assert!(file(r#"{"text":"","owner":1}"#).contains("`owner`"));
        assert!(error(r#"{"type":"image","name":"x","contents":[{"path":"/bin"}]}"#).contains("`/bin`"));
        assert!(error(r#"{"type":"picture","name":"x"}"#).contains("`picture`"));
        let name = format!(r#"{{"type":"image","name":"x","contents":[{{"path":"{PATH}","name":"../x"}}]}}"#);
        assert!(error(&name).contains("`../x`"));
    }
}
