//! Names, hosts, and who decides.

use serde_json::Value;

use super::*;

#[test]
fn a_region_is_one_label_of_a_host_name() {
    let vectors = include_str!("../../../../tests/vectors/msal/region_validation.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert_eq!(vectors.len(), 15);
    for case in vectors {
        let text = case["region"].as_str().unwrap();
        assert_eq!(Region::new(text).is_ok(), case["valid"] == true, "{text:?}");
    }
}

#[test]
fn the_public_cloud_has_one_parent_for_all_its_regions() {
    let region = Region::new("westus2").unwrap();
    for (central, regional) in [
        (
            "https://login.microsoftonline.com/t/token",
            "https://westus2.login.microsoft.com/t/token",
        ),
        ("https://login.microsoft.com/t", "https://westus2.login.microsoft.com/t"),
        ("https://login.windows.net/t", "https://westus2.login.microsoft.com/t"),
        ("https://sts.windows.net/t", "https://westus2.login.microsoft.com/t"),
        ("https://login.microsoftonline.us/t", "https://westus2.login.microsoftonline.us/t"),
        ("https://idp.example:8443/t?a=b", "https://westus2.idp.example:8443/t?a=b"),
        ("https://127.0.0.1:8443/t", "https://127.0.0.1:8443/t"),
    ] {
        assert_eq!(region.move_url(&Url::parse(central).unwrap()).as_str(), regional);
    }
}

fn check(
    choice: &RegionChoice,
    force_region: Option<&str>,
    region_name: Option<&str>,
    expected: Result<RegionPlan, &str>,
) {
    let plan = plan_region(choice, force_region, region_name);
    let plan = plan.map_err(|error| error.text);
    let expected = expected.map_err(str::to_owned);
    assert_eq!(plan, expected, "{choice:?} {force_region:?} {region_name:?}");
}

#[test]
fn the_application_decides_before_the_environment_and_that_before_the_machine() {
    use RegionChoice::{Detect, Named, Never, Unsaid};
    use RegionPlan::{AskMachine, Central, Regional};
    let region = |name| Region::new(name).unwrap();
    for name in [None, Some("eastus")] {
        check(&Unsaid, None, name, Ok(Central));
        check(&Unsaid, Some("westus2"), name, Ok(Regional(region("westus2"))));
        check(&Never, Some("westus2"), name, Ok(Central));
        check(&Named(region("a")), Some("westus2"), name, Ok(Regional(region("a"))));
    }
    check(&Unsaid, Some(""), None, Err(""));
    check(&Unsaid, Some("west.us"), None, Err("west.us"));
    check(&Detect, Some("westus2"), None, Ok(AskMachine));
    check(&Detect, None, Some(""), Ok(AskMachine));
    check(&Detect, None, Some("eastus"), Ok(Regional(region("eastus"))));
    check(&Detect, None, Some("East US"), Ok(Central));
}

#[test]
fn the_machine_is_asked_at_its_link_local_address() {
    let request = build_region_request();
    assert_eq!(request.url.host_str(), Some("169.254.169.254"));
    assert_eq!(request.url.query(), Some("api-version=2021-02-01"));
    assert_eq!(request.headers["metadata"], "true");
}

#[test]
fn an_answer_that_names_no_region_is_as_none() {
    for (status, body, expected) in [
        (200, "{\"location\":\"westus2\",\"name\":\"vm\"}", Some("westus2")),
        (200, "{\"location\":\"West US 2\"}", None),
        (200, "{\"location\":\"\"}", None),
        (200, "{\"location\":7}", None),
        (200, "{}", None),
        (200, "<html>", None),
        (404, "{\"location\":\"westus2\"}", None),
    ] {
        let region = parse_region(&HttpResponse::test(status, body));
        assert_eq!(region.as_ref().map(Region::as_str), expected, "{status} {body}");
    }
}
