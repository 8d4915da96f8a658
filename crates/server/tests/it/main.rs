//! Tests of the whole server: people ask, whole answers are compared.

#![expect(clippy::too_many_lines, reason = "whole answers are long")]
#![expect(clippy::needless_pass_by_value, reason = "documents read best where they are written")]
#![expect(clippy::cloned_ref_to_slice_refs, reason = "expected values read best as literals")]

mod access;
mod binary;
mod browser;
mod catalog;
mod contract;
mod costs;
mod filters;
mod growth;
mod guild;
mod invitation_states;
mod keys;
mod letters;
mod locales;
mod migrations;
mod milestones;
mod openid_connect;
mod pages;
mod prevented;
mod revocation;
mod routes;
mod scans;
mod search;
mod sharing;
mod time;
mod transcript;
mod webapp;
