//! Every verb on every path: what goes in, what comes out, what can go wrong in particular.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::v1::ErrorCode::{self, *};
use crate::v1::paths::route;
use crate::v1::{
    Accounts, AnswerPromptRequest, App, Apps, Audit, Cache, CacheImport, CacheVersion,
    CompleteFlowRequest, Diagnosis, Event, ExportCacheRequest, ExportedCache, Flow, Grants,
    ImportCacheRequest, OpenAppRequest, Prompts, Proof, ProofRequest, PutSecretRequest,
    ReplaceCacheRequest, RotateKeysRequest, StartFlowRequest, Status, TokenRequest, TokenResponse,
    UnlockRequest,
};

pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) query: &'static [Parameter],
    pub(super) request: Option<SchemaOf>,
    pub(super) answers: &'static [Answer],
    /// Those that say something about this operation; any may answer with the others.
    pub(super) errors: &'static [ErrorCode],
}

pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) description: &'static str,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) description: &'static str,
    pub(super) content_type: &'static str,
    pub(super) schema: Option<SchemaOf>,
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn json<T: JsonSchema>(status: u16, description: &'static str) -> Answer {
    Answer { status, description, content_type: "application/json", schema: Some(schema::<T>) }
}

const fn done(description: &'static str) -> Answer {
    Answer { status: 204, description, content_type: "", schema: None }
}

