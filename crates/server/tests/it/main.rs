//! Tests of the whole server: people ask, whole answers are compared.

mod access;
mod binary;
mod catalog;
mod contract;
mod filters;
mod guild;
mod routes;
