//! Opening a sign-in page in the person's own browser, for an application that has no way of its own.
//!
//! Nothing that a browser or its opener prints is shown. Where none can be opened, the application tells the address.

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// True when a browser of this machine shows its pages to the person who types: not over SSH, and not without a screen.
pub fn is_at_hand() -> bool {
    is_at_hand_in(&|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn is_at_hand_in(is_set: &dyn Fn(&str) -> bool) -> bool {
    let is_remote = is_set("SSH_CONNECTION") || is_set("SSH_TTY");
    let has_screen = cfg!(windows)
        || cfg!(target_os = "macos")
        || ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_INTEROP"].into_iter().any(is_set);
    has_screen && !is_remote
}

/// Opens a page; false when nothing here could. It looks at the opener for up to a second: on a runtime's thread, use
/// `spawn_blocking`.
pub fn open(address: &str) -> bool {
    is_safe(address) && openers(address).into_iter().any(|mut command| runs(&mut command))
}

/// An address comes from the provider's metadata; a program is started with it, so it must be one of the web.
fn is_safe(address: &str) -> bool {
    let lower = address.to_ascii_lowercase();
    let is_web = lower.starts_with("https://") || lower.starts_with("http://");
    is_web && address.chars().all(|c| c.is_ascii_graphic() && c != '"')
}

/// What may open it, in the order of trying.
fn openers(address: &str) -> Vec<Command> {
    let chosen = env::var("BROWSER").unwrap_or_default();
    let mut openers: Vec<Command> =
        chosen.split(':').filter_map(|entry| chosen_browser(entry, address)).collect();
    openers.extend(SYSTEM_OPENERS.iter().map(|(program, arguments)| {
        let mut command = Command::new(program);
        command.args(*arguments).arg(address);
        command
    }));
    openers
}

/// An entry of `BROWSER`: a program and its words, with the address in the place of `%s`, else behind them.
fn chosen_browser(entry: &str, address: &str) -> Option<Command> {
    let mut words = entry.split_whitespace();
    let mut command = Command::new(words.next()?);
    command.args(words.map(|word| word.replace("%s", address)));
    if !entry.contains("%s") {
        command.arg(address);
    }
    Some(command)
}

/// True when it has done its work, or is at it: a first browser window stays in the foreground.
fn runs(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.spawn().is_ok_and(|mut child| has_not_failed(&mut child))
}

fn has_not_failed(child: &mut Child) -> bool {
    for _ in 0..LOOKS {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => thread::sleep(PAUSE),
            Err(_) => return false,
        }
    }
    true
}

#[cfg(all(unix, not(target_os = "macos")))]
const SYSTEM_OPENERS: &[(&str, &[&str])] =
    &[("xdg-open", &[]), ("gio", &["open"]), ("wslview", &[])];
#[cfg(target_os = "macos")]
const SYSTEM_OPENERS: &[(&str, &[&str])] = &[("open", &[])];
#[cfg(windows)]
const SYSTEM_OPENERS: &[(&str, &[&str])] = &[("rundll32", &["url.dll,FileProtocolHandler"])];

/// `xdg-open` fails within this time, if it fails.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_addresses_of_the_web_are_opened() {
        for (address, expected) in [
            ("https://login.example/authorize?a=b&c=%20", true),
            ("http://127.0.0.1:4321/", true),
            ("file:///etc/passwd", false),
            ("javascript:alert(1)", false),
            ("-version", false),
            ("https://x/\n", false),
            ("https://x/ y", false),
            ("https://x/\u{1b}", false),
            ("https://x/\"", false),
        ] {
            assert_eq!(is_safe(address), expected, "{address:?}");
        }
    }

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn a_browser_is_at_hand_on_a_screen_of_this_machine_alone() {
        for (variables, expected) in [
            (&[][..], false),
            (&["DISPLAY"], true),
            (&["WAYLAND_DISPLAY"], true),
            (&["BROWSER"], true),
            (&["DISPLAY", "SSH_CONNECTION"], false),
            (&["BROWSER", "SSH_TTY"], false),
        ] {
            assert_eq!(is_at_hand_in(&|name| variables.contains(&name)), expected, "{variables:?}");
        }
    }

    #[test]
    fn an_entry_of_browser_takes_the_address_as_one_word() {
        let check = |entry, expected: &[&str]| {
            let command = chosen_browser(entry, "https://x/?a=1&b=2").unwrap();
            let arguments: Vec<_> = command.get_args().collect();
            assert_eq!(arguments, expected, "{entry}");
        };
        check("firefox", &["https://x/?a=1&b=2"]);
        check("firefox --new-window %s", &["--new-window", "https://x/?a=1&b=2"]);
        check("open --url=%s", &["--url=https://x/?a=1&b=2"]);
        assert!(chosen_browser(" ", "https://x/").is_none());
    }
}