const NOTHING: Operation = Operation {
    method: "get",
    path: "",
    id: "",
    summary: "",
    description: "",
    query: &[],
    request: None,
    answers: &[],
    errors: &[],
};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: route::STATUS,
        id: "status",
        summary: "What runs, and how safely it keeps what it holds.",
        answers: &[json::<Status>(200, "The daemon's state.")],
        ..NOTHING
    },
    Operation {
        path: route::OPENAPI,
        id: "openapi",
        summary: "This document.",
        answers: &[json::<serde_json::Value>(200, "OpenAPI 3.1.")],
        ..NOTHING
    },
    Operation {
        path: route::APPS,
        id: "listApps",
        summary: "The open applications of the calling user, and those that the configuration declares.",
        answers: &[json::<Apps>(200, "The applications.")],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::APPS,
        id: "openApp",
        summary: "Opens a client application: creates it, or finds the one that was defined in the same way.",
        description: "The id is a digest of the definition: the same for every process and after every restart. Nothing is \
            sent to the provider.",
        request: Some(schema::<OpenAppRequest>),
        answers: &[json::<App>(200, "The open application.")],
        errors: &[BadRequest, InvalidAuthority, UnknownApp, TooManyRequests],
        ..NOTHING
    },
    Operation {
        method: "delete",
        path: route::APP,
        id: "closeApp",
        summary: "Closes an application for its program; what other programs may use stays open for them. Its tokens stay: signing out is another matter.",
        answers: &[done("It is closed.")],
        errors: &[UnknownApp],
        ..NOTHING
    },
    Operation {
        path: route::ACCOUNTS,
        id: "listAccounts",
        summary: "The accounts that the application may use.",
        query: &[Parameter {
            name: "username",
            kind: "string",
            description: "Only those of this user name; case is ignored.",
        }],
        answers: &[json::<Accounts>(200, "The accounts.")],
        errors: &[UnknownApp, StoreLocked],
        ..NOTHING
    },
    Operation {
        method: "delete",
        path: route::ACCOUNT,
        id: "removeAccount",
        summary: "Signs an account out: its tokens are forgotten.",
        answers: &[done("It is signed out.")],
        errors: &[UnknownApp, UnknownAccount, StoreLocked],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::TOKEN,
        id: "acquireToken",
        summary: "A token without asking a person: from the cache, else by a refresh.",
        description: "However many callers need the same token at the same time, the provider is asked once. What the \
            provider refuses is passed through under its own `error`.",
        request: Some(schema::<TokenRequest>),
        answers: &[json::<TokenResponse>(200, "The token.")],
        errors: &[
            BadRequest,
            ReservedScope,
            AccessDenied,
            UnknownApp,
            UnknownAccount,
            SignInNeeded,
            AccountAmbiguous,
            StoreLocked,
            Throttled,
            ProviderMisbehaved,
            ProviderUnreachable,
            ProviderUnavailable,
            StoreUnavailable,
        ],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::PROOFS,
        id: "signProof",
        summary: "Signs a proof of possession for one request to a resource (RFC 9449), with the application's key.",
        description: "For tokens of applications that were opened with `dpop`. Send the token after `Authorization: DPoP` and \
            the proof as `DPoP`; when the resource answers 401 with a new `DPoP-Nonce`, sign once more with that. The token \
            endpoint is the daemon's alone.",
        request: Some(schema::<ProofRequest>),
        answers: &[json::<Proof>(200, "The proof, good for this request and for a moment.")],
        errors: &[BadRequest, UnknownApp, StoreLocked],
        ..NOTHING
    },
    Operation {
        method: "delete",
        path: route::TOKENS,
        id: "removeAppTokens",
        summary: "Forgets the tokens that are a confidential application's own, of all tenants.",
        answers: &[done("They are forgotten.")],
        errors: &[BadRequest, UnknownApp, StoreLocked],
        ..NOTHING
    },
    Operation {
        path: route::CACHE,
        id: "readCache",
        summary: "What is in the application's `private_cache`, in MSAL's schema.",
        description: "For an application that was opened with a `private_cache`, and for the process that opened it. The \
            cache that the user's programs share is never handed out.",
        answers: &[json::<Cache>(200, "The content.")],
        errors: &[AccessDenied, UnknownApp],
        ..NOTHING
    },
    Operation {
        method: "put",
        path: route::CACHE,
        id: "replaceCache",
        summary: "Puts another content in the place of all that is in the application's `private_cache`.",
        description: "Content that cannot be read changes nothing. The body may be 1 MiB.",
        request: Some(schema::<ReplaceCacheRequest>),
        answers: &[json::<CacheVersion>(200, "It is in place.")],
        errors: &[BadRequest, AccessDenied, UnknownApp],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::FLOWS,
        id: "startFlow",
        summary: "Starts a sign-in that a person takes part in, or joins the one that is open for the same purpose.",
        request: Some(schema::<StartFlowRequest>),
        answers: &[
            json::<Flow>(201, "A new flow."),
            json::<Flow>(200, "The flow that was open already; `joined` is true."),
        ],
        errors: &[
            BadRequest,
            ReservedScope,
            InvalidAuthority,
            AccessDenied,
            UnknownApp,
            StoreLocked,
            TooManyRequests,
            ProviderMisbehaved,
            ProviderUnreachable,
            ProviderUnavailable,
        ],
        ..NOTHING
    },
    Operation {
        path: route::FLOW,
        id: "waitForFlow",
        summary: "Where a flow stands.",
        description: "A long poll: answers at once when the flow has ended, else after `wait` seconds. How a sign-in failed is in \
            the flow's `error`, and the status is 200 then too.",
        query: &[Parameter {
            name: "wait",
            kind: "number",
            description: "Seconds to wait for the end; 0 by default, 60 at most.",
        }],
        answers: &[json::<Flow>(200, "The flow.")],
        errors: &[UnknownFlow],
        ..NOTHING
    },
    Operation {
        method: "delete",
        path: route::FLOW,
        id: "cancelFlow",
        summary: "Cancels a flow for its caller; the sign-in ends when nobody else takes part in it.",
        answers: &[done("It has ended for its caller.")],
        errors: &[UnknownFlow],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::COMPLETE,
        id: "completeFlow",
        summary: "Hands in the parameters of a redirect that the application received itself.",
        request: Some(schema::<CompleteFlowRequest>),
        answers: &[json::<Flow>(200, "The flow, which has ended.")],
        errors: &[
            BadRequest,
            StateMismatch,
            IssuerMismatch,
            NonceMismatch,
            UnknownFlow,
            FlowClosed,
            ProviderMisbehaved,
            ProviderUnreachable,
            ProviderUnavailable,
        ],
        ..NOTHING
    },
    Operation {
        path: route::EVENTS,
        id: "events",
        summary: "What happens to the calling user's accounts, while it happens.",
        description: "Server-sent events: `event` is the kind, `data` an Event as JSON on one line. Comment lines keep the \
            stream alive. Pass over kinds that you do not know.",
        answers: &[Answer {
            status: 200,
            description: "The stream.",
            content_type: "text/event-stream",
            schema: Some(schema::<Event>),
        }],
        errors: &[StoreLocked],
        ..NOTHING
    },
    Operation {
        path: route::DIAGNOSIS,
        id: "diagnose",
        summary: "What is wrong, and what to do about it.",
        description: "Asks the providers of the applications that are configured or open for their metadata, and no more.",
        answers: &[json::<Diagnosis>(200, "What was looked at.")],
        ..NOTHING
    },
    Operation {
        path: route::AUDIT,
        id: "audit",
        summary: "Who got what, and when.",
        description: "Of the calling user alone. That a program got the same token again is no news. What a program looked \
            like is what it showed: another program of the same user can look like it.",
        query: &[Parameter {
            name: "limit",
            kind: "integer",
            description: "How many records at most, the newest ones; 100 unless told, 10,000 at most.",
        }],
        answers: &[json::<Audit>(200, "The records, the newest last.")],
        ..NOTHING
    },
    Operation {
        path: route::GRANTS,
        id: "listGrants",
        summary: "What the person has said about which program may use which account.",
        answers: &[json::<Grants>(200, "The grants, the oldest first.")],
        errors: &[AccessDenied, StoreLocked],
        ..NOTHING
    },
    Operation {
        method: "delete",
        path: route::GRANTS,
        id: "revokeGrants",
        summary: "Takes all of it back: the person is asked again.",
        answers: &[done("They are gone.")],
        errors: &[AccessDenied, StoreLocked, StoreUnavailable],
        ..NOTHING
    },
    Operation {
        method: "delete",
        path: route::GRANT,
        id: "revokeGrant",
        summary: "Takes a yes or a no back: the person is asked again.",
        answers: &[done("It is gone.")],
        errors: &[AccessDenied, UnknownGrant, StoreLocked, StoreUnavailable],
        ..NOTHING
    },
    Operation {
        path: route::PROMPTS,
        id: "listPrompts",
        summary: "What the person is being asked.",
        description: "For those who put it to the person, as `valetkey grants watch` does in a terminal. A long poll: answers at \
            once when there is a prompt, else after `wait` seconds.",
        query: &[Parameter {
            name: "wait",
            kind: "number",
            description: "Seconds to wait for a prompt; 0 by default, 60 at most.",
        }],
        answers: &[json::<Prompts>(200, "The prompts, the oldest first.")],
        errors: &[AccessDenied, StoreLocked],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::PROMPT,
        id: "answerPrompt",
        summary: "Says what the person has answered.",
        description: "Who asks does not answer: no process does that waits for the answer.",
        request: Some(schema::<AnswerPromptRequest>),
        answers: &[done("Those who waited go on.")],
        errors: &[BadRequest, AccessDenied, UnknownPrompt, StoreLocked, StoreUnavailable],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::CACHE_IMPORT,
        id: "importCache",
        summary: "Takes over what another library cached, into the cache that the user's programs share.",
        description: "The newer one of two tokens wins, and what is there already stays. Content that is no cache changes \
            nothing; an entry that cannot be read is passed over. The body may be 1 MiB.",
        request: Some(schema::<ImportCacheRequest>),
        answers: &[json::<CacheImport>(200, "What was taken over, and what was not.")],
        errors: &[BadRequest, StoreLocked, StoreUnavailable],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::CACHE_EXPORT,
        id: "exportCache",
        summary: "All that is in the cache that the user's programs share, in MSAL's schema, refresh tokens in clear.",
        description: "For `valetkey cache export`, by which a person moves away. A program has no use for it: what it holds \
            from then on is a second owner of each refresh token.",
        request: Some(schema::<ExportCacheRequest>),
        answers: &[json::<ExportedCache>(200, "The content.")],
        errors: &[BadRequest, AccessDenied, StoreLocked, TooManyRequests],
        ..NOTHING
    },
    Operation {
        method: "put",
        path: route::SECRET,
        id: "putSecret",
        summary: "Keeps a secret that the configuration refers to.",
        description: "Whoever may use an application with it still does not get to see it.",
        request: Some(schema::<PutSecretRequest>),
        answers: &[done("It is kept.")],
        errors: &[BadRequest, StoreLocked, StoreUnavailable],
        ..NOTHING
    },
    Operation {
        method: "delete",
        path: route::SECRET,
        id: "deleteSecret",
        summary: "Forgets a secret that the configuration refers to, if there is one.",
        answers: &[done("It is forgotten.")],
        errors: &[BadRequest, StoreLocked, StoreUnavailable],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::LOCK,
        id: "lock",
        summary: "Drops keys and tokens from memory until the store is unlocked.",
        description: "A store that has no passphrase is locked until it is asked to unlock, or the daemon starts anew. Where several users are served, it drops what is the caller's own, until the caller unlocks it.",
        query: &[Parameter {
            name: "everybody",
            kind: "boolean",
            description: "Where several users are served: lock the store itself, which takes an administrator.",
        }],
        answers: &[done("It is locked.")],
        errors: &[BadRequest, AccessDenied, TooManyRequests, StoreUnavailable],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::UNLOCK,
        id: "unlock",
        summary: "Unlocks the store, with its passphrase if it has one.",
        request: Some(schema::<UnlockRequest>),
        answers: &[done("It is unlocked.")],
        errors: &[BadRequest, AccessDenied, StoreLocked, TooManyRequests],
        ..NOTHING
    },
    Operation {
        method: "post",
        path: route::KEYS_ROTATE,
        id: "rotateKeys",
        summary: "Replaces keys of the store while it is in use.",
        description: "Requests go on meanwhile. The status tells when all records are sealed anew.",
        request: Some(schema::<RotateKeysRequest>),
        answers: &[done("The keys are others.")],
        errors: &[BadRequest, AccessDenied, StoreLocked, TooManyRequests, StoreUnavailable],
        ..NOTHING
    },
];
