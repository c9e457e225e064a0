//! What every store promises, as tests: plain functions over `&Store`, and a macro that turns them
//! into the tests of one store. A rule that is not in the macro's list is dead code to the compiler.

pub(super) mod approval;
pub(super) mod arrivals;
pub(super) mod attempts;
pub(super) mod ceilings;
pub(super) mod clients;
pub(super) mod expiry;
pub(super) mod families;
pub(super) mod filters;
pub(super) mod grants;
pub(super) mod imports;
pub(super) mod initial_access_tokens;
#[path = "../../../tests/it/left_out.rs"]
pub(super) mod left_out;
pub(super) mod operator_tokens;
pub(super) mod people;
pub(super) mod registrations;
pub(super) mod resumption;
pub(super) mod rules;
pub(super) mod sessions;
pub(super) mod standing;
pub(super) mod trail;
pub(super) mod upkeep;
pub(super) mod uses;
pub(super) mod walk;
pub(super) mod webhooks;

use std::{net::IpAddr, sync::Arc};

use super::{
    ClientFilter, ClientFlags, ClientRecord, ClientRegistration, ClientState, FamilySaid, Store,
};
use crate::{
    audit::{Actor, Author},
    client::{ClientId, ProfileName},
    clock::Timestamp,
    entropy::Entropy,
};

