//! What a check found: a record for `--json`, and text for people.

use crate::evaluation::Package;
use crate::failure::{Failure, Kind, chain};
use crate::session::CheckDepth;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use sx_store::check::{Checked, Different, Isolated, Variation, Verdict};
use sx_store::difference::{Comparison, ContentDifference, FileDifference, FileDifferenceKind};
use sx_store::realise::RealiseError;

/// Most packages that are named in words.
const MAX_NAMES: usize = 6;

/// Of all derivations that were built once more.
#[derive(Serialize)]
pub struct Report {
    pub totals: Totals,
    /// Attributes of the packages that were asked for, those of sets one by one.
    pub packages: Vec<String>,
    /// `last-step`, or `to-the-seed`: all that they are built from too.
    pub depth: &'static str,
    /// What the second builds found otherwise.
    pub variations: Vec<&'static str>,
    /// In an order in which inputs come first.
    pub derivations: Vec<DerivationReport>,
}

#[derive(Default, Serialize)]
pub struct Totals {
    pub same: usize,
    /// Sources, which are what their hashes say.
    pub fetched: usize,
    pub different: usize,
    /// What could not be built once more.
    pub failed: usize,
}

#[derive(Serialize)]
pub struct DerivationReport {
    pub derivation: String,
    pub name: String,
    /// Attributes that were asked for and lead to it.
    pub attributes: Vec<String>,
    /// `same`, `fetched`, `different` or `failed`.
    pub verdict: &'static str,
    pub seconds: f64,
    pub outputs: BTreeMap<String, String>,
    /// Inputs that were too large to be seen in another order.
    pub inputs_as_they_were: usize,
    pub different: Vec<OutputReport>,
    /// Why it could not be built once more.
    pub error: Option<String>,
}

#[derive(Serialize)]
pub struct OutputReport {
    pub output: String,
    pub first: String,
    /// What the second build's would be called; it isn't in the store.
    pub second: String,
    /// Where the second build's was kept, if it was.
    pub kept: Option<String>,
    pub files: Vec<FileReport>,
    pub more_files: usize,
    pub causes: Vec<CauseReport>,
    /// `not-tried`, `unstable`, `variations` or `together`.
    pub isolated: &'static str,
    /// Variations that make it differ alone.
    pub by: Vec<&'static str>,
    /// What diffoscope says, if it was run.
    pub diffoscope: Option<String>,
}

#[derive(Serialize)]
pub struct CauseReport {
    pub cause: &'static str,
    pub because: String,
}

#[derive(Serialize)]
pub struct FileReport {
    /// Below the output; empty for the output itself.
    pub path: String,
    /// How it differs, in words.
    pub difference: String,
    pub places: Vec<PlaceReport>,
    pub has_more_places: bool,
}

#[derive(Serialize)]
pub struct PlaceReport {
    pub offset: u64,
    /// From the outside inward.
    pub inside: Vec<String>,
    pub first: String,
    pub second: String,
}

