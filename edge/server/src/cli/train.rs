//! (wired below)
