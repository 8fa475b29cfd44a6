//! Signing and verifying by the command: keys, attestations, quorums, releases, and the container tools.

mod ceremony;
mod cosign;
mod matrix;
#[path = "../../store/signing/tests/people/mod.rs"]
mod people;
mod substitution;
mod tamper;
mod verbs;

use crate::harness::Test;

pub fn tests() -> Vec<Test> {
    let tools: &[&str] = &["docker-registry", "skopeo", "podman"];
    let registry: &[&str] = &["docker-registry"];
    let test = |name, requires, run| Test { name, requires, run };
    vec![
        test("signing::tools_accept_and_refuse_what_sx_does", tools, matrix::alike as fn() -> _),
        test("signing::two_machines_reach_a_quorum_that_a_third_verifies", registry, ceremony::quorum),
        test("signing::an_interrupted_reproduction_goes_on_where_it_ended", &[], ceremony::goes_on),
        test("signing::what_comes_out_otherwise_is_named_and_not_signed", &[], ceremony::otherwise),
        test("signing::an_older_release_is_noticed", &[], ceremony::older),
        test(
            "signing::an_older_image_of_a_release_is_noticed",
            &["docker-registry", "skopeo"],
            ceremony::older_image,
        ),
        test("signing::attestations_go_out_and_come_back_and_count", &[], verbs::attestations),
        test("signing::what_enough_attested_is_taken_and_nothing_else", &[], substitution::quorum),
        test(
            "signing::what_enough_attested_is_taken_from_a_registry_and_nothing_else",
            registry,
            substitution::from_a_registry,
        ),
        test("signing::what_too_few_vouch_for_is_not_exported", &[], verbs::export),
        test("signing::what_too_few_vouch_for_is_not_pulled", registry, verbs::pull),
        test("signing::archives_and_layouts_are_signed_and_verified", &[], verbs::archives),
        test(
            "signing::cosign_accepts_and_refuses_what_sx_does",
            &["docker-registry", "cosign", "skopeo"],
            cosign::alike,
        ),
        test("signing::a_key_that_gpg_s_agent_has_signs_everything", &["gpg", "gpg-agent"], verbs::gpg),
        test("signing::a_machine_s_key_is_nobody_else_s_to_read", &[], verbs::key),
        test(
            "signing::what_is_changed_in_any_class_of_bytes_is_refused_with_the_reason",
            &[],
            tamper::every_class,
        ),
    ]
}
