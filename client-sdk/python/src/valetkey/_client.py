"""What public and confidential applications have in common: accounts, silent calls, the redirect flow, migration."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from ._api import App
from ._arguments import (
    assert_list,
    check_keywords,
    extra_fields,
    prompt_text,
    scope_list,
    token_request,
    warn,
    without_none,
)
from ._authorization_url import build_authorization_url
from ._cloud_shell import cloud_shell_endpoint, is_in_cloud_shell, is_of_cloud_shell
from ._credential import read_credential
from ._definition import (
    cache_of,
    check_broker,
    check_scopes_left_out,
    definition_of,
    region_of,
    warn_of_what_cannot_cross,
)
from ._errors import raise_fault, refusal_of, unclassified
from ._flows import finish_auth_code_flow, start_auth_code_flow
from ._network import network_settings
from ._transport import ApiError
from .auth_scheme import scheme_on_wire
from .authority import AuthorityBuilder, authority_of, authority_told
from .exceptions import IdTokenError
from .token_cache import SharedTokenCache, TokenCache

logger = logging.getLogger(__name__)

Application = TypeVar("Application", bound="ClientApplication")

_ACCOUNT_MEMBERS = (
    "home_account_id", "environment", "username", "account_source", "authority_type", "local_account_id", "realm",
)  # fmt: skip
_NOTHING_CACHED = frozenset({"sign_in_needed", "unknown_account"})


class ClientApplication:
    """An application as RFC 6749 knows it. Construct one of the subclasses.

    Construction opens nothing: the broker is contacted, and started if need be, at the first call.
    """

    #: Values of ``azure_region``: find it out; never one, whatever MSAL_FORCE_REGION says.
    ATTEMPT_REGION_DISCOVERY = True
    DISABLE_MSAL_FORCE_REGION = False

    _wants_dpop = False

    def __init__(
        self,
        client_id: str,
        client_credential: Any = None,
        authority: str | AuthorityBuilder | None = None,
        validate_authority: bool = True,
        token_cache: TokenCache | None = None,
        http_client: Any = None,
        verify: Any = True,
        proxies: Any = None,
        timeout: Any = None,
        client_claims: Mapping[str, Any] | None = None,
        app_name: str | None = None,
        app_version: str | None = None,
        client_capabilities: list[str] | None = None,
        azure_region: str | bool | None = None,
        exclude_scopes: list[str] | None = None,
        http_cache: Any = None,
        instance_discovery: bool | str | None = None,
        allow_broker: bool | None = None,
        enable_pii_log: bool | None = None,
        oidc_authority: str | None = None,
    ) -> None:
        is_confidential = self._is_confidential(client_credential)
        region = region_of(azure_region, bool(client_credential))
        check_scopes_left_out(exclude_scopes)
        check_broker(allow_broker, is_confidential)
        warn_of_what_cannot_cross(http_client, http_cache)
        self.client_id = client_id
        self.client_credential = client_credential
        self.client_claims = client_claims
        self.app_name = app_name
        self.app_version = app_version
        self.authority = authority_of(authority, oidc_authority)
        self.token_cache, private_cache = cache_of(token_cache)
        self._logs_personal_data = bool(enable_pii_log)
        credential, make_assertion = read_credential(client_credential)
        definition = definition_of(
            kind="confidential" if is_confidential else "public",
            client_id=client_id,
            authority=authority,
            oidc_authority=oidc_authority,
            validate_authority=validate_authority,
            instance_discovery=instance_discovery,
            client_capabilities=client_capabilities,
            exclude_scopes=exclude_scopes,
            app_name=app_name,
            app_version=app_version,
            credential=credential,
            client_claims=client_claims,
            azure_region=region,
            network=network_settings(verify, proxies, timeout),
            dpop=self._wants_dpop or None,
        )
        self._app = App(definition, make_assertion, private_cache)
        self._is_declared = False
        self._shell: tuple[str, App] | None = None

    @classmethod
    def declared(cls: type[Application], name: str) -> Application:
        """The application that the broker's configuration declares by this name. Beyond MSAL.

        What it is and how it proves itself stays with the broker, so that a program can use a credential that it cannot
        read. Unlike the constructor this asks the broker, which may refuse: the application is for the programs that its
        section names.
        """
        declared = App({"name": name})
        try:
            told = declared.describe()
        except ApiError as error:
            raise_fault(error)
        self = cls.__new__(cls)
        self.client_id, self.client_credential, self.client_claims = told["client_id"], None, None
        self.app_name, self.app_version = None, None
        if self._is_confidential(None) != (told["kind"] == "confidential"):
            raise ValueError(f"{name} is declared as a {told['kind']} application, which is no {cls.__name__}")
        self.authority = authority_told(told["authority"])
        self.token_cache = SharedTokenCache()
        self._logs_personal_data = False
        self._app = declared
        self._is_declared = True
        self._shell = None
        return self

    def is_pop_supported(self) -> bool:
        """Whether ``auth_scheme`` can be given: MSAL has it for public clients alone."""
        return not self._is_confidential(self.client_credential)

    def get_accounts(self, username: str | None = None) -> list[dict[str, Any]]:
        """Who has signed in; ``username`` filters, without regard to case."""
        try:
            accounts = self._app.list_accounts(username)
            shell = self._at_cloud_shell()
            at_shell = shell.list_accounts(username) if shell else []
        except ApiError as error:
            raise_fault(error)
        # Outside of Cloud Shell nothing could bring a new token of its user's.
        found = [account for account in accounts if not is_of_cloud_shell(account)]
        known = {account["home_account_id"] for account in found}
        found += [account for account in at_shell if account["home_account_id"] not in known]
        logger.debug("%d accounts for %s", len(found), self._shown(username))
        return [{name: account.get(name) for name in _ACCOUNT_MEMBERS} for account in found]

    def remove_account(self, account: Mapping[str, Any]) -> None:
        """Signs an account out: forgets its tokens. Whoever is not there is signed out already."""
        try:
            self._app_of(account).remove_account(account["home_account_id"])
        except ApiError as error:
            if error.code != "unknown_account":
                raise_fault(error)

    def acquire_token_silent(
        self,
        scopes: list[str],
        account: Mapping[str, Any] | None,
        authority: str | None = None,
        force_refresh: bool = False,
        claims_challenge: str | None = None,
        forwarded_client_claims: str | None = None,
        auth_scheme: object = None,
        **kwargs: Any,
    ) -> dict[str, Any] | None:
        """A token without asking the person, or None when only a sign-in can bring one.

        None as well when the person, or the machine's policy, said no: a sign-in would bring nothing then.
        :meth:`acquire_token_silent_with_error` tells the two apart.
        """
        result = self.acquire_token_silent_with_error(
            scopes, account, authority, force_refresh, claims_challenge, forwarded_client_claims, auth_scheme, **kwargs
        )
        return result if result and "error" not in result else None

    def acquire_token_silent_with_error(
        self,
        scopes: list[str],
        account: Mapping[str, Any] | None,
        authority: str | None = None,
        force_refresh: bool = False,
        claims_challenge: str | None = None,
        forwarded_client_claims: str | None = None,
        auth_scheme: object = None,
        **kwargs: Any,
    ) -> dict[str, Any] | None:
        """As :meth:`acquire_token_silent`; a refusal is a dictionary, with ``classification`` for a suberror."""
        if not account:
            return None
        assert_list(scopes)
        request = token_request(
            None,
            scopes,
            kwargs,
            claims_challenge=claims_challenge,
            forwarded_client_claims=forwarded_client_claims,
            account=account["home_account_id"],
            force_refresh=True if force_refresh else None,
            tenant=self._other_tenant(authority) if authority else None,
            auth_scheme=scheme_on_wire(auth_scheme) if auth_scheme else None,
        )
        try:
            result = self._app_of(account).acquire_token(request)
        except ApiError as error:
            if error.code in _NOTHING_CACHED:
                logger.debug("nothing in the cache; correlation id %s", error.body.get("correlation_id"))
                return None
            return refusal_of(error)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("a token from %s for %s", result.get("token_source"), self._shown(account.get("username")))
        return result

    def initiate_auth_code_flow(
        self,
        scopes: Collection[str],
        redirect_uri: str | None = None,
        state: str | None = None,
        prompt: str | Collection[str] | None = None,
        login_hint: str | None = None,
        domain_hint: str | None = None,
        claims_challenge: str | None = None,
        max_age: int | None = None,
        response_mode: str | None = None,
    ) -> dict[str, Any]:
        """Starts a sign-in whose redirect the application receives; keep the result until then, as in a web session."""
        if response_mode != "form_post":
            warn("response_mode: form_post keeps the code out of addresses, and so out of logs (RFC 9700, 4.3.1)")
        request = without_none(
            kind="auth_code",
            scopes=scope_list(scopes),
            redirect_uri=redirect_uri,
            state=state,
            prompt=prompt_text(prompt),
            login_hint=login_hint,
            domain_hint=domain_hint,
            claims_challenge=claims_challenge,
            max_age=max_age,
            response_mode=response_mode,
        )
        try:
            return start_auth_code_flow(self._app, request)
        except ApiError as error:
            raise_fault(error)

    def acquire_token_by_auth_code_flow(
        self,
        auth_code_flow: dict[str, Any],
        auth_response: Mapping[str, str],
        scopes: Collection[str] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The token for a redirect's parameters. ``ValueError`` when they do not belong to this flow."""
        if not isinstance(auth_response, dict):
            raise AssertionError("auth_response must be a dict")
        data = extra_fields(kwargs.pop("data", None))
        check_keywords(kwargs)
        subset = None if scopes is None else scope_list(scopes)
        return finish_auth_code_flow(self._app, auth_code_flow, auth_response, subset, data)

    def get_authorization_request_url(
        self,
        scopes: Collection[str],
        login_hint: str | None = None,
        state: str | None = None,
        redirect_uri: str | None = None,
        response_type: str = "code",
        prompt: str | Collection[str] | None = None,
        nonce: str | None = None,
        domain_hint: str | None = None,
        claims_challenge: str | None = None,
        **kwargs: Any,
    ) -> str:
        """Deprecated as in MSAL: the page of a sign-in without PKCE. Use :meth:`initiate_auth_code_flow`."""
        if kwargs.pop("authority", None):
            warn("authority has no effect here: the application's own is used")
        check_keywords(kwargs)
        warn("get_authorization_request_url is deprecated: use initiate_auth_code_flow", DeprecationWarning)
        request = without_none(
            kind="auth_code",
            scopes=scope_list(scopes),
            redirect_uri=redirect_uri,
            prompt=prompt_text(prompt),
            login_hint=login_hint,
            domain_hint=domain_hint,
            claims_challenge=claims_challenge,
        )
        try:
            return build_authorization_url(self._app, request, response_type=response_type, state=state, nonce=nonce)
        except ApiError as error:
            raise_fault(error)

    def acquire_token_by_authorization_code(
        self,
        code: str,
        scopes: list[str],
        redirect_uri: str | None = None,
        nonce: str | None = None,
        claims_challenge: str | None = None,
        forwarded_client_claims: str | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Deprecated as in MSAL: the token for a code. Use :meth:`acquire_token_by_auth_code_flow`."""
        assert_list(scopes)
        warn(
            "acquire_token_by_authorization_code is deprecated: use acquire_token_by_auth_code_flow", DeprecationWarning
        )
        request = token_request(
            "authorization_code",
            scopes,
            kwargs,
            claims_challenge=claims_challenge,
            forwarded_client_claims=forwarded_client_claims,
            code=code,
            redirect_uri=redirect_uri,
            nonce=nonce,
        )
        try:
            return self._acquire(request)
        except IdTokenError as error:
            raise ValueError(str(error)) from error

    def acquire_token_by_refresh_token(
        self, refresh_token: str, scopes: Collection[str], **kwargs: Any
    ) -> dict[str, Any]:
        """Brings a refresh token in that another library kept; silent calls find its account from then on."""
        request = token_request("refresh_token", scope_list(scopes), kwargs, refresh_token=refresh_token)
        return self._acquire(request)

    def acquire_token_by_username_password(
        self,
        username: str,
        password: str,
        scopes: Collection[str],
        claims_challenge: str | None = None,
        auth_scheme: object = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Signs a user in by password; federated users too. Deprecated for public clients, as in MSAL."""
        if not self._is_confidential(self.client_credential):
            warn(
                "a password is deprecated for public clients: the provider asks for a second factor, which needs the "
                "person; use acquire_token_interactive or initiate_device_flow",
                DeprecationWarning,
            )
        request = token_request(
            "password",
            scope_list(scopes),
            kwargs,
            claims_challenge=claims_challenge,
            username=username,
            password=password,
            auth_scheme=scheme_on_wire(auth_scheme),
        )
        return self._acquire(request)

    def _acquire(self, request: Mapping[str, Any], app: App | None = None) -> dict[str, Any]:
        """A token by another grant than the silent one, or a refusal."""
        try:
            return (app or self._app).acquire_token(request)
        except ApiError as error:
            return unclassified(refusal_of(error))

    def _at_cloud_shell(self) -> App | None:
        """This application at the Cloud Shell that the process runs in."""
        if not is_in_cloud_shell() or self._is_confidential(self.client_credential) or self._is_declared:
            return None
        endpoint = cloud_shell_endpoint()
        if self._shell is None or self._shell[0] != endpoint:
            self._shell = (endpoint, self._app.in_cloud_shell(endpoint))
        return self._shell[1]

    def _app_of(self, account: Mapping[str, Any]) -> App:
        """Where this account's tokens are."""
        shell = self._at_cloud_shell() if is_of_cloud_shell(account) else None
        return shell or self._app

    def _is_confidential(self, client_credential: object) -> bool:
        return bool(client_credential)

    def _other_tenant(self, authority: str | AuthorityBuilder) -> str | None:
        """The tenant of an authority that differs from the application's own in nothing else."""
        try:
            tenant = self.authority.tenant_of(str(authority))
        except ValueError:
            tenant = None
        if tenant is None:
            warn(f"authority has no effect here: only its tenant may differ from {self.authority.instance}'s own")
        return tenant if tenant != self.authority.tenant else None

    def _shown(self, person: str | None) -> str:
        if not person:
            return "nobody in particular"
        return person if self._logs_personal_data else "********"
