//! The newest release of each name that was relied on, so that an older one is noticed.
//!
//! They lie in `$XDG_STATE_HOME/sx/releases/NAME.json`, each as the release file that it is.

use crate::failure::{Failure, Kind, chain};
use crate::session::Session;
use crate::signing::read_file;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use sx_signing::Release;
use sx_signing::release::MAX_RELEASE_BYTES;

/// What was relied on.
pub struct Relied {
    folder: PathBuf,
}

impl Session {
    /// What the user relied on before; nothing, and says so, where there is no place to remember it.
    pub fn relied(&self) -> Option<Relied> {
        let folder = self.environment().state_folder().map(|folder| folder.join("releases"));
        if folder.is_none() {
            let text = "sx: neither HOME nor XDG_STATE_HOME is set: an older release can't be noticed";
            self.progress().print(text);
        }
        folder.map(|folder| Relied { folder })
    }
}

impl Relied {
    /// Refuses an older release than one that was relied on, and another one with the same number.
    pub fn check(&self, release: &Release) -> Result<(), Failure> {
        let Some(newest) = self.newest(release.name())? else { return Ok(()) };
        release.check_after(&newest).map_err(|error| {
            let failure = Failure::from(error);
            failure.hint("someone offers an old release; `--allow-older` accepts it all the same")
        })
    }

    /// All of them, by name.
    pub fn all(&self) -> Result<Vec<Release>, Failure> {
        let listing = match self.folder.read_dir() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            listing => listing.map_err(|error| Failure::io("read", &self.folder, &error))?,
        };
        let mut places = Vec::new();
        for entry in listing {
            places.push(entry.map_err(|error| Failure::io("read", &self.folder, &error))?.path());
        }
        places.retain(|place| place.extension().is_some_and(|ending| ending == "json"));
        places.sort();
        places.iter().map(|place| read(place)).collect()
    }

    /// Remembers a release, unless a newer one is known.
    pub fn remember(&self, release: &Release) -> Result<(), Failure> {
        if self.newest(release.name())?.is_some_and(|newest| newest.serial() >= release.serial()) {
            return Ok(());
        }
        let place = self.place(release.name());
        let written = std::fs::create_dir_all(&self.folder).and_then(|()| {
            let new = self.folder.join(format!("{}.new-{}", release.name(), std::process::id()));
            std::fs::write(&new, release.encode())?;
            std::fs::rename(&new, &place)
        });
        written.map_err(|error| Failure::io("remember the release in", &place, &error))
    }

    fn newest(&self, name: &str) -> Result<Option<Release>, Failure> {
        let place = self.place(name);
        if place.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(None);
        }
        read(&place).map(Some)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// Reads one. What can't be read is no reason to believe that nothing was relied on.
fn read(place: &Path) -> Result<Release, Failure> {
    Release::decode(&read_file(place, MAX_RELEASE_BYTES)?).map_err(|error| {
        let message = format!(
            "`{}`, the release that was relied on last, is damaged: {}",
            place.display(),
            chain(&error)
        );
        Failure::new(Kind::Host, message)
            .hint("delete it if you know why; then an older release isn't noticed")
    })
}
