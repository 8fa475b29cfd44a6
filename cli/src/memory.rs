//! How much memory an evaluation may take when nobody says: what the machine, a container around it or the shell's limit allows.
//! Whoever takes more is ended by force, without a word.

use rustix::process::{Resource, getrlimit};
use std::path::{Path, PathBuf};

/// The least of what the machine has, what the control groups that the process is in may have, and half of its address space.
pub fn available_bytes() -> u64 {
    let machine = rustix::system::sysinfo();
    // The field's width differs between machines.
    #[expect(clippy::useless_conversion, reason = "it is none everywhere")]
    let machine = u64::from(machine.totalram).saturating_mul(u64::from(machine.mem_unit));
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = of_control_groups(&groups, Path::new("/sys/fs/cgroup"));
    [groups, address_space_bytes().map(|bytes| bytes / 2)].into_iter().flatten().fold(machine, u64::min)
}

/// The limit of the process's address space, if there is one: of the stack and the program too.
pub fn address_space_bytes() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// The least limit of the groups that `/proc/self/cgroup` names and of those around them; `None` if there is none. Of both versions:
/// `0::/a/b` has `/a/b/memory.max`, `4:memory:/a/b` has `memory/a/b/memory.limit_in_bytes`.
fn of_control_groups(groups: &str, mounted: &Path) -> Option<u64> {
    let mut least = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" => (mounted.to_owned(), "memory.max"),
            "memory" => (mounted.join("memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        // Inside a container the path may be the host's, and only the root be there.
        let group: PathBuf = root.join(path.trim_start_matches('/'));
        for folder in group.ancestors().take_while(|folder| folder.starts_with(&root)) {
            let Ok(text) = std::fs::read_to_string(folder.join(file)) else { continue };
            // `max` is no number.
            if let Ok(bytes) = text.trim().parse::<u64>() {
                least = Some(least.map_or(bytes, |least: u64| least.min(bytes)));
            }
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::of_control_groups;
    use std::fs;

    #[test]
    fn the_least_limit_of_the_groups_around_counts() {
        let mounted = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let file = mounted.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("a/memory.max", "3000\n");
        write("a/b/memory.max", "max\n");
        write("memory/memory.limit_in_bytes", "2000\n");
        write("memory/c/memory.limit_in_bytes", "9223372036854771712\n");
        for (groups, expected) in [
            ("", None),
            ("0::/", None),
            ("0::/a/b\n", Some(3000)),
            ("5:devices:/a\n0::/a/b\n4:memory:/c\n", Some(2000)),
            ("4:memory:/not/here\n", Some(2000)),
            ("4:memory\n", None),
        ] {
            assert_eq!(of_control_groups(groups, mounted.path()), expected, "{groups:?}");
        }
    }
}