impl Report {
    pub fn new(
        packages: &[(String, Package)],
        depth: CheckDepth,
        variations: &BTreeSet<Variation>,
        results: &[Result<Checked, RealiseError>],
    ) -> Self {
        let mut totals = Totals::default();
        let derivations = results.iter().map(|result| {
            let path = match result {
                Ok(checked) => &checked.derivation,
                Err(error) => &error.derivation,
            };
            let leading = packages.iter().filter(|(_, package)| package.derivation == *path);
            let mut report = DerivationReport {
                derivation: path.to_string(),
                name: path.plain_name().into(),
                attributes: leading.map(|(attribute, _)| attribute.clone()).collect(),
                verdict: "failed",
                seconds: 0.0,
                outputs: BTreeMap::new(),
                inputs_as_they_were: 0,
                different: Vec::new(),
                error: None,
            };
            let checked = match result {
                Ok(checked) => checked,
                Err(error) => {
                    totals.failed += 1;
                    report.error = Some(chain(&*error.failure));
                    return report;
                }
            };
            report.seconds = (checked.time.as_secs_f64() * 1000.0).round() / 1000.0;
            report.outputs =
                checked.outputs.iter().map(|(output, path)| (output.clone(), path.to_string())).collect();
            report.inputs_as_they_were = checked.inputs_as_they_were;
            let (verdict, count) = match &checked.verdict {
                Verdict::Same => ("same", &mut totals.same),
                Verdict::Fetched => ("fetched", &mut totals.fetched),
                Verdict::Different(outputs) => {
                    report.different = outputs.iter().map(OutputReport::new).collect();
                    ("different", &mut totals.different)
                }
            };
            (report.verdict, *count) = (verdict, *count + 1);
            report
        });
        let derivations = derivations.collect();
        Self {
            totals,
            packages: packages.iter().map(|(attribute, _)| attribute.clone()).collect(),
            depth: match depth {
                CheckDepth::LastStep => "last-step",
                CheckDepth::ToTheSeed => "to-the-seed",
            },
            variations: variations.iter().map(|variation| variation.name()).collect(),
            derivations,
        }
    }

    /// What was checked, in words.
    fn checked(&self) -> String {
        let named: Vec<&str> =
            self.packages.iter().map(|name| if name.is_empty() { "the expression" } else { name }).collect();
        let names = match named.as_slice() {
            [] => return String::new(),
            [first @ .., last] if first.len() < MAX_NAMES => match first {
                [] => (*last).to_owned(),
                _ => format!("{} and {last}", first.join(", ")),
            },
            all => format!("{} and {} more packages", all[..MAX_NAMES].join(", "), all.len() - MAX_NAMES),
        };
        let below = match (self.depth, named.len()) {
            ("last-step", _) => "",
            (_, 1) => " and all that it is built from",
            _ => " and all that they are built from",
        };
        format!("checked {names}{below}: ")
    }

    /// A failure if anything came out otherwise, or not at all.
    pub fn outcome(&self) -> Result<(), Failure> {
        let Totals { same, different, failed, .. } = self.totals;
        let count = same + different + failed;
        if different > 0 {
            let message = format!("{different} of {count} derivations came out otherwise when built again");
            return Err(Failure::new(Kind::No, message));
        }
        if failed > 0 {
            return Err(Failure::new(Kind::Build, format!("{failed} of {count} could not be built again"))
                .hint("a build that fails with other surroundings depends on one of them: see `--except`"));
        }
        Ok(())
    }
}

impl OutputReport {
    fn new(different: &Different) -> Self {
        let Comparison { files, more } = &different.comparison;
        let (isolated, by) = match &different.isolated {
            Isolated::NotTried => ("not-tried", &[][..]),
            Isolated::Unstable => ("unstable", &[][..]),
            Isolated::Together => ("together", &[][..]),
            Isolated::Variations(found) => ("variations", found.as_slice()),
        };
        let causes = different.suspicions.iter().map(|suspicion| CauseReport {
            cause: suspicion.cause.name(),
            because: suspicion.because.clone(),
        });
        Self {
            output: different.output.clone(),
            first: different.first.to_string(),
            second: different.second.to_string(),
            kept: different.rebuilt.kept().map(|place| place.display().to_string()),
            files: files.iter().map(FileReport::new).collect(),
            more_files: *more,
            causes: causes.collect(),
            isolated,
            by: by.iter().map(|variation| variation.name()).collect(),
            diffoscope: None,
        }
    }
}

