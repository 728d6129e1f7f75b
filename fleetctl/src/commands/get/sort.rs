//! Sorting by any field of the JSON form.

use crate::failure::{Failure, Kind};
use serde::Serialize;
use serde_json::Value;
use std::cmp::Ordering;

/// Sorts by a field named by its path, for example `last_sample.values.cpu_busy_ratio`. What has no value comes last;
/// equal ones keep their order.
pub(super) fn by_field<T: Serialize>(items: &mut Vec<T>, path: &str) -> Result<(), Failure> {
    let mut keyed = Vec::with_capacity(items.len());
    let mut known = items.is_empty();
    for item in items.drain(..) {
        let document = serde_json::to_value(&item)
            .map_err(|error| Failure::new(Kind::General, format!("cannot sort: {error}"), "leave --sort-by out"))?;
        let value = path.split('.').try_fold(&document, |value, key| value.get(key)).cloned();
        known |= value.is_some();
        keyed.push((value.unwrap_or(Value::Null), item));
    }
    if !known {
        return Err(Failure::usage(
            format!("nothing has a field {path:?} to sort by"),
            "use name, health, link, enrolled, or a path as in -o json such as last_sample.values.cpu_busy_ratio",
        ));
    }
    keyed.sort_by(|(left, _), (right, _)| compare(left, right));
    items.extend(keyed.into_iter().map(|(_, item)| item));
    Ok(())
}

fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::Number(left), Value::Number(right)) => {
            left.as_f64().unwrap_or(f64::NAN).total_cmp(&right.as_f64().unwrap_or(f64::NAN))
        }
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (left, right) => left.to_string().cmp(&right.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(path: &str, expected: Option<[u64; 4]>) {
        let mut items = vec![
            json!({"id": 1, "name": "b", "values": {"cpu": 0.5}}),
            json!({"id": 2, "name": "a", "values": {"cpu": 10}}),
            json!({"id": 3, "name": "c", "values": {}}),
            json!({"id": 4, "name": "a", "values": {"cpu": 2}}),
        ];
        let sorted = by_field(&mut items, path).map(|()| items.iter().filter_map(|item| item["id"].as_u64()).collect());
        assert_eq!(sorted.ok(), expected.map(Vec::from), "{path}");
    }

    #[test]
    fn fields_sort_by_their_kind() {
        check("name", Some([2, 4, 1, 3]));
        check("values.cpu", Some([1, 4, 2, 3]));
        check("values.ram", None);
        check("", None);
    }
}
