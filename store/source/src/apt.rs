//! The host's apt configuration: which mirrors have Debian's sources, and through which proxy.
//!
//! Read only, never changed, and bounded. A line or stanza that can't be understood is passed over: apt itself is
//! the judge of its configuration, and a mirror less is an address less to try.

use crate::fetch::Proxies;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

/// Mirrors taken from a host. More would only make a missing file slow to report.
const MIRRORS: usize = 4;
/// Files of lists that are looked at, and bytes of each.
const LIST_FILES: usize = 100;
const LIST_BYTES: u64 = 1 << 20;

/// What apt says about getting files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AptConfiguration {
    /// Bases of archives like Debian's, as URLs ending in `/`, in the order to try.
    pub mirrors: Vec<String>,
    /// How apt reaches them.
    pub proxies: Proxies,
}

/// A repository in apt's lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Its base.
    pub uri: String,
    /// The keyring it is signed with, or empty.
    pub signed_by: String,
}

/// Reads this machine's configuration: `/etc/apt`, and `apt-config` for proxies. `None` where there is no apt.
pub fn read_host() -> Option<AptConfiguration> {
    read(Path::new("/etc/apt"), &dump())
}

/// Reads the configuration in a folder like `/etc/apt`, with the output of `apt-config dump`.
pub fn read(folder: &Path, dump: &str) -> Option<AptConfiguration> {
    if !folder.is_dir() {
        return None;
    }
    let mut files = vec![folder.join("sources.list")];
    let parts = std::fs::read_dir(folder.join("sources.list.d")).into_iter().flatten().flatten();
    let mut parts: Vec<_> = parts.map(|entry| entry.path()).take(LIST_FILES).collect();
    parts.sort();
    files.extend(parts);
    let mut repositories = Vec::new();
    for file in files {
        let parse = match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => parse_list,
            Some("sources") => parse_sources,
            _ => continue,
        };
        if let Some(text) = read_bounded(&file) {
            repositories.extend(parse(&text));
        }
    }
    Some(AptConfiguration { mirrors: debian_mirrors(&repositories), proxies: parse_proxies(dump) })
}

/// Reads a `.list` file: `deb [options] URI suite component…`, one a line.
pub fn parse_list(text: &str) -> Vec<Repository> {
    let line = |line: &str| {
        let line = line.split('#').next()?.trim();
        let rest = line.strip_prefix("deb-src").or_else(|| line.strip_prefix("deb"))?;
        let rest = rest.strip_prefix([' ', '\t'])?.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => ("", rest),
        };
        let uri = rest.split_whitespace().next()?.to_owned();
        let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
        Some(Repository { uri, signed_by: signed_by.unwrap_or_default().into() })
    };
    text.lines().filter_map(line).collect()
}

/// Reads a `.sources` file: stanzas of `Field: value`, continued on lines that begin with white space.
pub fn parse_sources(text: &str) -> Vec<Repository> {
    let mut repositories = Vec::new();
    let mut stanza: BTreeMap<String, String> = BTreeMap::new();
    let mut field = None;
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            repositories.extend(repositories_of(&std::mem::take(&mut stanza)));
            field = None;
        } else if line.starts_with([' ', '\t']) {
            if let Some(value) = field.as_ref().and_then(|field| stanza.get_mut(field)) {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let name = name.trim().to_ascii_lowercase();
            stanza.insert(name.clone(), value.trim().into());
            field = Some(name);
        }
    }
    repositories
}

fn repositories_of(stanza: &BTreeMap<String, String>) -> Vec<Repository> {
    let get = |field| stanza.get(field).map(String::as_str).unwrap_or_default();
    let is_off = matches!(
        get("enabled").to_ascii_lowercase().as_str(),
        "no" | "false" | "without" | "off" | "disable"
    );
    let has_type = get("types").split_whitespace().any(|kind| matches!(kind, "deb" | "deb-src"));
    if is_off || !has_type {
        return Vec::new();
    }
    // A key may stand in the field itself; then it is no path, and long.
    let signed_by = get("signed-by").split_whitespace().next().unwrap_or_default();
    let uris = get("uris").split_whitespace();
    uris.map(|uri| Repository { uri: uri.into(), signed_by: signed_by.into() }).collect()
}

/// The bases that may have `pool/main/…` of Debian, in order, each once.
///
/// Repositories of third parties stand in the same lists: where one looks like Debian's, by its path, host or
/// keyring, only such are asked. Archives of security updates have another layout, so they are left out.
pub fn debian_mirrors(repositories: &[Repository]) -> Vec<String> {
    let usable = |repository: &&Repository| {
        let uri = &repository.uri;
        (uri.starts_with("http://") || uri.starts_with("https://"))
            && !uri.contains(['@', '$'])
            && !uri.to_ascii_lowercase().contains("security")
    };
    let candidates: Vec<_> = repositories.iter().filter(usable).collect();
    let has_debian = candidates.iter().any(|repository| looks_like_debian(repository));
    let mut mirrors: Vec<String> = Vec::new();
    for repository in candidates {
        let base = format!("{}/", repository.uri.trim_end_matches('/'));
        if (looks_like_debian(repository) || !has_debian) && !mirrors.contains(&base) {
            mirrors.push(base);
        }
    }
    mirrors.truncate(MIRRORS);
    mirrors
}

