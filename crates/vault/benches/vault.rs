//! Loading, saving and opening, beside what bounds them from below or would be used instead.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use valetkey_vault::{
    KeyChoice, KeyProvider, OpenOptions, Opened, RecordChange, Upkeep, Vault, open,
};
use zeroize::Zeroizing;

const RECORD_BYTES: usize = 2048;
const PARTITION: &str = "user 1000";

fn open_vault(dir: &Path) -> Vault {
    let key = KeyChoice::Only(KeyProvider::File);
    match open(&OpenOptions { key, ..OpenOptions::new(dir, 0) }) {
        Ok(Opened::Ready(vault)) => vault,
        other => panic!("open: {other:?}"),
    }
}

fn put(number: usize, fill: u8) -> RecordChange {
    let value = Zeroizing::new(vec![fill; RECORD_BYTES]);
    RecordChange::Put { key: format!("accesstoken-{number}"), value }
}

fn filled(records: usize) -> (tempfile::TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let vault = open_vault(&dir.path().join("state"));
    let numbers: Vec<usize> = (0..records).collect();
    for some in numbers.chunks(10_000) {
        let changes: Vec<_> = some.iter().map(|number| put(*number, 1)).collect();
        vault.save(PARTITION, &changes).unwrap();
    }
    (dir, vault)
}

fn load(c: &mut Criterion) {
    let (dir, vault) = filled(10_000);
    let mut group = c.benchmark_group("10000 records of 2 KiB");
    group.sample_size(20);
    group.bench_function("load", |b| {
        b.iter(|| black_box(vault.load(PARTITION, || |record| record.value.to_vec()).unwrap()))
    });
    drop(vault);
    let database = dir.path().join("state/vault.redb");
    group.bench_function("read the file", |b| {
        b.iter(|| black_box(std::fs::read(&database).unwrap()))
    });
    let state = dir.path().join("state");
    group.bench_function("open", |b| {
        b.iter_batched(|| (), |()| open_vault(&state), BatchSize::PerIteration);
    });
    group.bench_function("open after someone wrote to the file", |b| {
        let touch = || {
            let file = std::fs::File::options().write(true).open(&database).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        };
        b.iter_batched(touch, |()| open_vault(&state), BatchSize::PerIteration);
    });
    group.finish();
}

fn save(c: &mut Criterion) {
    let mut group = c.benchmark_group("save one record of 2 KiB");
    group.sample_size(50);
    for records in [10, 10_000, 100_000] {
        let (dir, vault) = filled(records);
        let mut number = 0;
        group.bench_function(format!("among {records}"), |b| {
            b.iter(|| {
                number = (number + 7919) % records;
                vault.save(PARTITION, &[put(number, 2)]).unwrap();
            });
        });
        if records <= 10_000 {
            group.bench_function(format!("rewrite a file of {records}"), |b| {
                let all = vec![2; records * RECORD_BYTES];
                b.iter(|| write_and_sync(&dir.path().join("whole"), &all));
            });
        }
        group.bench_function(format!("among {records}, bare fsync of 2 KiB"), |b| {
            b.iter(|| write_and_sync(&dir.path().join("one"), &[2; RECORD_BYTES]));
        });
    }
    group.finish();
}

/// How long others wait at most while keys are replaced: no save is taken during a piece, and the last piece copies the database.
fn rotate(c: &mut Criterion) {
    let mut group = c.benchmark_group("replace data keys among 10000 records of 2 KiB");
    group.sample_size(10);
    let (dir, mut vault) = filled(10_000);
    let options = OpenOptions::new(dir.path().join("state"), 0);
    group.bench_function("the longest piece", |b| {
        b.iter_custom(|times| (0..times).map(|_| longest_piece(&mut vault, &options)).sum());
    });
    group.finish();
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn longest_piece(vault: &mut Vault, options: &OpenOptions) -> Duration {
    vault.rotate_data_keys(None, 0).unwrap();
    let (mut longest, mut upkeep) = (Duration::ZERO, Upkeep::More);
    while upkeep == Upkeep::More {
        let begun = Instant::now();
        upkeep = vault.upkeep(options).unwrap();
        longest = longest.max(begun.elapsed());
    }
    longest
}

fn write_and_sync(path: &Path, content: &[u8]) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(content).unwrap();
    file.sync_all().unwrap();
}

criterion_group!(benches, load, save, rotate);
criterion_main!(benches);
