//! Which source is found, and whether it may be spoken to.

use std::time::Duration;

use super::*;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn detect(
    platform: Platform,
    variables: Variables<'_>,
    file: &str,
) -> Result<ManagedIdentitySource, ManagedIdentityError> {
    let variable = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    let has_file = |path: &str| path == file;
    let around = Surroundings { platform, variable: &variable, has_file: &has_file };
    detect_managed_identity_source(&around)
}

fn check(
    platform: Platform,
    variables: Variables<'_>,
    file: &str,
    kind: SourceKind,
    endpoint: &str,
) {
    let source = detect(platform, variables, file).unwrap();
    assert_eq!(
        (source.kind(), source.endpoint().as_str()),
        (kind, endpoint),
        "{variables:?} {file}"
    );
}

const ENDPOINT: (&str, &str) = ("IDENTITY_ENDPOINT", "https://a/x");
const HEADER: (&str, &str) = ("IDENTITY_HEADER", "");
const THUMBPRINT: (&str, &str) =
    ("IDENTITY_SERVER_THUMBPRINT", "0123456789012345678901234567890123456789");
const MSI_ENDPOINT: (&str, &str) = ("MSI_ENDPOINT", "http://b/");
const MSI_SECRET: (&str, &str) = ("MSI_SECRET", "s");
const IMDS_ENDPOINT: (&str, &str) = ("IMDS_ENDPOINT", "");
const SHELL: (&str, &str) = ("AZUREPS_HOST_ENVIRONMENT", "cloud-shell/1.0");
const POD: (&str, &str) = ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://pod:80/");

const AGENT: &str = "/opt/azcmagent/bin/himds";
const ARC_DEFAULT: &str = "http://localhost:40342/metadata/identity/oauth2/token";
const IMDS_DEFAULT: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

#[test]
fn the_first_source_that_fits_is_found() {
    use SourceKind::*;
    let shell = "http://localhost:50342/oauth2/token";
    let linux = |variables: Variables<'_>, file, kind, endpoint| {
        check(Platform::Linux, variables, file, kind, endpoint);
    };
    let all = [ENDPOINT, HEADER, THUMBPRINT, MSI_ENDPOINT, MSI_SECRET, IMDS_ENDPOINT, SHELL, POD];
    linux(&all, AGENT, ServiceFabric, "https://a/x");
    linux(&[ENDPOINT, HEADER, MSI_ENDPOINT, MSI_SECRET, SHELL], AGENT, AppService, "https://a/x");
    linux(
        &[ENDPOINT, MSI_ENDPOINT, MSI_SECRET, IMDS_ENDPOINT],
        AGENT,
        MachineLearning,
        "http://b/",
    );
    linux(&[ENDPOINT, MSI_ENDPOINT, IMDS_ENDPOINT, SHELL], "", AzureArc, "https://a/x");
    linux(&[ENDPOINT, THUMBPRINT, SHELL], AGENT, AzureArc, "https://a/x");
    linux(&[SHELL], AGENT, AzureArc, ARC_DEFAULT);
    linux(&[HEADER, SHELL, POD], "", CloudShell, shell);
    linux(&[("AZUREPS_HOST_ENVIRONMENT", "other"), IMDS_ENDPOINT], "", Imds, IMDS_DEFAULT);
    linux(&[ENDPOINT, MSI_SECRET], "", Imds, IMDS_DEFAULT);
    linux(&[POD], "", Imds, "http://pod/metadata/identity/oauth2/token");
    linux(&[], "", Imds, IMDS_DEFAULT);
}

#[test]
fn the_agent_of_azure_arc_is_where_each_system_has_it() {
    let programs = [("ProgramFiles", r"D:\Programs")];
    let himds = r"D:\Programs\AzureConnectedMachineAgent\himds.exe";
    check(Platform::Windows, &programs, himds, SourceKind::AzureArc, ARC_DEFAULT);
    check(Platform::Windows, &programs, AGENT, SourceKind::Imds, IMDS_DEFAULT);
    check(Platform::Windows, &[], himds, SourceKind::Imds, IMDS_DEFAULT);
    check(Platform::Linux, &programs, himds, SourceKind::Imds, IMDS_DEFAULT);
    check(Platform::Other, &programs, AGENT, SourceKind::Imds, IMDS_DEFAULT);
}

