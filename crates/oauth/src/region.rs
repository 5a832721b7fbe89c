//! Azure's regional token service (ESTS-R): an application that runs in a region gets its own tokens there
//! (`spec/msal-python.md` section 2.15). Users' tokens always come from the central host.

use http::header::{HeaderName, HeaderValue};
use url::Url;

use crate::json::{read_object, read_text};
use crate::{HttpRequest, HttpResponse, known_aliases};

/// The environment variable that names a region for every application of the process.
pub const FORCE_REGION_VARIABLE: &str = "MSAL_FORCE_REGION";
/// The environment variable in which Azure tells a program where it runs.
pub const REGION_NAME_VARIABLE: &str = "REGION_NAME";

/// The public cloud's hosts are one service, whose regions are below this name.
const PUBLIC_HOST: &str = "login.microsoftonline.com";
const PUBLIC_REGIONAL_PARENT: &str = "login.microsoft.com";

/// The name of a region, such as `westus2`: a DNS label in lower case that begins with a letter, since it becomes a part
/// of a host name to which secrets go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Region(String);

/// A text that is no region's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "region {text:?} is no region's name; it is lower-case letters, digits and hyphens, such as \"westus2\""
)]
pub struct RegionError {
    /// What was given.
    pub text: String,
}

/// What an application says of regions (MSAL's `azure_region`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RegionChoice {
    /// Nothing: the environment may force one.
    #[default]
    Unsaid,
    /// Never regional, whatever the environment says.
    Never,
    /// Wherever the program runs.
    Detect,
    /// This one.
    Named(Region),
}

/// What is known of the region before anybody is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionPlan {
    /// The central host is spoken to.
    Central,
    /// The region's host is spoken to.
    Regional(Region),
    /// [`build_region_request`] tells; the central host is spoken to when it does not.
    AskMachine,
}

impl Region {
    /// Checks the name.
    ///
    /// # Errors
    /// When it could be anything but one label of a host name.
    pub fn new(text: &str) -> Result<Self, RegionError> {
        let is_label_byte =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let bytes = text.as_bytes();
        let is_valid = bytes.first().is_some_and(u8::is_ascii_lowercase)
            && bytes.last().is_some_and(|last| *last != b'-')
            && bytes.len() <= 63
            && bytes.iter().all(|byte| is_label_byte(*byte));
        is_valid.then(|| Self(text.to_owned())).ok_or_else(|| RegionError { text: text.to_owned() })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region's host in the place of `central`.
    pub fn host_for(&self, central: &str) -> String {
        let is_public =
            central == PUBLIC_HOST || known_aliases(PUBLIC_HOST).any(|it| it == central);
        let parent = if is_public { PUBLIC_REGIONAL_PARENT } else { central };
        format!("{}.{parent}", self.0)
    }

    /// The same place at the region's host. A URL whose host is an address has no region and stays as it is.
    pub fn move_url(&self, central: &Url) -> Url {
        let mut url = central.clone();
        if let Some(url::Host::Domain(host)) = central.host() {
            // Only a host that became too long is refused; the central one then serves as well.
            let _ = url.set_host(Some(&self.host_for(host)));
        }
        url
    }
}

/// Decides by what the application and the environment say: `force_region` is [`FORCE_REGION_VARIABLE`], `region_name` is
/// [`REGION_NAME_VARIABLE`]. MSAL detects even where a region is named, to compare; here a named region costs nothing.
///
/// # Errors
/// When the environment forces a region that is none.
pub fn plan_region(
    choice: &RegionChoice,
    force_region: Option<&str>,
    region_name: Option<&str>,
) -> Result<RegionPlan, RegionError> {
    Ok(match (choice, force_region) {
        (RegionChoice::Never, _) | (RegionChoice::Unsaid, None) => RegionPlan::Central,
        (RegionChoice::Named(region), _) => RegionPlan::Regional(region.clone()),
        (RegionChoice::Unsaid, Some(forced)) => RegionPlan::Regional(Region::new(forced)?),
        (RegionChoice::Detect, _) => match region_name.filter(|name| !name.is_empty()) {
            // The machine said where it is; that it said so in vain is no reason to ask it again.
            Some(name) => Region::new(name).map_or(RegionPlan::Central, RegionPlan::Regional),
            None => RegionPlan::AskMachine,
        },
    })
}

/// Asks Azure's instance metadata service where this machine is. Elsewhere nobody answers, so that it needs a short time
/// limit.
pub fn build_region_request() -> HttpRequest {
    const ADDRESS: &str = "http://169.254.169.254/metadata/instance/compute?api-version=2021-02-01";
    #[expect(clippy::expect_used, reason = "a constant")]
    let mut request = HttpRequest::get(Url::parse(ADDRESS).expect("a constant URL is valid"));
    let metadata = HeaderName::from_static("metadata");
    request.headers.insert(metadata, HeaderValue::from_static("true"));
    request
}

/// Where the machine is; none when the answer does not say.
pub fn parse_region(response: &HttpResponse) -> Option<Region> {
    if !(200..300).contains(&response.status) {
        return None;
    }
    let location = read_text(&read_object(response).ok()?, "location").ok()??;
    Region::new(&location).ok()
}

#[cfg(test)]
mod tests;
