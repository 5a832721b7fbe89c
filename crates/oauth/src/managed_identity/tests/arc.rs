//! Azure Arc's two requests, and what is between them.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};

use super::*;

const PROGRAM_DATA: &str = r"C:\ProgramData";

fn agent(platform: Platform) -> AzureArc {
    AzureArc { endpoint: endpoint(), platform, program_data: Some(PROGRAM_DATA.to_owned()) }
}

pub(super) fn arc() -> ManagedIdentitySource {
    ManagedIdentitySource::AzureArc(agent(Platform::Linux))
}

fn check_challenge(
    agent: &AzureArc,
    challenge: Option<&str>,
    expected: Result<&str, ManagedIdentityError>,
) {
    let mut response = HttpResponse::test(401, "");
    if let Some(challenge) = challenge {
        response.headers.insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
    }
    let request = asking_as(ManagedIdentityId::SystemAssigned);
    let path = agent.key_file(&request, &response, NOW);
    assert_eq!(path, expected.map(str::to_owned), "{challenge:?}");
}

#[test]
fn only_a_key_file_in_the_agents_own_folder_is_read() {
    let (linux, windows) = (agent(Platform::Linux), agent(Platform::Windows));
    let in_linux = |name| format!("/var/opt/azcmagent/tokens/{name}");
    for (challenge, name) in [
        ("Basic realm=/var/opt/azcmagent/tokens/1a-2B_c.key", "1a-2B_c.key"),
        ("basic Realm=\"/var/opt/azcmagent/tokens/a.key\"", "a.key"),
        ("Basic realm=/etc/../opt/a.key", "a.key"),
        ("Basic realm=a.key", "a.key"),
    ] {
        check_challenge(&linux, Some(challenge), Ok(&in_linux(name)));
    }
    let at_home = r"C:\ProgramData\AzureConnectedMachineAgent\Tokens\a.key";
    for challenge in [
        &format!("Basic realm={at_home}"),
        r"Basic realm=\\evil\share\a.key",
        "Basic realm=/x/a.key",
    ] {
        check_challenge(&windows, Some(challenge), Ok(at_home));
    }
    let refused = || Err(ManagedIdentityError::ArcChallenge);
    for challenge in [
        None,
        Some(""),
        Some("Bearer realm=/a/a.key"),
        Some("Basic"),
        Some("Basic realm="),
        Some("Basic realm=/a/a.key, x=y"),
        Some("Basic realm=/a/shadow"),
        Some("Basic realm=/a/.key"),
        Some("Basic realm=/a/..key"),
        Some("Basic realm=/a/a.key/"),
        Some("Basic realm=/a/a b.key"),
        Some("Basic realm=/a/a.b.key"),
        Some("Basic realm=C:a.key"),
    ] {
        check_challenge(&linux, challenge, refused());
        check_challenge(&windows, challenge, refused());
    }
    check_challenge(&linux, Some(r"Basic realm=x\a.key"), refused());
}

#[test]
fn a_system_without_an_agent_has_no_key_files() {
    let challenge = Some("Basic realm=/a/a.key");
    let no_platform = || Err(ManagedIdentityError::ArcPlatform);
    check_challenge(&agent(Platform::Other), challenge, no_platform());
    let homeless = AzureArc { program_data: None, ..agent(Platform::Windows) };
    check_challenge(&homeless, challenge, no_platform());
}

#[test]
fn the_first_answer_must_be_a_challenge() {
    let request = asking_as(ManagedIdentityId::SystemAssigned);
    let ask = |status, body: &Value| {
        let response = HttpResponse::test(status, &body.to_string());
        agent(Platform::Linux).key_file(&request, &response, NOW).unwrap_err()
    };
    let token = json!({"access_token": "AT", "expires_in": 1});
    assert_eq!(ask(200, &token), ManagedIdentityError::ArcChallenge);
    for (status, part) in [(400, "provider answered invalid_request"), (503, "unavailable")] {
        let error = ask(status, &json!({"error": "x"})).to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_key_comes_with_the_second_request() {
    let key = |text: &str| Secret::new(text.to_owned());
    let request = asking_as(ManagedIdentityId::ClientId("c".to_owned()));
    let query = "a=b&api-version=2020-06-01&resource=https%3A%2F%2Fr%2F&client_id=c";
    let build = |text: &str| agent(Platform::Linux).build_keyed_request(&request, &key(text));
    let built = build(" a2V5\n").unwrap();
    assert_eq!(built.url.query(), Some(query));
    assert_eq!(built.headers[AUTHORIZATION], "Basic a2V5");
    assert!(built.headers[AUTHORIZATION].is_sensitive());
    assert_eq!(arc().build_request(&request).unwrap().url.query(), Some(query));
    assert!(build(&"k".repeat(ARC_KEY_FILE_LIMIT)).is_ok());
    for text in ["", " \n", "a\nb", &"k".repeat(ARC_KEY_FILE_LIMIT + 1)] {
        assert_eq!(build(text).err(), Some(ManagedIdentityError::ArcKey), "{text:.10}");
    }
}

fn check_echo(id: ManagedIdentityId, echo: Value, is_taken: bool) {
    let mut body = json!({"access_token": "AT", "expires_in": 1});
    body.as_object_mut().unwrap().extend(echo.as_object().unwrap().clone());
    let response = HttpResponse::test(200, &body.to_string());
    let parsed = arc().parse_response(&asking_as(id), &response, NOW);
    let expected = (!is_taken).then_some(ManagedIdentityError::OtherIdentity);
    assert_eq!(parsed.err(), expected, "{body}");
}

#[test]
fn an_agent_that_overlooked_the_identity_is_found_out() {
    let [system, client, resource, object] = ids();
    check_echo(system.clone(), json!({}), true);
    check_echo(system, json!({"client_id": "x"}), true);
    for (id, member, value) in [
        (client, "client_id", "C&D"),
        (object, "object_id", "O"),
        (resource.clone(), "msi_res_id", "/R"),
        (resource, "mi_res_id", "/r"),
    ] {
        check_echo(id.clone(), json!({member: value}), true);
        check_echo(id.clone(), json!({member: "other"}), false);
        check_echo(id.clone(), json!({member: null}), false);
        check_echo(id.clone(), json!({member: 7}), false);
        check_echo(id, json!({"other": value}), false);
    }
}