fn looks_like_debian(repository: &Repository) -> bool {
    let last = repository.uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.eq_ignore_ascii_case("debian") || repository.signed_by.contains("debian-archive")
}

/// Finds the proxies in the output of `apt-config dump`.
pub fn parse_proxies(dump: &str) -> Proxies {
    let mut proxies = Proxies::default();
    for line in dump.lines() {
        let Some((key, value)) = line.trim_end_matches(';').split_once(' ') else { continue };
        let value = value.trim().trim_matches('"');
        let key = key.to_ascii_lowercase();
        let is_direct = value.eq_ignore_ascii_case("direct");
        match key.strip_prefix("acquire::") {
            Some("http::proxy") if !is_direct && !value.is_empty() => proxies.http = Some(value.into()),
            Some("https::proxy") if !is_direct && !value.is_empty() => proxies.https = Some(value.into()),
            Some(key) if is_direct => {
                let host = key.strip_prefix("http::proxy::").or_else(|| key.strip_prefix("https::proxy::"));
                proxies.except.extend(host.map(str::to_owned));
            }
            _ => {}
        }
    }
    proxies
}

/// What `apt-config dump` prints; empty where it can't be run.
fn dump() -> String {
    let command = Command::new("apt-config").arg("dump").stdin(Stdio::null()).stderr(Stdio::null()).output();
    command.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn read_bounded(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(LIST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(uri: &str, signed_by: &str) -> Repository {
        Repository { uri: uri.into(), signed_by: signed_by.into() }
    }

    #[test]
    fn one_line_lists_are_read() {
        let text = "# deb http://off/debian x main\n\
            deb http://a.example/debian bookworm main # note\n\
            deb-src\t[ arch=amd64 signed-by=/k.gpg ] https://b.example/x sid main\n\
            debx http://c.example/ y\ndeb [broken\n";
        let expected =
            [repository("http://a.example/debian", ""), repository("https://b.example/x", "/k.gpg")];
        assert_eq!(parse_list(text), expected);
    }

    #[test]
    fn stanzas_are_read() {
        let text = "Types: deb deb-src\n# comment\nURIs: http://a.example/debian\n http://b.example/debian/\n\
            Suites: bookworm\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n\n\
            Types: deb\nURIs: http://off.example/debian\nEnabled: no\n\nTypes: other\nURIs: http://c.example/\n\n\
            types: deb\nuris: https://d.example/x\n";
        let key = "/usr/share/keyrings/debian-archive-keyring.gpg";
        let expected = [
            repository("http://a.example/debian", key),
            repository("http://b.example/debian/", key),
            repository("https://d.example/x", ""),
        ];
        assert_eq!(parse_sources(text), expected);
    }

    #[test]
    fn only_archives_like_debians_are_asked_where_there_is_one() {
        let debian = repository("http://a.example/debian", "");
        let signed = repository("http://b.example/mirror/", "/usr/share/keyrings/debian-archive-keyring.gpg");
        let security = repository("http://a.example/debian-security", "debian-archive");
        let third = repository("https://c.example/apt", "");
        let local = repository("file:/srv/debian", "");
        let all = [third.clone(), security, debian.clone(), local, debian, signed];
        assert_eq!(debian_mirrors(&all), ["http://a.example/debian/", "http://b.example/mirror/"]);
        assert_eq!(debian_mirrors(&[third]), ["https://c.example/apt/"]);
    }

    #[test]
    fn proxies_are_found_in_the_dump() {
        let dump = "Acquire \"\";\nAcquire::http::Proxy \"http://p:3142\";\nAcquire::https::Proxy \"DIRECT\";\n\
            Acquire::http::Proxy::local.example \"DIRECT\";\n";
        let expected =
            Proxies { http: Some("http://p:3142".into()), https: None, except: vec!["local.example".into()] };
        assert_eq!(parse_proxies(dump), expected);
    }

    #[test]
    fn a_folder_is_read_in_order_and_a_missing_one_is_no_apt() {
        let folder = tempfile::tempdir().unwrap();
        let parts = folder.path().join("sources.list.d");
        std::fs::create_dir(&parts).unwrap();
        std::fs::write(folder.path().join("sources.list"), "deb http://one/debian a b\n").unwrap();
        std::fs::write(parts.join("b.sources"), "Types: deb\nURIs: http://three/debian\n").unwrap();
        std::fs::write(parts.join("a.list"), "deb http://two/debian a b\n").unwrap();
        std::fs::write(parts.join("c.list.save"), "deb http://four/debian a b\n").unwrap();
        let configuration = read(folder.path(), "").unwrap();
        assert_eq!(
            configuration.mirrors,
            ["http://one/debian/", "http://two/debian/", "http://three/debian/"]
        );
        assert_eq!(read(&folder.path().join("none"), ""), None);
    }
}
