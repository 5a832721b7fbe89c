//! Flows without a browser: an application for itself, for the user who called it, or with what a user told it.

use valetkey_model::ScopeSet;
use valetkey_oauth::{
    ApiId, CacheReason, Call, ClientAuthentication, ClientCredentialsGrant, ExtraFields,
    FederatedUser, HttpRequest, OnBehalfOfGrant, PasswordGrant, ProviderMetadata, Region,
    UserFederatedCredentialGrant, build_client_credentials_request, build_on_behalf_of_request,
    build_password_request, build_user_federated_credential_request, merge_claims, overlay_claims,
};

use super::{Flow, call, client_id, decorated, provider, secret};

pub(super) fn flows() -> Vec<Flow> {
    let client = |name, reason, claims: Option<String>| -> Flow {
        (name, Box::new(move || build_client(reason, claims.clone(), None, by_secret())))
    };
    let challenge = Some("{\"access_token\":{\"x\":null}}");
    let assertion = || ClientAuthentication::Assertion(secret("JWT"));
    vec![
        client("client credentials secret", CacheReason::NoToken, None),
        client(
            "client credentials + capabilities + claims",
            CacheReason::ForceRefresh,
            merge_claims(&["CP1"], challenge).unwrap(),
        ),
        client(
            "client credentials forwarded_client_claims",
            CacheReason::NoToken,
            overlay_claims(None, Some("{\"access_token\":{\"z\":1}}")).unwrap(),
        ),
        (
            "client credentials fmi_path",
            Box::new(|| build_client(CacheReason::NoToken, None, Some("a/b"), by_secret())),
        ),
        (
            "client credentials static assertion",
            Box::new(move || build_client(CacheReason::NoToken, None, None, assertion())),
        ),
        ("client credentials region westus2", Box::new(build_regional)),
        ("OBO", Box::new(build_on_behalf_of)),
        ("user_fic by oid", Box::new(|| build_federated(FederatedUser::ObjectId("OID".into())))),
        ("user_fic by upn", Box::new(|| build_federated(FederatedUser::Username(user())))),
        ("ROPC managed", Box::new(|| build_password(&provider()))),
        ("ROPC ADFS authority (no user realm)", Box::new(|| build_password(&adfs()))),
    ]
}

#[test]
fn an_applications_own_field_takes_the_place_of_the_grants() {
    let request = build_client(CacheReason::NoToken, None, Some("a/b"), by_secret());
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let extra = ExtraFields::new([field("fmi_path", "c"), field("req_cnf", "k"), field("x", "")]);
    let request = request.with_extra_fields(&extra.unwrap());
    let form: Vec<_> = request.form().iter().map(|(n, v)| format!("{n}={}", v.as_str())).collect();
    assert_eq!(form[4..], ["scope=api/.default", "fmi_path=c", "req_cnf=k"]);
}

fn build_client(
    reason: CacheReason,
    claims: Option<String>,
    fmi_path: Option<&str>,
    authentication: ClientAuthentication,
) -> HttpRequest {
    let grant = ClientCredentialsGrant {
        scopes: ScopeSet::from_target("api/.default"),
        claims,
        fmi_path: fmi_path.map(str::to_owned),
    };
    let call = call(ApiId::Client, reason, authentication);
    build_client_credentials_request(&provider(), &client_id(), &grant, &call)
}

fn build_regional() -> HttpRequest {
    let region = Region::new("westus2").unwrap();
    let mut provider = provider();
    provider.token_endpoint = region.move_url(&provider.token_endpoint);
    let grant = ClientCredentialsGrant {
        scopes: ScopeSet::from_target("api/.default"),
        claims: None,
        fmi_path: None,
    };
    let call = call(ApiId::Client, CacheReason::NoToken, by_secret());
    build_client_credentials_request(&provider, &client_id(), &grant, &call)
}

fn build_on_behalf_of() -> HttpRequest {
    let grant = OnBehalfOfGrant {
        user_assertion: secret("INCOMING"),
        scopes: decorated("api/.default"),
        claims: None,
    };
    let call = asked(ApiId::OnBehalfOf, by_secret());
    build_on_behalf_of_request(&provider(), &client_id(), &grant, &call)
}

fn build_federated(user: FederatedUser) -> HttpRequest {
    let grant = UserFederatedCredentialGrant {
        assertion: secret("ASSERTION"),
        user,
        tenant: "TENANT".to_owned(),
        scopes: decorated("api/.default"),
        claims: None,
    };
    let call = asked(ApiId::UserFederatedCredential, by_secret());
    build_user_federated_credential_request(&provider(), &client_id(), &grant, &call)
}

fn build_password(provider: &ProviderMetadata) -> HttpRequest {
    let grant = PasswordGrant {
        username: user(),
        password: secret("pw"),
        scopes: decorated("User.Read"),
        claims: None,
    };
    let call = asked(ApiId::UsernamePassword, ClientAuthentication::None);
    build_password_request(provider, &client_id(), &grant, &call)
}

fn asked(api: ApiId, authentication: ClientAuthentication) -> Call {
    call(api, CacheReason::NotSilent, authentication)
}

fn by_secret() -> ClientAuthentication {
    ClientAuthentication::Secret(secret("SECRET"))
}

fn user() -> String {
    "u@c.com".to_owned()
}

fn adfs() -> ProviderMetadata {
    let token_endpoint = "https://fs.contoso.com/adfs/oauth2/token/".parse().unwrap();
    ProviderMetadata { token_endpoint, ..provider() }
}
