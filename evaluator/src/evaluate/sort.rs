//! A stable sort whose comparison may fail and need not be an order.

/// Sorts in place by merging; stops at the first failure.
pub fn merge_sort<T: Copy, E>(
    items: &mut [T],
    mut less: impl FnMut(T, T) -> Result<bool, E>,
) -> Result<(), E> {
    let mut space = items.to_vec();
    sort(items, &mut space, &mut less)
}

/// Halves first, so that what is compared lies together in the processor's caches. `space` is as long as `items`.
fn sort<T: Copy, E>(
    items: &mut [T],
    space: &mut [T],
    less: &mut impl FnMut(T, T) -> Result<bool, E>,
) -> Result<(), E> {
    let middle = items.len() / 2;
    if middle == 0 {
        return Ok(());
    }
    sort(&mut items[..middle], &mut space[..middle], less)?;
    sort(&mut items[middle..], &mut space[middle..], less)?;
    if !less(items[middle], items[middle - 1])? {
        return Ok(());
    }
    // The right half is merged where it stands: what is written never overtakes what is read of it.
    space[..middle].copy_from_slice(&items[..middle]);
    let (mut left, mut right, mut place) = (0, middle, 0);
    while left < middle {
        let takes_right = right < items.len() && less(items[right], space[left])?;
        let (from, next) = if takes_right { (items[right], &mut right) } else { (space[left], &mut left) };
        items[place] = from;
        *next += 1;
        place += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn equal_items_keep_their_order() {
        let mut items: Vec<(u32, usize)> = (0..1000).map(|n| ((n * 7919 % 13) as u32, n)).collect();
        let mut expected = items.clone();
        expected.sort();
        merge_sort(&mut items, |left, right| Ok::<_, Infallible>(left.0 < right.0)).unwrap();
        assert_eq!(items, expected);
    }

    #[test]
    fn a_comparison_without_sense_ends() {
        let mut items: Vec<u32> = (0..100).collect();
        merge_sort(&mut items, |_, _| Ok::<_, Infallible>(true)).unwrap();
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        assert_eq!(merge_sort(&mut items, |_, _| Err("fails")), Err("fails"));
    }
}
