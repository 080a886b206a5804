//! A table whose free places are used again, so that steady traffic allocates nothing.
//!
//! Separate because calls, connections, links, datagrams and probes all live in one. An index says nothing about who lives
//! there now: holders of old indices compare a sequence number or the place's generation.

/// Values under dense, reused indices.
#[derive(Clone, Debug)]
pub(super) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    /// How many values have left this place.
    generation: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }

    /// Stores a value and returns its index.
    pub fn insert(&mut self, value: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self.slots[index as usize].value = Some(value);
            return index;
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 4 billion live values");
        self.slots.push(Slot { generation: 0, value: Some(value) });
        index
    }

    /// Takes the value out; its place may be used again at once.
    pub fn remove(&mut self, index: u32) -> T {
        let slot = &mut self.slots[index as usize];
        let value = slot.value.take().expect("a value is removed once");
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(index);
        value
    }

    pub fn get(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize)?.value.as_ref()
    }

    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize)?.value.as_mut()
    }

    /// Index and generation in one word: a name that no later value of the same place shares.
    pub fn name(&self, index: u32) -> u64 {
        u64::from(self.slots[index as usize].generation) << 32 | u64::from(index)
    }

    /// The index behind a name, if its value is still there.
    pub fn find(&self, name: u64) -> Option<u32> {
        let index = name as u32;
        let slot = self.slots.get(index as usize)?;
        (u64::from(slot.generation) == name >> 32 && slot.value.is_some()).then_some(index)
    }

    /// The indices in use, rising.
    pub fn indices(&self) -> Vec<u32> {
        (0..self.slots.len() as u32).filter(|index| self.get(*index).is_some()).collect()
    }
}

impl<T> std::ops::Index<u32> for Slab<T> {
    type Output = T;
    fn index(&self, index: u32) -> &T {
        self.get(index).expect("the value is still there")
    }
}

impl<T> std::ops::IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, index: u32) -> &mut T {
        self.get_mut(index).expect("the value is still there")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again_under_a_new_name() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        let old = slab.name(first);
        assert_eq!((slab.find(old), slab.remove(first)), (Some(first), 'a'));
        let second = slab.insert('b');
        assert_eq!((first, slab.find(old)), (second, None));
        assert_eq!((slab.find(slab.name(second)), slab.indices()), (Some(second), vec![0]));
    }
}
