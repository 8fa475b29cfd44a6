//! What a sandbox's first process has to know, as bytes: it is no copy of the process that has planned the build.
//!
//! Numbers are 8 bytes long; texts and parts stand behind their lengths. What is read was written by this file in the same
//! process, so what can't be read as it should is read as nothing: between clone and exec nobody could be told of it.

use super::clocks::Clocks;
use crate::sandbox::view::{self, Outside, View};
use crate::sandbox::{Processors, Sandbox, SandboxError, Terminal};
use bstr::BString;
use libc::c_char;
use std::ffi::{CStr, CString};
use std::os::fd::RawFd;

/// Everything that the first process needs.
pub(super) struct Plan<'a> {
    /// Leads to who has planned it.
    pub(super) channel: RawFd,
    pub(super) log: RawFd,
    /// Standard input, output and error in place of nothing and the log.
    pub(super) console: Option<[RawFd; 3]>,
    /// Of the sandbox, and where the root in memory is mounted.
    pub(super) folder: &'a CStr,
    pub(super) objects: &'a CStr,
    /// Of the file system that the root is.
    pub(super) options: &'a CStr,
    pub(super) becomes_other: bool,
    pub(super) host_name: &'a CStr,
    pub(super) umask: libc::mode_t,
    pub(super) clocks: Clocks<'a>,
    pub(super) entries: Reader<'a>,
    pub(super) attributes: Reader<'a>,
    pub(super) reversed: Option<Reader<'a>>,
    pub(super) has_one_processor: bool,
    pub(super) most_processes: Option<u64>,
    pub(super) most_file_bytes: Option<u64>,
    pub(super) takes_terminal: bool,
    /// Null-terminated, each.
    pub(super) arguments: *const *const c_char,
    pub(super) environment: *const *const c_char,
}

/// The message that the first process waits for: how many bytes the plan has and how many pointers are made of it, and the plan.
pub(super) fn write(sandbox: &Sandbox, view: &View<'_>, outside: Outside) -> Result<Vec<u8>, SandboxError> {
    // Each list ends in one more, which is null.
    let pointers = sandbox.arguments.len() + 1 + sandbox.environment.len() + 2;
    let mut message = Writer(Vec::with_capacity(8 << 10));
    message.number(0);
    message.number(pointers as u64);
    let plan = &mut message;
    plan.text(&view::c_string(&sandbox.folder));
    plan.text(&view::c_string(&sandbox.objects));
    plan.text(&view.options);
    plan.number(outside.is_other.into());
    let conditions = &sandbox.conditions;
    plan.bytes(format!("{}\0", conditions.host_name).as_bytes());
    plan.number(conditions.umask.into());
    Clocks::write(conditions, plan);
    plan.part(|part| view.entries.iter().for_each(|entry| entry.write(part)));
    plan.part(|part| view.attributes.iter().for_each(|attributes| attributes.write(part)));
    plan.option(view.reversed.as_ref(), |plan, reversed| plan.part(|part| reversed.write(part)));
    plan.number((conditions.processors == Processors::One).into());
    // The first process is one of the build's user too; and one too many can be seen before it is refused more.
    plan.option(sandbox.limits.processes.map(|most| most.saturating_add(2)), Writer::number);
    plan.option(sandbox.limits.disk_bytes, Writer::number);
    let takes_terminal = sandbox.visit.as_ref().is_some_and(|visit| visit.terminal == Terminal::Own);
    plan.number(takes_terminal.into());
    let arguments = [&sandbox.program].into_iter().chain(&sandbox.arguments).cloned();
    plan.texts(sandbox.arguments.len() + 1, arguments)?;
    let variables = sandbox.environment.iter().map(|(name, value)| {
        let mut variable = name.clone();
        variable.push(b'=');
        variable.extend_from_slice(value);
        variable
    });
    plan.texts(sandbox.environment.len(), variables)?;
    let Writer(mut message) = message;
    let length = (message.len() - 2 * size_of::<u64>()) as u64;
    message[..size_of::<u64>()].copy_from_slice(&length.to_ne_bytes());
    Ok(message)
}

