//! `x[…]`: slices, positions, new axes, as Python counts them.

use serde_json::Value as Json;

/// One item between the brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Slice { start: Option<i64>, stop: Option<i64>, step: i64 },
    At(i64),
    NewAxis,
    Ellipsis,
}

/// What an index takes: elements of each axis, and the shape that they then have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Indexed {
    pub begin: Vec<usize>,
    pub count: Vec<usize>,
    pub step: Vec<isize>,
    pub shape: Vec<usize>,
}

impl Indexed {
    /// The index `key`, as Keras writes it, of a tensor of `shape`, whose first axis counts samples and must stay.
    ///
    /// # Errors
    /// What is no index or does not fit the shape.
    pub fn of(key: &Json, shape: &[usize]) -> Result<Self, String> {
        let items = match key {
            Json::Array(list) => list.iter().map(item).collect(),
            one => item(one).map(|one| vec![one]),
        };
        let items: Vec<Item> = items.ok_or_else(|| format!("the index {key} is not supported"))?;
        let items = without_ellipsis(items, shape.len())?;
        let whole = matches!(items.first(), Some(Item::Slice { start: None | Some(0), stop: None, step: 1 }));
        if !whole {
            return Err("it takes some samples of a batch, which hardware does not see together".into());
        }
        let mut indexed = Self { begin: Vec::new(), count: Vec::new(), step: Vec::new(), shape: Vec::new() };
        for item in items {
            let axis = indexed.begin.len();
            match item {
                Item::NewAxis => indexed.shape.push(1),
                Item::Slice { start, stop, step } => {
                    let (begin, count) = slice(start, stop, step, shape[axis]);
                    if count == 0 {
                        return Err(format!("it takes nothing of axis {axis}"));
                    }
                    indexed.take(begin, count, step as isize);
                    indexed.shape.push(count);
                }
                Item::At(place) => {
                    let extent = shape[axis] as i64;
                    let from_start = if place < 0 { place.saturating_add(extent) } else { place };
                    let place = Some(from_start).filter(|p| (0..extent).contains(p));
                    let place = place.ok_or_else(|| format!("it takes element {from_start} of {extent}"))?;
                    indexed.take(place as usize, 1, 1);
                }
                Item::Ellipsis => unreachable!("replaced above"),
            }
        }
        Ok(indexed)
    }

    fn take(&mut self, begin: usize, count: usize, step: isize) {
        self.begin.push(begin);
        self.count.push(count);
        self.step.push(step);
    }
}

fn item(value: &Json) -> Option<Item> {
    let Json::Object(object) = value else {
        return match value {
            Json::Null => Some(Item::NewAxis),
            other => other.as_i64().map(Item::At),
        };
    };
    let config = match value["class_name"].as_str() {
        Some("__ellipsis__") => return Some(Item::Ellipsis),
        Some("__slice__") => &value["config"],
        // Keras 2 writes the three numbers alone
        None if object.len() == 3 => value,
        _ => return None,
    };
    let number = |key: &str| match config.get(key)? {
        Json::Null => Some(None),
        number => number.as_i64().filter(|n| n.unsigned_abs() < 1 << 31).map(Some),
    };
    let step = number("step")?.unwrap_or(1);
    (step != 0).then_some(Item::Slice { start: number("start")?, stop: number("stop")?, step })
}

/// Whole axes for an ellipsis, or at the end, so that each of `rank` axes has its item.
fn without_ellipsis(items: Vec<Item>, rank: usize) -> Result<Vec<Item>, String> {
    const WHOLE: Item = Item::Slice { start: None, stop: None, step: 1 };
    let axes = items.iter().filter(|i| matches!(i, Item::Slice { .. } | Item::At(_))).count();
    let missing = rank.checked_sub(axes).ok_or_else(|| format!("the index has {axes} items for {rank} axes"))?;
    let mut parts = items.split(|i| *i == Item::Ellipsis);
    let (before, behind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match parts.next() {
        Some(_) => Err("the index has two ellipses".into()),
        None => Ok([before, &vec![WHOLE; missing], behind].concat()),
    }
}

/// First element and number of elements of a slice of `extent`.
fn slice(start: Option<i64>, stop: Option<i64>, step: i64, extent: usize) -> (usize, usize) {
    let extent = extent as i64;
    let (least, greatest) = if step > 0 { (0, extent) } else { (-1, extent - 1) };
    let place = |given: i64| if given < 0 { (given + extent).max(least) } else { given.min(greatest) };
    let (first, last) = if step > 0 { (0, extent) } else { (extent - 1, -1) };
    let (start, stop) = (start.map_or(first, place), stop.map_or(last, place));
    let distance = if step > 0 { stop - start } else { start - stop };
    (start.max(0) as usize, distance.max(0).unsigned_abs().div_ceil(step.unsigned_abs()) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn slices_are_pythons() {
        assert_eq!(slice(None, None, 1, 5), (0, 5));
        assert_eq!(slice(Some(1), Some(-1), 2, 6), (1, 2));
        assert_eq!(slice(None, None, -2, 5), (4, 3));
        assert_eq!(slice(Some(-2), Some(-9), -1, 5), (3, 4));
        assert_eq!(slice(Some(7), None, 1, 5), (5, 0));
        assert_eq!(slice(Some(3), Some(1), 1, 5).1, 0);
    }

    #[test]
    fn indices_of_both_keras() {
        let all = json!({"class_name": "__slice__", "config": {"start": null, "stop": null, "step": null}});
        let some = json!({"start": 1, "stop": 3, "step": null});
        let shape = |key: Json| Indexed::of(&key, &[1, 4, 6]).map(|i| i.shape);
        assert_eq!(shape(json!([all, 1])), Ok(vec![1, 6]));
        assert_eq!(shape(json!([all, some, null])), Ok(vec![1, 2, 1, 6]));
        assert_eq!(shape(json!([{"class_name": "__ellipsis__"}, -1])), Ok(vec![1, 4]));
        assert_eq!(shape(json!({"class_name": "__ellipsis__", "config": {}})), Ok(vec![1, 4, 6]));
        for odd in [
            json!(0),
            json!([null, all]),
            json!([all, [0, 2]]),
            json!([all, 4]),
            json!([all, 1, 1, 1]),
            json!([all, true]),
        ] {
            assert!(shape(odd.clone()).is_err(), "{odd}");
        }
    }
}
