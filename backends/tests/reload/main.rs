//! Hot reload of the configuration file.

mod live;
