//! What goes with an image: facts of its closure, of the derivations down to the seed, and of the packages' `meta`.

use crate::command::Target;
use crate::evaluation::{Metas, collect_metas};
use crate::failure::Failure;
use crate::flake;
use crate::image::{ImageRequest, RealisedImage};
use crate::session::Session;
use bstr::ByteSlice;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use sx_derivation::{Derivation, Derivations, Output, StorePath};
use sx_export::Sha256Digest;
use sx_export::bill::{Bill, Component, Material, MaterialKind, StorePathText, Wanted};
use sx_store::StoreError;

impl Session {
    /// Gathers the bill of a realised image. `paths` are those of [`ImageRequest::wanted`].
    ///
    /// `meta` is looked up by the derivation's name in the packages asked for and in the flake's package sets; what can't be
    /// evaluated there is left out.
    pub fn bill(
        &self,
        target: &Target,
        request: &ImageRequest,
        image: &RealisedImage,
        paths: &[StorePath],
    ) -> Result<Bill, Failure> {
        let mut metas = self.metas(target)?;
        metas.extend(request.metas());
        let graph = Graph { session: self, derivations: &request.derivations };
        let wanted = request.wanted();
        let (reached, materials) = graph.walk(wanted.iter().map(|(derivation, _)| derivation))?;
        let in_image: BTreeSet<&StorePath> = image.objects.iter().map(|object| &object.path).collect();
        let mut components = Vec::new();
        for object in &image.objects {
            let maker = graph.maker(&object.path, &reached)?;
            let derivation = match &maker {
                Some(path) => graph.derivation(path)?,
                None => None,
            };
            let named = maker.as_ref().and(derivation.as_ref()).map(|derivation| derivation.name.as_str());
            let (name, version) = Component::name_and_version(named.unwrap_or(object.path.name()));
            let from = match &derivation {
                Some(derivation) => graph.sources(derivation)?,
                None => Vec::new(),
            };
            let (patches, sources) =
                from.into_iter().partition(|material| material.kind == MaterialKind::Patch);
            let references =
                object.references.iter().filter(|path| **path != object.path && in_image.contains(path));
            let mut references: Vec<_> = references.map(StorePathText::from).collect();
            references.sort();
            components.push(Component {
                path: (&object.path).into(),
                derivation: maker.as_ref().map(StorePathText::from),
                name,
                version,
                meta: named.and_then(|name| metas.get(name)).cloned().unwrap_or_default(),
                sources,
                patches,
                references,
            });
        }
        components.sort_by(|one, other| one.path.cmp(&other.path));
        let wanted = wanted.iter().zip(paths).map(|((derivation, output), content)| Wanted {
            derivation: derivation.into(),
            output: output.clone(),
            content: content.into(),
        });
        let mut wanted: Vec<_> = wanted.collect();
        wanted.sort();
        wanted.dedup();
        Ok(Bill { components, wanted, derivations: reached.len(), materials })
    }

    /// What the packages of the flake, or the package itself, say of themselves, by the names of their derivations.
    fn metas(&self, target: &Target) -> Result<Metas, Failure> {
        let above =
            target.attribute.as_deref().and_then(|path| path.rsplit_once('.')).map(|(above, _)| above);
        let is_flake = target.file.is_none() && target.expression.is_none();
        let sets = flake::PACKAGE_SETS.iter().filter(|_| is_flake).map(|set| set.join("."));
        let mut metas = Metas::new();
        for set in sets.chain(above.map(str::to_owned)) {
            let target = Target { attribute: Some(set), ..target.clone() };
            match self.evaluate(&target, |evaluator, value, _| collect_metas(evaluator, value)) {
                Ok((found, _)) => metas.extend(found),
                // There is no such set.
                Err(failure) if failure.is_of_expression() => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(metas)
    }
}

/// The derivations of an evaluation, and those that the store knows.
struct Graph<'a> {
    session: &'a Session,
    derivations: &'a Derivations,
}

impl Graph<'_> {
    fn derivation(&self, path: &StorePath) -> Result<Option<Derivation>, Failure> {
        if let Some(derivation) = self.derivations.get(path) {
            return Ok(Some(derivation));
        }
        Ok(self.session.store().database().derivation(path).map_err(StoreError::from)?)
    }

