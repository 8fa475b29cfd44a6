//! Evaluates files as `nix-instantiate --eval --strict` does, to measure and compare: `evaluate [--lazy|--json] FILE` or `-E TEXT`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the example is a host"
)]

use bstr::{BStr, ByteSlice};
use std::collections::BTreeSet;
use std::process::ExitCode;
use sx_derivation::{Digest, Instantiated, StorePath};
use sx_evaluator::{AddPath, Colour, Depth, EvaluationError, FileType, Host, HostError, Options, Trace};

struct Folder;

fn failed(error: std::io::Error) -> HostError {
    match error.kind() {
        std::io::ErrorKind::NotFound => HostError::NotFound,
        _ => HostError::Failed(Box::new(error)),
    }
}

fn kind(kind: std::fs::FileType) -> FileType {
    if kind.is_dir() {
        FileType::Directory
    } else if kind.is_symlink() {
        FileType::Symlink
    } else {
        FileType::Regular
    }
}

impl Host for Folder {
    fn read_file(&self, path: &BStr) -> Result<Vec<u8>, HostError> {
        std::fs::read(path.to_path_lossy()).map_err(failed)
    }

    fn read_directory(&self, path: &BStr) -> Result<Vec<(Vec<u8>, FileType)>, HostError> {
        let entries = std::fs::read_dir(path.to_path_lossy()).map_err(failed)?;
        let entry = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().into_encoded_bytes();
            Ok((name, kind(entry.file_type().map_err(failed)?)))
        };
        entries.map(entry).collect()
    }

    fn file_type(&self, path: &BStr) -> Result<FileType, HostError> {
        Ok(kind(std::fs::symlink_metadata(path.to_path_lossy()).map_err(failed)?.file_type()))
    }

    fn add_path(&self, request: AddPath<'_, '_>) -> Result<StorePath, HostError> {
        StorePath::new(Digest::of(request.path), request.name)
            .map_err(|error| HostError::Failed(Box::new(error)))
    }

    fn add_text(&self, name: &str, text: &[u8], _: &BTreeSet<StorePath>) -> Result<StorePath, HostError> {
        StorePath::new(Digest::of(text), name).map_err(|error| HostError::Failed(Box::new(error)))
    }

    fn add_derivation(&self, _: Instantiated) -> Result<(), HostError> {
        Ok(())
    }

    fn trace(&self, message: &BStr) {
        eprintln!("trace: {message}");
    }
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut flag = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name);
        place.map(|place| arguments.remove(place)).is_some()
    };
    let (is_lazy, is_json, is_text, is_whole) =
        (flag("--lazy"), flag("--json"), flag("-E"), flag("--show-trace"));
    let outcome = sx_evaluator::evaluate(&Folder, &Options::default(), |evaluator| {
        let input = arguments.first().map_or("", String::as_str);
        let value = if is_text {
            evaluator.evaluate_text("«string»", input, b"/")?
        } else {
            let folder = std::env::current_dir().unwrap_or_default().into_os_string().into_encoded_bytes();
            let path = if input.starts_with('/') {
                input.as_bytes().to_vec()
            } else {
                [folder.as_slice(), b"/", input.as_bytes()].concat()
            };
            evaluator.evaluate_file(&path)?
        };
        if is_json {
            return Ok(evaluator.to_json(value)?.0);
        }
        evaluator.print(value, if is_lazy { Depth::Known } else { Depth::Whole })
    });
    match outcome {
        Ok(text) => {
            println!("{}", text.as_bstr());
            ExitCode::SUCCESS
        }
        Err(EvaluationError::Wrong(diagnostic)) => {
            eprint!("{}", diagnostic.render(Colour::Off, if is_whole { Trace::Whole } else { Trace::Short }));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
