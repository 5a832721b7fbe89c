//! Requests that are wrong: each gets an answer that names what is wrong, and the daemon goes on.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_tests::{ALICE, Machine, World, post, request};

/// Largest body that is read, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// A request, and what is said to it: status, `error`, and words of the description.
type Case<'a> = (&'a str, Vec<u8>, u16, &'a str, &'a str);

async fn check(machine: &Machine, cases: Vec<Case<'_>>) {
    for (name, bytes, status, error, words) in cases {
        let mut connection = machine.connect().await;
        let answer = connection.ask(&bytes).await;
        assert_eq!(answer.refusal(), (status, error.to_owned()), "{name}: {}", answer.json());
        let said = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(said.contains(words), "{name}: {said:?} lacks {words:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{name}");
        assert_eq!(machine.get("/v1/status").await.status, 200, "after {name}");
    }
}

/// A `POST` of these bytes as JSON.
fn raw(path: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    request("POST", path, &headers, body)
}

#[tokio::test]
async fn what_is_no_json_or_not_of_the_right_shape() {
    let machine = Machine::start().await;
    let bad = |name, body: &[u8], words| (name, raw("/v1/apps", body), 400, "bad_request", words);
    let deep = [b"{\"client_id\":".as_slice(), &b"[".repeat(50_000)].concat();
    let deep_end = [deep.clone(), b"]".repeat(50_000), b"}".to_vec()].concat();
    check(
        &machine,
        vec![
            bad("nothing", b"", "client_id"),
            bad("spaces", b"   ", "EOF"),
            bad("truncated object", b"{", "EOF"),
            bad("truncated text", b"{\"client_id\":\"x", "client_id"),
            bad("truncated after a member", b"{\"client_id\":\"x\",", "EOF"),
            bad("no value", b"{\"client_id\":}", "client_id"),
            bad("not JSON", b"client_id=x", "line 1"),
            bad("two values", b"{\"client_id\":\"x\"} {}", "trailing"),
            bad("a byte order mark", b"\xef\xbb\xbf{}", "line 1"),
            bad("a list", b"[]", "object"),
            bad("a text", b"\"x\"", "invalid type"),
            bad("null", b"null", "invalid type"),
            bad("a number for a text", b"{\"client_id\":1}", "client_id"),
            bad("a list for a text", b"{\"client_id\":[]}", "client_id"),
            bad("a text for a list", b"{\"client_capabilities\":\"CP1\"}", "client_capabilities"),
            bad(
                "a number in a list",
                b"{\"client_capabilities\":[\"CP1\",7]}",
                "client_capabilities[1]",
            ),
            bad("an unknown member", b"{\"clientid\":\"x\"}", "clientid"),
            bad("a member twice", b"{\"client_id\":\"x\",\"client_id\":\"y\"}", "client_id"),
            bad("an unknown kind", b"{\"client_id\":\"x\",\"kind\":\"secret\"}", "kind"),
            bad("bytes that are no UTF-8", b"{\"client_id\":\"\xff\xfe\"}", "client_id"),
            bad("half a surrogate pair", b"{\"client_id\":\"\\ud800\"}", "client_id"),
            bad("a control character", b"{\"client_id\":\"\x01\"}", "client_id"),
            bad("deep nesting", &deep, "client_id"),
            bad("deep nesting that ends", &deep_end, "client_id"),
        ],
    )
    .await;
}