    /// All derivations below these, and all that they begin with.
    fn walk<'b>(
        &self,
        from: impl Iterator<Item = &'b StorePath>,
    ) -> Result<(BTreeSet<StorePath>, Vec<Material>), Failure> {
        let (mut reached, mut materials) = (BTreeSet::new(), BTreeSet::new());
        let mut open: Vec<StorePath> = from.cloned().collect();
        while let Some(path) = open.pop() {
            if !reached.insert(path.clone()) {
                continue;
            }
            let Some(derivation) = self.derivation(&path)? else { continue };
            materials.extend(fetched(&derivation));
            let is_seed = derivation.builder == "builtin:hex0";
            for input in &derivation.input_sources {
                let material = self.local(input)?;
                let kind = if is_seed { MaterialKind::Seed } else { material.kind };
                materials.insert(Material { kind, ..material });
            }
            open.extend(derivation.input_derivations.into_keys());
        }
        Ok((reached, materials.into_iter().collect()))
    }

    /// The derivation of this evaluation that was realised to an object; the first by path, if several were.
    fn maker(&self, object: &StorePath, reached: &BTreeSet<StorePath>) -> Result<Option<StorePath>, Failure> {
        let makers = self.session.store().database().makers(object).map_err(StoreError::from)?;
        Ok(makers.into_iter().map(|(derivation, _)| derivation).find(|path| reached.contains(path)))
    }

    /// What a derivation is made from: its files, and those of inputs that sx itself makes (fetches, unpacked archives) or
    /// that are sources by their name, such as patched ones. Other inputs are tools and libraries.
    fn sources(&self, derivation: &Derivation) -> Result<Vec<Material>, Failure> {
        let mut materials: BTreeSet<Material> = fetched(derivation).into_iter().collect();
        let mut seen = BTreeSet::new();
        let mut open = vec![derivation.clone()];
        while let Some(derivation) = open.pop() {
            for input in &derivation.input_sources {
                materials.insert(self.local(input)?);
            }
            for path in derivation.input_derivations.keys() {
                let Some(input) = self.derivation(path)? else { continue };
                let is_source = input.builder.starts_with_str("builtin:") || input.name.ends_with("-source");
                if is_source && seen.insert(path.clone()) {
                    materials.extend(fetched(&input));
                    open.push(input);
                }
            }
        }
        Ok(materials.into_iter().collect())
    }

    /// A text of the expression's tree.
    fn local(&self, path: &StorePath) -> Result<Material, Failure> {
        let name = path.name().to_owned();
        let is_patch = name.ends_with(".patch") || name.ends_with(".diff");
        let location = self.session.store().location(path);
        let is_file = std::fs::symlink_metadata(&location).is_ok_and(|found| found.is_file());
        // A file's own hash is what others can compare; a folder has only that of the store.
        let (algorithm, digest) = if is_file {
            let bytes = std::fs::read(&location).map_err(|error| Failure::io("read", &location, &error))?;
            ("sha256", Sha256Digest::from_bytes(Sha256::digest(bytes).into()).digits())
        } else {
            ("sxObjectV1", path.digest().to_hex())
        };
        let kind = if is_patch { MaterialKind::Patch } else { MaterialKind::Local };
        Ok(Material { name, urls: Vec::new(), algorithm, digest, kind })
    }
}

/// The file that a derivation fetches, if it does.
fn fetched(derivation: &Derivation) -> Option<Material> {
    let urls = derivation.variable("urls").filter(|_| derivation.builder == "builtin:fetch")?;
    let Some(Output::FixedFile(hash)) = derivation.outputs.get("out") else { return None };
    Some(Material {
        name: derivation.name.clone(),
        urls: urls.split_ascii_whitespace().map(str::to_owned).collect(),
        algorithm: hash.algorithm().name(),
        digest: hash.to_hex(),
        kind: MaterialKind::Source,
    })
}

/// What a registry shows people of a package.
pub fn annotations(
    name: &str,
    version: Option<&str>,
    meta: &sx_export::bill::Meta,
) -> BTreeMap<String, String> {
    let fields = [
        ("title", Some(name)),
        ("version", version),
        ("licenses", meta.licence.as_deref()),
        ("description", meta.description.as_deref()),
        ("url", meta.homepage.as_deref()),
    ];
    let named = |(field, value): (&str, Option<&str>)| {
        Some((format!("org.opencontainers.image.{field}"), value?.to_owned()))
    };
    fields.into_iter().filter_map(named).collect()
}
