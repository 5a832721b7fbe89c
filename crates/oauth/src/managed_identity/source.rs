//! Where a program runs, by what the platform put into its environment (`spec/msal-python.md` section 7.2).

use url::Url;
use valetkey_model::{Secret, UnixTime};

use super::{
    AppService, AzureArc, Imds, MachineLearning, ManagedIdentityError, ManagedIdentityId,
    ManagedIdentityRequest, ServiceFabric, Thumbprint, azure_arc, imds,
};
use crate::cloud_shell::{
    CLOUD_SHELL_PREFIX, CLOUD_SHELL_VARIABLE, build_resource_request, cloud_shell_endpoint,
    read_resource_token,
};
use crate::{HttpRequest, HttpResponse, TokenResponse};

/// Who gives tokens to the programs of a machine.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the source of that name")]
pub enum ManagedIdentitySource {
    ServiceFabric(ServiceFabric),
    AppService(AppService),
    MachineLearning(MachineLearning),
    AzureArc(AzureArc),
    CloudShell,
    Imds(Imds),
}

/// A source without its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the source of that name")]
pub enum SourceKind {
    ServiceFabric,
    AppService,
    MachineLearning,
    AzureArc,
    CloudShell,
    Imds,
}

/// What a machine runs, as far as sources differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the system of that name")]
pub enum Platform {
    Linux,
    Windows,
    Other,
}

/// What is known of the program and its machine.
pub struct Surroundings<'a> {
    /// What it runs.
    pub platform: Platform,
    /// The program's environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Whether there is such a file.
    pub has_file: &'a dyn Fn(&str) -> bool,
}

/// Finds the source; the first that fits, in MSAL's order. A variable that is set to nothing is set.
///
/// # Errors
/// When the platform's variables are unusable.
pub fn detect_managed_identity_source(
    around: &Surroundings<'_>,
) -> Result<ManagedIdentitySource, ManagedIdentityError> {
    let variable = |name| (around.variable)(name);
    let identity = (variable("IDENTITY_ENDPOINT"), variable("IDENTITY_HEADER").map(Secret::new));
    let machine_learning = (variable("MSI_ENDPOINT"), variable("MSI_SECRET").map(Secret::new));
    Ok(match (identity, machine_learning) {
        ((Some(endpoint), Some(secret)), _) => {
            let endpoint = parse_endpoint("IDENTITY_ENDPOINT", &endpoint)?;
            match variable("IDENTITY_SERVER_THUMBPRINT") {
                Some(thumbprint) => service_fabric(endpoint, secret, &thumbprint)?,
                None => ManagedIdentitySource::AppService(AppService { endpoint, secret }),
            }
        }
        (_, (Some(endpoint), Some(secret))) => {
            let endpoint = parse_endpoint("MSI_ENDPOINT", &endpoint)?;
            ManagedIdentitySource::MachineLearning(MachineLearning { endpoint, secret })
        }
        ((endpoint, None), _) if variable("IMDS_ENDPOINT").is_some() && endpoint.is_some() => {
            azure_arc(around, endpoint.as_deref())?
        }
        ((endpoint, _), _) if has_arc_agent(around) => azure_arc(around, endpoint.as_deref())?,
        _ if variable(CLOUD_SHELL_VARIABLE)
            .is_some_and(|host| host.starts_with(CLOUD_SHELL_PREFIX)) =>
        {
            ManagedIdentitySource::CloudShell
        }
        _ => instance_metadata(variable(POD_IDENTITY_VARIABLE).as_deref())?,
    })
}

const POD_IDENTITY_VARIABLE: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

fn service_fabric(
    endpoint: Url,
    secret: Secret,
    thumbprint: &str,
) -> Result<ManagedIdentitySource, ManagedIdentityError> {
    let wrong = |variable, expected| ManagedIdentityError::Variable { variable, expected };
    if endpoint.scheme() != "https" {
        return Err(wrong("IDENTITY_ENDPOINT", "https URL"));
    }
    let thumbprint = Thumbprint::parse(thumbprint).ok_or_else(|| {
        wrong("IDENTITY_SERVER_THUMBPRINT", "thumbprint of 40 hexadecimal digits")
    })?;
    Ok(ManagedIdentitySource::ServiceFabric(ServiceFabric { endpoint, secret, thumbprint }))
}

