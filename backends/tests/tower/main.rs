//! The tower layer.

mod tower;