/// Makes the tests of one store. What `$opener` returns comes to an empty, open `Arc<Store>` and whatever
/// has to live as long; or to `None`, once it has said on the console what is left out and why.
macro_rules! store_contract {
    ($opener:path) => {
        $crate::store::contract::store_contract! { @rules $opener:
            approval::a_client_with_a_document_waits_once_and_says_who_asked,
            approval::no_more_clients_with_a_document_wait_than_may,
            approval::only_a_client_that_waits_is_rejected,
            approval::of_an_approval_and_a_rejection_at_once_one_wins,
            attempts::attempts_of_all_nodes_add_up,
            attempts::surplus_attempts_are_those_of_the_network_with_the_most,
            clients::a_registered_client_is_read_back_as_it_was,
            clients::an_unknown_client_is_not_there,
            clients::an_identifier_is_registered_once,
            clients::a_refused_duplicate_does_not_touch_its_neighbours,
            clients::clients_registered_at_once_are_all_kept,
            clients::pages_follow_each_other_in_the_order_of_identifiers,
            clients::a_filter_shows_what_passes_all_of_it,
            clients::clients_behind_a_filter_are_found_however_far_apart_they_are,
            clients::a_name_is_found_without_regard_to_ascii_case_and_without_patterns,
            clients::a_deleted_client_is_gone_and_can_be_deleted_once,
            clients::an_import_keeps_what_is_new_and_leaves_what_is_there,
            clients::an_import_can_be_run_again,
            clients::an_import_that_cannot_be_kept_whole_keeps_nothing,
            families::a_client_is_counted_once_by_however_many_nodes,
            arrivals::arrivals_are_added_once_by_however_many_nodes,
            standing::a_grant_to_a_document_of_the_moment_of_a_suspension_does_not_survive_it,
            arrivals::a_client_that_is_removed_before_its_family_is_told_of_it_was_seen,
            arrivals::clients_that_are_removed_at_once_before_their_family_is_told_were_seen,
            arrivals::a_family_has_its_clients_before_it_is_told_of_them,
            arrivals::a_family_has_the_clients_of_an_arrival_of_which_one_has_left,
            arrivals::a_family_has_the_clients_of_an_arrival_to_which_one_has_returned,
            families::a_family_tells_what_its_clients_said,
            families::families_are_listed_by_size_and_by_time,
            families::a_removed_client_leaves_its_family_for_good,
            families::clients_of_a_family_are_listed_counted_or_not,
            families::imported_clients_are_counted_at_once,
            families::a_suspended_family_ends_its_grants_and_blocks_its_clients,
            families::a_grant_of_the_moment_of_a_family_suspension_does_not_survive_it,
            families::removing_a_family_removes_its_clients_and_no_others,
            families::a_rebuild_gives_equal_results,
            families::a_rebuild_counts_what_was_never_counted,
            families::a_decision_about_a_family_is_imported_and_the_later_one_stays,
            filters::every_filter_finds_what_it_says,
            filters::clients_are_found_by_the_standing_that_holds,
            filters::clients_are_listed_by_their_last_use,
            filters::one_question_looks_through_so_many_clients_and_no_more,
            filters::clients_with_a_document_pass_the_filters_that_apply_to_them,
            expiry::a_client_that_someone_vouches_for_does_not_expire,
            expiry::a_client_is_removed_when_the_time_is_over_that_a_rule_gave_it,
            expiry::unused_clients_are_removed_and_idle_ones_become_dormant_first,
            expiry::a_client_with_a_document_expires_as_if_it_had_been_used_when_it_was_allowed,
            expiry::a_grant_proves_a_use_that_was_never_stored,
            expiry::a_client_that_is_allowed_in_the_moment_of_its_expiry_stays_usable,
            expiry::a_sweep_and_the_counting_of_families_never_wait_for_each_other,
            expiry::an_expired_grant_leaves_an_event_if_its_code_was_redeemed,
            expiry::old_events_are_deleted_in_pages_and_removals_of_clients_stay_longer,
            expiry::of_nodes_that_claim_a_mark_at_once_one_succeeds,
            grants::a_grant_is_read_back_as_it_was,
            grants::a_grant_is_found_with_its_client_as_long_as_that_is_there,
            grants::of_all_who_redeem_a_code_one_does,
            grants::a_code_without_its_grant_buys_nothing,
            grants::of_fifty_who_present_one_token_all_get_one_successor,
            grants::a_token_that_is_used_again_after_its_grace_ends_the_grant,
            grants::a_token_of_another_family_changes_nothing,
            grants::a_token_that_has_expired_is_refused_and_nothing_is_forgotten,
            grants::revocation_ends_a_grant_for_whoever_comes_with_it_or_later,
            grants::grants_are_listed_in_their_order_by_client_and_by_subject,
            grants::the_grants_of_a_subject_are_listed_from_the_newest,
            grants::a_consent_replaces_the_one_before_of_the_same_two,
            grants::disconnecting_ends_the_consent_and_every_grant_of_one_subject_and_client,
            imports::grants_are_imported_and_shown_in_pages,
            imports::an_imported_grant_goes_on_to_a_later_state_and_never_back,
            imports::a_grant_is_not_taken_for_another_one_of_its_identifier,
            imports::consents_are_imported_and_the_later_one_stays,
            imports::sessions_are_imported_and_live_as_long_as_either,
            imports::imported_keys_stand_beside_those_that_are_there_and_are_followed,
            initial_access_tokens::a_token_is_created_read_back_listed_and_revoked_with_events,
            initial_access_tokens::of_fifty_who_register_at_once_as_many_do_as_the_token_has_uses,
            initial_access_tokens::a_registration_that_is_repeated_uses_the_token_once,
            initial_access_tokens::an_import_never_lowers_the_number_of_uses,
            people::people_are_listed_once_whichever_records_they_have,
            people::no_grant_of_the_moment_survives_the_end_of_all_access,
            people::all_access_of_a_person_ends_with_an_event_each_and_of_no_one_else,
            registrations::an_update_begins_the_next_generation_and_is_read_back,
            registrations::an_update_replaces_the_terms_of_its_rule_and_ends_what_they_forbid,
            registrations::an_update_that_is_held_makes_the_client_pending_and_ends_its_grants,
            registrations::of_fifty_updates_of_one_generation_one_is_made,
            registrations::clients_of_one_family_that_update_at_once_all_succeed,
            registrations::clients_that_change_places_in_their_families_never_wait_for_each_other,
            registrations::nothing_changes_for_another_generation_or_a_blocked_client,
            registrations::an_update_and_a_removal_at_once_happen_one_after_the_other,
            resumption::grants_of_a_client_that_joins_a_suspended_family_end,
            resumption::a_client_of_a_suspended_family_cannot_remove_itself,
            resumption::a_resumption_of_a_family_ends_the_grants_that_its_suspension_left,
            resumption::a_resumption_of_a_client_ends_the_grants_that_an_import_brought,
            rules::rules_keep_their_order_and_each_change_leaves_an_event,
            rules::a_change_of_rules_that_cannot_be_made_changes_nothing,
            rules::changes_of_rules_at_once_happen_one_after_another,
            rules::imported_rules_are_those_that_are_new_or_were_changed_later,
            rules::no_more_rules_are_kept_than_may_be,
            operator_tokens::an_operator_token_is_created_used_and_revoked_with_events,
            operator_tokens::a_name_belongs_to_one_operator_token_at_a_time,
            operator_tokens::operator_tokens_are_listed_in_order_and_imported_once,
            sessions::a_session_lives_as_long_as_it_is_prolonged_and_not_ended,
            sessions::sessions_are_listed_in_their_order_and_by_subject,
            sessions::the_newest_session_of_a_person_is_the_last_to_begin_of_those_that_live,
            sessions::of_all_who_make_a_key_at_once_one_does,
            sessions::a_sweep_forgets_what_has_expired_and_nothing_else,
            standing::a_suspension_ends_every_grant_of_the_client_and_counts_them,
            ceilings::a_restriction_ends_the_grants_with_a_forbidden_scope_alone,
            ceilings::a_grant_issued_at_the_moment_of_a_restriction_does_not_survive_it,
            ceilings::a_restriction_of_a_family_ends_the_grants_with_a_forbidden_scope_alone,
            ceilings::a_grant_issued_at_the_moment_of_a_restriction_of_its_family_does_not_survive_it,
            ceilings::a_grant_above_the_ceiling_of_a_rule_is_not_stored,
            standing::a_transition_leads_only_from_its_standings,
            standing::nothing_is_stored_for_a_client_that_cannot_be_allowed,
            standing::a_dormant_client_that_is_allowed_becomes_active_with_an_event,
            standing::a_removal_deletes_the_grants_and_leaves_one_event,
            standing::a_grant_issued_in_the_moment_of_a_suspension_does_not_survive_it,
            standing::allowing_and_disconnecting_at_once_happen_one_after_the_other,
            standing::clients_are_counted_by_standing_and_in_steps,
            trail::the_trail_merges_registrations_and_events_in_both_directions,
            trail::a_page_of_the_trail_skips_nothing_whichever_table_it_comes_from,
            trail::a_registration_is_told_by_the_record_of_the_client,
            upkeep::an_open_store_is_ready,
            upkeep::after_close_every_method_is_unavailable,
            upkeep::close_waits_for_what_was_accepted,
            uses::the_latest_use_of_a_client_stays,
            uses::uses_that_several_nodes_note_at_once_end_with_the_latest,
            uses::the_latest_use_of_a_client_with_a_document_stays,
            webhooks::a_reader_follows_the_trail_though_last_rows_are_deleted,
            webhooks::a_new_webhook_begins_behind_what_is_stored_and_a_dropped_one_is_forgotten,
            webhooks::every_entry_is_read_once_in_pages_of_any_size,
            webhooks::what_is_stored_later_is_read_though_its_identifier_is_earlier,
            webhooks::a_registration_is_read_before_events_about_the_client_whatever_the_clocks_say,
            webhooks::a_row_that_follows_a_deleted_last_row_is_read,
            webhooks::a_cursor_that_was_moved_in_between_stays,
            webhooks::failures_are_counted_until_the_cursor_moves,
            walk::random_walks_end_where_a_model_of_the_store_ends,
        }
    };
    (@rules $opener:path: $($chapter:ident::$rule:ident,)*) => {
        $(
            #[tokio::test]
            async fn $rule() {
                let Some((store, _kept)) = $opener().await else { return };
                $crate::store::contract::$chapter::$rule(store).await;
            }
        )*
    };
}
pub(super) use store_contract;

