//! Outputs that others built, from stores elsewhere and from images in registries, where enough people attested them.

use crate::command::Building;
use crate::command::pull::unpack;
use crate::configuration::Configuration;
use crate::failure::{Failure, Kind, chain};
use crate::registry::RegistryArguments;
use crate::session::Session;
use crate::signing::{TrustArguments, Trusted};
use crate::temporary::Temporary;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use sx_derivation::{Derivations, StorePath};
use sx_export::read::Image;
use sx_registry::Address;
use sx_store::substitute::{Choice, Copies};

/// Whether to take outputs from elsewhere, and where from.
#[derive(Clone, Debug, Default, Args)]
pub struct SubstitutionArguments {
    /// Take outputs from the store in this folder, or from this image in a registry, instead of building them, where enough
    /// people attested them by the trust file; may be given several times [default: what the configuration says]
    #[arg(long = "substituter", value_name = "DIR|HOST/NAME:TAG")]
    substituters: Vec<String>,
    /// Build all that the store hasn't
    #[arg(long, conflicts_with = "substituters")]
    no_substitutes: bool,
    #[command(flatten)]
    pub trust: TrustArguments,
}

impl SubstitutionArguments {
    /// Nothing is taken from elsewhere, whatever the configuration says.
    pub fn none() -> Self {
        Self { no_substitutes: true, ..Self::default() }
    }

    fn substituters<'a>(&'a self, configuration: &'a Configuration) -> &'a [String] {
        match (self.no_substitutes, self.substituters.is_empty()) {
            (true, _) => &[],
            (false, true) => &configuration.substituters,
            (false, false) => &self.substituters,
        }
    }
}

/// Where outputs may come from.
struct Elsewhere<'a> {
    trusted: Trusted<'a>,
    copies: Copies,
    images: Vec<DistantImage>,
}

/// An image that isn't here yet, but what describes it.
struct DistantImage {
    address: Address,
    folder: Temporary,
}

impl DistantImage {
    fn layout(&self) -> PathBuf {
        self.folder.join("layout")
    }

    /// Where its objects will lie.
    fn objects(&self) -> PathBuf {
        self.folder.join("store")
    }
}

impl Session {
    /// Takes what is wanted, or what is needed to build it, from elsewhere, as far as that is asked for.
    pub fn substitute(
        &self,
        arguments: &SubstitutionArguments,
        building: &Building,
        derivations: &Derivations,
        wanted: &[(StorePath, String)],
    ) -> Result<(), Failure> {
        let Some(elsewhere) = self.elsewhere(arguments, building, derivations, wanted)? else {
            return Ok(());
        };
        let Elsewhere { trusted, copies, images } = elsewhere;
        let mut believed = Believed { session: self, trusted, known: BTreeMap::new() };
        let mut claimed = |derivation: &StorePath, output: &str| believed.content(derivation, output);
        let done = self.with_realiser(building, derivations, |realiser| {
            if !images.is_empty() {
                let choice = realiser.choose(wanted, &copies, &mut claimed)?;
                let taken = choice.take.iter().flat_map(|taken| taken.outputs.values());
                let places: Vec<&Path> = taken.filter_map(|path| copies.place(path)).collect();
                for image in &images {
                    if places.iter().any(|place| place.starts_with(&*image.folder)) {
                        // What doesn't come has no copies, which is told below.
                        self.or_passed_over(&image.address, self.bring(image))?;
                    }
                }
            }
            realiser.substitute(wanted, &copies, &mut claimed)
        })?;
        for error in &done.refused {
            self.progress().print(&format!("sx: built here instead of taken: {}", chain(error)));
        }
        if !done.taken.is_empty() {
            let names: Vec<&str> = done.taken.iter().map(StorePath::name).collect();
            let names = names.join(", ");
            self.progress().tell(&format!("sx: taken, since enough people attested them: {names}"));
        }
        Ok(())
    }

