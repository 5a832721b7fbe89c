//! One minute of what `cargo xtask soak` does for half an hour.
#![cfg(target_os = "linux")]

use std::time::Duration;

use valetkey_tests::soak;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_of_faults_loses_nothing_and_grows_by_nothing() {
    println!("{}", soak::run(1, Duration::from_secs(60)).await);
}
