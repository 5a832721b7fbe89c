//! What starts the daemon when it does not run: systemd, if a unit of it is enabled; else the first program that needs it.

use std::env;
use std::path::{Path, PathBuf};

use valetkey_client::startable_daemon;
use valetkey_client::v1::{About, Finding};

pub(super) fn look() -> Finding {
    let program = startable_daemon();
    let is_forbidden = env::var_os("VALETKEY_AUTOSTART").is_some_and(|value| value == "0");
    judge(&Units::find(&unit_folders()), program.as_deref(), is_forbidden)
}

/// Of systemd; nothing on other systems.
#[derive(Default)]
struct Units {
    enabled: Option<PathBuf>,
    installed: Option<PathBuf>,
}

impl Units {
    fn find(folders: &[PathBuf]) -> Self {
        let first = |names: &[&str]| {
            let all = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
            all.into_iter().find(|path| path.symlink_metadata().is_ok())
        };
        let wanted =
            ["sockets.target.wants/valetkeyd.socket", "default.target.wants/valetkeyd.service"];
        Self {
            enabled: first(&wanted),
            installed: first(&["valetkeyd.socket", "valetkeyd.service"]),
        }
    }
}

fn judge(units: &Units, program: Option<&Path>, is_forbidden: bool) -> Finding {
    let shown = |path: &Path| path.display().to_string();
    match (&units.enabled, program) {
        (Some(unit), _) => {
            let only = if is_forbidden { ", and nobody else (VALETKEY_AUTOSTART=0)" } else { "" };
            Finding::good(About::Autostart, format!("systemd starts it, by {}{only}", shown(unit)))
        }
        (None, Some(program)) => {
            let unit = units.installed.as_ref().map(|unit| shown(unit));
            let unit = unit.map(|unit| format!("; {unit} is not enabled")).unwrap_or_default();
            let what = format!("programs start {}{unit}", shown(program));
            Finding::good(About::Autostart, what)
        }
        (None, None) if is_forbidden => Finding::warning(
            About::Autostart,
            "VALETKEY_AUTOSTART=0 keeps programs from starting it, and no unit of systemd's is enabled",
            "Enable valetkeyd.socket (`systemctl --user enable --now valetkeyd.socket`), or unset the variable.",
        ),
        (None, None) => Finding::warning(
            About::Autostart,
            "no program would start it, and no unit of systemd's is enabled",
            "Put valetkeyd beside valetkey or on PATH, or enable valetkeyd.socket.",
        ),
    }
}

/// systemd.unit(5), a person's own first, and then the machine's.
fn unit_folders() -> Vec<PathBuf> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let home = env::var_os("HOME").map(PathBuf::from);
    let own = |variable, below_home: &str| {
        let chosen = env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        chosen.or_else(|| home.as_ref().map(|home| home.join(below_home)))
    };
    let own = [own("XDG_CONFIG_HOME", ".config"), own("XDG_DATA_HOME", ".local/share")];
    let own = own.into_iter().flatten().map(|folder| folder.join("systemd/user"));
    let of_machine = ["/etc", "/usr/local/lib", "/usr/lib"];
    let kinds = ["systemd/user", "systemd/system"];
    let of_machine =
        kinds.iter().flat_map(|kind| of_machine.iter().map(move |base| Path::new(base).join(kind)));
    own.chain(of_machine).collect()
}

#[cfg(test)]
mod tests {
    use valetkey_client::v1::Verdict;

    use super::*;

    fn check(
        units: &[&str],
        program: Option<&str>,
        is_forbidden: bool,
        verdict: Verdict,
        words: &str,
    ) {
        let folder = tempfile::tempdir().unwrap();
        for unit in units {
            let path = folder.path().join(unit);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::File::create(path).unwrap();
        }
        let units = Units::find(&["/nonexistent".into(), folder.path().to_owned()]);
        let finding = judge(&units, program.map(Path::new), is_forbidden);
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(finding.what.contains(words), "{finding:?}");
        assert_eq!(finding.hint.is_some(), verdict != Verdict::Good);
    }

    #[test]
    fn who_starts_the_daemon_is_told() {
        let enabled = ["valetkeyd.socket", "sockets.target.wants/valetkeyd.socket"];
        let program = Some("/bin/valetkeyd");
        check(&enabled, program, false, Verdict::Good, "systemd starts it");
        check(&enabled, None, true, Verdict::Good, "and nobody else (VALETKEY_AUTOSTART=0)");
        check(&enabled[..1], program, false, Verdict::Good, "valetkeyd.socket is not enabled");
        check(&[], program, false, Verdict::Good, "programs start /bin/valetkeyd");
        check(&[], None, true, Verdict::Warning, "VALETKEY_AUTOSTART=0");
        check(&enabled[..1], None, false, Verdict::Warning, "no program would start it");
    }
}
