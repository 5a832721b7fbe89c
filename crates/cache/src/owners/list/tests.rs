//! The order, at any length, and how many comparisons a change takes.

use std::cell::Cell;

use super::*;

/// `NEWEST` is whether the newest comes first.
#[derive(Debug, PartialEq)]
struct Item<const NEWEST: bool> {
    name: usize,
    written_at: i64,
    version: usize,
}

thread_local! {
    static COMPARED: Cell<usize> = const { Cell::new(0) };
}

impl<const NEWEST: bool> Listed for Item<NEWEST> {
    const NEWEST_FIRST: bool = NEWEST;

    fn written_at(&self) -> UnixTime {
        UnixTime::from_seconds(self.written_at)
    }

    fn is_same(&self, other: &Self) -> bool {
        COMPARED.set(COMPARED.get() + 1);
        self.name == other.name
    }

    fn identity(&self) -> impl Hash {
        self.name
    }
}

/// What a list has to be, by the plainest means.
fn put_plainly<const NEWEST: bool>(all: &mut Vec<Arc<Item<NEWEST>>>, item: &Arc<Item<NEWEST>>) {
    match all.iter().position(|known| known.name == item.name) {
        Some(known) if !NEWEST => all[known] = Arc::clone(item),
        known => {
            known.map(|known| all.remove(known));
            let newer = |known: &Arc<Item<NEWEST>>| known.written_at > item.written_at;
            let place = if NEWEST { all.partition_point(newer) } else { all.len() };
            all.insert(place, Arc::clone(item));
        }
    }
}

fn check_order<const NEWEST: bool>(most: usize) {
    let (mut list, mut plain) = (List::<Item<NEWEST>>::default(), Vec::new());
    for version in 0..4 * most {
        // Neither in order nor each time another one, and many of one time.
        let name = version * 7 % most;
        let written_at = i64::try_from(version * 5 % 3).unwrap();
        let item = Arc::new(Item::<NEWEST> { name, written_at, version });
        let before = plain.iter().find(|known: &&Arc<Item<NEWEST>>| known.name == name).cloned();
        assert_eq!(list.find(&item), before.as_ref());
        if version % 5 == 4 {
            plain.retain(|known| known.name != name);
            assert_eq!(list.remove(&item), before);
        } else {
            put_plainly(&mut plain, &item);
            assert_eq!(list.put(&item), before);
        }
        assert!(list.iter().eq(&plain), "{most}, {version}");
        assert_eq!((list.len(), list.last()), (plain.len(), plain.last()));
        assert_eq!(list.is_empty(), plain.is_empty());
    }
}

#[test]
fn the_order_is_the_same_however_many_there_are() {
    for most in [1, FEW - 1, FEW, FEW + 1, 10 * FEW] {
        check_order::<true>(most);
        check_order::<false>(most);
    }
}

#[test]
fn a_change_among_thousands_compares_no_more_than_one_among_a_few() {
    const MANY: usize = 5000;
    let item = |name| Arc::new(Item::<true> { name, written_at: 0, version: 0 });
    let mut list = List::<Item<true>>::default();
    (0..MANY).for_each(|name| drop(list.put(&item(name))));
    (0..MANY).for_each(|name| drop(list.put(&item(name))));
    (0..MANY).for_each(|name| drop(list.remove(&item(name))));
    assert!(list.is_empty());
    let compared = COMPARED.get();
    assert!(compared < 100 * MANY, "{compared} comparisons");
}