fn has_arc_agent(around: &Surroundings<'_>) -> bool {
    match around.platform {
        Platform::Linux => (around.has_file)(azure_arc::LINUX_AGENT),
        Platform::Windows => (around.variable)("ProgramFiles").is_some_and(|folder| {
            (around.has_file)(&format!(r"{folder}\{}", azure_arc::WINDOWS_AGENT))
        }),
        Platform::Other => false,
    }
}

fn azure_arc(
    around: &Surroundings<'_>,
    endpoint: Option<&str>,
) -> Result<ManagedIdentitySource, ManagedIdentityError> {
    let endpoint = endpoint.unwrap_or(azure_arc::DEFAULT_ENDPOINT);
    Ok(ManagedIdentitySource::AzureArc(AzureArc {
        endpoint: parse_endpoint("IDENTITY_ENDPOINT", endpoint)?,
        platform: around.platform,
        program_data: (around.variable)("ProgramData"),
    }))
}

fn instance_metadata(host: Option<&str>) -> Result<ManagedIdentitySource, ManagedIdentityError> {
    let host = host.unwrap_or(imds::DEFAULT_HOST).trim_end_matches('/');
    let endpoint = parse_endpoint(POD_IDENTITY_VARIABLE, &format!("{host}/{}", imds::PATH))?;
    Ok(ManagedIdentitySource::Imds(Imds { endpoint }))
}

fn parse_endpoint(variable: &'static str, text: &str) -> Result<Url, ManagedIdentityError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or(ManagedIdentityError::Variable { variable, expected: "URL" })
}

impl ManagedIdentitySource {
    /// Which it is.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::ServiceFabric(_) => SourceKind::ServiceFabric,
            Self::AppService(_) => SourceKind::AppService,
            Self::MachineLearning(_) => SourceKind::MachineLearning,
            Self::AzureArc(_) => SourceKind::AzureArc,
            Self::CloudShell => SourceKind::CloudShell,
            Self::Imds(_) => SourceKind::Imds,
        }
    }

    /// Where it is asked, for [`super::admit_endpoint`].
    pub fn endpoint(&self) -> Url {
        match self {
            Self::ServiceFabric(it) => it.endpoint.clone(),
            Self::AppService(it) => it.endpoint.clone(),
            Self::MachineLearning(it) => it.endpoint.clone(),
            Self::AzureArc(it) => it.endpoint.clone(),
            Self::CloudShell => cloud_shell_endpoint(),
            Self::Imds(it) => it.endpoint.clone(),
        }
    }

    /// The request; of Azure Arc the first of two, see [`AzureArc::key_file`].
    ///
    /// # Errors
    /// When the source has no such identity, or the platform's secret cannot be sent.
    pub fn build_request(
        &self,
        request: &ManagedIdentityRequest,
    ) -> Result<HttpRequest, ManagedIdentityError> {
        Ok(match self {
            Self::ServiceFabric(it) => it.build_request(request)?,
            Self::AppService(it) => it.build_request(request)?,
            Self::MachineLearning(it) => it.build_request(request)?,
            Self::AzureArc(it) => it.build_request(request),
            Self::CloudShell if request.id == ManagedIdentityId::SystemAssigned => {
                build_resource_request(cloud_shell_endpoint(), &request.resource)
            }
            Self::CloudShell => {
                return Err(ManagedIdentityError::UserAssigned {
                    source_name: "Azure Cloud Shell",
                });
            }
            Self::Imds(it) => it.build_request(request),
        })
    }

    /// Reads the answer; of Azure Arc that to [`AzureArc::build_keyed_request`].
    ///
    /// # Errors
    /// When it has no token for the identity that was asked for.
    pub fn parse_response(
        &self,
        request: &ManagedIdentityRequest,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Result<TokenResponse, ManagedIdentityError> {
        match self {
            Self::ServiceFabric(it) => it.parse_response(request, response, now),
            Self::AppService(it) => it.parse_response(request, response, now),
            Self::MachineLearning(it) => it.parse_response(request, response, now),
            Self::AzureArc(it) => it.parse_response(request, response, now),
            Self::CloudShell => Ok(read_resource_token(&request.resource, response, now)?),
            Self::Imds(it) => it.parse_response(request, response, now),
        }
    }
}

impl SourceKind {
    /// What MSAL's `get_managed_identity_source` calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServiceFabric => "SERVICE_FABRIC",
            Self::AppService => "APP_SERVICE",
            Self::MachineLearning => "MACHINE_LEARNING",
            Self::AzureArc => "AZURE_ARC",
            Self::CloudShell => "CLOUD_SHELL",
            Self::Imds => "DEFAULT_TO_VM",
        }
    }
}