#[test]
fn a_platform_that_set_nonsense_is_named() {
    for (variables, variable, expected) in [
        (&[("IDENTITY_ENDPOINT", ""), HEADER][..], "IDENTITY_ENDPOINT", "URL"),
        (&[("IDENTITY_ENDPOINT", "file:///etc/passwd"), HEADER], "IDENTITY_ENDPOINT", "URL"),
        (&[("MSI_ENDPOINT", "b"), MSI_SECRET], "MSI_ENDPOINT", "URL"),
        (&[("IDENTITY_ENDPOINT", "b"), IMDS_ENDPOINT], "IDENTITY_ENDPOINT", "URL"),
        (&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", "")], "AZURE_POD_IDENTITY_AUTHORITY_HOST", "URL"),
        (
            &[("IDENTITY_ENDPOINT", "http://a"), HEADER, THUMBPRINT],
            "IDENTITY_ENDPOINT",
            "https URL",
        ),
        (
            &[ENDPOINT, HEADER, ("IDENTITY_SERVER_THUMBPRINT", "12")],
            "IDENTITY_SERVER_THUMBPRINT",
            "thumbprint of 40 hexadecimal digits",
        ),
    ] {
        let found = detect(Platform::Linux, variables, "").err();
        assert_eq!(found, Some(ManagedIdentityError::Variable { variable, expected }));
    }
}

#[test]
fn a_source_has_msals_name() {
    for (kind, name) in [
        (SourceKind::ServiceFabric, "SERVICE_FABRIC"),
        (SourceKind::AppService, "APP_SERVICE"),
        (SourceKind::MachineLearning, "MACHINE_LEARNING"),
        (SourceKind::AzureArc, "AZURE_ARC"),
        (SourceKind::CloudShell, "CLOUD_SHELL"),
        (SourceKind::Imds, "DEFAULT_TO_VM"),
    ] {
        assert_eq!(kind.name(), name);
    }
}

fn check_admission(url: &str, kind: SourceKind, expected: Result<(), EndpointRefused>) {
    let listed = ["Identity.Example", "10.1.2.3", "[2001:db8::1]"];
    let admitted = admit_endpoint(&Url::parse(url).unwrap(), kind, true, &listed);
    assert_eq!(admitted, expected, "{url}");
}

#[test]
fn an_endpoint_is_near_or_listed() {
    let kind = SourceKind::AppService;
    for url in [
        IMDS_DEFAULT,
        ARC_DEFAULT,
        "http://127.8.9.1:80/token?a=b",
        "http://169.254.130.2:8081/msi/token",
        "http://[::1]/",
        "http://[fe80::1]/",
        "http://[::ffff:127.0.0.1]/",
        "https://identity.EXAMPLE:1/",
        "http://10.1.2.3/",
        "http://[2001:db8::1]/",
    ] {
        check_admission(url, kind, Ok(()));
    }
    for (url, host) in [
        ("http://10.1.2.4/", "10.1.2.4"),
        ("http://0.0.0.0/", "0.0.0.0"),
        ("http://169.253.0.1/", "169.253.0.1"),
        ("http://[fec0::1]/", "[fec0::1]"),
        ("http://[2001:db8::2]/", "[2001:db8::2]"),
        ("http://localhost.evil.example/", "localhost.evil.example"),
        ("http://127.0.0.1.evil.example/", "127.0.0.1.evil.example"),
        ("http://x.identity.example/", "x.identity.example"),
    ] {
        let source_name = "APP_SERVICE";
        check_admission(
            url,
            kind,
            Err(EndpointRefused::Host { host: host.to_owned(), source_name }),
        );
    }
}

#[test]
fn loopback_is_where_one_user_is_served_or_it_is_listed() {
    let admit = |url, listed: &[&str]| {
        admit_endpoint(&Url::parse(url).unwrap(), SourceKind::Imds, false, listed).is_ok()
    };
    assert!(admit(IMDS_DEFAULT, &[]));
    for (url, host) in [
        (ARC_DEFAULT, "localhost"),
        ("http://127.0.0.1:50342/oauth2/token", "127.0.0.1"),
        ("http://[::1]/", "[::1]"),
        ("http://[::ffff:127.0.0.1]/", "[::ffff:7f00:1]"),
    ] {
        assert!(!admit(url, &[]) && admit(url, &[host]), "{url}");
    }
}

#[test]
fn an_endpoint_is_a_plain_url() {
    for url in
        ["ftp://127.0.0.1/", "http://u@127.0.0.1/", "http://:p@127.0.0.1/", "http://127.0.0.1/#f"]
    {
        let (scheme, source_name) = ("http or https", "DEFAULT_TO_VM");
        check_admission(url, SourceKind::Imds, Err(EndpointRefused::Form { scheme, source_name }));
    }
    let (scheme, source_name) = ("https", "SERVICE_FABRIC");
    let refused = Err(EndpointRefused::Form { scheme, source_name });
    check_admission("http://127.0.0.1/", SourceKind::ServiceFabric, refused);
    check_admission("https://127.0.0.1/", SourceKind::ServiceFabric, Ok(()));
}

/// The waits until it is given up, in seconds.
fn waits(kind: SourceKind, status: u16) -> Vec<u64> {
    let wait = |attempt| retry_after_attempt(kind, attempt, status);
    assert_eq!(wait(0), None);
    (1..20).map_while(wait).map(|wait: Duration| wait.as_secs()).collect()
}

#[test]
fn a_source_is_asked_again_while_that_may_help() {
    for status in [404, 408, 429, 500, 502, 504] {
        assert_eq!(waits(SourceKind::Imds, status), [1, 2, 4], "{status}");
    }
    assert_eq!(waits(SourceKind::Imds, 410), [10; 7]);
    let others = [
        SourceKind::ServiceFabric,
        SourceKind::AppService,
        SourceKind::MachineLearning,
        SourceKind::AzureArc,
        SourceKind::CloudShell,
    ];
    for kind in others {
        for status in [404, 408, 429, 500, 503, 504] {
            assert_eq!(waits(kind, status), [1, 1, 1], "{kind:?} {status}");
        }
        assert!(waits(kind, 410).is_empty());
    }
    for kind in others.into_iter().chain([SourceKind::Imds]) {
        for status in [200, 400, 401, 403] {
            assert!(waits(kind, status).is_empty(), "{kind:?} {status}");
        }
    }
}
