//! A stable sort whose comparison may fail and need not be an order.

/// Sorts in place by merging; stops at the first failure.
pub fn merge_sort<T: Copy, E>(
    items: &mut [T],
    mut less: impl FnMut(T, T) -> Result<bool, E>,
) -> Result<(), E> {
    let mut from = items.to_vec();
    let mut width = 1;
    while width < items.len() {
        from.copy_from_slice(items);
        let mut start = 0;
        while start < items.len() {
            let middle = (start + width).min(items.len());
            let end = (middle + width).min(items.len());
            if middle < end && !less(from[middle], from[middle - 1])? {
                start = end;
                continue;
            }
            let (mut left, mut right) = (start, middle);
            for place in &mut items[start..end] {
                let takes_right = right < end && (left == middle || less(from[right], from[left])?);
                let taken = if takes_right { &mut right } else { &mut left };
                *place = from[*taken];
                *taken += 1;
            }
            start = end;
        }
        width *= 2;
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
