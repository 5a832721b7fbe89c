//! What the daemon's environment says of the way to providers, for whom it does not lead there.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::roots::Roots;
use crate::paths::Lookup;

/// The proxy and the certificates that the environment names.
#[derive(Clone, Debug)]
pub struct Surroundings {
    proxy: Option<NamedProxy>,
    /// `NO_PROXY`
    except: Option<String>,
    roots: Roots,
}

#[derive(Clone, Debug)]
struct NamedProxy {
    variable: &'static str,
    /// Host and port; never the user and the password that may stand before them.
    address: Result<(String, u16), &'static str>,
}

/// A proxy that was connected to.
#[derive(Debug)]
pub struct TriedProxy {
    /// What names it.
    pub variable: &'static str,
    /// Its host and port.
    pub host: String,
    /// Why it cannot be reached.
    pub outcome: Result<(), String>,
    /// What is reached without it.
    pub except: Option<String>,
}

/// A place that may have certificates.
#[derive(Debug)]
pub struct RootsFound {
    /// A file or a folder, and the variable that names it.
    pub place: String,
    /// How many there are.
    pub outcome: io::Result<usize>,
}

impl Surroundings {
    /// As the HTTP client reads them, whose order this is.
    pub fn named_by(lookup: Lookup<'_>) -> Self {
        let proxy = PROXY_VARIABLES.iter().find_map(|variable| {
            let value = lookup(variable)?;
            Some(NamedProxy { variable, address: address_in(&value.to_string_lossy()) })
        });
        let except = ["NO_PROXY", "no_proxy"].iter().find_map(|name| lookup(name));
        let except = except.map(|except| except.to_string_lossy().into_owned());
        Self { proxy, except, roots: Roots::named_by(lookup) }
    }

    /// Connects to the proxy, and says nothing to it.
    pub async fn try_proxy(&self) -> Option<TriedProxy> {
        let NamedProxy { variable, address } = self.proxy.as_ref()?;
        let tried =
            |host, outcome| TriedProxy { variable, host, outcome, except: self.except.clone() };
        let (host, port) = match address {
            Ok(address) => address,
            Err(why) => return Some(tried("the proxy".to_owned(), Err((*why).to_owned()))),
        };
        let outcome = match timeout(PATIENCE, TcpStream::connect((host.as_str(), *port))).await {
            Ok(connected) => connected.map(drop).map_err(|error| error.to_string()),
            Err(_) => Err(format!("no connection within {} s", PATIENCE.as_secs())),
        };
        Some(tried(format!("{host}:{port}"), outcome))
    }

    /// Reads the places where certificates are. macOS and Windows have stores of their own, which cannot be counted.
    pub async fn count_roots(&self) -> Vec<RootsFound> {
        let roots = self.roots.clone();
        let counting = tokio::task::spawn_blocking(move || roots.count());
        match timeout(PATIENCE, counting).await {
            Ok(Ok(counted)) => {
                counted.into_iter().map(|(place, outcome)| RootsFound { place, outcome }).collect()
            }
            _ => {
                let outcome = Err(io::ErrorKind::TimedOut.into());
                vec![RootsFound { place: "the certificates' file system".to_owned(), outcome }]
            }
        }
    }
}

fn address_in(value: &str) -> Result<(String, u16), &'static str> {
    // A bare `host:port` is a proxy as well, and no URL.
    let url = match value.contains("://") {
        true => Url::parse(value),
        false => Url::parse(&format!("http://{value}")),
    };
    let url = url.map_err(|_| "the variable is no address")?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the variable has no host")?;
    let port = url.port_or_known_default().unwrap_or(SOCKS_PORT);
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

/// Providers are spoken to by https.
const PROXY_VARIABLES: &[&str] = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

const SOCKS_PORT: u16 = 1080;

/// What takes longer than this is told as not working.
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs::File;
    use std::io::Write as _;

    use super::*;

    fn surroundings(environment: &[(&str, &str)]) -> Surroundings {
        Surroundings::named_by(&|name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, it)| OsString::from(it))
        })
    }

    #[test]
    fn a_proxy_is_told_by_its_host_and_never_by_its_password() {
        for (value, expected) in [
            ("http://user:secret@proxy.example:3128", Ok(("proxy.example", 3128))),
            ("proxy.example:8080", Ok(("proxy.example", 8080))),
            ("https://[::1]", Ok(("::1", 443))),
            ("socks5h://proxy.example", Ok(("proxy.example", 1080))),
            ("http://", Err("the variable is no address")),
        ] {
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(address_in(value), expected, "{value}");
        }
    }

    #[tokio::test]
    async fn the_proxy_of_https_goes_before_that_of_all_and_is_connected_to() {
        assert!(surroundings(&[("HTTP_PROXY", "http://p")]).try_proxy().await.is_none());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let reached = format!("http://localhost:{port}");
        let both = [("ALL_PROXY", "http://127.0.0.1:1"), ("https_proxy", &*reached)];
        let tried = surroundings(&both).try_proxy().await.unwrap();
        assert_eq!((tried.variable, tried.outcome), ("https_proxy", Ok(())));
        drop(listener);
        let tried = surroundings(&both[..1]).try_proxy().await.unwrap();
        assert_eq!((tried.variable, &*tried.host), ("ALL_PROXY", "127.0.0.1:1"));
        assert!(tried.outcome.unwrap_err().contains("refused"));
    }

    #[tokio::test]
    async fn certificates_are_counted_where_the_environment_names_them() {
        let folder = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let file = folder.path().join("a.pem");
        let pem = certified.cert.pem().repeat(2);
        File::create(&file).unwrap().write_all(pem.as_bytes()).unwrap();
        File::create(folder.path().join("README")).unwrap();
        let missing = folder.path().join("missing");
        for (variable, path, expected) in [
            ("SSL_CERT_FILE", &file, Some(2)),
            ("SSL_CERT_DIR", &folder.path().to_owned(), Some(2)),
            ("SSL_CERT_FILE", &missing, None),
            ("SSL_CERT_DIR", &missing, None),
        ] {
            let named = surroundings(&[(variable, path.to_str().unwrap())]);
            let found = named.count_roots().await.pop().unwrap();
            assert_eq!(found.place, format!("{} of {variable}", path.display()));
            assert_eq!(found.outcome.ok(), expected, "{variable} {}", path.display());
        }
    }

    #[tokio::test]
    async fn what_the_environment_names_as_well_is_counted_once() {
        let alone = surroundings(&[]).count_roots().await;
        let [bundle] = &alone[..] else { panic!("{alone:?}") };
        let named = surroundings(&[("SSL_CERT_FILE", &bundle.place)]).count_roots().await;
        let places: Vec<_> = named.iter().map(|found| found.place.as_str()).collect();
        assert_eq!(places, [format!("{} of SSL_CERT_FILE", bundle.place)]);
    }
}
