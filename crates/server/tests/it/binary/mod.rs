//! The program itself: as a process, with its commands, its log and its end.

mod commands;
mod crash;
mod keys;
mod process;
mod tls;
