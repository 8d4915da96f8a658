//! The program itself: as a process, with its commands, its log and its end.

mod commands;
mod crash;
mod full_disk;
mod keys;
mod process;
mod tls;
