//! Where systemd has put a process: `/proc/<number>/cgroup`, cgroups(7).

/// The innermost service or scope of the hierarchy that is systemd's: the unified one, else the one that bears its name.
pub(super) fn unit_of(cgroup: &str) -> Option<&str> {
    let path = path_in(cgroup, "0::").filter(|path| *path != "/");
    let path = path.or_else(|| path_in(cgroup, "name=systemd:"))?;
    let mut parts = path.rsplit('/');
    let unit = parts.find(|part| part.ends_with(".service") || part.ends_with(".scope"))?;
    // What the kernel would take for a file of its own is escaped so.
    Some(unit.strip_prefix('_').unwrap_or(unit))
}

/// The snap that a process is of, by its unit: `snap.<name>.<app>.service`, or `.<app>-<id>.scope`.
pub(super) fn snap_of(cgroup: &str) -> Option<&str> {
    unit_of(cgroup)?.strip_prefix("snap.")?.split('.').next()
}

fn path_in<'a>(cgroup: &'a str, hierarchy: &str) -> Option<&'a str> {
    cgroup.lines().find_map(|line| {
        let line = if hierarchy.starts_with('0') { line } else { line.split_once(':')?.1 };
        line.strip_prefix(hierarchy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "0::/user.slice/user-1000.slice/user@1000.service";

    fn check(cgroup: &str, unit: Option<&str>, snap: Option<&str>) {
        assert_eq!((unit_of(cgroup), snap_of(cgroup)), (unit, snap), "{cgroup}");
    }

    #[test]
    fn the_innermost_unit_is_a_process_own() {
        let terminal = "app-org.gnome.Terminal.slice/vte-spawn-8d0c.scope";
        check(&format!("{USER}/app.slice/{terminal}\n"), Some("vte-spawn-8d0c.scope"), None);
        check(&format!("{USER}/app.slice/mail.service/inner\n"), Some("mail.service"), None);
        check("0::/system.slice/_cpu.service\n", Some("cpu.service"), None);
        check("0::/system.slice\n", None, None);
    }

    #[test]
    fn systemds_own_hierarchy_serves_where_there_is_no_unified_one() {
        let old = "9:name=systemd:/system.slice/cron.service\n4:memory:/x.service\n0::/\n";
        check(old, Some("cron.service"), None);
        check("4:memory:/x.service\n", None, None);
    }

    #[test]
    fn a_snap_is_in_its_units_name() {
        let unit = "snap.code.code-4711.scope";
        check(&format!("{USER}/app.slice/{unit}\n"), Some(unit), Some("code"));
    }

    #[test]
    fn what_is_no_table_tells_nothing() {
        for text in ["", "\n", "0:", ":::", "name=systemd", "0::"] {
            check(text, None, None);
        }
    }
}
