//! What the user chose to use: packages, which are realised, or objects of the store as they are.

use super::{Building, Target, object};
use crate::evaluation::Package;
use crate::failure::Failure;
use crate::session::Session;
use std::path::PathBuf;
use sx_derivation::{Derivations, StorePath};

/// An object that is valid and held.
#[derive(Debug)]
pub struct Chosen {
    /// As it was asked for.
    pub shown: String,
    /// Its path.
    pub path: StorePath,
    /// Where it lies.
    pub location: PathBuf,
    /// The package that it is of, if it was asked for as one.
    pub package: Option<Box<Package>>,
}

/// What was asked for.
enum Asked {
    Object(String, StorePath),
    Package(String, Box<Package>),
}

/// Realises packages; what has a `/` in it and isn't looked up in an expression is a store path or leads to one. `None` after
/// a dry run.
pub fn realised(
    session: &Session,
    building: &Building,
    target: &Target,
    more: &[String],
) -> Result<Option<Vec<Chosen>>, Failure> {
    let (mut asked, mut derivations) = (Vec::new(), Derivations::new());
    for text in std::iter::once(&target.attribute).cloned().chain(more.iter().cloned().map(Some)) {
        if let Some(text) = text.as_ref().filter(|text| target.leads_to_object(text)) {
            let path = object::named(session, text)?;
            object::require_there(session.store(), &path)?;
            asked.push(Asked::Object(text.clone(), path));
            continue;
        }
        let (packages, made) = session.packages(&Target { attribute: text, ..target.clone() }, &[])?;
        derivations.extend(made);
        asked.extend(packages.into_iter().map(|(shown, package)| Asked::Package(shown, package.into())));
    }
    let wanted: Vec<(StorePath, String)> = asked
        .iter()
        .flat_map(|asked| match asked {
            Asked::Object(..) => Vec::new(),
            Asked::Package(_, package) => package.wanted(),
        })
        .collect();
    if building.dry_run {
        let plan = session.plan(building, &derivations, &wanted)?;
        let builds: Vec<String> = plan.builds.iter().map(ToString::to_string).collect();
        if !builds.is_empty() {
            session.print(&builds.join("\n"))?;
        }
        return Ok(None);
    }
    let mut paths = session.realise(building, &derivations, &wanted)?.into_iter();
    let chosen = asked.into_iter().map(|asked| {
        let (shown, path, package) = match asked {
            Asked::Object(shown, path) => (shown, path, None),
            Asked::Package(shown, package) => {
                let path = paths.next().expect("every package wants one output");
                let shown = if shown.is_empty() { package.name.clone() } else { shown };
                (shown, path, Some(package))
            }
        };
        Chosen { shown, location: session.store().location(&path), path, package }
    });
    Ok(Some(chosen.collect()))
}

/// The name before the version, which begins at the first dash that no letter follows, as in `builtins.parseDrvName`.
pub fn without_version(name: &str) -> &str {
    let dashes = name.match_indices('-').map(|(position, _)| position);
    let is_end =
        |&position: &usize| name[position + 1..].chars().next().is_some_and(|next| !next.is_alphabetic());
    dashes.into_iter().find(is_end).map_or(name, |end| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::without_version;

    #[test]
    fn a_version_begins_where_nix_says() {
        for (name, expected) in [
            ("hello-1.0", "hello"),
            ("gcc-3.4.6-pass1", "gcc"),
            ("tcc-musl", "tcc-musl"),
            ("a-", "a-"),
            ("7z", "7z"),
        ] {
            assert_eq!(without_version(name), expected);
        }
    }
}
