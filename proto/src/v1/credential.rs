//! How an application proves who it is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Text that is not shown: `Debug` prints the type's name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct SecretText(pub String);

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText")
    }
}

/// The credential of a confidential client (RFC 6749 section 2.3, RFC 7523 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientCredential {
    /// A shared secret.
    Secret {
        /// The secret.
        secret: SecretText,
    },
    /// An RSA key that signs assertions. Give its certificate, the certificate's thumbprint, or both.
    PrivateKey {
        /// PEM: PKCS#8 or PKCS#1, encrypted or not.
        private_key: SecretText,
        /// What the key is encrypted with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        passphrase: Option<SecretText>,
        /// PEM; goes along in each assertion (`x5c`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<String>,
        /// SHA-1 of the certificate, in hex; for a provider that knows it by no other.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thumbprint: Option<String>,
    },
    /// A PKCS#12 file with an RSA key and its certificate.
    Pfx {
        /// The file, as base64.
        pfx: SecretText,
        /// What the file is encrypted with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        passphrase: Option<SecretText>,
        /// Whether the certificate goes along in each assertion (`x5c`).
        #[serde(default)]
        send_certificate: bool,
        /// PEM of the certificates that go along in the place of the file's own: its issuers as well, for example.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificate: Option<String>,
    },
    /// An assertion that was made elsewhere, sent as it is until it expires.
    Assertion {
        /// The assertion.
        assertion: SecretText,
    },
    /// The program makes the assertions itself: a request that needs one is answered with `client_assertion_needed`, and is
    /// to be repeated with `client_assertion`.
    AssertionCallback,
}

/// A managed identity and where it is to be had. The program looks into its own environment for that; the daemon has another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ManagedIdentity {
    /// The resource's own, or one that was assigned to it.
    #[serde(default)]
    pub id: ManagedIdentityId,
    /// What serves it.
    pub source: ManagedIdentitySource,
}

/// MSAL's `ManagedIdentityIdType`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ManagedIdentityId {
    /// The resource's own.
    #[default]
    SystemAssigned,
    /// A user-assigned one, by client id.
    ClientId(String),
    /// A user-assigned one, by resource id.
    ResourceId(String),
    /// A user-assigned one, by object id.
    ObjectId(String),
}

/// What serves managed identities on this platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ManagedIdentitySource {
    /// A virtual machine's metadata service.
    Imds {
        /// Another address than the usual one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
    },
    /// App Service, Functions.
    AppService {
        /// `IDENTITY_ENDPOINT`.
        endpoint: String,
        /// `IDENTITY_HEADER`.
        header: SecretText,
    },
    /// Machine Learning.
    MachineLearning {
        /// `MSI_ENDPOINT`.
        endpoint: String,
        /// `MSI_SECRET`.
        secret: SecretText,
        /// `DEFAULT_IDENTITY_CLIENT_ID`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default_client_id: Option<String>,
    },
    /// Service Fabric.
    ServiceFabric {
        /// `IDENTITY_ENDPOINT`.
        endpoint: String,
        /// `IDENTITY_HEADER`.
        header: SecretText,
        /// `IDENTITY_SERVER_THUMBPRINT`: SHA-1 of the endpoint's certificate, in hex.
        thumbprint: String,
    },
    /// A server connected by Azure Arc.
    AzureArc {
        /// `IDENTITY_ENDPOINT`.
        endpoint: String,
    },
}
