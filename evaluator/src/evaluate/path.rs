//! Paths: absolute, in normal form, bytes.

/// Resolves `.`, `..` and repeated slashes without looking at any file. The result begins with a slash and ends
/// with none, unless it is the root.
pub fn absolute(path: &[u8]) -> Vec<u8> {
    let mut normal = Vec::with_capacity(path.len());
    for component in path.split(|&byte| byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => normal.truncate(normal.iter().rposition(|&byte| byte == b'/').unwrap_or(0)),
            name => {
                normal.push(b'/');
                normal.extend_from_slice(name);
            }
        }
    }
    if normal.is_empty() {
        normal.push(b'/');
    }
    normal
}

/// What follows the last slash; of a text that ends with one, what stands before it.
pub fn base_name(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// What stands before the last slash: the root for what lies in it, `.` without a slash.
pub fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        None => b".",
        Some(0) => b"/",
        Some(slash) => &path[..slash],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_normal() {
        for (path, normal) in
            [("/", "/"), ("/a//b/./c", "/a/b/c"), ("/a/../../b/", "/b"), ("/a/b/..", "/a"), ("/..", "/")]
        {
            assert_eq!(absolute(path.as_bytes()), normal.as_bytes(), "{path}");
        }
    }
}
