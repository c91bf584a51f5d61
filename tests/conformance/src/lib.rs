#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a suite of tests")]

pub mod buckets;
pub mod feed;
pub mod fence;
mod harness;
pub mod installation;
pub mod journal;
pub mod lists;
pub mod rows;

pub use harness::{Medium, Served, delete, write};

/// Makes a test of each function of the suite, on one medium.
#[macro_export]
macro_rules! suite {
    ($medium:ident) => {
        $crate::suite! { $medium:
            buckets: [
                an_image_comes_out_as_it_went_in,
                a_served_bucket_takes_no_image,
                rows_of_other_buckets_are_refused,
            ]
            feed: [
                pages_follow_each_other,
                a_beginner_gets_no_deletes,
                every_kind_of_the_feed_finds_its_row,
                streams_of_the_asking_device_come_along,
            ]
            fence: [
                a_take_over_ends_the_former_owner,
                a_fenced_bucket_takes_no_commit,
                nobody_commits_before_the_first_take_over,
                owner_counters_move_on_with_the_commit,
                all_buckets_have_an_owner,
            ]
            installation: [
                settings_and_generation_outlive_a_restart,
                acknowledged_outlives_a_restart,
                counts_are_those_of_the_rows,
            ]
            journal: [
                transfers_are_read_back_by_sequence,
                a_statement_is_the_journal_of_one_account,
                accounts_are_listed_by_owner_and_by_id,
                tripwires_end_the_commit,
                a_lost_race_posts_nothing,
            ]
            lists: [
                timers_come_by_their_due_time,
                the_outbox_gives_what_is_not_done,
                orders_come_newest_first,
                blockers_come_by_their_due_time,
                devices_and_scope_parts_are_found,
                intents_come_in_the_order_of_decision,
            ]
            rows: [
                every_kind_is_read_back_equal,
                answers_stand_in_the_order_asked,
                versions_count_the_writes,
                a_lost_race_changes_nothing,
                rows_that_never_change_refuse_to,
                a_row_under_another_key_is_refused,
            ]
        }
    };
    ($medium:ident: $($module:ident: [$($name:ident,)*])*) => {
        $(mod $module {
            $(#[test]
            fn $name() {
                $crate::$module::$name::<super::$medium>();
            })*
        })*
    };
}
