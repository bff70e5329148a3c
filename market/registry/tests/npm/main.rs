//! The npm protocol in process, on both databases.

mod bench;
mod change;
mod people;
mod publish;
mod race;
mod read;
mod refuse;
mod stranger;
