//! `sx image`

mod diff;
mod show;

use super::export::ImageArguments;
use super::{Building, General};
use crate::failure::{Failure, Kind};
use crate::registry::RegistryArguments;
use crate::session::Session;
use crate::surroundings::Surroundings;
use crate::temporary::Temporary;
use clap::{Args, Subcommand};
use std::ops::Deref;
use std::path::Path;
use sx_derivation::StorePath;
use sx_export::read::{Image, LayerLimits, ReadError, Tree};
use sx_registry::Address;

/// Look at images: archives, layouts, those of a registry, and those that packages would become
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Show(Box<show::Arguments>),
    Diff(Box<diff::Arguments>),
}

/// Options of all that looks at images.
#[derive(Debug, Args)]
struct Looking {
    #[command(flatten)]
    building: Building,
    #[command(flatten)]
    registry: RegistryArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(general: &General, arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.verb {
        Verb::Show(arguments) => show::run(general, arguments),
        Verb::Diff(arguments) => diff::run(general, arguments),
    }
}

/// Who looks at images.
enum Looker {
    /// At files, which takes no store.
    AtFiles(Box<Surroundings>),
    /// At others too.
    WithStore(Box<Session>),
}

impl Looker {
    /// Opens no store for files, and makes none for images in one.
    fn new(general: &General, texts: &[&str]) -> Result<Self, Failure> {
        let others = || texts.iter().filter(|text| !Path::new(text).exists());
        if others().next().is_none() {
            return Ok(Self::AtFiles(Surroundings::new(general)?.into()));
        }
        let are_objects = others().all(|text| StorePath::parse(text).is_ok());
        let session = if are_objects { Session::of_what_is_there(general)? } else { Session::new(general)? };
        Ok(Self::WithStore(session.into()))
    }
}

impl Deref for Looker {
    type Target = Surroundings;

    fn deref(&self) -> &Surroundings {
        match self {
            Self::AtFiles(surroundings) => surroundings,
            Self::WithStore(session) => session,
        }
    }
}

/// An image that was read and verified.
struct Seen {
    image: Image,
    tree: Tree,
    /// Of each layer's tar.
    unpacked_bytes: Vec<u64>,
}

impl Looking {
    /// Reads an image: a file or folder, a store path, `HOST/NAME:TAG`, or an attribute of the flake.
    fn see<T>(
        &self,
        looker: &Looker,
        text: &str,
        name: Option<&str>,
        work: impl FnOnce(&Seen) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let seen = |path: &Path| -> Result<T, Failure> {
            let image = Image::open(path, name)?;
            let (tree, unpacked_bytes) = image.tree(&LayerLimits::default())?;
            work(&Seen { image, tree, unpacked_bytes })
        };
        let session = match looker {
            Looker::WithStore(session) if !Path::new(text).exists() => session,
            _ => return seen(Path::new(text)),
        };
        if let Ok(path) = StorePath::parse(text) {
            return seen(&session.store().location(&path));
        }
        let folder = Temporary::new(session.store())?;
        self.fetch(session, text, &folder)?;
        seen(&folder)
    }

    /// Brings an image that is no file into the layout in `folder`.
    fn fetch(&self, session: &Session, text: &str, folder: &Path) -> Result<(), Failure> {
        if let Ok(address) = text.parse::<Address>() {
            let pull = |client: &sx_registry::Client<'_>| client.pull(folder);
            return session.with_registry(&self.registry, &address, Vec::new(), pull).map(drop);
        }
        if text.contains('/') {
            let failure = Failure::new(Kind::Usage, format!("there is no `{text}`"));
            return Err(
                failure.hint("name a file, a folder, HOST/NAME:TAG, or an attribute such as pkgs.hello")
            );
        }
        let arguments = ImageArguments::of_attribute(text, self.building.clone());
        if let Some(export) = arguments.realise(session, sx_export::Format::Layout)? {
            session.write_image(export, folder)?;
        }
        Ok(())
    }
}

/// A layer's title for people: store paths without folder and digest.
fn short(title: Option<&str>) -> String {
    let Some(title) = title else { return "?".into() };
    let names: Vec<&str> = title
        .split(' ')
        .map(|word| StorePath::parse(word).ok().map_or(word, |_| &word[word.len().min(NAME_BEGINS)..]))
        .collect();
    let text = match names.len() {
        0..4 => names.join(" "),
        count => format!("{count}: {} …", names[..3].join(" ")),
    };
    // What a stranger's history says is shown, but never obeyed by the terminal.
    text.chars().filter(|character| !character.is_control()).take(60).collect()
}

/// Where the name begins in the text of a store path.
const NAME_BEGINS: usize = sx_derivation::store_path::STORE_FOLDER.len() + 1 + 52 + 1;

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::NoImage(_) | ReadError::Several { .. } | ReadError::Unknown { .. } => Kind::Usage,
            ReadError::File { .. } => Kind::Host,
            _ => Kind::Source,
        };
        let failure = Self::new(kind, crate::failure::chain(&error));
        match error {
            ReadError::Several { .. } => failure.hint("say which one with `--name`"),
            _ => failure,
        }
    }
}
