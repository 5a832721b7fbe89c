//! The policy that a configuration stands for.

use std::collections::BTreeMap;

use url::Url;
use valetkey_model::Partition;
use valetkey_oauth::known_aliases;
use valetkey_policy::{
    Admission, Ceiling, DeclaredApp, MachineEndpoints, NamedApp, Policy, Rule, Who,
};

use crate::config::{AppConfig, Config, RuleConfig, UserName};
use crate::from_wire;
use crate::users::Found;

pub(super) fn policy(config: &Config, users: &Found) -> Policy {
    let rules = config.rules.iter().enumerate();
    Policy {
        authorities: match &config.policy.authorities {
            None if config.serves_several() => Admission::Hosts(Vec::new()),
            None => Admission::Any,
            Some(hosts) => Admission::Hosts(lower(hosts)),
        },
        machine_endpoints: MachineEndpoints {
            admits_near: !config.serves_several(),
            hosts: lower(&config.policy.managed_identity_hosts),
        },
        forbids_cache_export: config
            .policy
            .forbid_cache_export
            .unwrap_or_else(|| config.serves_several()),
        forbids_device_code: config.policy.forbid_device_code,
        consent: config.policy.consent.into(),
        rules: rules
            .map(|(index, rule_config)| rule(index, rule_config, &config.apps, users))
            .collect(),
        instance_discovery_endpoints: config
            .instance_discovery_endpoints()
            .filter_map(|(_, text)| Url::parse(text).ok())
            .map(String::from)
            .collect(),
    }
}

fn rule(
    index: usize,
    config: &RuleConfig,
    apps: &BTreeMap<String, AppConfig>,
    users: &Found,
) -> Rule {
    let app = |name: &String| NamedApp { name: name.clone(), declared: declared(apps.get(name)) };
    let place = || format!("the {} of [[rules]]", ordinal(index + 1));
    Rule {
        name: config.name.as_ref().map_or_else(place, |name| format!("the rule {name:?}")),
        who: Who {
            users: config.users.as_ref().map(|named| partitions_of(named, users)),
            programs: config.programs.clone(),
            units: config.units.clone(),
            apps: config.apps.as_ref().map(|named| named.iter().map(app).collect()),
        },
        denies: config.deny,
        ceiling: Ceiling {
            accounts: config.accounts.clone(),
            authorities: config.authorities.as_deref().map(lower),
            scopes: config.scopes.clone(),
            audiences: config.audiences.clone(),
        },
        forbids_asking: config.may_ask == Some(false),
        may_administer: config.may_administer,
        consent: config.consent.map(Into::into),
    }
}

/// By what an application of the configuration is known to who opens it without its name.
fn declared(app: Option<&AppConfig>) -> Option<DeclaredApp> {
    let definition = from_wire::definition(&app?.definition()).ok()?;
    let environment = definition.authority.environment();
    let names = std::iter::once(environment).chain(known_aliases(environment));
    Some(DeclaredApp {
        client_id: definition.client_id.as_str().to_owned(),
        environments: names.map(str::to_owned).collect(),
    })
}

/// In lower case, and without the dot at its end that stands for DNS's root.
fn lower(hosts: &[String]) -> Vec<String> {
    let plain = |host: &String| {
        host.to_ascii_lowercase().replace(".:", ":").trim_end_matches('.').to_owned()
    };
    hosts.iter().map(plain).collect()
}

fn ordinal(number: usize) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// All of them were found when the configuration was read.
fn partitions_of(named: &[UserName], users: &Found) -> Vec<Partition> {
    named.iter().filter_map(|user| users.get(user)).cloned().collect()
}