impl FileReport {
    fn new(file: &FileDifference) -> Self {
        let difference = match &file.kind {
            FileDifferenceKind::OnlyFirst => "only the first build made it".into(),
            FileDifferenceKind::OnlySecond => "only the second build made it".into(),
            FileDifferenceKind::Type { first, second } => format!("a {first} at first, then a {second}"),
            FileDifferenceKind::Executable { first: true } => "executable at first, then not".into(),
            FileDifferenceKind::Executable { first: false } => "not executable at first, then it is".into(),
            FileDifferenceKind::Link { first, second } => {
                format!("leads to `{}` at first, then to `{}`", first.display(), second.display())
            }
            FileDifferenceKind::Content(content) => describe(content),
        };
        let (places, has_more_places) = match &file.kind {
            FileDifferenceKind::Content(content) => (content.places.as_slice(), content.has_more),
            _ => (&[][..], false),
        };
        let places = places.iter().map(|place| PlaceReport {
            offset: place.offset,
            inside: place.inside.clone(),
            first: shown(&place.first),
            second: shown(&place.second),
        });
        Self {
            path: printable(&file.path.to_string_lossy()),
            difference: printable(&difference),
            places: places.collect(),
            has_more_places,
        }
    }
}

fn describe(content: &ContentDifference) -> String {
    match content.differing_bytes {
        Some(count) => format!("{count} of {} bytes differ", content.first_bytes),
        None if content.first_bytes == content.second_bytes => "other bytes".into(),
        None => format!("{} bytes at first, then {}", content.first_bytes, content.second_bytes),
    }
}

/// Text as it is, in quotes; other bytes in hexadecimal.
fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|character| !character.is_control() || character.is_whitespace()) => {
            format!("{text:?}")
        }
        _ => {
            let digits: Vec<String> = bytes.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
            format!("{}{}", digits.join(" "), if bytes.len() > 24 { " …" } else { "" })
        }
    }
}

/// What a builder wrote is shown, but never obeyed by the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for derivation in &self.derivations {
            let names = match derivation.attributes.as_slice() {
                [] => String::new(),
                attributes => format!(" ({})", attributes.join(", ")),
            };
            writeln!(text, "{:<9}  {}{names}", derivation.verdict, derivation.name)?;
            if let Some(error) = &derivation.error {
                writeln!(text, "    {error}")?;
            }
            for output in &derivation.different {
                write!(text, "{output}")?;
            }
        }
        let Totals { same, fetched, different, failed } = self.totals;
        write!(
            text,
            "{}{same} the same, {different} different, {failed} failed, {fetched} fetched by their hashes",
            self.checked()
        )?;
        if same + different + failed == 0 {
            write!(text, "\nnothing was built again: what is fetched is what its hash says")?;
        }
        formatter.write_str(&text)
    }
}

impl fmt::Display for OutputReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "    output `{}`: {}", self.output, self.first)?;
        let place = match &self.kept {
            Some(place) => format!("is kept in `{}`", printable(place)),
            None => "is not kept; `--keep-failed` keeps it".into(),
        };
        writeln!(formatter, "    built again it would be {}, which {place}", self.second)?;
        for file in &self.files {
            let path = if file.path.is_empty() { "the output itself" } else { &file.path };
            writeln!(formatter, "      {path}: {}", file.difference)?;
            for place in &file.places {
                let inside: String = place.inside.iter().map(|part| format!(", {part}")).collect();
                writeln!(formatter, "        at byte {}{inside}", place.offset)?;
                writeln!(formatter, "          first  {}", place.first)?;
                writeln!(formatter, "          second {}", place.second)?;
            }
            if file.has_more_places {
                writeln!(formatter, "        and more places")?;
            }
        }
        if self.more_files > 0 {
            writeln!(formatter, "      and {} more files", self.more_files)?;
        }
        for CauseReport { cause, because } in &self.causes {
            writeln!(formatter, "      cause: {cause}: {because}")?;
        }
        match self.isolated {
            "unstable" => writeln!(formatter, "      it differs even when nothing is varied")?,
            "together" => {
                writeln!(formatter, "      it differs by no variation alone, or not each time")?;
            }
            _ => {}
        }
        for line in self.diffoscope.iter().flat_map(|text| text.lines()) {
            writeln!(formatter, "      | {line}")?;
        }
        Ok(())
    }
}
