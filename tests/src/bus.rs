//! A message bus of the test's own, and what a stranger on it can say.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;

/// A message bus on which everybody may do everything, as on a session's. It ends with the test.
pub struct Bus {
    daemon: Child,
    folder: TempDir,
}

impl Bus {
    /// None where there is no dbus-daemon.
    ///
    /// # Panics
    /// When it cannot be told what to do.
    pub fn start() -> Option<Self> {
        // Where users other than the test's own reach it, too.
        let folder = tempfile::tempdir_in("/var").or_else(|_| tempfile::tempdir()).unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let listen = format!("<listen>unix:path={}/bus</listen>", folder.path().display());
        let all = "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/><allow user=\"*\"/>";
        let policy = format!("<policy context=\"default\">{all}</policy>");
        let config = format!(
            "<busconfig><type>custom</type>{listen}<auth>EXTERNAL</auth>{policy}</busconfig>"
        );
        let file = folder.path().join("bus.conf");
        std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), config.as_bytes())
            .unwrap();
        let daemon = Command::new("dbus-daemon")
            .args(["--nofork", "--print-address=1", "--config-file"])
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut daemon) = daemon else {
            crate::skip("there is no dbus-daemon");
            return None;
        };
        // It says where it is as soon as it listens.
        daemon.stdout.as_mut().unwrap().read_exact(&mut [0; 4]).unwrap();
        Some(Self { daemon, folder })
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("unix:path={}/bus", self.folder.path().display())
    }

    /// A program on it.
    ///
    /// # Panics
    /// When the bus does not take it.
    pub async fn connect(&self) -> zbus::Connection {
        let builder = zbus::connection::Builder::address(self.address().as_str()).unwrap();
        builder.build().await.unwrap()
    }

    /// Sends a signal straight to each connection there is, which need not have asked for it; it is on its way when this
    /// returns.
    ///
    /// # Panics
    /// When the bus is gone.
    pub async fn say_to_all<B>(
        from: &zbus::Connection,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let bus = DBusProxy::new(from).await.unwrap();
        for name in bus.list_names().await.unwrap() {
            if let BusName::Unique(name) = name.as_ref() {
                from.emit_signal(Some(name), path, interface, member, body).await.unwrap();
            }
        }
        // The bus answers after it has passed on what came before.
        bus.get_id().await.unwrap();
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