impl<'a> Plan<'a> {
    /// Reads a plan in the process that carries it out. There is room for as many pointers as [`write`] said.
    pub(super) fn read(
        bytes: &'a [u8],
        pointers: &'a mut [*const c_char],
        channel: RawFd,
        log: RawFd,
        console: Option<[RawFd; 3]>,
    ) -> Self {
        let mut plan = Reader(bytes);
        let (folder, objects, options) = (plan.text(), plan.text(), plan.text());
        let becomes_other = plan.number() != 0;
        let (host_name, umask) = (plan.text(), plan.number() as libc::mode_t);
        let clocks = Clocks::read(&mut plan);
        let (entries, attributes, reversed) = (plan.part(), plan.part(), plan.option(Reader::part));
        let has_one_processor = plan.number() != 0;
        let (most_processes, most_file_bytes) = (plan.option(Reader::number), plan.option(Reader::number));
        let takes_terminal = plan.number() != 0;
        let arguments_count = plan.number() as usize;
        let mut pointers = pointers.iter_mut();
        let mut list = |count: usize, plan: &mut Reader<'a>| {
            let list = pointers.as_slice().as_ptr();
            for pointer in pointers.by_ref().take(count) {
                *pointer = plan.text().as_ptr();
            }
            if let Some(last) = pointers.next() {
                *last = std::ptr::null();
            }
            list
        };
        let arguments = list(arguments_count, &mut plan);
        let environment_count = plan.number() as usize;
        let environment = list(environment_count, &mut plan);
        Self {
            channel,
            log,
            console,
            folder,
            objects,
            options,
            becomes_other,
            host_name,
            umask,
            clocks,
            entries,
            attributes,
            reversed,
            has_one_processor,
            most_processes,
            most_file_bytes,
            takes_terminal,
            arguments,
            environment,
        }
    }
}

/// Writes what [`Reader`] reads in the same order.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(in crate::sandbox) fn number(&mut self, number: u64) {
        self.0.extend(number.to_ne_bytes());
    }

    pub(in crate::sandbox) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    pub(in crate::sandbox) fn text(&mut self, text: &CStr) {
        self.bytes(text.to_bytes_with_nul());
    }

    fn texts(&mut self, count: usize, texts: impl Iterator<Item = BString>) -> Result<(), SandboxError> {
        self.number(count as u64);
        for text in texts {
            let text = CString::new(Vec::from(text));
            self.text(&text.map_err(|error| SandboxError::ZeroByte(error.into_vec().into()))?);
        }
        Ok(())
    }

    /// Nothing, or what `write` writes.
    pub(in crate::sandbox) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.number(u64::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    /// What `write` writes, to be read as one by [`Reader::part`].
    pub(in crate::sandbox) fn part(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.0.len();
        self.number(0);
        write(self);
        let length = (self.0.len() - start - 8) as u64;
        self.0[start..start + 8].copy_from_slice(&length.to_ne_bytes());
    }
}

/// Reads without asking for memory.
#[derive(Clone, Copy, Debug)]
pub(in crate::sandbox) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(in crate::sandbox) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::sandbox) fn number(&mut self) -> u64 {
        let (number, rest) = self.0.split_first_chunk().unwrap_or((&[0; 8], &[]));
        self.0 = rest;
        u64::from_ne_bytes(*number)
    }

    pub(in crate::sandbox) fn bytes(&mut self) -> &'a [u8] {
        let length = self.number() as usize;
        let (bytes, rest) = self.0.split_at_checked(length).unwrap_or_default();
        self.0 = rest;
        bytes
    }

    pub(in crate::sandbox) fn text(&mut self) -> &'a CStr {
        CStr::from_bytes_with_nul(self.bytes()).unwrap_or_default()
    }

    pub(in crate::sandbox) fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.number() != 0).then(|| read(self))
    }

    pub(in crate::sandbox) fn part(&mut self) -> Self {
        Self(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_in_the_same_order() {
        let mut writer = Writer::default();
        writer.number(7);
        writer.text(c"a text");
        writer.option(Some(8), Writer::number);
        writer.option(None, Writer::number);
        writer.part(|part| {
            part.bytes(b"");
            part.text(c"");
        });
        writer.number(9);
        let mut reader = Reader(&writer.0);
        assert_eq!((reader.number(), reader.text()), (7, c"a text"));
        assert_eq!((reader.option(Reader::number), reader.option(Reader::number)), (Some(8), None));
        let mut part = reader.part();
        assert_eq!((part.bytes(), part.text(), part.is_empty()), (&b""[..], c"", true));
        assert_eq!((reader.number(), reader.is_empty()), (9, true));
        // Nothing is left: nothing is read.
        assert_eq!((reader.number(), reader.bytes(), reader.text()), (0, &b""[..], c""));
    }
}
