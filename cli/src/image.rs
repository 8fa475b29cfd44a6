//! What `sx export` and its kin are asked for: packages, or an image of the language, as one specification.

use crate::bill;
use crate::command::Target;
use crate::evaluation::{Image, Metas, Package, collect_image, collect_package};
use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use std::collections::BTreeMap;
use std::path::Path;
use sx_derivation::{Derivations, StorePath};
use sx_export::spec::{ImageSpec, ImageType, Package as Contents};
use sx_export::{Export, ImageConfig, Object, Reference, Report, SpecError};
use sx_store::object::NEVER;

/// An image to be made, before what it is made of is realised.
#[derive(Debug)]
pub struct ImageRequest {
    parts: Parts,
    /// Derivations that it needs.
    pub derivations: Derivations,
}

#[derive(Debug)]
enum Parts {
    /// The first of them says what a container runs, and what the image is called.
    Packages(Vec<Package>),
    /// What `lib.image { … }` gave.
    Image(Image),
}

/// An image whose packages are in the store.
pub struct RealisedImage {
    /// What it is made of.
    pub spec: ImageSpec,
    /// What it is called, unless the user says otherwise.
    pub reference: Reference,
    /// Its closure, in an order that only the references decide.
    pub objects: Vec<Object>,
}

impl Session {
    /// Evaluates the target, and more attributes of the same expression: packages, or one image.
    pub fn image(&self, target: &Target, more: &[String]) -> Result<ImageRequest, Failure> {
        let mut packages = Vec::new();
        let mut derivations = Derivations::new();
        let attributes = target.attribute.iter().chain(more).map(|attribute| Some(attribute.clone()));
        let attributes: Vec<_> = if target.attribute.is_some() { attributes.collect() } else { vec![None] };
        let several = attributes.len() > 1;
        for attribute in attributes {
            let target = Target { attribute, ..target.clone() };
            let (found, more) = self.evaluate(&target, |evaluator, value, _| {
                if let Some(package) = collect_package(evaluator, value)? {
                    return Ok(Ok(Some(package)));
                }
                let kind = match evaluator.find_attribute(value, "type")? {
                    Some(kind) => evaluator.string_bytes(kind)?.to_vec(),
                    None => Vec::new(),
                };
                if kind == b"image" { Ok(Err(collect_image(evaluator, value)?)) } else { Ok(Ok(None)) }
            })?;
            derivations.extend(more);
            match found {
                Ok(Some(package)) => {
                    check_platform(target.attribute.as_deref(), &package)?;
                    packages.push(package);
                }
                Ok(None) => {
                    let what = target.attribute.as_deref().unwrap_or("the expression");
                    let message = format!("`{what}` is neither a package nor an image");
                    return Err(Failure::new(Kind::Expression, message));
                }
                Err(image) if !several => {
                    return Ok(ImageRequest { parts: Parts::Image(image), derivations });
                }
                Err(_) => {
                    let what = target.attribute.unwrap_or_default();
                    let failure = Failure::new(Kind::Usage, format!("`{what}` is an image by itself"));
                    return Err(failure.hint("export it alone, or name packages only"));
                }
            }
        }
        Ok(ImageRequest { parts: Parts::Packages(packages), derivations })
    }

    /// Says what the image is made of, with everything it needs realised already.
    ///
    /// `adjust` is what the user's options do to the configuration. `paths` are those of [`ImageRequest::wanted`].
    pub fn realised_image(
        &self,
        request: &ImageRequest,
        paths: &[StorePath],
        adjust: impl FnOnce(&mut ImageConfig),
    ) -> Result<RealisedImage, Failure> {
        let mut realised = Vec::new();
        for ((derivation, output), path) in request.wanted().iter().zip(paths) {
            let placeholder = derivation.placeholder(output).map_err(sx_store::StoreError::from)?;
            realised.push((placeholder.to_string(), path.to_string()));
        }
        let fill_in =
            |text: &str| realised.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        let mut spec = request.spec(fill_in)?;
        adjust(&mut spec.config);
        spec.check()?;
        let sources = request.images().flat_map(|image| &image.sources);
        let roots = paths.iter().chain(sources).filter(|path| spec.mentions(&path.to_string()));
        let objects = self.store().closure_in_order(roots)?.into_iter().map(|path| {
            let known = self.store().database().object(&path).map_err(sx_store::StoreError::from)?;
            let known = known.map(|known| (known.references, known.refers_to_itself, known.size_bytes));
            let (mut references, refers_to_itself, size_bytes) = known.unwrap_or_default();
            references.extend(refers_to_itself.then(|| path.clone()));
            Ok(Object { location: self.store().location(&path), path, references, size_bytes })
        });
        let objects = objects.collect::<Result<_, sx_store::StoreError>>()?;
        Ok(RealisedImage { reference: request.reference(&spec)?, spec, objects })
    }
}

