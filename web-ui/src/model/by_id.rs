//! A small map by id.
//!
//! A browser keeps some dozens of things by id, a thousand at most. Looking through a list is fast enough for that, and its
//! code is a tenth of a tree's, which each page load would carry.

/// Values by id, in the order in which they came.
#[derive(Debug, Clone, PartialEq)]
pub struct ById<T> {
    entries: Vec<(String, T)>,
}

impl<T> Default for ById<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T> ById<T> {
    /// The value of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&T> {
        self.entries.iter().find(|(known, _)| known == id).map(|(_, value)| value)
    }

    /// The value of an id, to be changed.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        self.entries.iter_mut().find(|(known, _)| known == id).map(|(_, value)| value)
    }

    /// Sets the value of an id. Says whether the id is new.
    pub fn set(&mut self, id: &str, value: T) -> bool {
        match self.get_mut(id) {
            Some(known) => {
                *known = value;
                false
            }
            None => {
                self.entries.push((id.to_owned(), value));
                true
            }
        }
    }

    /// Removes an id.
    pub fn remove(&mut self, id: &str) {
        self.entries.retain(|(known, _)| known != id);
    }

    /// Keeps only those for which it holds.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &T) -> bool) {
        self.entries.retain(|(id, value)| keep(id, value));
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, (String, T)> {
        self.entries.iter()
    }

    /// All of them, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_value() {
        let mut map = ById::default();
        assert!(map.is_empty());
        assert!(map.set("a", 1));
        assert!(map.set("b", 2));
        assert!(!map.set("a", 3));
        assert_eq!((map.get("a"), map.get("c"), map.len()), (Some(&3), None, 2));
        map.retain(|id, _| id == "a");
        map.remove("b");
        assert_eq!(map.iter().collect::<Vec<_>>(), [&("a".to_owned(), 3)]);
    }
}
