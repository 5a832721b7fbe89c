"""The values of OpenID Connect's ``prompt`` (Core 3.1.2.1; ``create`` is Initiating User Registration 1.0)."""


class Prompt:
    """What the provider shall ask the person; any other string works as well."""

    NONE = "none"
    LOGIN = "login"
    CONSENT = "consent"
    SELECT_ACCOUNT = "select_account"
    CREATE = "create"