#[tokio::test]
async fn values_that_cannot_be() {
    let machine = Machine::start().await;
    let app = |name, body: Value, words| (name, post("/v1/apps", &body), 400, "bad_request", words);
    let authority = |name, text: &str, words| {
        let body = json!({"client_id": "x", "authority": text});
        (name, post("/v1/apps", &body), 400, "invalid_authority", words)
    };
    check(
        &machine,
        vec![
            app("no client id", json!({}), "client_id: missing"),
            app("an empty client id", json!({"client_id": ""}), "client_id"),
            app("a client id with a line end", json!({"client_id": "a\r\nb"}), "client_id"),
            app("a name and more", json!({"name": "mail", "client_id": "x"}), "name"),
            app(
                "two authorities",
                json!({"client_id": "x", "authority": "https://a.example/t", "oidc_authority": "https://b.example"}),
                "oidc_authority",
            ),
            app("a header in a header", json!({"client_id": "x", "app_name": "a\r\nX: y"}), "app_name"),
            app("a reserved exclusion", json!({"client_id": "x", "exclude_scopes": ["openid"]}), "openid"),
            authority("no URL", "contoso.com", "no URL"),
            authority("no https", "http://login.contoso.com/common", "https://"),
            authority("no tenant", "https://login.microsoftonline.com", "tenant"),
            authority("a password", "https://me:pw@login.contoso.com/t", "remove"),
            authority("a file", "file:///etc/passwd", "https://"),
            (
                "an application of no configuration",
                post("/v1/apps", &json!({"name": "mail"})),
                404,
                "unknown_app",
                "mail",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn requests_for_tokens_and_flows_that_make_no_sense() {
    let world = World::start().await;
    let caller = world.signed_in(ALICE).await;
    let path = |verb: &str| format!("/v1/apps/{}/{verb}", caller.app);
    let token =
        |name, body: Value, error, words| (name, post(&path("token"), &body), 400, error, words);
    let flow =
        |name, body: Value, error, words| (name, post(&path("flows"), &body), 400, error, words);
    let scopes = json!(["https://graph.contoso.com/Mail.Read"]);
    check(
        &world.machine,
        vec![
            token("no scope", json!({}), "bad_request", "scopes"),
            token("empty scopes", json!({"scopes": []}), "bad_request", "scopes"),
            token("two scopes in one", json!({"scopes": ["a b"]}), "bad_request", "scopes"),
            token("a quote in a scope", json!({"scopes": ["a\"b"]}), "bad_request", "scopes"),
            token("a reserved scope", json!({"scopes": ["openid"]}), "reserved_scope", "openid"),
            token("an unknown grant", json!({"grant": "magic", "scopes": scopes}), "bad_request", "grant"),
            token("a negative number", json!({"scopes": scopes, "min_validity": -1}), "bad_request", "min_validity"),
            token("a broken number", json!({"scopes": scopes, "min_validity": 1.5}), "bad_request", "min_validity"),
            token("claims that are no JSON", json!({"scopes": scopes, "claims_challenge": "{"}), "bad_request", "claims"),
            token("claims that are a list", json!({"scopes": scopes, "claims_challenge": "[]"}), "bad_request", "claims"),
            token("a line end in a correlation id", json!({"scopes": scopes, "correlation_id": "a\r\nb"}), "bad_request", "correlation_id"),
            flow("an unknown kind", json!({"kind": "magic", "scopes": scopes}), "bad_request", "kind"),
            flow("no kind", json!({"scopes": scopes}), "bad_request", "kind"),
            flow("a reserved scope", json!({"kind": "device_code", "scopes": ["offline_access"]}), "reserved_scope", "offline_access"),
            flow("a port for a device", json!({"kind": "device_code", "scopes": scopes, "port": 80}), "bad_request", "port"),
            flow("a port that is none", json!({"kind": "interactive", "scopes": scopes, "port": 65_536}), "bad_request", "port"),
            flow("a redirect URI for a browser", json!({"kind": "interactive", "scopes": scopes, "redirect_uri": "http://localhost"}), "bad_request", "redirect_uri"),
            flow("a parameter that would override", json!({"kind": "interactive", "scopes": scopes, "params": {"redirect_uri": "https://evil.example"}}), "bad_request", "redirect_uri"),
        ],
    )
    .await;
    let started =
        json!({"kind": "device_code", "scopes": ["https://graph.contoso.com/Files.Read"]});
    let mut connection = world.machine.connect().await;
    let flow = connection.post(&path("flows"), &started).await.success();
    let complete = format!("/v1/flows/{}/complete", flow["flow"].as_str().unwrap());
    check(
        &world.machine,
        vec![
            (
                "a redirect for a device",
                post(&complete, &json!({"auth_response": {}})),
                400,
                "bad_request",
                "device_code",
            ),
            (
                "a redirect of numbers",
                post(&complete, &json!({"auth_response": {"code": 1}})),
                400,
                "bad_request",
                "auth_response.code",
            ),
            (
                "nothing for a device",
                post(&complete, &json!({})),
                400,
                "bad_request",
                "device_code",
            ),
        ],
    )
    .await;
    let started = json!({"kind": "auth_code", "redirect_uri": "http://localhost:4711", "scopes": ["https://graph.contoso.com/Files.Read"]});
    let flow = connection.post(&path("flows"), &started).await.success();
    let complete = format!("/v1/flows/{}/complete", flow["flow"].as_str().unwrap());
    let empty = post(&complete, &json!({}));
    check(&world.machine, vec![("no redirect", empty, 400, "state_mismatch", "no state")]).await;
}

#[tokio::test]
async fn things_that_are_not_there() {
    let machine = Machine::start().await;
    let get = |path: &str| request("GET", path, "", b"");
    let delete = |path: &str| request("DELETE", path, "", b"");
    let (none, app, flow) = ("not_found", "unknown_app", "unknown_flow");
    let token = json!({"scopes": ["s"]});
    check(
        &machine,
        vec![
            ("the root", get("/"), 404, none, "/"),
            ("another version", get("/v2/status"), 404, none, "/v2/status"),
            ("a slash too many", get("/v1/status/"), 404, none, "/v1/status/"),
            ("a doubled slash", get("//v1/status"), 404, none, "//v1/status"),
            ("a climb", get("/v1/../status"), 404, none, "status"),
            ("a path that is no UTF-8", get("/v1/%ff"), 404, none, "%ff"),
            ("an app", post("/v1/apps/nobody/token", &token), 404, app, "nobody"),
            (
                "an app that is no UTF-8",
                post("/v1/apps/%ff/token", &token),
                400,
                "bad_request",
                "app",
            ),
            (
                "an app's flows",
                post("/v1/apps/nobody/flows", &json!({"kind": "device_code"})),
                404,
                app,
                "nobody",
            ),
            ("an app's accounts", get("/v1/apps/nobody/accounts"), 404, app, "nobody"),
            ("an app to close", delete("/v1/apps/nobody"), 404, app, "nobody"),
            ("a flow", get("/v1/flows/nothing"), 404, flow, ""),
            ("a flow to cancel", delete("/v1/flows/nothing"), 404, flow, ""),
            (
                "a flow to complete",
                post("/v1/flows/nothing/complete", &json!({"auth_response": {}})),
                404,
                flow,
                "",
            ),
            (
                "a wait that is no number",
                get("/v1/flows/nothing?wait=soon"),
                400,
                "bad_request",
                "wait",
            ),
        ],
    )
    .await;
    for (method, path) in [
        ("DELETE", "/v1/status"),
        ("PUT", "/v1/apps"),
        ("PATCH", "/v1/apps"),
        ("GET", "/v1/apps/x/token"),
        ("OPTIONS", "/v1/apps"),
        ("TRACE", "/v1/status"),
        ("BREW", "/v1/status"),
    ] {
        let case = (method, request(method, path, "", b""), 405, "method_not_allowed", path);
        check(&machine, vec![case]).await;
    }
}

fn refused<'a>(name: &'a str, bytes: Vec<u8>, words: &'a str) -> Case<'a> {
    (name, bytes, 403, "browser_refused", words)
}

#[tokio::test]
async fn whatever_a_browser_could_send() {
    let machine = Machine::start().await;
    for header in [
        "Origin: https://evil.example",
        "Origin: null",
        "Referer: https://evil.example/",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: no-cors",
        "Sec-Fetch-Dest: empty",
        "Sec-Fetch-User: ?1",
        "sec-fetch-storage-access: none",
    ] {
        let name = header.split(':').next().unwrap().to_lowercase();
        let headers = format!("{header}\r\n");
        let simple = request("GET", "/v1/status", &headers, b"");
        let preflight = request("OPTIONS", "/v1/apps", &headers, b"");
        check(&machine, vec![refused(header, simple, &name), refused(header, preflight, &name)])
            .await;
    }
    let with_host = |lines: &str| format!("GET /v1/status HTTP/1.1\r\n{lines}\r\n").into_bytes();
    let absolute = |url: &str| format!("GET {url} HTTP/1.1\r\nHost: valetkey\r\n\r\n").into_bytes();
    check(
        &machine,
        vec![
            refused("a foreign host", with_host("Host: evil.example\r\n"), "Host"),
            refused("a rebound host", with_host("Host: localhost.evil.example\r\n"), "Host"),
            refused("a port", with_host("Host: localhost:80\r\n"), "Host"),
            refused("no host", with_host(""), "Host"),
            refused("an empty host", with_host("Host:\r\n"), "Host"),
            refused("two hosts", with_host("Host: valetkey\r\nHost: valetkey\r\n"), "Host"),
            refused("two hosts in one", with_host("Host: valetkey, evil.example\r\n"), "Host"),
            refused(
                "an old version without host",
                b"GET /v1/status HTTP/1.0\r\n\r\n".to_vec(),
                "Host",
            ),
            refused("a foreign target", absolute("http://evil.example/v1/status"), "Host"),
        ],
    )
    .await;
    let own = machine.connect().await.ask(&absolute("http://valetkey/v1/status")).await;
    assert_eq!(own.status, 200, "{own:?}");
}

#[tokio::test]
async fn bodies_that_are_not_called_json() {
    let machine = Machine::start().await;
    for content_type in [
        "",
        "Content-Type:\r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: application/jsonp\r\n",
        "Content-Type: text/plain; application/json\r\n",
    ] {
        let headers = format!("{content_type}Content-Length: 2\r\n");
        let bytes = request("POST", "/v1/apps", &headers, b"{}");
        check(&machine, vec![(content_type, bytes, 415, "unsupported_media_type", "Content-Type")])
            .await;
    }
    let headers = "content-type: Application/JSON; charset=utf-8\r\nContent-Length: 17\r\n";
    let bytes = request("POST", "/v1/apps", headers, b"{\"client_id\":\"x\"}");
    assert_eq!(machine.connect().await.ask(&bytes).await.status, 200);
}

#[tokio::test]
async fn one_byte_more_than_the_limit() {
    let machine = Machine::start().await;
    let padded = |length: usize| {
        let open = "{\"client_id\":\"x\"";
        format!("{open}{}}}", " ".repeat(length - open.len() - 1))
    };
    let whole = machine.connect().await.ask(&raw("/v1/apps", padded(MAX_BODY))).await;
    assert_eq!(whole.status, 200, "{whole:?}");
    let (error, words) = ("payload_too_large", "1048576");
    let body = padded(MAX_BODY + 1);
    let chunked = [
        request(
            "POST",
            "/v1/apps",
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
            b"",
        ),
        format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes(),
    ];
    check(
        &machine,
        vec![
            ("announced", raw("/v1/apps", &body), 413, error, words),
            ("in chunks", chunked.concat(), 413, error, words),
            ("far too large", raw("/v1/apps", padded(6 * 1024 * 1024)), 413, error, words),
        ],
    )
    .await;
}
