//! Names that someone may have meant.

/// A hint with the nearest of `names`, if any is near.
pub fn did_you_mean(wanted: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let near = nearest(wanted, names);
    let quoted: Vec<_> = near.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => None,
        [one] => Some(format!("did you mean {one}?")),
        [all @ .., last] => Some(format!("did you mean {} or {last}?", all.join(", "))),
    }
}

/// The same, or all of `names` if they are few.
pub fn did_you_mean_one_of(wanted: &str, names: impl Iterator<Item = String>) -> Option<String> {
    const FEW: usize = 5;
    let mut names: Vec<String> = names.collect();
    names.sort();
    let few = || {
        let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        (!names.is_empty() && names.len() <= FEW).then(|| format!("the set has {}", quoted.join(", ")))
    };
    did_you_mean(wanted, names.iter().cloned()).or_else(few)
}

/// Up to three names that differ from `wanted` in few characters, nearest first.
pub fn nearest(wanted: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let most = match wanted.chars().count() {
        // Every short name is near to every other.
        0..=2 => 0,
        length => (length / 3).min(4),
    };
    let mut near: Vec<_> = names
        .filter(|name| name.len().abs_diff(wanted.len()) <= most * 4)
        .map(|name| (distance(wanted, &name), name))
        .filter(|&(distance, _)| distance <= most)
        .collect();
    near.sort();
    near.dedup();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Insertions, removals, replacements and swaps of neighbours that lead from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, character) in from.iter().enumerate() {
        let mut this = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(character != other);
            let mut least = replaced.min(last[column + 1] + 1).min(this[column] + 1);
            if row > 0 && column > 0 && *character == to[column - 1] && from[row - 1] == *other {
                least = least.min(before[column - 1] + 1);
            }
            this.push(least);
        }
        before = std::mem::replace(&mut last, this);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let names = || ["hello", "help", "world", "hlelo"].into_iter().map(str::to_owned);
        assert_eq!(nearest("helo", names()), ["hello", "help", "hlelo"]);
        assert_eq!(nearest("hlelo", names()), ["hlelo", "hello"]);
        assert_eq!(did_you_mean("zzz", names()), None);
        assert_eq!(did_you_mean("worlds", names()), Some("did you mean `world`?".to_owned()));
    }
}
