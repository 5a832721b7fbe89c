//! Programs that run what they are given: their own name tells nothing of who asks.

use std::path::Path;

/// Whether the executable at this path is known to run other people's code. Of what is not known, nothing is said.
pub(crate) fn is_interpreter(executable: &Path) -> bool {
    let name = executable.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    // python3.11, ruby3.1, lua5.4, node18, perl5.36.0
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || ".-_".contains(c));
    INTERPRETERS.contains(&bare) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

const INTERPRETERS: [&str; 60] = [
    "ash",
    "awk",
    "bash",
    "beam.smp",
    "bun",
    "busybox",
    "cmd",
    "code",
    "code-insiders",
    "code-oss",
    "codium",
    "csh",
    "dash",
    "deno",
    "dotnet",
    "electron",
    "emacs",
    "erl",
    "expect",
    "fish",
    "gawk",
    "gdb",
    "gjs",
    "gjs-console",
    "guile",
    "java",
    "javaw",
    "julia",
    "ksh",
    "lua",
    "luajit",
    "mawk",
    "moar",
    "mono",
    "mono-sgen",
    "node",
    "nodejs",
    "nvim",
    "octave",
    "octave-cli",
    "octave-gui",
    "perl",
    "php",
    "php-cgi",
    "php-fpm",
    "powershell",
    "pwsh",
    "r",
    "raku",
    "ruby",
    "sbcl",
    "sh",
    "swipl",
    "tclsh",
    "tcsh",
    "toybox",
    "vi",
    "vim",
    "wish",
    "zsh",
];

/// Python's builds have letters behind the version, an editor's what it is built with. The dynamic loader runs any program, an
/// emulator those of another machine.
const PREFIXES: [&str; 10] = [
    "emacs-", "ld-linux", "ld-musl", "ld.so", "ocamlrun", "pypy", "python", "qemu-", "vim.", "wine",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_are_known_in_all_versions() {
        for (path, expected) in [
            ("/usr/bin/python3.11", true),
            ("/usr/bin/python", true),
            ("/opt/python/bin/python3.13t", true),
            ("/usr/bin/node", true),
            ("/usr/lib/jvm/java-17/bin/java", true),
            ("/usr/bin/perl5.36.0", true),
            ("/usr/bin/bash", true),
            ("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", true),
            ("/usr/bin/qemu-aarch64-static", true),
            ("C:/Python/PYTHON.EXE", true),
            ("/usr/bin/emacs-gtk", true),
            ("/usr/lib/R/bin/exec/R", true),
            ("/usr/bin/octave-cli-9.2.0", true),
            ("/usr/bin/nvim", true),
            ("/usr/bin/vim.gtk3", true),
            ("/usr/sbin/php-fpm8.2", true),
            ("/usr/bin/ocamlrun", true),
            ("/usr/bin/moar", true),
            ("/usr/bin/sbcl", true),
            ("/usr/bin/swipl", true),
            ("/usr/share/code/code", true),
            ("/usr/bin/git", false),
            ("/usr/bin/ssh", false),
            ("/usr/bin/nodejs-lint", false),
            ("", false),
        ] {
            assert_eq!(is_interpreter(Path::new(path)), expected, "{path}");
        }
    }
}