/// The author of every change of these tests.
pub(super) fn by() -> Author {
    Author::new(Actor::System, Timestamp::from_millis(1_764_000_000_000), Entropy::System)
}

/// Makes records that differ.
pub(super) struct Records {
    entropy: Entropy,
    now: u64,
}

impl Records {
    pub(super) fn new() -> Self {
        Self { entropy: Entropy::seeded(7), now: 1_764_000_000_000 }
    }

    /// The next record, a second after the last.
    pub(super) fn next(&mut self) -> ClientRecord {
        self.now += 1_000;
        let issued_at = Timestamp::from_millis(self.now);
        ClientRecord {
            client_id: ClientId::generate(issued_at, &self.entropy),
            issued_at,
            profile: ProfileName::Rfc7591,
            source: Some(IpAddr::from([192, 0, 2, 1])),
            flags: ClientFlags::default(),
            metadata: r#"{"redirect_uris":["https://app.example/cb"],"client_name":"Example"}"#
                .to_owned(),
            state: ClientState::default(),
            registration: ClientRegistration::default(),
        }
    }

    /// The next `count` records.
    pub(super) fn take(&mut self, count: usize) -> Vec<ClientRecord> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Everything that is kept, page by page.
async fn everything(store: &Store, filter: &ClientFilter, limit: usize) -> Vec<ClientRecord> {
    let mut all: Vec<ClientRecord> = Vec::new();
    loop {
        let after = all.last().map(|client| client.client_id);
        let page = store.clients(filter, after, limit).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Registers clients whose family is left for later.
async fn register_all(store: &Store, clients: &[ClientRecord]) {
    for client in clients {
        store.register_client(Arc::new(client.clone()), None).await.unwrap();
    }
}

/// Registers clients with their families, as the endpoint does.
async fn register_with_families(store: &Store, clients: &[ClientRecord]) {
    for client in clients {
        let metadata = serde_json::from_str(&client.metadata).unwrap();
        let family = Arc::new(FamilySaid::by(&metadata));
        store.register_client(Arc::new(client.clone()), Some(family)).await.unwrap();
    }
}
