//! Where the well-known products keep their caches (`spec/msal-python.md` section 8.2).

use std::env;
use std::path::{Path, PathBuf};

use crate::{Source, SourceError, keyring};

/// A family of programs that keep their caches in places of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// `az`.
    AzureCli,
    /// The Azure Identity libraries for Python, .NET and JavaScript, and Azure and Graph PowerShell.
    AzureIdentity,
}

/// A cache that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whose.
    pub product: Product,
    /// Where.
    pub source: Source,
}

/// The folders that the products look into.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Azure CLI's.
    pub azure_config: Option<PathBuf>,
    /// Azure Identity's.
    pub identity_services: Vec<PathBuf>,
}

impl Places {
    /// Those of this user, by the environment as the products read it.
    pub fn of_this_user() -> Self {
        Self::of(&|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
    }

    fn of(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Self {
        let home = variable(if cfg!(windows) { "USERPROFILE" } else { "HOME" });
        let in_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let data = match cfg!(windows) {
            true => variable("LOCALAPPDATA"),
            false => variable("XDG_DATA_HOME").or_else(|| in_home(".local/share")),
        };
        let identity_services =
            [in_home(IDENTITY_SERVICE), data.map(|data| data.join(IDENTITY_SERVICE))];
        Self {
            azure_config: variable("AZURE_CONFIG_DIR").or_else(|| in_home(".azure")),
            identity_services: identity_services.into_iter().flatten().collect(),
        }
    }
}

/// The caches that are there, and why the keyring could not be looked into if so.
pub fn find(places: &Places) -> (Vec<Found>, Option<SourceError>) {
    let azure = places.azure_config.iter().map(|folder| folder.join("msal_token_cache.json"));
    let azure = azure.filter(|path| has_content(path));
    let identity = places.identity_services.iter().flat_map(|folder| caches_in(folder));
    let found = |product| move |path| Found { product, source: Source::File(path) };
    let mut all: Vec<Found> = azure
        .map(found(Product::AzureCli))
        .chain(identity.map(found(Product::AzureIdentity)))
        .collect();
    let refusal = keyring::WELL_KNOWN.iter().find_map(|(product, attributes)| {
        let items = match keyring::search(attributes) {
            Ok(items) => items,
            Err(refusal) => return Some(refusal),
        };
        let new = items.into_iter().map(Source::Keyring);
        all.extend(new.map(|source| Found { product: *product, source }));
        None
    });
    (all, refusal)
}

/// The files that are named as caches are, in a fixed order.
fn caches_in(folder: &Path) -> Vec<PathBuf> {
    let files = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let mut caches: Vec<_> = files.filter(|path| is_cache(path) && has_content(path)).collect();
    caches.sort();
    caches
}

fn is_cache(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains("msal.cache") && !name.ends_with(".lockfile")
}

/// A file that only signals a change of a keyring item is empty, or has an empty object.
fn has_content(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 2)
}

const IDENTITY_SERVICE: &str = ".IdentityService";

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    #[test]
    fn the_environment_says_where_to_look() {
        let places = |set: &[(&str, &str)]| {
            Places::of(&|name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
            })
        };
        let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let of_home = places(&[(home, "h")]);
        assert_eq!(of_home.azure_config.unwrap(), Path::new("h/.azure"));
        assert_eq!(of_home.identity_services[0], Path::new("h/.IdentityService"));
        let named = places(&[(home, "h"), ("AZURE_CONFIG_DIR", "a")]);
        assert_eq!(named.azure_config.unwrap(), Path::new("a"));
        assert!(places(&[]).azure_config.is_none());
    }

    #[test]
    fn files_with_content_are_found_and_signals_and_locks_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, content) in [
            ("msal.cache.cae", "{\"a\":1}"),
            ("msal.cache.nocae", "{}"),
            ("mg.msal.cache", "{\"a\":1}"),
            ("msal.cache.cae.lockfile", "4711"),
            ("readme", "{\"a\":1}"),
        ] {
            File::create(path(name)).unwrap().write_all(content.as_bytes()).unwrap();
        }
        assert_eq!(caches_in(folder.path()), [path("mg.msal.cache"), path("msal.cache.cae")]);
        assert!(caches_in(&path("absent")).is_empty());
    }
}
