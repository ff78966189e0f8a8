//! The Hinoban daemon and its command line.
fn main() {}