impl Session {
    /// Writes an image to a file or folder, of objects that are what they were.
    pub fn write_image(&self, export: Export, destination: &Path) -> Result<Report, Failure> {
        Ok(export.write_proved(destination, &|path| Ok(self.store().prove(path, NEVER)?))?)
    }
}

impl ImageRequest {
    /// The outputs to realise for it.
    pub fn wanted(&self) -> Vec<(StorePath, String)> {
        let mut wanted = match &self.parts {
            Parts::Packages(packages) => packages.iter().flat_map(Package::wanted).collect(),
            Parts::Image(_) => Vec::new(),
        };
        wanted.extend(self.images().flat_map(|image| image.mentioned.iter().cloned()));
        wanted
    }

    /// The specification, with `fill_in` replacing placeholders of outputs.
    pub fn spec(&self, fill_in: impl Fn(&str) -> String) -> Result<ImageSpec, Failure> {
        let packages = match &self.parts {
            Parts::Image(image) => return Ok(ImageSpec::from_json(&fill_in(&image.json))?),
            Parts::Packages(packages) => packages,
        };
        let contents = packages.iter().map(|package| {
            let placeholder = package.derivation.placeholder(&package.output);
            let placeholder = placeholder.map_err(sx_store::StoreError::from)?.to_string();
            Ok(Contents { path: fill_in(&placeholder), name: Some(package.name.clone()) })
        });
        let contents = contents.collect::<Result<_, sx_store::StoreError>>()?;
        let config = match packages.first().and_then(|package| package.image.as_ref()) {
            Some(image) => ImageConfig::from_json(&fill_in(&image.json)).map_err(SpecError::from)?,
            None => ImageConfig::default(),
        };
        let spec = ImageSpec { r#type: ImageType::Image, contents, config, ..ImageSpec::default() };
        spec.check()?;
        Ok(spec)
    }

    /// What it is called.
    pub fn reference(&self, spec: &ImageSpec) -> Result<Reference, Failure> {
        match &self.parts {
            Parts::Packages(packages) => Ok(match packages.first() {
                Some(package) => Reference::of_package(&package.name, package.version.as_deref()),
                None => Reference::of_package("image", None),
            }),
            Parts::Image(_) => Reference::new(&spec.name, spec.tag.as_deref().unwrap_or("latest"))
                .map_err(|error| Failure::new(Kind::Expression, chain(&error))),
        }
    }

    /// The package, if it was asked for one alone and not for an image.
    pub fn package(&self) -> Option<&Package> {
        match &self.parts {
            Parts::Packages(packages) if packages.len() == 1 => packages.first(),
            _ => None,
        }
    }

    /// What the packages asked for say of themselves.
    pub fn metas(&self) -> Metas {
        let Parts::Packages(packages) = &self.parts else { return Metas::new() };
        let name = |package: &Package| package.derivation.plain_name().to_owned();
        packages.iter().map(|package| (name(package), package.meta.clone())).collect()
    }

    /// What a registry shows people: what the first package says of itself, or what the image's expression has.
    pub fn annotations(&self, spec: &ImageSpec) -> BTreeMap<String, String> {
        let first = match &self.parts {
            Parts::Packages(packages) => packages.first(),
            Parts::Image(_) => return spec.annotations.clone(),
        };
        let of =
            |package: &Package| bill::annotations(&package.name, package.version.as_deref(), &package.meta);
        first.map(of).unwrap_or_default()
    }

    fn images(&self) -> impl Iterator<Item = &Image> {
        let (packages, image) = match &self.parts {
            Parts::Packages(packages) => (packages.as_slice(), None),
            Parts::Image(image) => (&[][..], Some(image)),
        };
        // Only the first package's image counts.
        packages.iter().take(1).filter_map(|package| package.image.as_ref()).chain(image)
    }
}

/// Refuses a package that isn't for what images are for.
fn check_platform(attribute: Option<&str>, package: &Package) -> Result<(), Failure> {
    let platforms = &package.meta.platforms;
    let system = sx_store::realise::SYSTEM;
    if platforms.is_empty() || platforms.iter().any(|platform| platform == system) {
        return Ok(());
    }
    let what = attribute.unwrap_or(&package.name);
    let message =
        format!("`{what}` is for {}; expected {system} in its `meta.platforms`", platforms.join(", "));
    Err(Failure::new(Kind::Expression, message))
}

impl From<SpecError> for Failure {
    fn from(error: SpecError) -> Self {
        Self::new(Kind::Expression, chain(&error))
    }
}
