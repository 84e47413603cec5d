//! A configuration as a running process, on virtual time.
#![cfg(feature = "app")]

mod virtual_time;
