//! The supervisor as a library: watches services, repairs them within milliseconds and says why they fell.
#![forbid(unsafe_code)]
