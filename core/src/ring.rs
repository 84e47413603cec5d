//! A ring buffer in arrival order. Its two indices take two bytes each, to keep a window small.

use core::marker::PhantomData;

/// Values in the slots `P` (at most 65,535 are used), oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Ring<T, P> {
    places: P,
    oldest: u16,
    len: u16,
    values: PhantomData<T>,
}

impl<T, P> Ring<T, P> {
    /// Creates an empty ring; the contents of `places` are overwritten.
    pub(crate) const fn new(places: P) -> Self {
        Self { places, oldest: 0, len: 0, values: PhantomData }
    }
}

impl<T: Copy, P: AsRef<[T]> + AsMut<[T]>> Ring<T, P> {
    /// Returns the slots, rotated so that the oldest value is first.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn straight_places(&mut self) -> &mut P {
        let places = self.places.as_mut();
        let oldest = usize::from(self.oldest).min(places.len());
        places.rotate_left(oldest);
        self.oldest = 0;
        &mut self.places
    }

    pub(crate) fn capacity(&self) -> usize {
        self.places.as_ref().len()
    }

    pub(crate) fn len(&self) -> u16 {
        self.len
    }

    pub(crate) fn clear(&mut self) {
        self.oldest = 0;
        self.len = 0;
    }

    pub(crate) fn front(&self) -> Option<&T> {
        if self.len == 0 { None } else { self.places.as_ref().get(usize::from(self.oldest)) }
    }

    /// Appends a value. Returns false, without effect, if the ring is full.
    pub(crate) fn push_back(&mut self, value: T) -> bool {
        if usize::from(self.len) >= self.capacity() {
            return false;
        }
        let behind_newest = self.wrap(usize::from(self.oldest).saturating_add(usize::from(self.len)));
        let Some(place) = self.places.as_mut().get_mut(behind_newest) else { return false };
        *place = value;
        self.len = self.len.saturating_add(1);
        true
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let value = *self.front()?;
        self.oldest = self.wrap(usize::from(self.oldest).saturating_add(1)) as u16;
        self.len = self.len.saturating_sub(1);
        Some(value)
    }

    /// Removes the oldest value of a non-empty ring and appends `value`.
    #[cfg(target_pointer_width = "64")]
    #[inline]
    pub(crate) fn rotate(&mut self, value: T) -> T {
        let (oldest, len) = (usize::from(self.oldest), usize::from(self.len));
        let places = self.places.as_mut();
        let next = oldest.saturating_add(1);
        self.oldest = if next >= places.len() { 0 } else { next as u16 };
        if len >= places.len() {
            // The new value takes the slot of the oldest.
            return places.get_mut(oldest).map_or(value, |place| core::mem::replace(place, value));
        }
        let taken = places.get(oldest).copied().unwrap_or(value);
        let behind_newest = oldest.saturating_add(len);
        let behind_newest = behind_newest.checked_sub(places.len()).unwrap_or(behind_newest);
        if let Some(place) = places.get_mut(behind_newest) {
            *place = value;
        }
        taken
    }

    /// Returns the value at `index`, counted from the oldest.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // several loops go through it
    pub(crate) fn get(&self, index: u16) -> Option<T> {
        if index >= self.len {
            return None;
        }
        self.places.as_ref().get(self.wrap(usize::from(self.oldest).saturating_add(usize::from(index)))).copied()
    }

    /// Wraps an index at the end of the slots; `place` is below twice the capacity.
    fn wrap(&self, place: usize) -> usize {
        let capacity = self.capacity();
        if place >= capacity { place.saturating_sub(capacity) } else { place }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn it_holds_what_a_queue_of_the_library_holds() {
        let mut ring = Ring::<u32, _>::new([0; 5]);
        let mut queue = VecDeque::new();
        for step in 0..500_u32 {
            if step.wrapping_mul(2_654_435_761) >> 30 == 0 {
                assert_eq!(ring.pop_front(), queue.pop_front());
            } else {
                assert_eq!(ring.push_back(step), queue.len() < 5);
                if queue.len() < 5 {
                    queue.push_back(step);
                } else {
                    assert_eq!(ring.pop_front(), queue.pop_front());
                }
            }
            let held: Vec<u32> = (0..ring.len()).filter_map(|index| ring.get(index)).collect();
            assert_eq!(ring.get(ring.len()), None);
            assert_eq!(held, Vec::from(queue.clone()));
            assert_eq!((ring.front(), usize::from(ring.len())), (queue.front(), queue.len()));
        }
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn rotation_is_a_pop_and_a_push_however_full_the_ring_is() {
        for len in 1..=5 {
            let mut ring = Ring::<u32, _>::new([0; 5]);
            let mut queue = VecDeque::new();
            for value in 0..len {
                ring.push_back(value);
                queue.push_back(value);
            }
            for value in 10..30 {
                queue.push_back(value);
                assert_eq!(Some(ring.rotate(value)), queue.pop_front());
                let held: Vec<u32> = (0..ring.len()).filter_map(|index| ring.get(index)).collect();
                assert_eq!(held, Vec::from(queue.clone()));
            }
        }
    }

    #[test]
    fn a_ring_without_places_takes_nothing() {
        let mut ring = Ring::<u32, _>::new([0; 0]);
        assert!(!ring.push_back(1));
        assert_eq!((ring.pop_front(), ring.front()), (None, None));
        assert_eq!(ring.get(0), None);
    }
}
