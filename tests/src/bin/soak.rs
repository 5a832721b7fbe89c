//! `soak [--minutes 30] [--seed N]`: see `valetkey_tests::soak`. `cargo xtask soak` builds what it needs and runs it.

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> std::process::ExitCode {
    use std::process::ExitCode;
    use std::time::Duration;

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let Some(place) = arguments.iter().position(|argument| argument == name) else {
            return Some(default);
        };
        arguments.get(place + 1)?.parse().ok()
    };
    let (Some(minutes), Some(seed)) = (number("--minutes", 30), number("--seed", 20_261_122))
    else {
        eprintln!("usage: soak [--minutes 30] [--seed N]");
        return ExitCode::from(2);
    };
    println!("{}", valetkey_tests::soak::run(seed, Duration::from_secs(60 * minutes)).await);
    ExitCode::SUCCESS
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("a soak looks at the daemon by Linux's tables");
}