    /// What would be taken from elsewhere and what would be built; `None` if nothing is to be taken at all.
    pub fn choice(
        &self,
        arguments: &SubstitutionArguments,
        building: &Building,
        derivations: &Derivations,
        wanted: &[(StorePath, String)],
    ) -> Result<Option<Choice>, Failure> {
        let Some(elsewhere) = self.elsewhere(arguments, building, derivations, wanted)? else {
            return Ok(None);
        };
        let Elsewhere { trusted, copies, .. } = elsewhere;
        let mut believed = Believed { session: self, trusted, known: BTreeMap::new() };
        let claimed = |derivation: &StorePath, output: &str| believed.content(derivation, output);
        self.with_realiser(building, derivations, |realiser| realiser.choose(wanted, &copies, claimed))
            .map(Some)
    }

    /// Nothing, if there is nowhere else, or nothing to be built.
    fn elsewhere<'a>(
        &self,
        arguments: &'a SubstitutionArguments,
        building: &Building,
        derivations: &Derivations,
        wanted: &[(StorePath, String)],
    ) -> Result<Option<Elsewhere<'a>>, Failure> {
        let substituters = arguments.substituters(self.configuration());
        if substituters.is_empty() || self.plan(building, derivations, wanted)?.builds.is_empty() {
            return Ok(None);
        }
        let trusted = arguments.trust.read(self)?;
        let (mut folders, mut addresses) = (Vec::new(), Vec::new());
        for text in substituters {
            let path = Path::new(text);
            let is_path = text.starts_with(['/', '.']) || path.is_dir();
            match text.parse::<Address>() {
                Ok(address) if !is_path => addresses.push(address),
                _ => {
                    let place = path.join("store");
                    // A name that was mistyped would just build everything.
                    place.read_dir().map_err(|error| {
                        let failure = Failure::io("read the store", &place, &error);
                        failure.hint("a substituter is a store's folder, or an image HOST/NAME:TAG")
                    })?;
                    folders.push(path.to_owned());
                }
            }
        }
        let mut elsewhere = Elsewhere { trusted, copies: Copies::of_stores(&folders)?, images: Vec::new() };
        for address in addresses {
            let image = DistantImage { folder: Temporary::new(self.store())?, address };
            if let Some(objects) = self.or_passed_over(&image.address, self.describe(&image))? {
                elsewhere.copies.promise(&image.objects(), objects);
                elsewhere.images.push(image);
            }
        }
        Ok(Some(elsewhere))
    }

    /// What an image says to have in it. Brings the attestations that are attached to it into the store.
    fn describe(&self, image: &DistantImage) -> Result<BTreeSet<StorePath>, Failure> {
        let registry = RegistryArguments::usual();
        self.with_registry(&registry, &image.address, Vec::new(), |client| {
            client.pull_outline(&image.layout())
        })?;
        self.fetch_attestations(&registry, &image.address)?;
        let outline = Image::open(&image.layout(), None)?;
        let titles = outline.layers.iter().filter_map(|layer| layer.title.as_deref());
        Ok(titles.flat_map(|title| title.split(' ')).filter_map(|word| StorePath::parse(word).ok()).collect())
    }

    /// Brings an image's objects to where they were promised. Nothing of them is believed.
    fn bring(&self, image: &DistantImage) -> Result<(), Failure> {
        self.with_registry(&RegistryArguments::usual(), &image.address, Vec::new(), |client| {
            client.pull(&image.layout())
        })?;
        unpack(&image.layout(), &image.objects()).map(drop)
    }

    /// A registry that doesn't answer, or tells nonsense, is no reason not to build.
    fn or_passed_over<T>(&self, address: &Address, result: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match result {
            Err(failure) if failure.is(Kind::Source) => {
                let Address { registry, repository, tag, .. } = address;
                let told = failure.render(crate::has_colour());
                self.progress()
                    .print(&format!("sx: passed over {registry}/{repository}:{tag}: {}", told.trim_end()));
                Ok(None)
            }
            result => result.map(Some),
        }
    }
}

/// What enough people attested, each output looked up once.
struct Believed<'a> {
    session: &'a Session,
    trusted: Trusted<'a>,
    known: BTreeMap<(StorePath, String), Option<StorePath>>,
}

impl Believed<'_> {
    fn content(&mut self, derivation: &StorePath, output: &str) -> Result<Option<StorePath>, Failure> {
        let key = (derivation.clone(), output.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let content = self.trusted.content(self.session, derivation, output)?;
        Ok(self.known.entry(key).or_insert(content).clone())
    }
}
