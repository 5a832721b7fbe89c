//! Keys of more owners than a page has room for, most of whom are not there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use valetkey_vault::{KeyProvider, OpenOptions, Vault, keys_in_swap};

use common::{NOW, file_options, finish, map, memory_dir, only, put, ready, records};

const OWNERS: u32 = 200;

fn owner(number: u32) -> String {
    format!("uid:{number}")
}

fn filled(options: &OpenOptions) -> Vault {
    let vault = ready(options).unwrap();
    for number in 0..OWNERS {
        vault.save(&owner(number), &[put("a", number.to_string())]).unwrap();
    }
    vault
}

/// What is each one's is there, and the keys that it took are out of memory again.
fn check_all(vault: &Vault) {
    for number in 0..OWNERS {
        let expected = map([("a", number.to_string().as_str())]);
        assert_eq!(records(vault, &owner(number)), expected, "{number}");
        vault.close_keys(&owner(number));
        assert_eq!(vault.owners_in_use(), 0);
    }
}

#[test]
fn two_hundred_owners_keys_are_kept_out_of_the_swap_and_leave_one_by_one() {
    let dir = memory_dir();
    let vault = filled(&file_options(dir.path()));
    assert_eq!(vault.owners_in_use(), OWNERS as usize);
    assert_eq!(keys_in_swap(), 0, "without room for them in locked memory: see `ulimit -l`");
    vault.close_keys(&owner(7));
    assert_eq!(vault.owners_in_use(), OWNERS as usize - 1);
    assert_eq!(records(&vault, &owner(8)), map([("a", "8")]));
    assert_eq!(vault.owners_in_use(), OWNERS as usize - 1);
    assert_eq!(records(&vault, &owner(7)), map([("a", "7")]));
    (0..OWNERS).for_each(|number| vault.close_keys(&owner(number)));
    check_all(&vault);
}

#[test]
fn a_key_comes_into_memory_with_its_owner_and_not_before() {
    let dir = memory_dir();
    let options = file_options(dir.path());
    drop(filled(&options));
    let vault = ready(&options).unwrap();
    assert_eq!(vault.owners_in_use(), 0);
    assert_eq!(vault.partitions().unwrap().len(), OWNERS as usize);
    assert_eq!(vault.owners_in_use(), 0);
    vault.save(&owner(3), &[put("a", "3")]).unwrap();
    assert_eq!(records(&vault, "uid:3/app:x"), map([]));
    assert_eq!(vault.owners_in_use(), 1);
    // The header is written anew for a new owner, with the keys of all who are not there.
    vault.save("uid:new", &[put("a", "new")]).unwrap();
    check_all_but_new(vault, &options);
}

fn check_all_but_new(vault: Vault, options: &OpenOptions) {
    vault.close_keys("uid:new");
    vault.close_keys(&owner(3));
    check_all(&vault);
    drop(vault);
    let vault = ready(options).unwrap();
    assert_eq!(records(&vault, "uid:new"), map([("a", "new")]));
    vault.close_keys("uid:new");
    check_all(&vault);
}

#[test]
fn keys_of_those_who_are_not_there_are_replaced_and_stay_away() {
    let dir = memory_dir();
    let options = file_options(dir.path());
    drop(filled(&options));
    let mut vault = ready(&options).unwrap();
    assert_eq!(records(&vault, &owner(9)), map([("a", "9")]));
    vault.rotate_wrapping_key(KeyProvider::File, &options).unwrap();
    vault.rotate_data_keys(None, NOW + 1).unwrap();
    assert_eq!(vault.owners_in_use(), 1, "whoever is there has the new key as well");
    vault.save(&owner(9), &[put("a", "9")]).unwrap();
    finish(&mut vault, &options);
    assert_eq!(vault.owners_in_use(), 1);
    vault.close_keys(&owner(9));
    check_all(&vault);
    drop(vault);
    let anew = OpenOptions { key: only(KeyProvider::File), ..options };
    check_all(&ready(&anew).unwrap());
}
